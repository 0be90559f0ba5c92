package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// errDisagree ends the demo: the two sides are not equal.
var errDisagree = errors.New("source and target disagree")

// prove compares, item by item, what the sources list with the ledger, and what they have with what Dialogporten holds. The first
// comparison is made here over the sources' own interfaces, the second by the simulator, which knows nothing of our mapping.
func (d *demo) prove(ctx context.Context, p past) error {
	d.chapterf("The proof")
	d.speeds(p)
	kept, err := d.readLedger(ctx)
	if err != nil {
		return err
	}
	listed, err := d.compareLedger(ctx, kept.instances)
	if err != nil {
		return err
	}
	factf("Storage and ledger",
		"%s instances are listed, each in the ledger or in quarantine, and where it should be; %d more are gone, their dialogs too",
		number(listed), len(kept.instances))
	messages, err := d.compareMessages(ctx, kept.messages)
	if err != nil {
		return err
	}
	return d.compareDialogs(ctx, listed, messages)
}

// speeds tells how fast history was.
func (d *demo) speeds(p past) {
	for i := range p.backfills {
		b, took := &p.backfills[i], p.took[p.backfills[i].ID]
		n := b.Accounts.Settled()
		factf("history, "+nameOf(b), "%s in %s, %.0f a second", number(n), took.Round(time.Second), float64(n)/took.Seconds())
	}
}

// standing is what the ledger says of an item.
type standing struct {
	outcome db.Outcome
	state   db.DialogState
}

// records are the ledger's, by the item's id.
type records struct{ instances, messages map[uuid.UUID]standing }

func (d *demo) readLedger(ctx context.Context) (records, error) {
	const page = 10_000
	q := db.New(d.pool)
	kept := records{instances: map[uuid.UUID]standing{}, messages: map[uuid.UUID]standing{}}
	var after uuid.UUID
	for {
		rows, err := q.LedgerPage(ctx, db.LedgerPageParams{After: after, MaxRows: page})
		if err != nil {
			return kept, fmt.Errorf("read ledger: %w", err)
		}
		for i := range rows {
			of := kept.instances
			if rows[i].Source == ledger.A2Correspondence {
				of = kept.messages
			}
			of[rows[i].ItemID] = standing{rows[i].Outcome, rows[i].DialogState}
			after = rows[i].ItemID
		}
		if len(rows) < page {
			return kept, nil
		}
	}
}

// compareLedger lists all instances, ascending, and takes each out of the ledger, where it must be with the dialog it should
// have. What is left must be gone.
func (d *demo) compareLedger(ctx context.Context, kept map[uuid.UUID]standing) (listed int, err error) {
	client := storage.New(d.platform, http.DefaultClient)
	orgs, err := client.Orgs(ctx)
	if err != nil {
		return 0, fmt.Errorf("list organisations: %w", err)
	}
	everyVersion := 0
	oldest, newest := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().AddDate(1, 0, 0)
	var wrong wrongs
	var missing []string
	for _, org := range orgs {
		query := storage.Query{Org: org, From: oldest, To: newest, MainVersionExclude: &everyVersion, Size: 1000}
		for more := true; more; {
			page, err := client.ListInstances(ctx, query)
			if err != nil {
				return listed, fmt.Errorf("list instances of %s: %w", org, err)
			}
			for i := range page.Instances {
				listed++
				switch problem := compareOne(&page.Instances[i], kept); problem {
				case "":
				case notInLedger:
					missing = append(missing, page.Instances[i].ID.String())
				default:
					wrong.tellf("%s: %s", page.Instances[i].ID, problem)
				}
			}
			query.Token, more = page.NextToken, page.NextToken != ""
		}
	}
	if err := d.compareQuarantine(ctx, missing, &wrong); err != nil {
		return listed, err
	}
	for id, at := range kept {
		if at.state != db.DialogStateAbsent {
			wrong.tellf("%s: Storage does not list it, and the ledger has its dialog %s", id, at.state)
		}
	}
	if wrong > 0 {
		return listed, fmt.Errorf("%d instances listed, %d wrong: %w", listed, wrong, errDisagree)
	}
	return listed, nil
}

// compareQuarantine looks for instances that are not in the ledger: what an event told of and could not be brought over stands in
// quarantine alone until a poll meets it.
func (d *demo) compareQuarantine(ctx context.Context, keys []string, wrong *wrongs) error {
	held := map[string]int64{}
	for _, source := range []ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms} {
		found, err := ledger.QuarantinedBy(ctx, db.New(d.pool), source, keys)
		if err != nil {
			return fmt.Errorf("look up quarantine: %w", err)
		}
		maps.Copy(held, found)
	}
	for _, key := range keys {
		if _, is := held[key]; !is {
			wrong.tellf("%s: %s, and not in quarantine", key, notInLedger)
		}
	}
	return nil
}

const notInLedger = "missing in the ledger"

func compareOne(item *storage.Listed, kept map[uuid.UUID]standing) string {
	if item.Err != nil || item.Instance.Created == nil {
		return "cannot be read"
	}
	id := dialogid.V7(item.ID.GUID, item.Instance.Created.Time)
	at, found := kept[id]
	delete(kept, id)
	switch {
	case !found:
		return notInLedger
	case at.outcome == db.OutcomeFailed:
		return "" // in quarantine: the simulator says whether rightly so
	case item.Instance.IsHardDeleted() && at.state != db.DialogStateAbsent:
		return "hard-deleted, but the ledger has its dialog " + string(at.state)
	case item.Instance.IsHardDeleted():
		return ""
	case item.Instance.IsSoftDeleted() && at.state != db.DialogStateDeleted:
		return "soft-deleted, but the ledger has its dialog " + string(at.state)
	case !item.Instance.IsSoftDeleted() && at.state != db.DialogStateAlive:
		return "alive, but the ledger has its dialog " + string(at.state)
	}
	return ""
}

// comparison is what the simulator tells of both of its sides.
type comparison struct {
	Differing   int               `json:"differing"`
	Instances   int               `json:"instances"`
	NoParty     int               `json:"noParty"`
	Dialogs     int               `json:"dialogs"`
	Differences []json.RawMessage `json:"differences"`
	Messages    struct {
		Differing   int               `json:"differing"`
		Messages    int               `json:"messages"`
		Items       int               `json:"items"`
		Equal       int               `json:"equal"`
		Skipped     map[string]int    `json:"skipped"`
		Held        map[string]int    `json:"held"`
		Differences []json.RawMessage `json:"differences"`
	} `json:"messages"`
}

// compareDialogs has the simulator compare both of its sides, and compares what it found of broken messages with what we did.
func (d *demo) compareDialogs(ctx context.Context, instances int, m tally) error {
	var report comparison
	if err := d.ask(ctx, http.MethodGet, "/_sim/diff", nil, &report); err != nil {
		return err
	}
	theirs := report.Messages
	var wrong wrongs
	for _, difference := range append(report.Differences, theirs.Differences...) {
		wrong.tellf("%s", difference)
	}
	if report.Differing+theirs.Differing > 0 || report.Instances != instances || theirs.Messages != m.listed {
		return fmt.Errorf("%d instances and %d messages against %d dialogs, %d and %d differences: %w",
			report.Instances, theirs.Messages, report.Dialogs, report.Differing, theirs.Differing, errDisagree)
	}
	factf("Storage and dialogs", "%s instances, no difference; %d have an owner that nobody knows, and rightly no dialog",
		number(report.Instances), report.NoParty)
	factf("Altinn 2 and dialogs", "%s messages, %s of them in Correspondence, no difference", number(theirs.Messages), number(theirs.Items))
	factf("Dialogporten", "%s dialogs", number(report.Dialogs))
	return m.compareHeld(theirs.Held)
}
