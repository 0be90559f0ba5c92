package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// How much the keeper does at a time.
const (
	// keepChunk is how many rows get jobs in one transaction.
	keepChunk = 2000
	// keepChunks is how many such transactions a round may take, for each source.
	keepChunks = 20
	// mostAtHand is how many jobs may wait for workers before parked rows stay parked: more would only be written to be read.
	mostAtHand = 20_000
	// probes is how many rows a stream that waits is tried with in a round.
	probes = 3
	// sweepChunk is how many rows are looked over for lost jobs in a round: a million takes minutes, and costs little.
	sweepChunk = 20_000
	// keepEvery is how soon a stream that was resumed, or that waits, is taken up again; sweepEvery how often rows are swept.
	keepEvery  = 2 * time.Second
	sweepEvery = 10 * time.Second
)

// Keeper sees to it that every row of the inbox has a job: parked ones once their stream goes on, and those whose job was
// lost, since River discards and cleans jobs away (Invariant 1). Any number of processes may run one; they take turns.
type Keeper struct {
	Pool    *pgxpool.Pool
	Enqueue EnqueueEvents
	// Queue is the one that Enqueue inserts a source's jobs into.
	Queue func(ledger.Source) string
	Gate  *stream.Gate
	Log   *zap.Logger

	mu sync.Mutex
	// swept is how far the sweep for lost jobs has come; it starts over at the end.
	swept int64
}

// Run keeps the inbox until ctx is done. It is no job: one that was at work when its process was killed would keep all others
// from it until it is rescued, minutes later.
func (k *Keeper) Run(ctx context.Context) {
	var sweepAt time.Time
	failing := false
	for {
		now := time.Now()
		err := k.tend(ctx)
		if err == nil && !now.Before(sweepAt) {
			sweepAt = now.Add(sweepEvery)
			err = k.sweep(ctx)
		}
		if err != nil && ctx.Err() == nil && !failing {
			k.Log.Error("events without a job wait", zap.Error(err), zap.Float64(telemetry.LogKeyNextRetry, keepEvery.Seconds()))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(keepEvery):
		}
	}
}

// Keep looks after everything once. It does nothing while another process is at it.
func (k *Keeper) Keep(ctx context.Context) error {
	if err := k.tend(ctx); err != nil {
		return err
	}
	return k.sweep(ctx)
}

// tend does what cannot wait: parked rows of streams that go on, and rows whose process died.
func (k *Keeper) tend(ctx context.Context) error {
	for _, source := range Sources() {
		if err := k.unpark(ctx, source); err != nil {
			return fmt.Errorf("keep inbox of %s: %w", source, err)
		}
	}
	return k.adopt(ctx)
}

// adopt gives new jobs to the rows whose jobs died with their process. That may be at work nonetheless, and only not be heard of:
// then two deliver one item, which does no harm (Invariants 2 to 4).
func (k *Keeper) adopt(ctx context.Context) error {
	queues := make([]string, 0, len(Sources()))
	for _, source := range Sources() {
		queues = append(queues, k.Queue(source))
	}
	err := k.inTurn(ctx, func(tx pgx.Tx, q *db.Queries) error {
		orphans, err := q.OrphansInInbox(ctx, db.OrphansInInboxParams{Queues: queues, Alive: stream.Alive})
		if err != nil {
			return fmt.Errorf("look for events of dead workers: %w", err)
		}
		bySource := map[ledger.Source][]int64{}
		for _, row := range orphans {
			bySource[row.Source] = append(bySource[row.Source], row.ID)
		}
		return k.replace(ctx, tx, q, bySource)
	})
	if err != nil {
		return fmt.Errorf("keep inbox: %w", err)
	}
	return nil
}

// replace gives rows that have lost their jobs new ones.
func (k *Keeper) replace(ctx context.Context, tx pgx.Tx, q *db.Queries, bySource map[ledger.Source][]int64) error {
	for source, rows := range bySource {
		k.Log.Warn("events had lost their jobs and get new ones", zap.String(telemetry.LogKeySource, string(source)),
			zap.Int(telemetry.LogKeyCount, len(rows)))
		if err := k.giveJobs(ctx, tx, q, source, rows); err != nil {
			return err
		}
	}
	return nil
}

// unpark gives jobs to the parked rows of a stream that goes on; one that waits is tried with a few.
func (k *Keeper) unpark(ctx context.Context, source ledger.Source) error {
	if open, _ := k.Gate.Open(source, stream.Live); !open {
		return nil
	}
	size := int32(keepChunk)
	_, _, waiting := k.Gate.Waiting(source, stream.Live)
	if waiting {
		size = probes
	}
	for range keepChunks {
		given, err := k.unparkChunk(ctx, source, size)
		if err != nil {
			return err
		}
		if given < int(size) || waiting {
			return nil
		}
	}
	return nil
}

func (k *Keeper) unparkChunk(ctx context.Context, source ledger.Source, size int32) (given int, err error) {
	err = k.inTurn(ctx, func(tx pgx.Tx, q *db.Queries) error {
		atHand, err := q.EventsAtHand(ctx, db.EventsAtHandParams{Queue: k.Queue(source), AtMost: mostAtHand})
		if err != nil {
			return fmt.Errorf("count jobs at hand: %w", err)
		}
		if atHand >= mostAtHand {
			return nil
		}
		rows, err := q.ParkedInbox(ctx, db.ParkedInboxParams{Source: source, AtMost: size})
		if err != nil {
			return fmt.Errorf("read parked events: %w", err)
		}
		given = len(rows)
		return k.giveJobs(ctx, tx, q, source, rows)
	})
	return given, err
}

// sweep looks over the next part of the inbox for rows whose job is lost.
func (k *Keeper) sweep(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.inTurn(ctx, func(tx pgx.Tx, q *db.Queries) error {
		last, err := q.LastSwept(ctx, db.LastSweptParams{After: k.swept, AtMost: sweepChunk})
		if err != nil {
			return fmt.Errorf("find the next part: %w", err)
		}
		rows, err := q.SweepInbox(ctx, db.SweepInboxParams{After: k.swept, AtMost: sweepChunk, Longest: DeliveryTimeout + lostMargin})
		if err != nil {
			return fmt.Errorf("look for lost jobs: %w", err)
		}
		k.swept = last // 0 after the last part
		var lost []int64
		for _, row := range rows {
			if row.Lost {
				lost = append(lost, row.ID)
			}
		}
		if len(lost) == 0 {
			return nil
		}
		locked, err := q.LockInboxRows(ctx, lost)
		if err != nil {
			return fmt.Errorf("lock events whose jobs are lost: %w", err)
		}
		bySource := map[ledger.Source][]int64{}
		for _, row := range locked {
			bySource[row.Source] = append(bySource[row.Source], row.ID)
		}
		return k.replace(ctx, tx, q, bySource)
	})
	if err != nil {
		return fmt.Errorf("keep inbox: %w", err)
	}
	return nil
}

// inTurn runs do in a transaction, unless another process is at it.
func (k *Keeper) inTurn(ctx context.Context, do func(pgx.Tx, *db.Queries) error) error {
	return db.InTx(ctx, k.Pool, func(tx pgx.Tx, q *db.Queries) error {
		mine, err := q.LockInboxKeeper(ctx)
		if err != nil {
			return fmt.Errorf("take turns: %w", err)
		}
		if !mine {
			return nil
		}
		return do(tx, q)
	})
}

func (k *Keeper) giveJobs(ctx context.Context, tx pgx.Tx, q *db.Queries, source ledger.Source, rows []int64) error {
	if len(rows) == 0 {
		return nil
	}
	jobs, err := k.Enqueue(ctx, tx, source, rows)
	if err != nil {
		return err
	}
	if err := q.GiveInboxJobs(ctx, db.GiveInboxJobsParams{Ids: rows, JobIds: jobs}); err != nil {
		return fmt.Errorf("give %d events jobs: %w", len(rows), err)
	}
	return nil
}
