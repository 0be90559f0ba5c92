package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	mapping "github.com/altinn/dialogsync/internal/mapping/message"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// maxWindows is how many backfills are looked at that an item lies in.
const maxWindows = 5

// Explainer tells what is known of single items. It changes nothing anywhere.
type Explainer struct {
	Pool *pgxpool.Pool
	// Instances delivers by clients that capture what would change something (transport.Rehearsal); nil for messages.
	Instances *delivery.Deliverer
	// Messages reads Altinn 2, Dialogs its messages' dialogs; nil for instances.
	Messages *altinn2.Client
	Dialogs  *dialogporten.Client
	// Selection is which messages the workers leave out.
	Selection mapping.Selection
	// Now is the wall clock, for what may be shown by now.
	Now func() time.Time
}

// begin reads what does not depend on the item.
func (x *Explainer) begin(ctx context.Context, key string) (*Explanation, error) {
	at, err := db.New(x.Pool).DatabaseNow(ctx)
	if err != nil {
		return nil, fmt.Errorf("explain %s: read the database's clock: %w", key, err)
	}
	return &Explanation{Item: key, At: at.UTC(), Quarantine: []QuarantinedItem{}, History: []HistoryFacts{}}, nil
}

func (x *Explainer) readLedger(ctx context.Context, e *Explanation) error {
	if e.ItemID == uuid.Nil {
		return nil
	}
	r, err := db.New(x.Pool).ExplainLedger(ctx, e.ItemID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up the ledger: %w", err)
	}
	e.Ledger = &LedgerFacts{
		Outcome: r.Outcome, Reason: orZero(r.Reason), Remedy: remedyOf(r.Source, r.Outcome, orZero(r.Reason)), DialogState: r.DialogState,
		SourceChanged: orZero(r.SourceChanged).UTC(), ReadAt: r.ReadAt.UTC(), RecordedAt: r.RecordedAt.UTC(),
		MappingVersion: r.MappingVersion, By: "live", BackfillID: orZero(r.BackfillID), WindowID: orZero(r.WindowID),
	}
	if e.Ledger.WindowID != 0 {
		e.Ledger.By = "backfill"
	}
	e.Dialog.ID = e.ItemID
	if r.DialogID != nil {
		e.Dialog.ID = *r.DialogID
	}
	if e.Source == "" {
		e.Source = r.Source
	}
	return nil
}

// remedyOf is what can be done about an outcome that needs it.
func remedyOf(source ledger.Source, outcome ledger.Outcome, reason string) *Remedy {
	if reason == "" || outcome != ledger.Failed && outcome != ledger.Skipped {
		return nil
	}
	r := RemedyFor(source, reason)
	return &r
}

// readQuarantine also gives the rows themselves, which may hold what the source cannot tell any more.
func (x *Explainer) readQuarantine(ctx context.Context, e *Explanation, keys ...string) ([]db.QuarantineOfRow, error) {
	rows, err := quarantineRows(ctx, x.Pool, keys)
	if err != nil {
		return nil, err
	}
	e.Quarantine = make([]QuarantinedItem, 0, len(rows))
	for i := range rows {
		e.Quarantine = append(e.Quarantine, quarantinedItem(&rows[i]))
	}
	return rows, nil
}

// readDialog reads the dialog that belongs to the item.
func (x *Explainer) readDialog(ctx context.Context, e *Explanation, dialogs *dialogporten.Client) {
	if e.Dialog.ID == uuid.Nil {
		return
	}
	d, err := dialogs.Get(ctx, e.Dialog.ID)
	switch {
	case err != nil:
		e.Dialog.Problem = telemetry.Redact(err.Error())
		return
	case d == nil:
		return
	}
	e.Dialog.Exists, e.Dialog.Revision, e.Dialog.Status = true, d.Revision, string(d.Status)
	e.Dialog.CreatedAt, e.Dialog.UpdatedAt, e.Dialog.DeletedAt = d.CreatedAt.UTC(), d.UpdatedAt.UTC(), d.DeletedAt.UTC()
	for _, l := range d.EndUserContext.SystemLabels {
		e.Dialog.Labels = append(e.Dialog.Labels, string(l))
	}
	e.Dialog.Hidden = hiddenBecause(d, x.Now())
	e.Dialog.Visible = e.Dialog.Hidden == ""
}

// hiddenBecause says why end users do not see a dialog; empty: they do.
func hiddenBecause(d *dialogporten.Dialog, now time.Time) string {
	switch {
	case !d.DeletedAt.IsZero():
		return "it is deleted"
	case d.VisibleFrom.After(now):
		return "it becomes visible at " + stamp(d.VisibleFrom.Time)
	case !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(now):
		return "it expired at " + stamp(d.ExpiresAt.Time)
	case d.IsAPIOnly:
		return "it is for APIs only (isApiOnly), which its owner chose"
	}
	return ""
}

// readStreams tells how far live is, and whether history has been where the item lies: at position, in an organisation. A zero position
// is nowhere.
func (x *Explainer) readStreams(ctx context.Context, e *Explanation, liveOrg, historyOrg string, position time.Time) error {
	if e.Source == "" {
		return nil
	}
	states, err := stream.Read(ctx, x.Pool)
	if err != nil {
		return fmt.Errorf("look at streams: %w", err)
	}
	live := stream.Of(states, stream.Stream{Source: e.Source, Direction: stream.Live})
	e.Live.To, e.Live.Position, e.Live.Stopped = live.Watermark, live.Watermark, stopped(&live)
	if err := x.readPoll(ctx, e, liveOrg); err != nil {
		return err
	}
	e.Live.Passed = !e.Live.Since.IsZero() && !e.Origin.Changed.IsZero() && e.Origin.Changed.Before(e.Live.Position)
	if position.IsZero() {
		return nil
	}
	for _, direction := range stream.HistoryOf(e.Source) {
		state := stream.Of(states, stream.Stream{Source: e.Source, Direction: direction})
		at := HistoryFacts{Stream: direction, Org: historyOrg, Position: position.UTC(), Stopped: stopped(&state)}
		if err := x.readHistory(ctx, e, at); err != nil {
			return err
		}
	}
	return nil
}

func (x *Explainer) readPoll(ctx context.Context, e *Explanation, org string) error {
	poll, err := db.New(x.Pool).ExplainPoll(ctx, db.ExplainPollParams{Source: e.Source, Reach: live.FirstReach(e.Source), Org: org})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at polls: %w", err)
	}
	e.Live.Since = poll.Since.UTC()
	if poll.Position != nil {
		e.Live.Position = poll.Position.UTC()
	}
	e.Live.HeldBy = telemetry.Redact(orZero(poll.Failure))
	return nil
}

// stopped says why a stream stands still.
func stopped(s *stream.State) string {
	switch {
	case s.Paused:
		return fmt.Sprintf("paused by %s: %s", s.Operator, s.Reason)
	case s.Waiting != "":
		return "it waits: " + telemetry.Redact(s.Waiting)
	}
	return ""
}

// readHistory tells whether a stream of history has been at a position.
func (x *Explainer) readHistory(ctx context.Context, e *Explanation, at HistoryFacts) error {
	at.Windows = []WindowFacts{}
	q := db.New(x.Pool)
	var err error
	at.Closed, err = q.ExplainCovered(ctx, db.ExplainCoveredParams{Source: e.Source, Stream: at.Stream, Org: at.Org, Position: at.Position})
	if err != nil {
		return fmt.Errorf("look at coverage: %w", err)
	}
	rows, err := q.ExplainWindows(ctx, db.ExplainWindowsParams{
		Source: e.Source, Stream: at.Stream, Org: at.Org, Position: at.Position, MaxRows: maxWindows,
	})
	if err != nil {
		return fmt.Errorf("look at windows: %w", err)
	}
	for i := range rows {
		w := &rows[i]
		at.Windows = append(at.Windows, WindowFacts{
			BackfillID: w.BackfillID, BackfillState: w.BackfillState, From: w.FromTime.UTC(), To: w.ToTime.UTC(), State: w.State,
			Reached: w.Reached.UTC(), ClosedAt: orZero(w.ClosedAt).UTC(), Failure: telemetry.Redact(orZero(w.Failure)),
		})
	}
	e.History = append(e.History, at)
	return nil
}

// would takes over what a rehearsed delivery came to.
func (e *Explanation) would(outcome ledger.Outcome, reason string, failure *delivery.Failure) {
	d := &DeliveryFacts{Outcome: outcome, Reason: reason}
	if failure != nil {
		d.Outcome, d.Reason, d.Detail = ledger.Failed, failure.Reason, strings.TrimSpace(telemetry.Redact(failure.Detail))
	}
	d.Remedy = remedyOf(e.Source, d.Outcome, d.Reason)
	if failure != nil && failure.Class == transport.Systemic {
		systemic := callRemedies[failure.Class.String()]
		d.Remedy = &systemic
	}
	e.Delivery = d
}
