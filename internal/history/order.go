package history

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Defaults and limits of an order.
const (
	DefaultParallel        = 4
	DefaultMaxFailureShare = 0.5
	// maxParallel keeps a slip of the finger from taking every worker's slots.
	maxParallel = 1000
	// settleLag is how long after an instant its items may still become visible (Storage reference 3.10): the newest window
	// ends this long before now. The export of messages holds back seconds (correspondence reference 16.2), and live overlaps.
	settleLag = 10 * time.Minute
	// firstYear is that of the oldest forms (Storage reference 18). Messages began with the same platform.
	firstYear = 2003
)

// Order is what an operator asks of a backfill: a range of a source, or given items.
type Order struct {
	Source ledger.Source
	// Stage says which part of the history of messages: StageTransfer, StagePublish or StageBoth, the default. Empty for other sources.
	Stage string
	// Range is walked from To down to From. Empty for given items.
	Range Range
	// Orgs limits the walk; empty means every organisation, those included that appear later.
	Orgs []string
	// Redo brings over again what was brought over before, and lists what it had to correct. OlderThanMapping, unless 0, leaves alone
	// what that mapping version or a later one brought over, as long as its source is unchanged.
	Redo             bool
	OlderThanMapping int
	// Items are keys, `<partyId>/<instanceGuid>` or numbers of messages, to be delivered instead of a range.
	Items []string
	// RatePerS is the most items a second over all workers; nil means no limit of its own.
	RatePerS *float64
	// Parallel is how many windows are walked at once over all workers.
	Parallel int
	// MaxFailureShare stops the backfill when more than this share of the last items failed alike.
	MaxFailureShare  float64
	Reason, Operator string
}

// OrderError tells an operator what is wrong with an order and what to do. Nothing was created.
type OrderError struct{ Problem string }

func (e *OrderError) Error() string { return e.Problem }

// ConflictError tells that an order overlaps a backfill that is not finished.
type ConflictError struct {
	Backfill int64
	State    string
	Range    Range
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("backfill %d (%s) already covers a part of that range, %s: wait for it, or 'dialogsync backfill cancel %d' first",
		e.Backfill, e.State, e.Range, e.Backfill)
}

// ErrNoBackfill tells that there is no backfill of that number.
var ErrNoBackfill = errors.New("no such backfill: 'dialogsync backfill list' shows them")

// String gives the range as DayText writes its bounds.
func (r Range) String() string { return DayText(r.From) + " to " + DayText(r.To) }

// DayText writes an instant as its day, 2025-12-31, or with its time where it is not the start of a day in UTC.
func DayText(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(Day)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// LastDayText writes an exclusive upper bound as the last day that it includes, the way it was ordered.
func LastDayText(t time.Time) string {
	if t.Equal(t.Truncate(Day)) {
		return DayText(t.Add(-Day))
	}
	return DayText(t)
}

// checkReason wants a word on why, of whatever changes something.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return &OrderError{"--reason is needed: it is kept with who and when"}
	}
	return nil
}

// validate checks what can be known without the database, and puts the order into its plain form. now is the database's time.
func (o *Order) validate(now time.Time) error {
	// They are sorted and thinned below; the caller's own stay as they are.
	o.Orgs, o.Items = slices.Clone(o.Orgs), slices.Clone(o.Items)
	if !slices.Contains(Sources(), o.Source) {
		return &OrderError{fmt.Sprintf("source %q has no history here: use one of %s", o.Source, sourcesText())}
	}
	if err := o.validateStage(); err != nil {
		return err
	}
	if err := o.validateRedo(); err != nil {
		return err
	}
	if o.Parallel < 1 || o.Parallel > maxParallel {
		return &OrderError{fmt.Sprintf("--parallel must be between 1 and %d", maxParallel)}
	}
	if o.RatePerS != nil && (!(*o.RatePerS > 0) || math.IsInf(*o.RatePerS, 0)) { // NaN is neither more nor less
		return &OrderError{"--rate must be more than 0 items a second: leave it out for no limit"}
	}
	if err := checkShare(o.MaxFailureShare); err != nil {
		return err
	}
	if len(o.Items) > 0 {
		return o.validateItems()
	}
	return o.validateRange(now)
}

func checkShare(share float64) error {
	if !(share > 0 && share <= 1) { // NaN is neither
		return &OrderError{"--max-failure-share must be more than 0 and at most 1"}
	}
	return nil
}

func (o *Order) validateItems() error {
	if !o.Range.From.IsZero() || !o.Range.To.IsZero() || len(o.Orgs) > 0 {
		return &OrderError{"--item names what to deliver: leave out --from, --to and --org"}
	}
	if o.Source == ledger.A2Correspondence {
		return o.validateNumbers()
	}
	for i, key := range o.Items {
		id, err := altinn.ParseInstanceID(strings.TrimSpace(key))
		if err != nil {
			return &OrderError{fmt.Sprintf("--item number %d: %v: a key is <partyId>/<instanceGuid>", i+1, err)}
		}
		o.Items[i] = id.String()
	}
	// One item is one GUID, whichever party stands before it.
	guid := func(key string) string { return key[strings.IndexByte(key, '/')+1:] }
	slices.SortFunc(o.Items, func(a, b string) int { return strings.Compare(guid(a), guid(b)) })
	o.Items = slices.CompactFunc(o.Items, func(a, b string) bool { return guid(a) == guid(b) })
	return nil
}

func (o *Order) validateRange(now time.Time) error {
	if o.Range.From.IsZero() || o.Range.To.IsZero() {
		return &OrderError{"--from (newest day) and --to (oldest day) are both needed"}
	}
	if !o.Range.From.Before(o.Range.To) {
		return &OrderError{"--from is the newest day and --to the oldest: history is walked backwards, so --from must not be older than --to"}
	}
	if o.Range.From.Year() < firstYear {
		return &OrderError{fmt.Sprintf("--to is before %d: nothing is that old", firstYear)}
	}
	settled := now.Add(-settleLag).Truncate(time.Second)
	if !o.Range.From.Before(settled) {
		return &OrderError{fmt.Sprintf("the range lies after %s: what is newer belongs to live sync", settled.UTC().Format(time.RFC3339))}
	}
	// What lies ahead cannot be covered, and what is just arriving may not be visible yet.
	if o.Range.To.After(settled) {
		o.Range.To = settled.UTC()
	}
	slices.Sort(o.Orgs)
	o.Orgs = slices.Compact(o.Orgs)
	return nil
}

// unknownOrgs are those ordered that the application list does not have.
func unknownOrgs(ordered, known []string) []string {
	var unknown []string
	for _, org := range ordered {
		if !slices.Contains(known, org) {
			unknown = append(unknown, org)
		}
	}
	return unknown
}
