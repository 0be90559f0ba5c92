package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// errDisagree ends the demo: the two sides are not equal.
var errDisagree = errors.New("source and target disagree")

// prove compares, item by item, what the source lists with the ledger, and what the source has with what Dialogporten holds.
// The first comparison is made here over Storage's API, the second by the simulator, which knows nothing of our mapping.
func (d *demo) prove(ctx context.Context, took time.Duration) error {
	pool, err := d.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	ledger, err := readLedger(ctx, pool)
	if err != nil {
		return err
	}
	listed, err := d.compareLedger(ctx, ledger)
	if err != nil {
		return err
	}
	sayf("Ledger: %d items listed by Storage, each in the ledger and where it should be; %d more that are gone, and their dialogs with them.",
		listed, len(ledger))
	sayf("History took %s, %.0f items a second.", took.Round(time.Second), float64(d.items)/took.Seconds())
	return d.compareDialogs(ctx, listed)
}

// standing is what the ledger says of an item.
type standing struct {
	outcome db.Outcome
	state   db.DialogState
}

func readLedger(ctx context.Context, pool *pgxpool.Pool) (map[uuid.UUID]standing, error) {
	const page = 10_000
	q := db.New(pool)
	items := map[uuid.UUID]standing{}
	var after uuid.UUID
	for {
		rows, err := q.LedgerPage(ctx, db.LedgerPageParams{After: after, MaxRows: page})
		if err != nil {
			return nil, fmt.Errorf("read ledger: %w", err)
		}
		for i := range rows {
			items[rows[i].ItemID] = standing{rows[i].Outcome, rows[i].DialogState}
			after = rows[i].ItemID
		}
		if len(rows) < page {
			return items, nil
		}
	}
}

// compareLedger lists everything, ascending, and takes each item out of the ledger, where it must be with the dialog it should
// have. What is left must be gone.
func (d *demo) compareLedger(ctx context.Context, ledger map[uuid.UUID]standing) (listed int, err error) {
	client := storage.New(d.platform, http.DefaultClient)
	orgs, err := client.Orgs(ctx)
	if err != nil {
		return 0, fmt.Errorf("list organisations: %w", err)
	}
	everyVersion := 0
	oldest, newest := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().AddDate(1, 0, 0)
	wrong := 0
	for _, org := range orgs {
		query := storage.Query{Org: org, From: oldest, To: newest, MainVersionExclude: &everyVersion, Size: 1000}
		for more := true; more; {
			page, err := client.ListInstances(ctx, query)
			if err != nil {
				return listed, fmt.Errorf("list instances of %s: %w", org, err)
			}
			for i := range page.Instances {
				listed++
				if problem := compareOne(&page.Instances[i], ledger); problem != "" {
					wrong++
					sayf("  %s: %s", page.Instances[i].ID, problem)
				}
			}
			query.Token, more = page.NextToken, page.NextToken != ""
		}
	}
	for id, at := range ledger {
		if at.state != db.DialogStateAbsent {
			wrong++
			sayf("  %s: Storage does not list it, and the ledger has its dialog %s", id, at.state)
		}
	}
	if wrong > 0 {
		return listed, fmt.Errorf("%d items listed, %d wrong: %w", listed, wrong, errDisagree)
	}
	return listed, nil
}

func compareOne(item *storage.Listed, ledger map[uuid.UUID]standing) string {
	if item.Err != nil || item.Instance.Created == nil {
		return "cannot be read"
	}
	id := dialogid.V7(item.ID.GUID, item.Instance.Created.Time)
	at, found := ledger[id]
	delete(ledger, id)
	switch {
	case !found:
		return "missing in the ledger"
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

// compareDialogs has the simulator compare both of its sides.
func (d *demo) compareDialogs(ctx context.Context, items int) error {
	answer, err := d.call(ctx, http.MethodGet, "/_sim/diff", nil)
	if err != nil {
		return err
	}
	var report struct {
		Differing   int               `json:"differing"`
		Instances   int               `json:"instances"`
		NoParty     int               `json:"noParty"`
		Dialogs     int               `json:"dialogs"`
		Differences []json.RawMessage `json:"differences"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return fmt.Errorf("read comparison: %w", err)
	}
	if report.Differing > 0 || report.Instances != items {
		for _, difference := range report.Differences {
			sayf("  %s", difference)
		}
		return fmt.Errorf("%d instances against %d dialogs, %d differences: %w",
			report.Instances, report.Dialogs, report.Differing, errDisagree)
	}
	sayf("Dialogporten: %d instances against %d dialogs, no difference; %d instances have an owner that nobody knows, and rightly none.",
		report.Instances, report.Dialogs, report.NoParty)
	return nil
}
