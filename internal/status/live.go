package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// Live is what only a live stream has; all members are absent from others, and where nothing is known.
type Live struct {
	// LiveTo is the live watermark: every change up to this time is delivered, or stands among the exceptions.
	LiveTo *time.Time `json:"liveTo,omitempty"`
	// LagS is how far it is behind, in seconds: by the oldest event nobody has tried to deliver where events tell within seconds,
	// by the watermark where batches do.
	LagS *float64 `json:"lagS,omitempty"`
	// Backlog is the events not delivered yet, counted no further than a million; Parked of them wait for a retry, for the stream
	// to get on, or for an operator. Of messages it is those to be delivered again: due by now, and Parked of them put off.
	Backlog *int64 `json:"backlog,omitempty"`
	Parked  *int64 `json:"parked,omitempty"`
	// ArrivalLagS is how long after their time of change 99 of 100 items could be seen at the latest, in seconds, by the polls of
	// the last 30 days.
	ArrivalLagS *float64 `json:"arrivalLagS,omitempty"`
	// HeldBy is how many organisations cannot be polled now; they hold the watermark.
	HeldBy int `json:"heldByOrgs,omitempty"`
	// FoundByCatchUp is the share of the last day's changes that only the poll found: no event told of them. From 0 to 1.
	FoundByCatchUp *float64 `json:"foundByCatchUpShare,omitempty"`
}

// lives is what is read of live streams for a report.
type lives struct {
	living     int64
	live       map[ledger.Source]Live
	exceptions map[ledger.Source]int64
	// reasons say what is wrong with streams that run nonetheless.
	reasons map[ledger.Source]string
	// off are sources whose live stream no worker ever began.
	off map[ledger.Source]bool
}

func readLives(ctx context.Context, pool *pgxpool.Pool, now time.Time) (lives, error) {
	all := lives{
		live: map[ledger.Source]Live{}, exceptions: map[ledger.Source]int64{}, reasons: map[ledger.Source]string{},
		off: map[ledger.Source]bool{},
	}
	var err error
	if all.living, err = stream.LivingWorkers(ctx, pool); err != nil {
		return all, fmt.Errorf("read status of live streams: %w", err)
	}
	lags, err := stream.ReadLags(ctx, pool)
	if err != nil {
		return all, fmt.Errorf("read status of live streams: %w", err)
	}
	for _, lag := range lags {
		row := all.live[lag.Source]
		if behind, known := lag.Behind(); known {
			seconds := behind.Seconds()
			row.LagS = &seconds
		}
		all.live[lag.Source] = row
	}
	q := db.New(pool)
	bus, err := busTrouble(ctx, q, all.living)
	if err != nil {
		return all, err
	}
	backlogs, err := q.InboxBacklog(ctx)
	if err != nil {
		return all, fmt.Errorf("count events not delivered: %w", err)
	}
	for _, b := range backlogs {
		row := all.live[b.Source]
		row.Backlog, row.Parked = &b.Events, &b.Parked
		all.live[b.Source] = row
	}
	if err := all.readMessages(ctx, q, now); err != nil {
		return all, err
	}
	for source, row := range all.live {
		if all.reasons[source], err = row.readPolls(ctx, pool, source, now); err != nil {
			return all, err
		}
		all.live[source] = row
		if slices.Contains(live.Sources(), source) {
			all.reasons[source] = joinReasons(all.reasons[source], bus)
		}
		if all.exceptions[source], err = q.LiveExceptions(ctx, source); err != nil {
			return all, fmt.Errorf("count exceptions of live streams: %w", err)
		}
	}
	return all, nil
}

// readMessages reads what is to be delivered again of messages, which have no inbox.
func (l *lives) readMessages(ctx context.Context, q *db.Queries, now time.Time) error {
	const source = ledger.A2Correspondence
	_, err := q.PollOf(ctx, db.PollOfParams{Source: source, Reach: live.FirstReach(source)})
	if errors.Is(err, pgx.ErrNoRows) {
		l.off[source] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read status of live streams: %w", err)
	}
	backlog, err := q.MessageBacklog(ctx, now)
	if err != nil {
		return fmt.Errorf("count messages to be delivered again: %w", err)
	}
	row := l.live[source]
	row.Backlog, row.Parked = &backlog.Backlog, &backlog.Retries
	l.live[source] = row
	return nil
}

// readPolls takes over what the polls of a source know of it; the reason names organisations that cannot be polled.
func (l *Live) readPolls(ctx context.Context, pool *pgxpool.Pool, source ledger.Source, now time.Time) (reason string, err error) {
	polls, err := live.ReadLive(ctx, pool, source, now)
	if err != nil {
		return "", fmt.Errorf("read status of live streams: %w", err)
	}
	if polls.Known+polls.Found > 0 {
		l.FoundByCatchUp = &polls.FoundShare
	}
	if polls.Arrivals != nil {
		l.ArrivalLagS = &polls.Arrivals.P99S
	}
	l.HeldBy = len(polls.Behind)
	switch l.HeldBy {
	case 0:
		return "", nil
	case 1:
		reason = "organisation " + polls.Behind[0].Org + " cannot be polled"
	default:
		reason = fmt.Sprintf("%d organisations cannot be polled, %s for one", l.HeldBy, polls.Behind[0].Org)
	}
	return reason + ": " + telemetry.Redact(polls.Behind[0].Failure), nil
}

// row is a live stream that workers run, as it stands before operators and the stream itself have their say.
func (l lives) row(source ledger.Source) Stream {
	row := Stream{
		Source: string(source), Stream: streamLive, State: Running, Reason: l.reasons[source], Live: l.live[source],
		Exceptions: l.exceptions[source],
	}
	switch {
	case l.off[source]:
		row.State = Off
	case l.living == 0:
		row.State, row.Reason = Off, "no worker is running"
	}
	return row
}
