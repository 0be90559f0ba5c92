package batch

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
)

const (
	// newFor is how long an item that lacks something may just be new: Register and applications are behind by minutes, not
	// by days (Storage reference 16.1).
	newFor = 24 * time.Hour
	// finishTimeout bounds what is still done when the process is told to end.
	finishTimeout = 5 * time.Second
)

// HealthCheck tells whether a service that deliveries depend on is failing, and how.
type HealthCheck interface {
	Failing() (reason string, failing bool)
}

// Carrier brings the rows of pages over for one owner, a page at a time. It is not for concurrent use.
type Carrier struct {
	Pool     *pgxpool.Pool
	Delivery *delivery.Deliverer
	Health   []HealthCheck
	Log      *zap.Logger
	// Alike is the memory of the stream, shared by all its carriers.
	Alike *Alike
	// MaxFailureShare is the share of the last items that may fail alike before the stream stops itself.
	MaxFailureShare float64

	Source ledger.Source
	// Org is where quarantined items are of; empty: not known.
	Org string
	// WindowID is the window of history that the page is part of; 0: none. WindowTakes: it counts the items that it meets.
	WindowID    int64
	WindowTakes bool

	// Redo delivers also what the ledger has in this very version; unless OlderThanMapping, if not 0, or a later version brought it over.
	Redo             bool
	OlderThanMapping int16

	// Concurrency is the items delivered at once.
	Concurrency int
	// FirstPause is the wait before an item's second try; it grows from there.
	FirstPause time.Duration
	// Grace is how long items on their way may take to finish once Stop or Stopping is closed.
	Grace          time.Duration
	Stop, Stopping <-chan struct{}
	// MustStop tells that no further item may be begun.
	MustStop func(context.Context) bool
	// Admit waits until one more item may be delivered; release must be called when it is done. An error means that none may.
	Admit func(context.Context) (release func(), err error)
	// Blame tells whether an item that fails has held its owner up for so long, while its systems are well, that the item
	// itself must be the cause. BlameHint says what an operator can do where too few others went well to tell.
	Blame     func(*Row) bool
	BlameHint string

	// unrecorded are the rows of the page at hand that have an outcome.
	unrecorded []*Row
}

// Ending is why a page has rows without an outcome. The zero value: none has, or the owner was told to stop.
type Ending struct {
	// Waiting: the stream stops itself, for this reason (Invariant 8).
	Waiting string
	// Failure: an item holds its owner up.
	Failure string
}

// Deliver brings the rows of a page over, as many at once as configured, until all have an outcome or the owner must stop.
// listedAt is the database's time before the listing.
func (c *Carrier) Deliver(ctx context.Context, rows []Row, listedAt time.Time) Ending {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.CancelAfterGrace(ctx, cancel)()

	var once sync.Once
	var waiting string
	group := errgroup.Group{}
	group.SetLimit(c.Concurrency)
	for i := range rows {
		if rows[i].settled {
			if rows[i].failure != nil && !rows[i].Repeated {
				c.Alike.Note(rows[i].Key, rows[i].failure.Reason, false)
			}
			continue
		}
		if rows[i].Left {
			continue
		}
		if c.MustStop(ctx) {
			break
		}
		release, err := c.Admit(ctx)
		if err != nil {
			if ctx.Err() == nil && !c.MustStop(ctx) {
				once.Do(func() { waiting = err.Error() })
			}
			break
		}
		group.Go(func() error {
			defer release()
			if reason := c.deliverRow(ctx, &rows[i], listedAt); reason != "" {
				once.Do(func() { waiting = reason })
				cancel() // the others would only meet the same
			}
			return nil
		})
	}
	_ = group.Wait() // never an error

	if waiting == "" {
		waiting = c.judge().FailAlike(judged(rows))
	}
	if waiting != "" {
		return Ending{Waiting: waiting}
	}
	return Ending{Failure: c.blame(rows, listedAt)}
}

// CancelAfterGrace ends what is on its way a moment after the owner was told to stop; the function it returns must be called
// when that is done.
func (c *Carrier) CancelAfterGrace(ctx context.Context, cancel context.CancelFunc) (done func()) {
	return CancelAfter(ctx, cancel, c.Grace, c.Stop, c.Stopping)
}

// CancelAfter calls cancel some time after one of two signals, unless ctx or done comes first. done must be called, and waits.
func CancelAfter(ctx context.Context, cancel context.CancelFunc, grace time.Duration, stop, stopping <-chan struct{}) (done func()) {
	var watching sync.WaitGroup
	watch, end := context.WithCancel(ctx)
	watching.Go(func() {
		select {
		case <-watch.Done():
			return
		case <-stop:
		case <-stopping:
		}
		select {
		case <-watch.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return func() {
		end()
		watching.Wait()
	}
}

// deliverRow settles a row, or leaves it pending. A reason means that a system is failing and no item is to blame.
func (c *Carrier) deliverRow(ctx context.Context, r *Row, listedAt time.Time) (waiting string) {
	if result, known := c.alreadyThere(r); known {
		r.settle(result)
		r.asItStands = true
		c.Alike.Note(r.Key, "", false)
		return ""
	}
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(c.FirstPause))
	policy := backoff.WithContext(backoff.WithMaxRetries(pauses, Tries-1), ctx)
	var result delivery.Result
	err := backoff.Retry(func() error {
		var err error
		result, err = c.deliverOnce(ctx, r, listedAt)
		if err == nil {
			return nil
		}
		if !worthRepeating(delivery.Describe(err), r, listedAt) {
			return backoff.Permanent(err)
		}
		return err
	}, policy)
	if err == nil {
		r.settle(result)
		c.Alike.Note(r.Key, "", false)
		return ""
	}
	return c.failed(ctx, r, err, listedAt)
}

// worthRepeating tells whether a failure may be gone in a moment.
func worthRepeating(failure delivery.Failure, r *Row, now time.Time) bool {
	if failure.Class != transport.Transient && failure.Class != transport.Conflict {
		return false
	}
	return !failure.OfItem || now.Sub(r.Changed()) < newFor
}

// failed decides who is to blame for a row that could not be delivered.
func (c *Carrier) failed(ctx context.Context, r *Row, err error, listedAt time.Time) (waiting string) {
	if ctx.Err() != nil {
		return "" // stopped: neither settled nor anybody's fault
	}
	failure := delivery.Describe(err)
	fault, reason := c.judge().Of(r.Key, failure)
	switch fault {
	case FaultOfItem:
		r.fail(failure, listedAt)
	case FaultUnknown:
		r.pending = &failure
	case FaultOfSystem:
		if failure.Class != transport.Systemic {
			r.pending = &failure
		}
	}
	return reason
}

func (c *Carrier) judge() *Judge {
	return &Judge{Health: c.Health, Alike: c.Alike, MaxFailureShare: c.MaxFailureShare}
}

// Failing tells which service is failing, if one is.
func (c *Carrier) Failing() (reason string, failing bool) { return c.judge().Failing() }

func (c *Carrier) deliverOnce(ctx context.Context, r *Row, listedAt time.Time) (delivery.Result, error) {
	if r.Listed == nil || r.Known != nil {
		return c.Delivery.Deliver(ctx, r.Item)
	}
	return c.Delivery.FromListing(ctx, r.Item, r.Listed, listedAt)
}

// alreadyThere tells whether nothing is to be done.
func (c *Carrier) alreadyThere(r *Row) (delivery.Result, bool) {
	switch {
	case !c.Redo:
		return alreadyThere(r, mapping.Version)
	case c.OlderThanMapping > 0:
		return alreadyThere(r, c.OlderThanMapping)
	}
	return delivery.Result{}, false
}

// SameVersion tells whether the ledger has this very version of the listed item, brought over by this version of the mapping.
func SameVersion(r *Row) bool {
	return sameChange(r) && r.Known.MappingVersion == mapping.Version
}

// sameChange tells whether the ledger has this very change of the listed item, by whatever mapping.
func sameChange(r *Row) bool {
	return r.Known != nil && r.Listed != nil && !r.Changed().IsZero() && r.Known.SourceChanged.Equal(r.Changed())
}

// alreadyThere tells whether the ledger has this very change of the item, brought over by a mapping version or a later one. Skipped and
// failed items are tried again, since what stood in their way may be gone.
func alreadyThere(r *Row, version int16) (delivery.Result, bool) {
	k := r.Known
	if !sameChange(r) || r.Quarantined || k.MappingVersion < version || k.Outcome == ledger.Failed || k.Outcome == ledger.Skipped {
		return delivery.Result{}, false
	}
	result := delivery.Result{
		Outcome: ledger.Unchanged, Instance: r.Item.ID, ItemID: k.ItemID, DialogID: k.DialogID, State: k.State,
		SourceChanged: k.SourceChanged, ReadAt: k.ReadAt,
	}
	result.A1Ref, result.A2Ref = delivery.ArchiveRefs(r.Listed)
	return result, true
}

// blame settles what is still pending once it has held its owner up for long enough. It returns the failure of an item that still
// holds it up.
func (c *Carrier) blame(rows []Row, readAt time.Time) (failure string) {
	return c.judge().Blame(judged(rows), func(i int) bool { return c.Blame(&rows[i]) }, c.BlameHint, readAt)
}

func judged(rows []Row) []Judged {
	all := make([]Judged, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}
