package history

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// Keeper keeps house for all backfills: it sees to it that slices are at work, ends backfills that are walked, moves
// watermarks, and takes in organisations that appear. Any number of processes may run one; they take turns.
type Keeper struct {
	Pool    *pgxpool.Pool
	Orgs    OrgLister
	Enqueue EnqueueSlices
	Log     *zap.Logger

	mu   sync.Mutex
	last map[int64]look
}

// look is how a backfill stood when it was last reported.
type look struct {
	at       time.Time
	progress Progress
}

// reportEvery is how often a backfill gets a line in the log.
const reportEvery = 30 * time.Second

// Keep looks after everything once. It is meant to be called every few seconds and does nothing while another process is at
// it.
func (k *Keeper) Keep(ctx context.Context) error {
	err := db.InTx(ctx, k.Pool, func(tx pgx.Tx, q *db.Queries) error {
		mine, err := q.LockKeeper(ctx)
		if err != nil {
			return fmt.Errorf("take turns: %w", err)
		}
		if !mine {
			return nil
		}
		running, err := q.RunningBackfills(ctx)
		if err != nil {
			return fmt.Errorf("read running backfills: %w", err)
		}
		for i := range running {
			if err := k.keepBackfill(ctx, tx, q, running[i].ID); err != nil {
				return fmt.Errorf("backfill %d: %w", running[i].ID, err)
			}
		}
		if err := k.report(ctx, running); err != nil {
			return err
		}
		for _, of := range Streams() {
			if err := k.keepWatermark(ctx, q, of); err != nil {
				return fmt.Errorf("watermark of %s: %w", of, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep backfills: %w", err)
	}
	return nil
}

// report writes a line for each running backfill that had none lately.
func (k *Keeper) report(ctx context.Context, running []db.Backfill) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = map[int64]look{}
	}
	now := time.Now()
	for i := range running {
		id := running[i].ID
		before, seen := k.last[id]
		if seen && now.Sub(before.at) < reportEvery {
			continue
		}
		found, err := ReadProgress(ctx, k.Pool, &id)
		if err != nil || len(found) == 0 {
			return err
		}
		k.last[id] = look{at: now, progress: found[0]}
		if !seen {
			continue // a rate needs two looks
		}
		speed := SpeedBetween(before.progress, found[0], now.Sub(before.at))
		k.Log.Info(found[0].Line(speed), zap.Int64(telemetry.LogKeyBackfillID, id),
			zap.String(telemetry.LogKeySource, found[0].Source), zap.String(telemetry.LogKeyStream, found[0].Stream),
			zap.Float64(telemetry.LogKeyRate, math.Round(speed.ItemsPerS)),
			zap.Time(telemetry.LogKeyBackTo, found[0].BackTo), zap.Float64(telemetry.LogKeyETA, speed.ETA(found[0]).Seconds()))
	}
	return nil
}

// keepBackfill ends a backfill that has nothing left to walk, or fills up its slices.
func (k *Keeper) keepBackfill(ctx context.Context, tx pgx.Tx, q *db.Queries, id int64) error {
	// Under the row's lock: an operator's word, or a new organisation, may have come in between.
	b, err := q.LockBackfill(ctx, id)
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	if b.State != StateRunning {
		return nil
	}
	windows, err := q.OpenWindows(ctx, db.OpenWindowsParams{
		BackfillID: b.ID, AtMost: b.Parallel, Source: b.Source, AfterTransfer: followsTransfer(&b),
	})
	if err != nil {
		return fmt.Errorf("count open windows: %w", err)
	}
	if !windows.Open {
		state := StateComplete
		if windows.Failed > 0 {
			state = StateFailed
		}
		if err := q.SetBackfillState(ctx, db.SetBackfillStateParams{ID: b.ID, State: state}); err != nil {
			return fmt.Errorf("end it: %w", err)
		}
		k.Log.Info("backfill "+state, zap.Int64(telemetry.LogKeyBackfillID, b.ID), zap.String(telemetry.LogKeySource, string(b.Source)),
			zap.String(telemetry.LogKeyStream, b.Stream), zap.Int64("failed_windows", windows.Failed))
		return nil
	}
	if paused, err := q.StreamPaused(ctx, db.StreamPausedParams{Source: b.Source, Stream: b.Stream}); err != nil || paused {
		return err
	}
	waiting, err := q.WaitingSlices(ctx, b.ID)
	if err != nil {
		return fmt.Errorf("count waiting slices: %w", err)
	}
	missing := min(int64(b.Parallel)-windows.Held, windows.Claimable) - waiting
	if missing <= 0 {
		return nil
	}
	return k.Enqueue(ctx, tx, b.ID, int(missing))
}

// keepWatermark records a watermark that has moved.
func (k *Keeper) keepWatermark(ctx context.Context, q *db.Queries, of stream.Stream) error {
	coverage, err := readCoverage(ctx, q, of)
	if err != nil {
		return err
	}
	var backTo *time.Time
	if t, ok := coverage.Watermark(); ok {
		backTo = &t
	}
	latest, err := latestWatermark(ctx, q, of)
	if err != nil {
		return err
	}
	if sameInstant(backTo, latest) {
		return nil
	}
	var exceptions int64
	if backTo != nil {
		if exceptions, err = q.QuarantineSince(ctx, ExceptionsSince(of, backTo)); err != nil {
			return fmt.Errorf("count exceptions: %w", err)
		}
	}
	params := db.AddWatermarkParams{Source: of.Source, Stream: of.Direction, BackTo: backTo, Exceptions: exceptions}
	if _, err := q.AddWatermark(ctx, params); err != nil {
		return fmt.Errorf("record its move: %w", err)
	}
	k.Log.Info("watermark moved", zap.String(telemetry.LogKeySource, string(of.Source)), zap.String(telemetry.LogKeyStream, of.Direction),
		zap.Timep(telemetry.LogKeyBackTo, backTo), zap.Timep("was", latest), zap.Int64(telemetry.LogKeyQuarantined, exceptions))
	return nil
}

// ExceptionsSince asks for the items in quarantine that stand beside a watermark of a stream. What publish could not make available
// is no exception of transfer, but what transfer could not store is one of publish.
func ExceptionsSince(of stream.Stream, backTo *time.Time) db.QuarantineSinceParams {
	return db.QuarantineSinceParams{Source: of.Source, BackTo: backTo, TransferOnly: of.Direction == stream.Transfer}
}

// DiscoverOrgs takes in organisations that got their first application since the last look. Every backfill of all
// organisations gets one window for each, over its whole range; a backfill that was complete runs again, since without
// them it is not.
func (k *Keeper) DiscoverOrgs(ctx context.Context) error {
	orgs, err := k.Orgs.Orgs(ctx)
	if err != nil {
		return fmt.Errorf("list organisations: %w", err)
	}
	err = db.InTx(ctx, k.Pool, func(_ pgx.Tx, q *db.Queries) error {
		if err := q.LockBackfills(ctx); err != nil {
			return fmt.Errorf("take turns with orders: %w", err)
		}
		if _, err := q.AddOrgs(ctx, orgs); err != nil {
			return fmt.Errorf("record organisations: %w", err)
		}
		backfills, err := q.BackfillsOfEveryOrg(ctx)
		if err != nil {
			return fmt.Errorf("read backfills of every organisation: %w", err)
		}
		for i := range backfills {
			if err := k.widen(ctx, q, &backfills[i], unknownOrgs(orgs, backfills[i].Orgs)); err != nil {
				return fmt.Errorf("backfill %d: %w", backfills[i].ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("discover organisations: %w", err)
	}
	return nil
}

func (k *Keeper) widen(ctx context.Context, q *db.Queries, b *db.Backfill, added []string) error {
	if len(added) == 0 {
		return nil
	}
	windows := make([]db.AddWindowsParams, 0, len(added))
	for _, org := range added {
		windows = append(windows, newWindow(b.ID, Window{Org: org, Range: Range{From: b.Oldest, To: b.Newest}}))
	}
	if _, err := q.AddWindows(ctx, windows); err != nil {
		return fmt.Errorf("add windows: %w", err)
	}
	if err := q.WidenBackfill(ctx, db.WidenBackfillParams{ID: b.ID, Orgs: added}); err != nil {
		return fmt.Errorf("widen it: %w", err)
	}
	k.Log.Info("organisations appeared", zap.Int64(telemetry.LogKeyBackfillID, b.ID), zap.Strings("orgs", added))
	return nil
}

func sameInstant(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Equal(*b)
}
