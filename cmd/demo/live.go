package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// startLive has the apps' events pushed to the workers and lets things happen.
func (d *demo) startLive(ctx context.Context) error {
	err := d.dialogsync(ctx, os.Stdout, "subscription", "create", "--endpoint", "http://"+d.addresses[0], "--reason", "demo", "--yes")
	if err != nil {
		return err
	}
	// Hard-deleted instances are removed soon, so that this can be seen too.
	body, err := json.Marshal(map[string]any{"rate": d.rate, "removeAfter": "5s", "lateShare": 0.05, "late": "2s"})
	if err != nil {
		return fmt.Errorf("write order: %w", err)
	}
	_, err = d.call(ctx, http.MethodPut, "/_sim/live", body)
	return err
}

// stopLive ends what happens, and waits until all of it can have been brought over: the bus is empty, the inbox too, and the
// poll has passed the last change.
func (d *demo) stopLive(ctx context.Context) error {
	report, err := d.liveReport(ctx, http.MethodPut, []byte(`{"rate": 0}`))
	if err != nil {
		return err
	}
	pool, err := d.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	q := db.New(pool)
	began := time.Now()
	err = await(ctx, "what happened to be told of", func() (bool, error) {
		report, err = d.liveReport(ctx, http.MethodGet, nil)
		return report.Settled, err
	})
	if err != nil {
		return err
	}
	stopped, err := q.DatabaseNow(ctx)
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	err = await(ctx, "live sync to have passed the last change", func() (bool, error) {
		done, err := d.busIsEmpty(ctx)
		if !done || err != nil {
			return false, err
		}
		if waiting, err := q.OldestInInbox(ctx); len(waiting) > 0 || err != nil {
			return false, err
		}
		now, err := q.DatabaseNow(ctx)
		if err != nil {
			return false, fmt.Errorf("read the database's clock: %w", err)
		}
		state, err := live.ReadLive(ctx, pool, ledger.A3AppInstances, now)
		return err == nil && state.Watermark != nil && state.Watermark.After(stopped), err
	})
	if err != nil {
		return err
	}
	sayf("%d things had happened; %s after the last of them live sync was past it.", report.Total, time.Since(began).Round(time.Second))
	return d.sayLatency(ctx)
}

// liveReport is how the simulator's live mode stands.
type liveReport struct {
	Total   int  `json:"total"`
	Settled bool `json:"settled"`
}

func (d *demo) liveReport(ctx context.Context, method string, body []byte) (report liveReport, err error) {
	answer, err := d.call(ctx, method, "/_sim/live", body)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return report, fmt.Errorf("read live report: %w", err)
	}
	return report, nil
}

func (d *demo) busIsEmpty(ctx context.Context) (bool, error) {
	answer, err := d.call(ctx, http.MethodGet, "/_sim/servicebus", nil)
	if err != nil {
		return false, err
	}
	var report struct {
		Queues []struct {
			Active int `json:"active"`
			Locked int `json:"locked"`
		} `json:"queues"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return false, fmt.Errorf("read report of the bus: %w", err)
	}
	for _, queue := range report.Queues {
		if queue.Active+queue.Locked > 0 {
			return false, nil
		}
	}
	return true, nil
}

// await asks again and again until the answer is yes.
func await(ctx context.Context, what string, holds func() (bool, error)) error {
	const interval, timeout = 200 * time.Millisecond, 3 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		done, err := holds()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-time.After(interval):
		}
	}
}
