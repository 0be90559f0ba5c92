package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
)

const (
	// shareOver is the time that the share of what polls found is told for, arrivalsOver that of lags of arrivals.
	shareOver    = 24 * time.Hour
	arrivalsOver = 30 * 24 * time.Hour
	// mostBehind is how many organisations are named that cannot get on.
	mostBehind = 20

	half, nearlyAll = 0.5, 0.99
)

// Live is how a source's live stream stands, as its polls know it.
type Live struct {
	Source string `json:"source"`
	// Watermark: every change up to here is delivered; nil before the first run. Lag is how long ago that is.
	Watermark *time.Time `json:"watermark,omitempty"`
	LagS      float64    `json:"lagSeconds"`
	// Known and Found are versions of items of the last 24 hours: brought over before the poll came by, and by the poll.
	// FoundShare is found / (known + found).
	Known      int64   `json:"known"`
	Found      int64   `json:"found"`
	FoundShare float64 `json:"foundShare"`
	// Arrivals are how long after their lastChanged items were first met, in the last 30 days; nil: none were.
	Arrivals *Arrivals    `json:"arrivals,omitempty"`
	Reaches  []ReachState `json:"reaches"`
	// Behind are organisations that cannot get on, the earliest position first. They hold the watermark.
	Behind []OrgBehind `json:"behind,omitempty"`
}

// Arrivals is what overlaps are set by. The median and the 99th percentile are upper bounds, by the buckets that lags are kept
// in; the longest is exact.
type Arrivals struct {
	Items    int64         `json:"items"`
	P50      time.Duration `json:"-"`
	P99      time.Duration `json:"-"`
	Max      time.Duration `json:"-"`
	P50S     float64       `json:"p50Seconds"`
	P99S     float64       `json:"p99Seconds"`
	LongestS float64       `json:"maxSeconds"`
}

// ReachState is one reach of a source.
type ReachState struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// UpTo is where the run at hand or the last one ends; Started when it began; Ended when one last had walked all.
	UpTo    *time.Time `json:"upTo,omitempty"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Waiting string     `json:"waiting,omitempty"`
	Worker  string     `json:"worker,omitempty"`
	Failing int64      `json:"failingOrganisations"`
	// Listed and the others count since the reach began.
	Listed      int64            `json:"listed"`
	Known       int64            `json:"known"`
	Found       int64            `json:"found"`
	Created     int64            `json:"created"`
	Updated     int64            `json:"updated"`
	Unchanged   int64            `json:"unchanged"`
	Deleted     int64            `json:"deleted"`
	Purged      int64            `json:"purged"`
	Restored    int64            `json:"restored"`
	Skipped     int64            `json:"skipped"`
	Quarantined int64            `json:"quarantined"`
	SkippedBy   map[string]int64 `json:"skippedByReason,omitempty"`
}

// OrgBehind is an organisation that cannot get on.
type OrgBehind struct {
	Org      string     `json:"org"`
	Reach    string     `json:"reach"`
	Position time.Time  `json:"position"`
	Failure  string     `json:"failure"`
	Since    *time.Time `json:"since,omitempty"`
}

// ReadLive reads how a source's live stream stands; now is the wall clock.
func ReadLive(ctx context.Context, conn db.DBTX, source ledger.Source, now time.Time) (Live, error) {
	q := db.New(conn)
	l := Live{Source: string(source)}
	watermark, err := liveWatermark(ctx, q, source)
	if err != nil {
		return l, err
	}
	if !watermark.IsZero() {
		l.Watermark, l.LagS = &watermark, max(now.Sub(watermark), 0).Seconds()
	}
	share, err := q.PollShare(ctx, db.PollShareParams{Source: source, Reach: FirstReach(source), Since: now.Add(-shareOver)})
	if err != nil {
		return l, fmt.Errorf("read what polls of %s found: %w", source, err)
	}
	l.Known, l.Found = share.Known, share.Found
	if all := share.Known + share.Found; all > 0 {
		l.FoundShare = float64(share.Found) / float64(all)
	}
	if l.Arrivals, err = readArrivals(ctx, q, source, now); err != nil {
		return l, err
	}
	if err := l.readReaches(ctx, q, source); err != nil {
		return l, err
	}
	behind, err := q.PollsBehind(ctx, db.PollsBehindParams{Source: source, MaxRows: mostBehind})
	if err != nil {
		return l, fmt.Errorf("read organisations of %s that are behind: %w", source, err)
	}
	for _, b := range behind {
		l.Behind = append(l.Behind, OrgBehind{
			Org: b.Org, Reach: b.Reach, Position: b.Position.UTC(), Failure: textOf(b.Failure), Since: b.FailingSince,
		})
	}
	return l, nil
}

func (l *Live) readReaches(ctx context.Context, q *db.Queries, source ledger.Source) error {
	rows, err := q.PollsOf(ctx, source)
	if err != nil {
		return fmt.Errorf("read polls of %s: %w", source, err)
	}
	skips, err := q.PollSkips(ctx, source)
	if err != nil {
		return fmt.Errorf("read skipped items of %s: %w", source, err)
	}
	l.Reaches = make([]ReachState, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		reach := ReachState{
			Name: r.Reach, Running: r.Running, UpTo: r.RunTo, Started: r.RunStartedAt, Ended: r.RunEndedAt, Waiting: textOf(r.WaitingReason),
			Worker: textOf(r.Worker), Failing: r.Failing, Listed: r.Listed, Known: r.Known, Found: r.Found, Created: r.Created,
			Updated: r.Updated, Unchanged: r.Unchanged, Deleted: r.Deleted, Purged: r.Purged, Restored: r.Restored, Skipped: r.Skipped,
			Quarantined: r.Quarantined,
		}
		for _, s := range skips {
			if s.Reach != r.Reach {
				continue
			}
			if reach.SkippedBy == nil {
				reach.SkippedBy = map[string]int64{}
			}
			reach.SkippedBy[s.Reason] = s.Items
		}
		l.Reaches = append(l.Reaches, reach)
	}
	return nil
}

// liveWatermark is the instant up to which all changes of a source are delivered: the earliest position of any organisation, and
// not later than the oldest event that waits; zero when nothing was polled yet.
func liveWatermark(ctx context.Context, q *db.Queries, source ledger.Source) (time.Time, error) {
	first, err := q.PollOf(ctx, db.PollOfParams{Source: source, Reach: FirstReach(source)})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && first.RunEndedAt == nil {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the poll of %s: %w", source, err)
	}
	if source == ledger.A2Correspondence {
		watermark, err := q.MessageWatermark(ctx, FirstReach(source))
		if err != nil {
			return time.Time{}, fmt.Errorf("read position of %s: %w", source, err)
		}
		return watermark.UTC(), nil
	}
	row, err := q.PollWatermark(ctx, db.PollWatermarkParams{Source: source, Reach: FirstReach(source)})
	if err != nil {
		return time.Time{}, fmt.Errorf("read positions of %s: %w", source, err)
	}
	if row.Orgs == 0 {
		return time.Time{}, nil
	}
	watermark := row.Position
	waiting, err := q.OldestInInbox(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the oldest event: %w", err)
	}
	for _, w := range waiting {
		if w.Source == source && w.ReceivedAt.Before(watermark) {
			watermark = w.ReceivedAt
		}
	}
	return watermark.UTC(), nil
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// lagBounds are the upper bounds of the buckets that lags of arrivals are kept in.
var lagBounds = [...]time.Duration{ //nolint:gochecknoglobals // a table
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour,
	14 * 24 * time.Hour, 31 * 24 * time.Hour, 92 * 24 * time.Hour, 366 * 24 * time.Hour,
}

// lagBucket is the items of one bucket, and the longest of their lags in seconds.
type lagBucket struct{ items, longest int64 }

// lagBuckets sorts lags into buckets by upper bound in seconds; 0: longer than the largest.
func lagBuckets(lags []time.Duration) map[int64]lagBucket {
	buckets := map[int64]lagBucket{}
	for _, lag := range lags {
		var bound int64
		for _, b := range lagBounds {
			if lag <= b {
				bound = int64(b / time.Second)
				break
			}
		}
		b := buckets[bound]
		buckets[bound] = lagBucket{items: b.items + 1, longest: max(b.longest, int64(math.Ceil(lag.Seconds())))}
	}
	return buckets
}

func readArrivals(ctx context.Context, q *db.Queries, source ledger.Source, now time.Time) (*Arrivals, error) {
	rows, err := q.Arrivals(ctx, db.ArrivalsParams{Source: source, Since: now.Add(-arrivalsOver)})
	if err != nil {
		return nil, fmt.Errorf("read lags of arrivals of %s: %w", source, err)
	}
	var a Arrivals
	for _, r := range rows {
		a.Items += r.Items
		a.Max = max(a.Max, time.Duration(r.LongestS)*time.Second)
	}
	if a.Items == 0 {
		return nil, nil //nolint:nilnil // none is an answer
	}
	quantile := func(q float64) time.Duration {
		var passed int64
		for _, r := range rows { // by bound, the unbounded last
			if passed += r.Items; float64(passed) >= q*float64(a.Items) && r.LagS > 0 {
				return min(time.Duration(r.LagS)*time.Second, a.Max)
			}
		}
		return a.Max
	}
	a.P50, a.P99 = quantile(half), quantile(nearlyAll)
	a.P50S, a.P99S, a.LongestS = a.P50.Seconds(), a.P99.Seconds(), a.Max.Seconds()
	return &a, nil
}
