package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// Coverage is what is closed of a stream of history.
type Coverage struct {
	Stream stream.Stream
	// Orgs is the universe that a watermark must cover: WholeSource alone where organisations do not matter.
	Orgs []string
	// Top is the newest instant that a backfill of every organisation was ordered from; zero when there was none.
	Top time.Time
	// Closed has each organisation's ranges, newest first.
	Closed map[string][]Range
}

// Watermark is the instant from which on, up to Top, the coverage has no hole; false when there is none.
func (c Coverage) Watermark() (time.Time, bool) { return backTo(c.Closed, c.Orgs, c.Top) }

// ReadCoverage reads what is closed of a stream of history.
func ReadCoverage(ctx context.Context, conn db.DBTX, of stream.Stream) (Coverage, error) {
	return readCoverage(ctx, db.New(conn), of)
}

func readCoverage(ctx context.Context, q *db.Queries, of stream.Stream) (Coverage, error) {
	c := Coverage{Stream: of, Closed: map[string][]Range{}}
	var err error
	if of.Source == ledger.A2Correspondence {
		c.Orgs = []string{WholeSource}
	} else if c.Orgs, err = q.KnownOrgs(ctx); err != nil {
		return c, fmt.Errorf("read organisations: %w", err)
	}
	if c.Top, err = q.NewestOrdered(ctx, db.NewestOrderedParams{Source: of.Source, Stream: of.Direction}); err != nil {
		return c, fmt.Errorf("read the newest order: %w", err)
	}
	if c.Top.Year() <= 1 { // none
		c.Top = time.Time{}
	}
	rows, err := q.Coverage(ctx, db.CoverageParams{Source: of.Source, Stream: of.Direction})
	if err != nil {
		return c, fmt.Errorf("read coverage: %w", err)
	}
	for _, row := range rows {
		c.Closed[row.Org] = append(c.Closed[row.Org], Range{From: row.FromTime.UTC(), To: row.ToTime.UTC()})
	}
	return c, nil
}

// latestWatermark is the one last recorded; nil when there is none.
func latestWatermark(ctx context.Context, q *db.Queries, of stream.Stream) (*time.Time, error) {
	row, err := q.LatestWatermark(ctx, db.LatestWatermarkParams{Source: of.Source, Stream: of.Direction})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // no watermark is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read the latest watermark: %w", err)
	}
	return row.BackTo, nil
}

// Holes are what is not closed of an organisation, from its oldest closed instant up to Top, newest first. One of which
// nothing is closed has no holes to name: it is a hole as a whole, from the oldest instant closed of any other.
func (c Coverage) Holes(org string) []Range {
	if c.Top.IsZero() {
		return nil
	}
	ranges := c.Closed[org]
	if len(ranges) == 0 {
		if oldest := c.oldest(); !oldest.IsZero() {
			return []Range{{From: oldest, To: c.Top}}
		}
		return nil
	}
	var holes []Range
	upper := c.Top
	for _, r := range ranges { // newest first
		if r.To.Before(upper) {
			holes = append(holes, Range{From: r.To, To: upper})
		}
		upper = r.From
	}
	return holes
}

func (c Coverage) oldest() time.Time {
	var oldest time.Time
	for _, ranges := range c.Closed {
		for _, r := range ranges {
			if oldest.IsZero() || r.From.Before(oldest) {
				oldest = r.From
			}
		}
	}
	return oldest
}

// MonthOfOrg is the accounts of an organisation's closed windows in one month, UTC.
type MonthOfOrg struct {
	Org   string    `json:"org"`
	Month time.Time `json:"month"`
	Accounts
}

// ReadMonths reads the accounts of closed windows by month, newest first. A range that was walked more than once counts each
// walk.
func ReadMonths(ctx context.Context, conn db.DBTX, of stream.Stream) ([]MonthOfOrg, error) {
	rows, err := db.New(conn).IntervalAccounts(ctx, db.IntervalAccountsParams{Source: of.Source, Stream: of.Direction})
	if err != nil {
		return nil, fmt.Errorf("read accounts of %s: %w", of, err)
	}
	months := make([]MonthOfOrg, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		months = append(months, MonthOfOrg{Org: r.Org, Month: r.Month.UTC(), Accounts: Accounts{
			Seen: r.Seen, Created: r.Created, Updated: r.Updated, Unchanged: r.Unchanged, Deleted: r.Deleted, Purged: r.Purged,
			Restored: r.Restored, Skipped: r.Skipped, Quarantined: r.Quarantined,
		}})
	}
	return months, nil
}
