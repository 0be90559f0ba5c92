package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// WalkerConfig is how slices work.
type WalkerConfig struct {
	// Worker names this process in the rows it holds.
	Worker string
	// PageSize is the rows asked of Storage at a time; default 500.
	PageSize int
	// Concurrency is the items delivered at once by one slice; default 32.
	Concurrency int
	// SliceTime is how long a job works before it gives its slot back; default 2 minutes, at most 4.
	SliceTime time.Duration
	// Lease is how long a window stays held when its slice is not heard of; default 30 s.
	Lease time.Duration
	// Rest is how long a slice waits after the stream stopped itself; default 15 s.
	Rest time.Duration
}

func (c WalkerConfig) withDefaults() WalkerConfig {
	setDefault(&c.PageSize, 500)
	setDefault(&c.Concurrency, 32)
	setDefault(&c.SliceTime, 2*time.Minute)
	setDefault(&c.Lease, 30*time.Second)
	setDefault(&c.Rest, 15*time.Second)
	c.SliceTime = min(c.SliceTime, maxSlice) // River's rescue must come after the longest slice
	return c
}

// maxSlice is the longest a slice may last; jobs time out just above it.
const maxSlice = 4 * time.Minute

func setDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Walker does slices of backfills: it claims a window, walks it until it is closed or time is up, and goes on to the next.
// It is safe for concurrent use; any number of slices run at once, in any number of processes.
type Walker struct {
	Pool     *pgxpool.Pool
	Storage  *storage.Client
	Delivery *delivery.Deliverer
	Health   []HealthCheck
	// Messages brings messages of Altinn 2 over, by services whose health is MessageHealth; nil: their windows are left to other
	// processes.
	Messages      *message.Deliverer
	MessageHealth []HealthCheck
	Log           *zap.Logger
	Config        WalkerConfig
	// Pace waits until the rate of a stream allows one more item; nil: there is none.
	Pace func(ctx context.Context, of stream.Stream) error
	// Admit waits until one more request for items of a stream may be under way, by what live leaves to history (Invariant 9);
	// release is called when it is done. nil admits all.
	Admit func(ctx context.Context, of stream.Stream) (release func(), err error)
	// Items counts what is recorded; nil counts nothing.
	Items *ItemCounter
	// Stopping is closed when the process is to end: slices save their checkpoints and return.
	Stopping <-chan struct{}

	mu    sync.Mutex
	known map[int64]*memory
}

// memory is what a process keeps of a backfill from turn to turn.
type memory struct {
	alike *batch.Alike
	pace  *pace
}

// SliceEnd says how a slice ended.
type SliceEnd struct {
	// Again: there may be more to do at once. False when nothing is left to claim, or the backfill does not run.
	Again bool
	// Rest is how long to wait before trying again, after the stream stopped itself.
	Rest time.Duration
}

// errIdle tells that there is no window to claim.
var errIdle = errors.New("no window to claim")

// Slice works on a backfill's windows for at most SliceTime. An error is one of this process or its database; what went
// wrong with a window is recorded on the window.
func (w *Walker) Slice(ctx context.Context, backfillID int64) (SliceEnd, error) {
	config := w.Config.withDefaults()
	deadline := time.Now().Add(config.SliceTime)
	for {
		if w.isOver(ctx, deadline) {
			return SliceEnd{Again: true}, nil
		}
		held, err := w.claim(ctx, backfillID, config)
		if errors.Is(err, errIdle) {
			return SliceEnd{}, nil
		}
		if err != nil {
			return SliceEnd{}, fmt.Errorf("backfill %d: %w", backfillID, err)
		}
		held.deadline = deadline
		end, err := held.walk(ctx)
		if err != nil {
			return SliceEnd{}, fmt.Errorf("backfill %d window %s: %w", backfillID, held.name(), err)
		}
		if !end.Again || end.Rest > 0 {
			return end, nil
		}
	}
}

// isOver tells whether a slice must give its slot back.
func (w *Walker) isOver(ctx context.Context, deadline time.Time) bool {
	return ctx.Err() != nil || closed(w.Stopping) || !time.Now().Before(deadline)
}

// claim takes the newest open window under a new epoch, unless as many as allowed are held already.
func (w *Walker) claim(ctx context.Context, backfillID int64, config WalkerConfig) (*turn, error) {
	remembered := w.memoryOf(backfillID)
	t := &turn{walker: w, config: config, alike: remembered.alike, pace: remembered.pace, stop: make(chan struct{})}
	err := db.InTx(ctx, w.Pool, func(_ pgx.Tx, q *db.Queries) error {
		var err error
		// The row lock makes claims of one backfill take turns, so that the limit holds.
		if t.backfill, err = q.LockBackfill(ctx, backfillID); err != nil {
			return fmt.Errorf("read backfill: %w", err)
		}
		if t.backfill.State != StateRunning || !w.canWalk(t.backfill.Source) {
			return errIdle
		}
		if paused, err := q.StreamPaused(ctx, db.StreamPausedParams{Source: t.backfill.Source, Stream: t.backfill.Stream}); err != nil || paused {
			return cmp.Or(err, errIdle)
		}
		walked, err := q.HeldWindows(ctx, backfillID)
		if err != nil {
			return fmt.Errorf("count windows held: %w", err)
		}
		if walked >= int64(t.backfill.Parallel) {
			return errIdle
		}
		t.window, err = q.ClaimWindow(ctx, db.ClaimWindowParams{
			BackfillID: backfillID, Worker: &config.Worker, Lease: config.Lease, Source: t.backfill.Source,
			AfterTransfer: followsTransfer(&t.backfill),
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return errIdle
		}
		if err != nil {
			return fmt.Errorf("claim window: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	t.log = w.Log.With(
		zap.Int64(telemetry.LogKeyBackfillID, backfillID), zap.String(telemetry.LogKeySource, string(t.backfill.Source)),
		zap.String(telemetry.LogKeyStream, t.backfill.Stream), zap.String(telemetry.LogKeyWindow, t.name()),
		zap.Int64(telemetry.LogKeyEpoch, t.window.Epoch))
	t.course = t.newCourse()
	return t, nil
}

// canWalk tells whether this process has what the windows of a source take.
func (w *Walker) canWalk(source ledger.Source) bool {
	return source != ledger.A2Correspondence || w.Messages != nil
}

// followsTransfer tells whether the windows of a backfill may be taken up only once they are transferred. Given items have none.
func followsTransfer(b *db.Backfill) bool {
	return b.Stream == stream.Publish && b.Oldest.Before(b.Newest)
}

func (w *Walker) memoryOf(backfillID int64) *memory {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = map[int64]*memory{}
	}
	if w.known[backfillID] == nil {
		w.known[backfillID] = &memory{alike: &batch.Alike{}, pace: newPace()}
	}
	return w.known[backfillID]
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
