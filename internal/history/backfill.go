package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
)

// itemsPerWindow is how many given items one window holds.
const itemsPerWindow = 500

// OrgLister lists the organisations that have applications.
type OrgLister interface {
	Orgs(ctx context.Context) ([]string, error)
}

// EnqueueSlices inserts n slice jobs of a backfill as part of a transaction.
type EnqueueSlices func(ctx context.Context, tx pgx.Tx, backfillID int64, n int) error

// Backfills takes operators' orders.
type Backfills struct {
	Pool    *pgxpool.Pool
	Orgs    OrgLister
	Enqueue EnqueueSlices
}

// Preview is what an order would do.
type Preview struct {
	Range  Range    `json:"-"`
	Newest string   `json:"newest,omitempty"`
	Oldest string   `json:"oldest,omitempty"`
	Orgs   []string `json:"orgs,omitempty"`
	Items  int      `json:"items,omitempty"`
	// Windows are those of all its backfills together, of which there is one for each of Streams.
	Windows int      `json:"windows"`
	Streams []string `json:"streams"`
	// Redo and OlderThanMapping are as ordered.
	Redo             bool `json:"redo,omitempty"`
	OlderThanMapping int  `json:"olderThanMapping,omitempty"`
}

// Preview checks an order as Create does and counts what it would make, without making it.
func (b *Backfills) Preview(ctx context.Context, order Order) (Preview, error) {
	plan, err := b.prepare(ctx, &order)
	if err != nil {
		return Preview{}, err
	}
	if err := refuseOverlap(ctx, db.New(b.Pool), &order); err != nil {
		return Preview{}, err
	}
	p := Preview{
		Range: order.Range, Orgs: plan.orgs, Items: len(order.Items), Streams: order.directions(),
		Windows: len(plan.windows) * len(order.directions()), Redo: order.Redo, OlderThanMapping: order.OlderThanMapping,
	}
	if len(order.Items) == 0 {
		p.Newest, p.Oldest = LastDayText(order.Range.To), DayText(order.Range.From)
	}
	return p, nil
}

// Create makes the backfill, or one for each stage ordered, all windows and the first slice jobs, or nothing at all. Errors:
// *OrderError, *ConflictError.
func (b *Backfills) Create(ctx context.Context, order Order) ([]db.Backfill, error) {
	if err := checkReason(order.Reason); err != nil {
		return nil, err
	}
	plan, err := b.prepare(ctx, &order)
	if err != nil {
		return nil, err
	}
	var all []db.Backfill
	err = db.InTx(ctx, b.Pool, func(tx pgx.Tx, q *db.Queries) error {
		all = nil
		if err := q.LockBackfills(ctx); err != nil {
			return fmt.Errorf("take turns with other orders: %w", err)
		}
		if err := refuseOverlap(ctx, q, &order); err != nil {
			return err
		}
		if _, err := q.AddOrgs(ctx, plan.known); err != nil {
			return fmt.Errorf("record organisations: %w", err)
		}
		for _, direction := range order.directions() {
			made, err := b.create(ctx, tx, q, &order, &plan, direction)
			if err != nil {
				return err
			}
			all = append(all, made)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create backfill: %w", err)
	}
	return all, nil
}

// create makes one backfill of an order.
func (b *Backfills) create(
	ctx context.Context, tx pgx.Tx, q *db.Queries, order *Order, plan *orderPlan, direction string,
) (db.Backfill, error) {
	made, err := q.CreateBackfill(ctx, db.CreateBackfillParams{
		Source: order.Source, Stream: direction, Oldest: order.Range.From, Newest: order.Range.To, Orgs: plan.orgs, AllOrgs: plan.allOrgs,
		RatePerS: order.RatePerS, Parallel: int32(order.Parallel), MaxFailureShare: order.MaxFailureShare, //nolint:gosec // validated
		Reason: order.Reason, Operator: order.Operator, Redo: order.Redo, OlderThanMapping: order.olderThanMapping(),
	})
	if err != nil {
		return made, fmt.Errorf("create backfill: %w", err)
	}
	for i := range plan.windows {
		plan.windows[i].BackfillID = made.ID
	}
	if _, err := q.AddWindows(ctx, plan.windows); err != nil {
		return made, fmt.Errorf("add %d windows: %w", len(plan.windows), err)
	}
	if err := recordAction(ctx, q, "backfill create", made.ID, order.Operator, order.Reason); err != nil {
		return made, err
	}
	// What there is nothing to do for yet is woken by the keeper.
	return made, b.Enqueue(ctx, tx, made.ID, min(order.Parallel, len(plan.windows)))
}

// orderPlan is an order with everything looked up.
type orderPlan struct {
	// known are all organisations; orgs those to be walked.
	known, orgs []string
	allOrgs     bool
	windows     []db.AddWindowsParams
}

func (b *Backfills) prepare(ctx context.Context, order *Order) (orderPlan, error) {
	now, err := db.New(b.Pool).DatabaseNow(ctx)
	if err != nil {
		return orderPlan{}, fmt.Errorf("read the database's clock: %w", err)
	}
	if err := order.validate(now); err != nil {
		return orderPlan{}, err
	}
	if len(order.Items) > 0 {
		// An empty range, so that it overlaps nothing and covers nothing.
		order.Range = Range{From: now, To: now}
		return orderPlan{orgs: []string{}, windows: itemWindows(order.Items, now)}, nil
	}
	if order.Source == ledger.A2Correspondence {
		if err := order.followTransfer(ctx, db.New(b.Pool)); err != nil {
			return orderPlan{}, err
		}
		plan := orderPlan{orgs: []string{WholeSource}, allOrgs: true}
		plan.cut(order.Range)
		return plan, nil
	}
	known, err := b.Orgs.Orgs(ctx)
	if err != nil {
		return orderPlan{}, fmt.Errorf("list organisations: %w", err)
	}
	// An organisation that has left the list may still have instances, and watermarks are held to it.
	recorded, err := db.New(b.Pool).KnownOrgs(ctx)
	if err != nil {
		return orderPlan{}, fmt.Errorf("read known organisations: %w", err)
	}
	known = slices.Compact(slices.Sorted(slices.Values(slices.Concat(known, recorded))))
	if len(known) == 0 {
		return orderPlan{}, &OrderError{"the application list is empty: is DIALOGSYNC_STORAGE_URL right?"}
	}
	if unknown := unknownOrgs(order.Orgs, known); len(unknown) > 0 {
		return orderPlan{}, &OrderError{fmt.Sprintf("unknown organisation %s: no application has that code; known are %s",
			strings.Join(unknown, ", "), strings.Join(known, ", "))}
	}
	plan := orderPlan{known: known, orgs: order.Orgs}
	if len(order.Orgs) == 0 {
		plan.orgs, plan.allOrgs = known, true
	}
	plan.cut(order.Range)
	return plan, nil
}

func (p *orderPlan) cut(r Range) {
	for w := range Plan(r, p.orgs) {
		p.windows = append(p.windows, newWindow(0, w))
	}
}

func newWindow(backfillID int64, w Window) db.AddWindowsParams {
	return db.AddWindowsParams{
		BackfillID: backfillID, Org: w.Org, FromTime: w.Range.From, ToTime: w.Range.To, Reached: Start(w.Range).Reached,
	}
}

// itemWindows cuts given items into windows; they have no organisation, so their number stands in its place.
func itemWindows(items []string, now time.Time) []db.AddWindowsParams {
	var windows []db.AddWindowsParams
	for chunk := range slices.Chunk(items, itemsPerWindow) {
		windows = append(windows, db.AddWindowsParams{
			Org: fmt.Sprintf("items %d", len(windows)+1), FromTime: now, ToTime: now, Reached: now, Items: chunk,
		})
	}
	return windows
}

func refuseOverlap(ctx context.Context, q *db.Queries, order *Order) error {
	for _, direction := range order.directions() {
		overlapping, err := q.OverlappingBackfills(ctx, db.OverlappingBackfillsParams{
			Source: order.Source, Stream: direction, Oldest: order.Range.From, Newest: order.Range.To, AllOrgs: len(order.Orgs) == 0,
			Orgs: order.Orgs,
		})
		if err != nil {
			return fmt.Errorf("look for overlapping backfills: %w", err)
		}
		if len(overlapping) > 0 {
			o := overlapping[0]
			return &ConflictError{Backfill: o.ID, State: o.State, Range: Range{From: o.Oldest, To: o.Newest}}
		}
	}
	return nil
}

// States of a backfill.
const (
	StateRunning   = "running"
	StatePaused    = "paused"
	StateCancelled = "cancelled"
	StateComplete  = "complete"
	StateFailed    = "failed"
)

// StateError tells that a backfill is in a state that does not allow what was asked.
type StateError struct {
	Backfill    int64
	State, Verb string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("backfill %d is %s: it cannot be asked to %s", e.Backfill, e.State, e.Verb)
}

// Verbs that change a backfill.
const (
	VerbPause  = "pause"
	VerbResume = "resume"
	VerbCancel = "cancel"
)

// CheckVerb tells whether a backfill in a state may be asked to do something; the error is a *StateError.
func CheckVerb(id int64, verb, state string) error {
	allowed := map[string][]string{
		VerbPause:  {StateRunning, StatePaused},
		VerbResume: {StatePaused, StateFailed, StateRunning},
		VerbCancel: {StateRunning, StatePaused, StateFailed, StateCancelled},
	}
	if !slices.Contains(allowed[verb], state) {
		return &StateError{Backfill: id, State: state, Verb: verb}
	}
	return nil
}

// Pause makes the slices of a backfill end within seconds, checkpoints saved. Pausing a paused one changes nothing.
func (b *Backfills) Pause(ctx context.Context, id int64, operator, reason string) error {
	return b.change(ctx, id, transition{verb: VerbPause, to: StatePaused}, operator, reason)
}

// Cancel ends a backfill for good; what was brought over stays, and closed windows stay closed.
func (b *Backfills) Cancel(ctx context.Context, id int64, operator, reason string) error {
	return b.change(ctx, id, transition{verb: VerbCancel, to: StateCancelled}, operator, reason)
}

// Resume lets a paused backfill go on, and gives failed windows another try. maxFailureShare, if not nil, replaces the
// backfill's: the way past a range in which most items really are bad.
func (b *Backfills) Resume(ctx context.Context, id int64, operator, reason string, maxFailureShare *float64) error {
	if maxFailureShare != nil {
		if err := checkShare(*maxFailureShare); err != nil {
			return err
		}
	}
	return b.change(ctx, id, transition{verb: VerbResume, to: StateRunning, maxFailureShare: maxFailureShare}, operator, reason)
}

// transition is a change of state that an operator asks for.
type transition struct {
	verb, to        string
	maxFailureShare *float64
}

func (b *Backfills) change(ctx context.Context, id int64, t transition, operator, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	err := db.InTx(ctx, b.Pool, func(tx pgx.Tx, q *db.Queries) error {
		backfill, err := q.LockBackfill(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoBackfill
		}
		if err != nil {
			return fmt.Errorf("read backfill: %w", err)
		}
		if err := CheckVerb(id, t.verb, backfill.State); err != nil {
			return err
		}
		if backfill.State == t.to && t.to != StateRunning {
			return nil
		}
		params := db.SetBackfillStateParams{ID: id, State: t.to, MaxFailureShare: t.maxFailureShare}
		if err := q.SetBackfillState(ctx, params); err != nil {
			return fmt.Errorf("set its state: %w", err)
		}
		if err := recordAction(ctx, q, "backfill "+t.verb, id, operator, reason); err != nil {
			return err
		}
		if t.to != StateRunning {
			return nil
		}
		if _, err := q.RetryFailedWindows(ctx, id); err != nil {
			return fmt.Errorf("retry failed windows: %w", err)
		}
		return b.Enqueue(ctx, tx, id, int(backfill.Parallel))
	})
	if err != nil {
		return fmt.Errorf("%s backfill %d: %w", t.verb, id, err)
	}
	return nil
}

func recordAction(ctx context.Context, q *db.Queries, action string, backfillID int64, operator, reason string) error {
	detail, err := json.Marshal(map[string]int64{"backfill_id": backfillID})
	if err != nil {
		return fmt.Errorf("write detail: %w", err)
	}
	err = q.RecordOperatorAction(ctx, db.RecordOperatorActionParams{
		Operator: operator, Action: action, Target: fmt.Sprintf("backfill %d", backfillID), Reason: reason, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("record who asked for it: %w", err)
	}
	return nil
}
