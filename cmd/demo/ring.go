package main

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// batchEvery is how often batches are begun here: nobody wants to wait for the next five minutes.
const batchEvery = 5 * time.Second

// ring begins the batches of live sync as their tick would, if none was begun lately.
func (d *demo) ring(ctx context.Context) error {
	if time.Since(d.rung) < batchEvery {
		return nil
	}
	d.rung = time.Now()
	inserter, err := jobs.NewInserter(d.pool)
	if err != nil {
		return fmt.Errorf("begin batches: %w", err)
	}
	for _, source := range []ledger.Source{ledger.A2ArchivedForms, ledger.A2Correspondence} {
		batch := jobs.Poll{Source: string(source), Reach: live.ReachBatch}
		if _, err := inserter.Insert(ctx, batch, &river.InsertOpts{Queue: jobs.QueuePoll}); err != nil {
			return fmt.Errorf("begin batches: %w", err)
		}
	}
	return nil
}
