package correspondence //nolint:testpackage // what is tested is not to be seen from outside

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCleaned(t *testing.T) {
	t.Parallel()
	for summary, want := range map[string]string{
		"":                                    "",
		"  \n ":                               "",
		"Bare tekst":                          "Bare tekst",
		"a\n\n\n b\t c":                       "a b c",
		"Hei&nbsp;&nbsp;du":                   "Hei du",
		"\u00a0a\u2003\u0085b\u2028\vc":       "a b c",
		"# Overskrift":                        "Overskrift",
		"* en\n* to":                          "en to",
		"1. en\n2. to":                        "en to",
		"> sitat":                             "sitat",
		"**fet** *kursiv* ~~strøket~~ `kode`": "fet kursiv strøket kode",
		"++satt inn++ ==merket== x^2^ H~2~O":  "satt inn merket x2 H2O",
		"[lenke](https://example.no) her":     "lenke her",
		"https://example.no":                  "https://example.no",
		"![bilde](x.png) etter":               "etter",
		"<b>fet</b> <br/>ny":                  "fet ny",
		"<div>blokk</div>":                    "blokk",
		"<p></p>":                             "",
		"A & B":                               "A &amp; B",
		`"sitert"`:                            "&quot;sitert&quot;",
		"1 < 2 og 3 > 2":                      "1 &lt; 2 og 3 &gt; 2",
		"&aring; &amp; &lt;":                  "å &amp; &lt;",
		"a | b\n--|--\n1 | 2":                 "a b 1 2",
		"---\ntitle: x\n---\nTekst":           "Tekst",
		"---\r\ntitle: x\r\n...\r\nTekst":     "Tekst",
		"Tekst\n\n---\n\nmer":                 "Tekst mer",
		"2 + 2 = 4, a ^ b, \"x\" og 1 ~ 2":    "2 + 2 = 4, a ^ b, &quot;x&quot; og 1 ~ 2",
	} {
		assert.Equal(t, want, cleaned(summary), summary)
	}
}

func TestTitled(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"KARI TESTPERSON": "Kari Testperson", "OLA-PER O'BRIEN": "Ola-Per O'brien", "ÅSE  ØRN": "Åse  Ørn", "": "",
	} {
		assert.Equal(t, want, titled(name))
	}
}

func TestMarkdownOfOldMessages(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Hei\n\n[Les **mer**](https://altinn.no/skjema) & \n\n- en\n- to",
		toMarkdown(`<style>p{}</style><p>Hei</p><p><a href="/skjema">Les <b>mer</b></a> &amp; </p><ul><li>en<li>to</ul>`))
	assert.Equal(t, "# Tittel\n\n[a](https://example.no) [b](mailto:x@example.no) [c](#d)",
		toMarkdown(`<h1>Tittel</h1><a href="https://example.no">a</a> <a href="mailto:x@example.no">b</a> <a href="#d">c</a>`))
	assert.Equal(t, "**alt** er *Markdown*", toMarkdown("**alt** er *Markdown*"))
}
