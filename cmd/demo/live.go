package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// startLive has the apps' events pushed to the workers and lets things happen.
func (d *demo) startLive(ctx context.Context) error {
	d.chapterf("Live: %g things happen to instances every second, %g to messages", d.rate, d.messageRate)
	var made []struct {
		Validated bool `json:"validated"`
	}
	err := d.asked(ctx, &made, "subscription", "create", "--endpoint", "http://"+d.addresses[0], "--reason", "demo", "--yes")
	if err != nil {
		return err
	}
	validated := 0
	for _, s := range made {
		if s.Validated {
			validated++
		}
	}
	factf("told by events", "the Service Bus, and Altinn Events: %d apps subscribed to, %d of them validated", len(made), validated)
	factf("asked for in batches", "forms and messages; every five minutes, here every %s", seconds(batchEvery))
	// Hard-deleted instances are removed soon, so that this can be seen too.
	if _, err = d.moves(ctx, "/_sim/live", map[string]any{"rate": d.rate, "removeAfter": "5s", "lateShare": 0.05, "late": "2s"}); err != nil {
		return err
	}
	_, err = d.moves(ctx, "/_sim/messages/live", map[string]any{"rate": d.messageRate, "seed": d.seed})
	return err
}

// moved is what has happened in the simulated world.
type moved struct {
	Total   int            `json:"total"`   // to instances
	Done    map[string]int `json:"done"`    // to messages
	Settled bool           `json:"settled"` // all that happened to instances can be seen, and was told of
}

// moves sets how the world moves.
func (d *demo) moves(ctx context.Context, path string, how map[string]any) (moved, error) {
	body, err := json.Marshal(how)
	if err != nil {
		return moved{}, fmt.Errorf("write order: %w", err)
	}
	var report moved
	err = d.ask(ctx, http.MethodPut, path, body, &report)
	return report, err
}

// stopLive ends what happens, and waits until all of it can have been brought over: the bus is empty, the inbox too, the polls and
// batches have passed the last change.
func (d *demo) stopLive(ctx context.Context) error {
	d.chapterf("The world stands still")
	still := map[string]any{"rate": 0}
	report, err := d.moves(ctx, "/_sim/live", still)
	if err != nil {
		return err
	}
	messages, err := d.moves(ctx, "/_sim/messages/live", still)
	if err != nil {
		return err
	}
	began := time.Now()
	err = await(ctx, func() (string, error) {
		err := d.ask(ctx, http.MethodGet, "/_sim/live", nil, &report)
		if report.Settled {
			return "", err
		}
		return "what happened to be told of", err
	})
	if err != nil {
		return err
	}
	if err := d.passed(ctx); err != nil {
		return err
	}
	happened := 0
	for _, n := range messages.Done {
		happened += n
	}
	factf("had happened", "%s things to instances, %s to messages, %s of those new ones", number(report.Total), number(happened),
		number(messages.Done["new"]))
	factf("live sync", "past the last of them after %s", seconds(time.Since(began)))
	return d.sayLatency(ctx)
}

// passed waits until live sync has passed this moment.
func (d *demo) passed(ctx context.Context) error {
	q := db.New(d.pool)
	stopped, err := q.DatabaseNow(ctx)
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	return await(ctx, func() (string, error) {
		if err := d.ring(ctx); err != nil {
			return "", err
		}
		if waiting, err := d.working(ctx); waiting != "" || err != nil {
			return waiting, err
		}
		for _, source := range sources() {
			if passed, err := d.isPast(ctx, source, stopped); !passed || err != nil {
				return fmt.Sprintf("live sync of %s to have passed the last change", source), err
			}
		}
		// Last: polls tell it of forms that were migrated anew.
		if waiting, err := q.OldestInInbox(ctx); len(waiting) > 0 || err != nil {
			return "the inbox to be empty", err
		}
		return "", nil
	})
}

// isPast tells whether a source's live watermark is later than a moment.
func (d *demo) isPast(ctx context.Context, source ledger.Source, moment time.Time) (bool, error) {
	state, err := live.ReadLive(ctx, d.pool, source, time.Now())
	if err != nil {
		return false, fmt.Errorf("read live sync of %s: %w", source, err)
	}
	return state.Watermark != nil && state.Watermark.After(moment), nil
}

// working tells what the platform has still to do: messages on the bus, jobs of Correspondence; empty when there is nothing.
func (d *demo) working(ctx context.Context) (string, error) {
	var bus struct {
		Queues []struct {
			Active int `json:"active"`
			Locked int `json:"locked"`
		} `json:"queues"`
	}
	if err := d.ask(ctx, http.MethodGet, "/_sim/servicebus", nil, &bus); err != nil {
		return "", err
	}
	for _, queue := range bus.Queues {
		if queue.Active+queue.Locked > 0 {
			return "the bus to be empty", nil
		}
	}
	var stats struct {
		Correspondence struct {
			Jobs struct {
				Queued map[string]int `json:"queued"`
			} `json:"jobs"`
		} `json:"correspondence"`
	}
	if err := d.ask(ctx, http.MethodGet, "/_sim/stats", nil, &stats); err != nil {
		return "", err
	}
	for _, n := range stats.Correspondence.Jobs.Queued {
		if n > 0 {
			return "Correspondence to have done what it was asked for", nil
		}
	}
	return "", nil
}

// await asks again and again until there is nothing left to wait for.
func await(ctx context.Context, left func() (what string, err error)) error {
	const interval, timeout = 200 * time.Millisecond, 3 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		what, err := left()
		if what == "" || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-time.After(interval):
		}
	}
}
