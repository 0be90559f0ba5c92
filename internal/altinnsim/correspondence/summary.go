package correspondence

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var (
	tags = regexp.MustCompile(`<[^>]*>`)
	// White space is that of .NET, which knows more than Go's \s.
	blanks      = regexp.MustCompile(`[\s\v\x{85}\p{Z}]+`)
	frontMatter = regexp.MustCompile(`\A---[ \t]*\r?\n(?s:.*?)\r?\n?(?:---|\.\.\.)[ \t]*(?:\r?\n|\z)`)
)

// markdown is made once: it is safe for concurrent use.
//
//nolint:gochecknoglobals // as a compiled expression is
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify, extension.TaskList,
		extension.Footnote, extension.DefinitionList, emphasisExtras{}),
	goldmark.WithRendererOptions(html.WithUnsafe()),
)

// cleaned is a summary without its markup (9.5). What was plain text comes out with the entities of HTML, which is not
// decoded again.
func cleaned(summary string) string {
	source := frontMatter.ReplaceAllString(strings.ReplaceAll(summary, "\r\n", "\n"), "")
	var out bytes.Buffer
	if err := markdown.Convert([]byte(source), &out); err != nil {
		// A buffer takes everything.
		return ""
	}
	stripped := tags.ReplaceAllString(out.String(), "")
	return strings.TrimSpace(blanks.ReplaceAllString(stripped, " "))
}

// emphasisExtras are the marks of the advanced extensions that CommonMark lacks: ++inserted++, ==marked==, ^raised^,
// ~lowered~ and ""cited"". What they look like does not matter: the tags are taken away.
type emphasisExtras struct{}

// Extend implements goldmark.Extender.
func (emphasisExtras) Extend(m goldmark.Markdown) {
	const priority = 550
	m.Parser().AddOptions(parser.WithInlineParsers(
		util.Prioritized(extraParser{'+', 2}, priority), util.Prioritized(extraParser{'=', 2}, priority+1),
		util.Prioritized(extraParser{'^', 1}, priority+2), util.Prioritized(extraParser{'"', 2}, priority+3),
	))
	m.Renderer().AddOptions(renderer.WithNodeRenderers(util.Prioritized(extraRenderer{}, priority)))
}

//nolint:gochecknoglobals // goldmark numbers kinds of nodes as they are made
var kindExtra = ast.NewNodeKind("EmphasisExtra")

type extraNode struct{ ast.BaseInline }

// Kind implements ast.Node.
func (*extraNode) Kind() ast.NodeKind { return kindExtra }

// Dump implements ast.Node.
func (n *extraNode) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// extraParser reads one kind of mark.
type extraParser struct {
	mark   byte
	length int
}

// Trigger implements parser.InlineParser.
func (p extraParser) Trigger() []byte { return []byte{p.mark} }

// Parse implements parser.InlineParser.
func (p extraParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	node := parser.ScanDelimiter(line, before, p.length, extraDelimiter{p})
	if node == nil || node.OriginalLength != p.length || before == rune(p.mark) {
		return nil
	}
	node.Segment = segment.WithStop(segment.Start + node.OriginalLength)
	block.Advance(node.OriginalLength)
	pc.PushDelimiter(node)
	return node
}

type extraDelimiter struct{ extraParser }

// IsDelimiter implements parser.DelimiterProcessor.
func (d extraDelimiter) IsDelimiter(b byte) bool { return b == d.mark }

// CanOpenCloser implements parser.DelimiterProcessor.
func (extraDelimiter) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char
}

// OnMatch implements parser.DelimiterProcessor.
func (extraDelimiter) OnMatch(int) ast.Node { return &extraNode{} }

// extraRenderer writes nothing around the marked text.
type extraRenderer struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (extraRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(kindExtra, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) { return ast.WalkContinue, nil })
}
