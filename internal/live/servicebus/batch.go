package servicebus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cenkalti/backoff/v4"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	// wholeTries is how often a batch is offered whole before it is split.
	wholeTries = 3
	// splitCalls is how many calls a split may take: enough to find one bad command among thousands.
	splitCalls = 32
)

// item is a message and the command in it.
type item struct {
	message *azservicebus.ReceivedMessage
	command live.Command
}

// handle brings a batch to its end: every message is completed, made a dead letter, given back, or left to its lock. When
// ctx is done first, those that are not accepted are the result.
func (r *Receiver) handle(
	ctx context.Context, queue *azservicebus.Receiver, messages []*azservicebus.ReceivedMessage,
) (left []*azservicebus.ReceivedMessage) {
	settling := newSettler(ctx, r, queue)
	var foreign []*azservicebus.ReceivedMessage
	poison := map[*azservicebus.ReceivedMessage]*poisonError{}
	items := make([]item, 0, len(messages))
	for _, m := range messages {
		if !isOurs(m) {
			foreign = append(foreign, m)
			continue
		}
		command, err := parseCommand(bodyOf(m), r.config.MaxBody)
		if bad, isPoison := errors.AsType[*poisonError](err); isPoison {
			poison[m] = bad
			continue
		}
		items = append(items, item{message: m, command: command})
	}
	working, cancel := outlive(ctx)
	defer cancel()
	// First what needs no database.
	if len(foreign) > 0 {
		r.unknown.Do(func() {
			r.logger.Warn("the queue has messages that are no sync commands; they are completed and counted",
				zap.String(telemetry.LogKeyQueue, r.config.Queue), zap.Int(telemetry.LogKeyCount, len(foreign)))
		})
		settling.complete(working, foreign, outcomeUnknown)
	}
	for m, why := range poison {
		settling.deadLetter(working, m, why)
	}
	return messagesOf(r.accept(ctx, working, settling, items))
}

// outlive gives a context that ends some seconds after ctx: what is nearly done should be done.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() {
		stop()
		cancel()
	}
}

// accept offers the commands until they are taken, with their locks renewed meanwhile. An accepter that takes nothing is
// waited for: giving the messages back would use up their deliveries and make dead letters of good ones (Invariant 8). A
// command that fails while others are taken is given back alone; the bus counts and in the end buries it. One that is
// refused for good becomes a dead letter at once. What is left when ctx is done is the result.
func (r *Receiver) accept(ctx, working context.Context, settling *settler, items []item) (left []item) {
	if len(items) == 0 {
		return nil
	}
	stopRenewing := settling.renew(working, messagesOf(items))
	defer stopRenewing()
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(r.config.FirstRetry/4),
		backoff.WithMaxInterval(r.config.LongestWait), backoff.WithMaxElapsedTime(0))
	before := r.taken.Load()
	for try := 1; ; try++ {
		p := pass{accepter: r.config.Accepter, whole: try <= wholeTries, splits: splitCalls}
		p.offer(working, items)
		if len(p.taken) > 0 {
			r.accepting()
		}
		// Invariant 1: only now are they committed.
		settling.complete(working, messagesOf(p.taken), outcomeAccepted)
		for _, refusal := range p.refused {
			settling.deadLetter(working, refusal.message, &poisonError{reasonCommandRefused, refusal.why.Problem})
		}
		if r.taken.Add(int64(len(p.taken))) > before {
			settling.abandon(working, messagesOf(p.alone))
			p.alone = nil
		}
		if items = slices.Concat(p.left, p.alone); len(items) == 0 {
			return nil
		}
		if len(p.taken)+len(p.refused) == 0 && ctx.Err() == nil {
			r.refused(p.err, len(items))
			pause(ctx, pauses.NextBackOff())
		}
		if ctx.Err() != nil {
			return items
		}
	}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// pass is one round of offering commands.
type pass struct {
	accepter live.Accepter
	whole    bool // a batch that fails is not split, unless it is for a command in it
	splits   int  // calls that may still be made for parts
	taken    []item
	refused  []refusal
	alone    []item // failed by themselves
	left     []item // failed together
	err      error  // the last failure
}

// refusal is a command that is refused for good.
type refusal struct {
	item

	why *live.CommandError
}

func (p *pass) offer(ctx context.Context, items []item) {
	commands := make([]live.Command, len(items))
	for i, it := range items {
		commands[i] = it.command
	}
	err := p.accepter.Accept(ctx, commands...)
	if err == nil {
		p.taken = append(p.taken, items...)
		return
	}
	p.err = err
	why, ofCommand := errors.AsType[*live.CommandError](err)
	switch {
	case len(items) == 1 && ofCommand:
		p.refused = append(p.refused, refusal{item: items[0], why: why})
	case len(items) == 1 && !p.whole:
		p.alone = append(p.alone, items...)
	case p.splits < 2, ctx.Err() != nil, p.whole && !ofCommand, len(items) == 1:
		p.left = append(p.left, items...)
	default:
		p.splits -= 2
		p.offer(ctx, items[:len(items)/2])
		p.offer(ctx, items[len(items)/2:])
	}
}

func messagesOf(items []item) []*azservicebus.ReceivedMessage {
	out := make([]*azservicebus.ReceivedMessage, len(items))
	for i, it := range items {
		out[i] = it.message
	}
	return out
}
