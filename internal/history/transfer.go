package history

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	// rewalksAtOnce is how often a walk that saw less than the source counts begins again without a rest, and mostRewalks how often
	// in all before the window is left open for a person.
	rewalksAtOnce, mostRewalks = 1, 4
	// refusedCursors is how many cursors of its own the source may refuse within a turn.
	refusedCursors = 3
)

// transfer is the course of the first stage: the source's history, newest first, stored in Correspondence and left hidden. A redo takes it
// too, and goes all the way with each message.
//
// The source's cursor is kept as the window's token. It points to the page at hand until every message of that has an outcome on record
// (correspondence reference 17.8); the last page's stays, so that a turn which only has to close the window lists no more than that.
type transfer struct {
	messages

	refused int
}

func (t *transfer) page(ctx context.Context) (done bool, end *ending, err error) {
	listing, end, err := t.list(ctx)
	if listing == nil {
		return false, end, err
	}
	rows := make([]message.Row, len(listing.Items))
	for i := range listing.Items {
		rows[i] = message.NewRow(&listing.Items[i])
	}
	if err := t.carrier.Recall(ctx, rows); err != nil {
		return false, nil, err
	}
	if err := t.leaveCurrent(ctx, rows); err != nil {
		return false, nil, err
	}
	order := message.Order{Lane: message.History, TransferOnly: !t.backfill.Redo, Redo: t.backfill.Redo}
	settled, end, err := t.carry(ctx, rows, order, t.carrier.Bring)
	if err != nil || !settled {
		return false, end, err
	}
	to := saved{checkpoint: t.at(t.window.Reached), token: t.window.TieToken, progress: true}
	for i := range rows { // newest first; a malformed one may have no time
		if created := rows[i].Created; !created.IsZero() && created.Before(to.checkpoint.Reached) && !created.Before(t.window.FromTime) {
			to.checkpoint = t.at(created)
		}
	}
	if listing.NextCursor != "" {
		to.token = listing.NextCursor
	}
	seen, err := t.move(ctx, to)
	if err != nil || listing.NextCursor != "" {
		return false, nil, err
	}
	return t.compare(ctx, seen)
}

// list asks for the page at hand. Where the source refuses its own cursor the walk begins again from the top: what is on record counts as
// repeated. No listing: the turn ends, or takes the next step.
func (t *transfer) list(ctx context.Context) (listing *altinn2.Page, end *ending, err error) {
	listing, err = t.walker.Messages.Source.History(ctx, altinn2.HistoryQuery{
		Cursor: t.window.TieToken, CreatedBefore: t.window.ToTime, CreatedFrom: t.window.FromTime, Limit: t.pageSize(altinn2.MaxLimit),
	})
	switch {
	case err == nil:
		return listing, nil, nil
	case errors.Is(err, altinn2.ErrCursor):
		if t.refused++; t.refused > refusedCursors || t.window.TieToken == "" {
			return nil, &ending{failure: err.Error()}, nil
		}
		t.log.Warn("cursor refused: the window is walked from its top again", zap.Error(err))
		_, err := t.move(ctx, saved{checkpoint: Start(Range{To: t.window.ToTime})})
		return nil, nil, err
	}
	return nil, t.endOfListing(ctx, err), nil
}

// compare holds what the walk saw against the source's own count (Invariant 6). If that is more, messages came late or were lost, and
// the window is walked once more from its top; in the end it stays open. If it is less, messages have gone meanwhile.
func (t *transfer) compare(ctx context.Context, seen int64) (done bool, end *ending, err error) {
	count, err := t.walker.Messages.Source.CountBetween(ctx, t.window.FromTime, t.window.ToTime, "", false)
	if err != nil {
		return false, t.endOfListing(ctx, err), nil
	}
	t.counted = &count.Count
	if count.Count <= seen {
		if count.Count < seen {
			t.log.Warn("the source counts fewer messages than the walk saw", zap.Int64(telemetry.LogKeySourceCount, count.Count),
				zap.Int64(telemetry.LogKeySeen, seen))
		}
		return true, nil, nil
	}
	failure := fmt.Sprintf("the source counts %d messages, and the walk saw %d of them", count.Count, seen)
	if t.window.Rewalks >= mostRewalks {
		return false, &ending{failure: failure + ": see which are missing, then resume the backfill", forGood: true}, nil
	}
	t.log.Warn("the window is walked from its top again", zap.String(telemetry.LogKeyReason, failure))
	again := saved{checkpoint: Start(Range{To: t.window.ToTime}), rewalks: 1}
	if _, err := t.move(ctx, again); err != nil {
		return false, nil, err
	}
	if t.window.Rewalks > rewalksAtOnce {
		return false, &ending{failure: failure}, nil
	}
	return false, nil, nil
}
