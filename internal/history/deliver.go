package history

import (
	"context"
	"errors"
	"time"

	"github.com/altinn/dialogsync/internal/delivery/batch"
)

// pausesInRest makes the first pause between tries half a second at the default rest of 15 s.
const pausesInRest = 30

// blameHint is what an operator can do where nothing tells a bad item from a bad system.
const blameHint = "; 'dialogsync backfill resume --max-failure-share 1' takes the backfill past it"

// errRateTooLow tells that no item can be begun before the slice is over.
var errRateTooLow = errors.New("the rate ordered allows no item within a slice")

// newCarrier makes what brings the rows of the window's pages over.
func (t *turn) newCarrier() *batch.Carrier {
	return &batch.Carrier{
		Pool: t.walker.Pool, Delivery: t.walker.Delivery, Health: t.walker.Health, Log: t.log, Alike: t.alike,
		MaxFailureShare: t.backfill.MaxFailureShare, Source: t.backfill.Source,
		Org: t.orgOfItems(), WindowID: t.window.ID,
		// Given items must not take an item from the walk that counts it.
		WindowTakes: t.window.Items == nil,
		Redo:        t.backfill.Redo, OlderThanMapping: int16Or(t.backfill.OlderThanMapping),
		Concurrency: t.config.Concurrency, FirstPause: t.config.Rest / pausesInRest, Grace: grace,
		Stop: t.stop, Stopping: t.walker.Stopping, MustStop: t.mustStop, Admit: t.admitItem,
		Blame:     func(*batch.Row) bool { return t.window.Attempts >= blameAfter },
		BlameHint: blameHint,
	}
}

// orgOfItems is the organisation of the window's items; empty when they were given by their keys.
func (t *turn) orgOfItems() string {
	if t.window.Items != nil {
		return ""
	}
	return t.window.Org
}

// admitItem waits for the rates, and then for what all of history shares. The latter wait ends with the turn.
func (t *turn) admitItem(ctx context.Context) (release func(), err error) {
	if err := t.paceItem(ctx); err != nil {
		return nil, err
	}
	if t.walker.Admit == nil {
		return func() {}, nil
	}
	ctx, cancel := t.inTurn(ctx)
	defer cancel()
	return t.walker.Admit(ctx, t.stream())
}

// paceItem waits for the rates of the backfill and of the stream. The latter wait ends with the turn.
func (t *turn) paceItem(ctx context.Context) error {
	slice, end := context.WithDeadline(ctx, t.deadline.Add(time.Minute)) // a slower rate than that is told of
	defer end()
	if err := t.pace.limiter.Wait(slice); err != nil {
		return errors.Join(errRateTooLow, ctx.Err())
	}
	if t.walker.Pace == nil {
		return nil
	}
	ctx, cancel := t.inTurn(ctx)
	defer cancel()
	return t.walker.Pace(ctx, t.stream())
}

// inTurn gives a context that ends with the turn.
func (t *turn) inTurn(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithDeadline(ctx, t.deadline)
	told := context.AfterFunc(t.told, cancel)
	return ctx, func() {
		told()
		cancel()
	}
}

// deliver brings the rows of a page over; nil when the walk may go on.
func (t *instances) deliver(ctx context.Context, rows []batch.Row, listedAt time.Time) *ending {
	e := t.carrier.Deliver(ctx, rows, listedAt)
	if e == (batch.Ending{}) {
		return nil
	}
	return &ending{waiting: e.Waiting, failure: e.Failure}
}
