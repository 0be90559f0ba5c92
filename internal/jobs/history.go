package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/altinn/dialogsync/internal/history"
)

// sliceTimeout is just above the longest slice of instances, and rescueAfter just above that: River does not fence, so a job must
// be over before it can be rescued, and a killed one must not stay "running" for River's default hour. messageTimeout is above the
// longest that one message may take, whose files may be gigabytes: no message is begun after the usual time, but one under way
// goes on, or it would never be done. Nobody waits for the job of a killed worker: windows and polls have leases of their own.
const (
	sliceTimeout   = 5 * time.Minute
	messageTimeout = 45 * time.Minute
	rescueAfter    = sliceTimeout + 30*time.Second
	retryAfter     = 5 * time.Second
)

// HistorySlice is one turn of work on a backfill's windows. The windows themselves are the queue: the job only gives a slot
// to whoever claims one, so nothing is lost with it.
type HistorySlice struct {
	BackfillID int64 `json:"backfill_id"`
}

// Kind names the job in River's table. A query of ours counts waiting ones by it.
func (HistorySlice) Kind() string { return "history_slice" }

type historySliceWorker struct {
	river.WorkerDefaults[HistorySlice]

	walker *history.Walker
}

func (w *historySliceWorker) Work(ctx context.Context, job *river.Job[HistorySlice]) error {
	end, err := w.walker.Slice(ctx, job.Args.BackfillID)
	if err != nil {
		return fmt.Errorf("history slice: %w", err)
	}
	if end.Again || end.Rest > 0 {
		return river.JobSnooze(end.Rest)
	}
	return nil
}

// Timeout leaves a message its time: any window may be one of messages.
func (w *historySliceWorker) Timeout(*river.Job[HistorySlice]) time.Duration { return messageTimeout }

// NextRetry is soon: River's default would take weeks in the end, and a window rests by its own clock.
func (w *historySliceWorker) NextRetry(*river.Job[HistorySlice]) time.Time {
	return time.Now().Add(retryAfter)
}

// EnqueueSlices gives the function that inserts slice jobs in the transaction that calls for them.
func EnqueueSlices(client *river.Client[pgx.Tx]) history.EnqueueSlices {
	return func(ctx context.Context, tx pgx.Tx, backfillID int64, n int) error {
		params := make([]river.InsertManyParams, n)
		for i := range params {
			// No uniqueness: a killed job stays "running" for minutes and would block its successor. The claim of a window
			// holds the number at work within its limit.
			params[i] = river.InsertManyParams{Args: HistorySlice{BackfillID: backfillID}, InsertOpts: &river.InsertOpts{Queue: queueHistory}}
		}
		if n == 0 {
			return nil
		}
		if _, err := client.InsertManyTx(ctx, tx, params); err != nil {
			return fmt.Errorf("insert %d slice jobs: %w", n, err)
		}
		return nil
	}
}

// HistoryKeep keeps house for all backfills.
type HistoryKeep struct{}

// Kind names the job in River's table.
func (HistoryKeep) Kind() string { return "history_keep" }

type historyKeepWorker struct {
	river.WorkerDefaults[HistoryKeep]

	keeper *history.Keeper
}

func (w *historyKeepWorker) Work(ctx context.Context, _ *river.Job[HistoryKeep]) error {
	return w.keeper.Keep(ctx)
}

// DiscoverOrgs looks for organisations that got their first application.
type DiscoverOrgs struct{}

// Kind names the job in River's table.
func (DiscoverOrgs) Kind() string { return "discover_orgs" }

type discoverOrgsWorker struct {
	river.WorkerDefaults[DiscoverOrgs]

	keeper *history.Keeper
}

func (w *discoverOrgsWorker) Work(ctx context.Context, _ *river.Job[DiscoverOrgs]) error {
	return w.keeper.DiscoverOrgs(ctx)
}

// onlyOnce is the answer to a housekeeping job that failed: the next tick does the same.
func onlyOnce() *river.InsertOpts {
	return &river.InsertOpts{Queue: queueHousekeeping, MaxAttempts: 1}
}
