package live

import (
	"strings"

	"github.com/altinn/dialogsync/internal/ledger"
)

// Sources are those whose events the inbox takes.
func Sources() []ledger.Source { return []ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms} }

// sourceOf tells an item's source by its app id: those of older platforms' forms begin with a1- or a2- (Storage reference
// 12.1).
func sourceOf(appID string) ledger.Source {
	_, app, _ := strings.Cut(appID, "/")
	if strings.HasPrefix(app, "a1-") || strings.HasPrefix(app, "a2-") {
		return ledger.A2ArchivedForms
	}
	return ledger.A3AppInstances
}
