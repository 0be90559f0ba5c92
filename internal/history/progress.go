package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// Progress is how a backfill stands.
type Progress struct {
	StreamPart

	ID      int64     `json:"id"`
	Source  string    `json:"source"`
	Stream  string    `json:"stream"`
	State   string    `json:"state"`
	Newest  time.Time `json:"newest"`
	Oldest  time.Time `json:"oldest"`
	Orgs    []string  `json:"orgs"`
	AllOrgs bool      `json:"allOrgs"`
	// Redo: what was brought over before is looked at again. OlderThanMapping: only what a smaller mapping version made.
	Redo             bool       `json:"redo,omitempty"`
	OlderThanMapping *int16     `json:"olderThanMapping,omitempty"`
	Items            bool       `json:"items"`
	BackTo           time.Time  `json:"backTo"`
	Share            float64    `json:"share"`
	RatePerS         *float64   `json:"rateLimitPerS,omitempty"`
	Parallel         int32      `json:"parallel"`
	Waiting          string     `json:"waiting,omitempty"`
	Since            *time.Time `json:"waitingSince,omitempty"`
	// AfterTransfer: publish can take up nothing until more is transferred. That is no fault.
	AfterTransfer bool       `json:"waitsForTransfer,omitempty"`
	Windows       Windows    `json:"windows"`
	Accounts      Accounts   `json:"accounts"`
	Reason        string     `json:"reason"`
	Operator      string     `json:"operator"`
	Created       time.Time  `json:"createdAt"`
	Started       *time.Time `json:"startedAt,omitempty"`
	Recorded      *time.Time `json:"recordedAt,omitempty"`
	Finished      *time.Time `json:"finishedAt,omitempty"`
}

// StreamPart is what the history stream of its source lets a backfill do.
type StreamPart struct {
	// StreamPaused: an operator paused the whole stream, for StreamReason.
	StreamPaused bool   `json:"streamPaused,omitempty"`
	StreamReason string `json:"streamReason,omitempty"`
	// StreamRatePerS limits the sum of the stream's backfills; nil: nothing does.
	StreamRatePerS *float64 `json:"streamRateLimitPerS,omitempty"`
	// Throttled is why the stream is held back for live or for the destination; ThrottlePerS is about what is left to it.
	Throttled    string   `json:"throttleReason,omitempty"`
	ThrottlePerS *float64 `json:"throttlePerS,omitempty"`
	// LiveLag is how far the live stream of the source is behind, in seconds; nil when nothing was ever done in it.
	LiveLag *float64 `json:"liveLagS,omitempty"`
}

// WaitsForTransfer says why a backfill of publish stands still.
const WaitsForTransfer = "waits for transfer"

// Windows counts a backfill's windows by state.
type Windows struct {
	Pending int64 `json:"pending"`
	Walking int64 `json:"walking"`
	Closed  int64 `json:"closed"`
	Failed  int64 `json:"failed"`
}

// ReadProgress reads how backfills stand: all of them, or the one of that id.
func ReadProgress(ctx context.Context, pool *pgxpool.Pool, id *int64) ([]Progress, error) {
	q := db.New(pool)
	backfills, err := q.Backfills(ctx)
	if err != nil {
		return nil, fmt.Errorf("read backfills: %w", err)
	}
	accounts, err := q.BackfillAccounts(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read accounts of backfills: %w", err)
	}
	byID := make(map[int64]*db.BackfillAccountsRow, len(accounts))
	for i := range accounts {
		byID[accounts[i].ID] = &accounts[i]
	}
	parts, err := readStreamParts(ctx, pool)
	if err != nil {
		return nil, err
	}
	waiting, err := q.WaitingForTransfer(ctx)
	if err != nil {
		return nil, fmt.Errorf("see which backfills wait for transfer: %w", err)
	}
	var all []Progress
	for i := range backfills {
		if a := byID[backfills[i].ID]; a != nil {
			p := progressOf(&backfills[i], a)
			p.StreamPart = parts[stream.Stream{Source: backfills[i].Source, Direction: p.Stream}]
			p.AfterTransfer = slices.Contains(waiting, p.ID)
			all = append(all, p)
		}
	}
	return all, nil
}

func readStreamParts(ctx context.Context, pool *pgxpool.Pool) (map[stream.Stream]StreamPart, error) {
	states, err := stream.Read(ctx, pool)
	if err != nil {
		return nil, err
	}
	lags, err := stream.ReadLags(ctx, pool)
	if err != nil {
		return nil, err
	}
	lagOf := map[ledger.Source]*float64{}
	for _, lag := range lags {
		if behind, known := lag.Behind(); known {
			seconds := behind.Seconds()
			lagOf[lag.Source] = &seconds
		}
	}
	parts := map[stream.Stream]StreamPart{}
	for i := range states {
		s := &states[i]
		if !s.Stream.IsHistory() {
			continue
		}
		part := StreamPart{
			StreamPaused: s.Paused, StreamRatePerS: s.RatePerS, Throttled: s.Throttled, LiveLag: lagOf[s.Stream.Source],
		}
		if s.Paused {
			part.StreamReason = s.Reason
		}
		if s.Throttled != "" && s.ThrottlePerS > 0 {
			part.ThrottlePerS = &s.ThrottlePerS
		}
		parts[s.Stream] = part
	}
	return parts, nil
}

func progressOf(b *db.Backfill, a *db.BackfillAccountsRow) Progress {
	p := Progress{
		ID: b.ID, Source: string(b.Source), Stream: b.Stream, State: b.State, Newest: b.Newest.UTC(), Oldest: b.Oldest.UTC(), Orgs: b.Orgs,
		AllOrgs: b.AllOrgs, Redo: b.Redo, OlderThanMapping: b.OlderThanMapping, Items: b.Newest.Equal(b.Oldest),
		BackTo: a.BackTo.UTC(), Share: a.Share, RatePerS: b.RatePerS,
		Parallel: b.Parallel, Since: b.WaitingSince, Reason: b.Reason, Operator: b.Operator, Created: b.CreatedAt.UTC(),
		Finished: b.FinishedAt,
		Windows:  Windows{Pending: a.Pending, Walking: a.Walking, Closed: a.Closed, Failed: a.Failed},
		Accounts: Accounts{
			Seen: a.Seen, Created: a.Created, Updated: a.Updated, Unchanged: a.Unchanged, Deleted: a.Deleted, Purged: a.Purged,
			Restored: a.Restored, Skipped: a.Skipped, Quarantined: a.Quarantined,
		},
	}
	if b.WaitingReason != nil {
		p.Waiting = *b.WaitingReason
	}
	if a.StartedAt.Year() > 1 {
		p.Started = &a.StartedAt
	}
	if a.RecordedAt.Year() > 1 {
		p.Recorded = &a.RecordedAt
	}
	return p
}

// Speed is how fast a backfill gets on.
type Speed struct {
	// ItemsPerS is items recorded a second; sharePerS is the share of the ordered time walked a second.
	ItemsPerS, sharePerS float64
}

// SpeedBetween is the speed between two looks at a backfill.
func SpeedBetween(before, now Progress, between time.Duration) Speed {
	seconds := between.Seconds()
	if seconds <= 0 {
		return Speed{}
	}
	return Speed{
		ItemsPerS: float64(now.Accounts.Settled()-before.Accounts.Settled()) / seconds,
		sharePerS: (now.Share - before.Share) / seconds,
	}
}

// Smooth mixes a newer speed in, by its weight from 0 to 1: pages are recorded in bursts.
func (s Speed) Smooth(newer Speed, weight float64) Speed {
	return Speed{
		ItemsPerS: s.ItemsPerS*(1-weight) + newer.ItemsPerS*weight,
		sharePerS: s.sharePerS*(1-weight) + newer.sharePerS*weight,
	}
}

// ETA is how long the rest of a backfill takes at this speed; zero when nothing can be said.
func (s Speed) ETA(p Progress) time.Duration {
	if s.sharePerS <= 0 || p.Share >= 1 {
		return 0
	}
	return time.Duration(math.Min((1-p.Share)/s.sharePerS, maxETA.Seconds()) * float64(time.Second))
}

// maxETA is where a forecast stops to mean anything.
const maxETA = 20 * 365 * Day

// Line is the one-line form that operators watch and logs carry.
func (p Progress) Line(speed Speed) string {
	var b strings.Builder
	eta := speed.ETA(p)
	fmt.Fprintf(&b, "%s %s: ", p.Source, p.Stream)
	if p.Items {
		fmt.Fprintf(&b, "%d given items", p.Accounts.Seen)
	} else {
		fmt.Fprintf(&b, "back to %s", DayText(p.BackTo))
	}
	const percent = 100
	fmt.Fprintf(&b, " (%.1f %%), %.0f/s", math.Floor(p.Share*1000)/1000*percent, speed.ItemsPerS)
	b.WriteString(p.limit())
	fmt.Fprintf(&b, ", %d gaps, %d quarantined", p.Gaps(), p.Accounts.Quarantined)
	if p.Windows.Failed > 0 {
		fmt.Fprintf(&b, ", %d windows failed", p.Windows.Failed)
	}
	if p.LiveLag != nil {
		fmt.Fprintf(&b, ", live lag %s", Roughly(time.Duration(*p.LiveLag*float64(time.Second))))
	}
	switch {
	case p.State != StateRunning && p.Waiting == "":
		fmt.Fprintf(&b, ", %s", p.State)
	case p.StreamPaused:
		fmt.Fprintf(&b, ", stream paused: %s", p.StreamReason)
	case p.Waiting != "":
		fmt.Fprintf(&b, ", waiting: %s", p.Waiting)
	case p.AfterTransfer:
		b.WriteString(", " + WaitsForTransfer)
	case eta > 0:
		fmt.Fprintf(&b, ", ETA %s", Roughly(eta))
	}
	return b.String()
}

// limit is what holds a running backfill's rate, in items a second, and why: " (limit 150: dialogporten p95 310 ms)". What is
// left by throttling is an estimate, and said in whole items.
func (p Progress) limit() string {
	lowest, text := math.Inf(1), "limited"
	for _, ordered := range []*float64{p.RatePerS, p.StreamRatePerS} {
		if ordered != nil && *ordered < lowest {
			lowest, text = *ordered, fmt.Sprintf("limit %g", *ordered)
		}
	}
	if p.ThrottlePerS != nil && *p.ThrottlePerS < lowest {
		lowest, text = *p.ThrottlePerS, fmt.Sprintf("limit %.0f", math.Ceil(*p.ThrottlePerS))
	}
	switch {
	case p.Throttled != "":
		return " (" + text + ": " + p.Throttled + ")"
	case math.IsInf(lowest, 1):
		return ""
	}
	return " (" + text + ")"
}

// Gaps are the items that the walk saw and that have no outcome. A window with gaps cannot close (Invariant 6).
func (p Progress) Gaps() int64 { return max(p.Accounts.Seen-p.Accounts.Settled(), 0) }

// Roughly writes a duration with one unit, as a person would say it.
func Roughly(d time.Duration) string {
	const days = 2
	switch {
	case d >= days*Day:
		return fmt.Sprintf("%.0f d", d.Hours()/Day.Hours())
	case d >= days*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	case d >= days*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
