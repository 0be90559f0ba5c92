package correspondence

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// siteRoot is what relative links of old messages are relative to (8.3).
const siteRoot = "https://altinn.no/"

var manyLines = regexp.MustCompile(`\n{3,}`)

// toMarkdown turns a mixture of HTML and Markdown into Markdown: known tags become marks, others go, text stays.
func toMarkdown(text string) string {
	w := markdownWriter{}
	tokens := html.NewTokenizer(strings.NewReader(text))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(manyLines.ReplaceAllString(w.out.String(), "\n\n"))
		case html.TextToken:
			if !w.silent {
				w.out.WriteString(tokens.Token().Data)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			w.start(tokens.Token())
		case html.EndTagToken:
			w.end(tokens.Token().Data)
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

type markdownWriter struct {
	out    strings.Builder
	links  []string
	silent bool // in a script or a style
}

func (w *markdownWriter) start(t html.Token) {
	switch t.Data {
	case "br":
		w.out.WriteString("  \n")
	case "p", "div", "ul", "ol", "table":
		w.out.WriteString("\n\n")
	case "li":
		w.out.WriteString("\n- ")
	case "tr":
		w.out.WriteString("\n")
	case "td", "th":
		w.out.WriteString(" ")
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.out.WriteString("\n\n" + strings.Repeat("#", int(t.Data[1]-'0')) + " ")
	case "b", "strong":
		w.out.WriteString("**")
	case "i", "em":
		w.out.WriteString("*")
	case "script", "style":
		w.silent = true
	case "a":
		w.links = append(w.links, absolute(attribute(t, "href")))
		w.out.WriteString("[")
	}
}

func (w *markdownWriter) end(name string) {
	switch name {
	case "p", "div", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6":
		w.out.WriteString("\n\n")
	case "b", "strong":
		w.out.WriteString("**")
	case "i", "em":
		w.out.WriteString("*")
	case "script", "style":
		w.silent = false
	case "a":
		if last := len(w.links) - 1; last >= 0 {
			w.out.WriteString("](" + w.links[last] + ")")
			w.links = w.links[:last]
		}
	}
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// absolute makes relative addresses absolute.
func absolute(address string) string {
	first, _, _ := strings.Cut(address, "/")
	if address == "" || strings.HasPrefix(address, "#") || strings.Contains(first, ":") || strings.HasPrefix(address, "//") {
		return address
	}
	return siteRoot + strings.TrimPrefix(address, "/")
}
