package delivery

import (
	"context"
	"fmt"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// IntakeAnew is our own word on a form that another instance now has the archive reference of (Storage reference 12.3).
const IntakeAnew = "anew"

// TellAnew has live look at forms that the ledger has under more than one item with a dialog: where one was migrated anew, the old instance
// is gone without a word, and its dialog goes with it. The events wait parked in the inbox: the keeper gives them jobs, and what fails is
// tried again there and holds up nothing else (Invariant 8).
func TellAnew(ctx context.Context, q *db.Queries, forms []ledger.Entry) error {
	if len(forms) == 0 {
		return nil
	}
	n := len(forms)
	p := db.AddToInboxParams{JobIds: make([]int64, n), AppIds: make([]string, n)}
	for i := range forms {
		f := &forms[i]
		p.InstanceGuids = append(p.InstanceGuids, f.Instance.GUID)
		p.Created = append(p.Created, dialogid.Time(f.ItemID))
		p.PartyIds = append(p.PartyIds, int32(f.Instance.PartyID)) //nolint:gosec // ParseInstanceID admits 31 bits
		p.Sources = append(p.Sources, string(f.Source))
		p.Migrations = append(p.Migrations, true) // nothing happened to the form but its move
		p.Intakes = append(p.Intakes, IntakeAnew)
	}
	var err error
	if p.Ids, err = q.NextInboxIDs(ctx, int32(n)); err != nil { //nolint:gosec // a page's
		return fmt.Errorf("number events on forms that were migrated anew: %w", err)
	}
	if err := q.AddToInbox(ctx, p); err != nil {
		return fmt.Errorf("tell of forms that were migrated anew: %w", err)
	}
	return nil
}
