package dialogporten

import "strings"

// languageCodes are the accepted ISO 639-1 codes, each followed by a space (Chapter 7, Localisation lists).
const languageCodes = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy " +
	"da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu " +
	"hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb " +
	"lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn nr nv ny oc oj om or " +
	"os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta " +
	"te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "

// normalLanguage cuts a culture code to its language: en_GB and EN-us are en.
func normalLanguage(code string) string {
	if len(code) == 2 && code[0] >= 'a' && code[0] <= 'z' && code[1] >= 'a' && code[1] <= 'z' {
		return code
	}
	code = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(code), "_", "-"))
	language, _, _ := strings.Cut(code, "-")
	return language
}

func knownLanguage(code string) bool {
	if len(code) != 2 || code[0] == ' ' || code[1] == ' ' {
		return false
	}
	switch code {
	case "nb", "nn", "en":
		return true
	}
	for i := 0; i+2 < len(languageCodes); i += 3 {
		if languageCodes[i] == code[0] && languageCodes[i+1] == code[1] {
			return true
		}
	}
	return false
}
