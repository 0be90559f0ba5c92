package history

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
)

// Progress is how a backfill stands.
type Progress struct {
	ID       int64      `json:"id"`
	Source   string     `json:"source"`
	State    string     `json:"state"`
	Newest   time.Time  `json:"newest"`
	Oldest   time.Time  `json:"oldest"`
	Orgs     []string   `json:"orgs"`
	AllOrgs  bool       `json:"allOrgs"`
	Items    bool       `json:"items"`
	BackTo   time.Time  `json:"backTo"`
	Share    float64    `json:"share"`
	RatePerS *float64   `json:"rateLimitPerS,omitempty"`
	Parallel int32      `json:"parallel"`
	Waiting  string     `json:"waiting,omitempty"`
	Since    *time.Time `json:"waitingSince,omitempty"`
	Windows  Windows    `json:"windows"`
	Accounts Accounts   `json:"accounts"`
	Reason   string     `json:"reason"`
	Operator string     `json:"operator"`
	Created  time.Time  `json:"createdAt"`
	Started  *time.Time `json:"startedAt,omitempty"`
	Recorded *time.Time `json:"recordedAt,omitempty"`
	Finished *time.Time `json:"finishedAt,omitempty"`
}

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
	var all []Progress
	for i := range backfills {
		if a := byID[backfills[i].ID]; a != nil {
			all = append(all, progressOf(&backfills[i], a))
		}
	}
	return all, nil
}

func progressOf(b *db.Backfill, a *db.BackfillAccountsRow) Progress {
	p := Progress{
		ID: b.ID, Source: string(b.Source), State: b.State, Newest: b.Newest.UTC(), Oldest: b.Oldest.UTC(), Orgs: b.Orgs,
		AllOrgs: b.AllOrgs, Items: b.Newest.Equal(b.Oldest), BackTo: a.BackTo.UTC(), Share: a.Share, RatePerS: b.RatePerS,
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
	fmt.Fprintf(&b, "%s history: ", p.Source)
	if p.Items {
		fmt.Fprintf(&b, "%d given items", p.Accounts.Seen)
	} else {
		fmt.Fprintf(&b, "back to %s", DayText(p.BackTo))
	}
	const percent = 100
	fmt.Fprintf(&b, " (%.1f %%), %.0f/s", math.Floor(p.Share*1000)/1000*percent, speed.ItemsPerS)
	if p.RatePerS != nil {
		fmt.Fprintf(&b, " (limit %g)", *p.RatePerS)
	}
	fmt.Fprintf(&b, ", %d items, %d quarantined", p.Accounts.Settled(), p.Accounts.Quarantined)
	if p.Windows.Failed > 0 {
		fmt.Fprintf(&b, ", %d windows failed", p.Windows.Failed)
	}
	switch {
	case p.Waiting != "":
		fmt.Fprintf(&b, ", waiting: %s", p.Waiting)
	case p.State != StateRunning:
		fmt.Fprintf(&b, ", %s", p.State)
	case eta > 0:
		fmt.Fprintf(&b, ", ETA %s", roughly(eta))
	}
	return b.String()
}

// roughly writes a duration with one unit, as a person would say it.
func roughly(d time.Duration) string {
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
