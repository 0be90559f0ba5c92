package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// QuarantinedItem is an item that needs a person, with what that person can do.
type QuarantinedItem struct {
	Source ledger.Source `json:"source"`
	Item   string        `json:"item"`
	Org    string        `json:"org,omitempty"`
	AppID  string        `json:"appId,omitempty"`
	// Position is its time on the axis that its stream is walked by.
	Position time.Time `json:"position,omitzero"`
	Class    string    `json:"class"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Remedy
	Attempts      int32     `json:"attempts"`
	FirstFailedAt time.Time `json:"firstFailedAt"`
	LastFailedAt  time.Time `json:"lastFailedAt"`
	// BackfillID is the backfill that met it last; 0: live or a single delivery.
	BackfillID int64 `json:"backfillId,omitempty"`
}

// QuarantineQuery narrows a listing; zero values do not.
type QuarantineQuery struct {
	Source ledger.Source
	Reason string
	// After is QuarantinePage.Next of the page before.
	After string
	Limit int
}

// QuarantinePage is one page, newest failure first.
type QuarantinePage struct {
	Items []QuarantinedItem `json:"items"`
	// Next continues; empty when this was the last page.
	Next string `json:"next,omitempty"`
}

// ErrPage tells that a text is not where a listing goes on.
var ErrPage = errors.New("not a place where a listing goes on: take it from the end of the page before")

// ListQuarantine reads a page. Errors: ErrPage.
func ListQuarantine(ctx context.Context, conn db.DBTX, query QuarantineQuery) (QuarantinePage, error) {
	page := QuarantinePage{Items: []QuarantinedItem{}}
	p := db.QuarantinePageParams{
		MaxRows:        int32(min(query.Limit, 1<<20)) + 1, //nolint:gosec // bounded
		BeforeFailedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), BeforeSource: ledger.A2Correspondence,
	}
	if query.Source != "" {
		p.Source = &query.Source
	}
	if query.Reason != "" {
		p.Reason = &query.Reason
	}
	if query.After != "" {
		if err := readPlace(query.After, &p); err != nil {
			return page, err
		}
	}
	rows, err := db.New(conn).QuarantinePage(ctx, p)
	if err != nil {
		return page, fmt.Errorf("list quarantine: %w", err)
	}
	for i := range rows {
		if i == query.Limit {
			last := &page.Items[i-1]
			page.Next = last.LastFailedAt.Format(time.RFC3339Nano) + "/" + string(last.Source) + "/" + last.Item
			break
		}
		r := &rows[i]
		page.Items = append(page.Items, quarantinedItem(&db.QuarantineOfRow{
			Source: r.Source, ItemKey: r.ItemKey, Org: r.Org, AppID: r.AppID, Position: r.Position, Class: r.Class, Reason: r.Reason,
			Detail: r.Detail, Attempts: r.Attempts, FirstFailedAt: r.FirstFailedAt, LastFailedAt: r.LastFailedAt, BackfillID: r.BackfillID,
		}))
	}
	return page, nil
}

func readPlace(text string, p *db.QuarantinePageParams) error {
	const parts = 3
	fields := strings.SplitN(text, "/", parts)
	if len(fields) != parts {
		return ErrPage
	}
	at, err := time.Parse(time.RFC3339Nano, fields[0])
	if source := ledger.Source(fields[1]); err != nil || !source.Valid() {
		return ErrPage
	}
	p.BeforeFailedAt, p.BeforeSource, p.BeforeKey = at, ledger.Source(fields[1]), fields[2]
	return nil
}

// QuarantineOf reads what is in quarantine under these keys, whatever its source, newest failure first.
func QuarantineOf(ctx context.Context, conn db.DBTX, keys ...string) ([]QuarantinedItem, error) {
	rows, err := quarantineRows(ctx, conn, keys)
	items := make([]QuarantinedItem, 0, len(rows))
	for i := range rows {
		items = append(items, quarantinedItem(&rows[i]))
	}
	return items, err
}

func quarantineRows(ctx context.Context, conn db.DBTX, keys []string) ([]db.QuarantineOfRow, error) {
	rows, err := db.New(conn).QuarantineOf(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("look up quarantine: %w", err)
	}
	return rows, nil
}

func quarantinedItem(r *db.QuarantineOfRow) QuarantinedItem {
	return QuarantinedItem{
		Source: r.Source, Item: r.ItemKey, Org: orZero(r.Org), AppID: orZero(r.AppID), Position: orZero(r.Position).UTC(), Class: r.Class,
		Reason: r.Reason, Detail: telemetry.Redact(r.Detail), Remedy: RemedyFor(r.Source, r.Reason), Attempts: r.Attempts,
		FirstFailedAt: r.FirstFailedAt.UTC(), LastFailedAt: r.LastFailedAt.UTC(), BackfillID: orZero(r.BackfillID),
	}
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
