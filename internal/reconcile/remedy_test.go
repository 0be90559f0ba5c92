package reconcile_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
	"github.com/altinn/dialogsync/internal/transport"
)

// reasonsOf are the codes that the constants of a package name.
func reasonsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var codes []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is || !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), "reason") || len(spec.Values) != 1 {
				return true
			}
			if text, is := spec.Values[0].(*ast.BasicLit); is && text.Kind == token.STRING {
				code, err := strconv.Unquote(text.Value)
				require.NoError(t, err)
				codes = append(codes, code)
			}
			return true
		})
	}
	require.NotEmpty(t, codes, dir)
	return codes
}

// packages name the codes of a source.
func packages() map[string]ledger.Source {
	return map[string]ledger.Source{
		"../delivery": ledger.A3AppInstances, "../delivery/batch": ledger.A3AppInstances, "../mapping": ledger.A3AppInstances,
		"../delivery/message": ledger.A2Correspondence, "../mapping/message": ledger.A2Correspondence,
	}
}

// unknownRemedy is what a code gets that nobody has thought of.
func unknownRemedy() reconcile.Remedy {
	return reconcile.RemedyFor(ledger.A3AppInstances, "a code that does not exist")
}

func TestEveryReasonHasARemedy(t *testing.T) {
	t.Parallel()
	for dir, source := range packages() {
		for _, code := range reasonsOf(t, dir) {
			assert.NotEqual(t, unknownRemedy(), reconcile.RemedyFor(source, code), "%s of %s", code, dir)
		}
	}
	codes := []string{"http_400", "http_404", "http_418", "http_500", "http_503", "http_302", "correspondence_1019"}
	for class := transport.Canceled; class <= transport.Systemic; class++ {
		codes = append(codes, class.String())
	}
	for _, code := range codes {
		for _, source := range []ledger.Source{ledger.A3AppInstances, ledger.A2Correspondence} {
			assert.NotEqual(t, unknownRemedy(), reconcile.RemedyFor(source, code), code)
		}
	}
}

// What people are told at night stands in the documentation too, word for word.
func TestEveryRemedyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/reasons.md")
	require.NoError(t, err)
	for dir, source := range packages() {
		for _, code := range reasonsOf(t, dir) {
			remedy := reconcile.RemedyFor(source, code)
			row := fmt.Sprintf("| `%s` | %s | %s |\n", code, remedy.Means, remedy.Do)
			assert.True(t, strings.Contains(string(text), row), "docs/reasons.md lacks: %s", row) //nolint:testifylint // it would print the whole page
		}
	}
}
