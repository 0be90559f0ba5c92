package history

import (
	"context"
	"fmt"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
)

// publication is the course of the second stage: messages that are transferred, by our own record of them, newest first.
type publication struct{ messages }

// publishPage is how many of them are at hand at most.
const publishPage = 500

func (p *publication) page(ctx context.Context) (done bool, end *ending, err error) {
	at, err := p.place()
	if err != nil {
		return false, nil, err
	}
	size := p.pageSize(publishPage)
	listed, err := db.New(p.walker.Pool).MessagesToPublish(ctx, db.MessagesToPublishParams{
		FromTime: p.window.FromTime, Reached: at.reached, Below: at.below, MaxRows: int32(size), //nolint:gosec // some hundred
	})
	if err != nil {
		return false, nil, fmt.Errorf("list messages to publish: %w", err)
	}
	if len(listed) == 0 {
		return true, nil, nil
	}
	rows := make([]message.Row, len(listed))
	for i := range listed {
		rows[i] = message.GivenRow(listed[i].Altinn2ID, listed[i].Created)
	}
	if err := p.carrier.Recall(ctx, rows); err != nil {
		return false, nil, err
	}
	settled, end, err := p.carry(ctx, rows, message.Order{Lane: message.History}, p.carrier.Publish)
	if err != nil || !settled {
		return false, end, err
	}
	last := listed[len(listed)-1]
	at = place{reached: last.Created, below: last.Altinn2ID}
	_, err = p.move(ctx, saved{checkpoint: p.at(at.reached), token: at.token(), progress: true})
	return err == nil && len(listed) < size, nil, err
}
