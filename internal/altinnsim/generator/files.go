package generator

import "strings"

// fileName draws the name of an attachment and its content type. Some are as odd as real ones: very long, without
// extension, missing, with signs of all kinds.
func fileName(roll *dice) (name, content string) {
	const pdf = "application/pdf"
	plain := [...]struct{ name, content string }{
		{"Vedlegg.pdf", pdf},
		{"kart.png", "image/png"},
		{"faktura 2024.pdf", pdf},
		{"lønnsslipp_mars.pdf", pdf},
		{"budsjett.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"bilde.JPG", "image/jpeg"},
		{"notat.txt", "text/plain"},
	}
	if !roll.Chance(0.1) {
		p := plain[roll.Below(int64(len(plain)))]
		return p.name, p.content
	}
	odd := [...]string{
		"", "uten-endelse", ".skjult", "punktum.", strings.Repeat("svært langt navn ", 20) + ".pdf",
		"mappe/underfil.tar.gz", `C:\Temp\skjema (1).pdf`, "50%25 & <ferdig> \"sitat\".pdf", "søknad\u00a0– endelig ✓.pdf", "📎.pdf",
		"langendelse." + strings.Repeat("x", 260),
	}
	return odd[roll.Below(int64(len(odd)))], pdf
}
