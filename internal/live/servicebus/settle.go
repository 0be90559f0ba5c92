package servicebus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	settlesAtOnce = 64
	renewsAtOnce  = 16
	// Locks are renewed when half of what is left of them is over, and not more often or more seldom than this, whatever
	// the difference between the bus's clock and ours.
	soonestRenewal = time.Second
	latestRenewal  = 20 * time.Second
)

// errGone tells that the bus was not asked: it has not answered what came before.
var errGone = errors.New("the connection that the message came over is gone")

// settler tells the bus what became of a batch.
type settler struct {
	receiver *Receiver
	queue    *azservicebus.Receiver // that settles: see link
	session  context.Context        //nolint:containedctx // asked only whether it is over
	failures atomic.Int64
}

func newSettler(ctx context.Context, r *Receiver, queue *azservicebus.Receiver) *settler {
	return &settler{receiver: r, queue: queue, session: ctx}
}

// gone tells that it is of no use to ask for more: each question to a lost connection takes settleTimeout.
func (s *settler) gone() bool {
	n := s.failures.Load()
	return n >= settlesAtOnce || n > 0 && s.session.Err() != nil
}

// settlement is one question to the bus.
type settlement func(context.Context, *azservicebus.ReceivedMessage) error

// each settles messages side by side and counts how many the bus was told of.
func (s *settler) each(
	ctx context.Context, messages []*azservicebus.ReceivedMessage, outcome, reason string, settle settlement,
) {
	if len(messages) == 0 {
		return
	}
	var group errgroup.Group
	group.SetLimit(settlesAtOnce)
	var settled, failed atomic.Int64
	var lastError atomic.Pointer[error]
	for _, m := range messages {
		group.Go(func() error {
			err := s.one(ctx, m, settle)
			if err == nil {
				settled.Add(1)
			} else {
				failed.Add(1)
				lastError.Store(&err)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	s.receiver.counters.count(ctx, outcome, reason, int(settled.Load()))
	s.receiver.counters.count(ctx, outcomeUnsettled, outcome, int(failed.Load()))
	if err := lastError.Load(); err != nil {
		// They will be delivered again, and accepting a command twice changes nothing (Invariant 2).
		s.receiver.logger.Info("messages could not be settled and will come again", zap.String(telemetry.LogKeyQueue, s.receiver.config.Queue),
			zap.String(telemetry.LogKeyOutcome, outcome), zap.Int64(telemetry.LogKeyCount, failed.Load()),
			zap.String(telemetry.LogKeyError, telemetry.Redact((*err).Error())))
	}
}

func (s *settler) one(ctx context.Context, m *azservicebus.ReceivedMessage, settle settlement) error {
	if s.gone() {
		return errGone
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	err := settle(ctx, m)
	if err != nil && !isLockLost(err) {
		s.failures.Add(1)
	}
	return err
}

func isLockLost(err error) bool {
	known, ok := errors.AsType[*azservicebus.Error](err)
	return ok && known.Code == azservicebus.CodeLockLost
}

func (s *settler) complete(ctx context.Context, messages []*azservicebus.ReceivedMessage, outcome string) {
	s.each(ctx, messages, outcome, "", func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
		return s.queue.CompleteMessage(ctx, m, nil)
	})
}

func (s *settler) abandon(ctx context.Context, messages []*azservicebus.ReceivedMessage) {
	s.each(ctx, messages, outcomeAbandoned, "", func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
		return s.queue.AbandonMessage(ctx, m, nil)
	})
}

func (s *settler) deadLetter(ctx context.Context, m *azservicebus.ReceivedMessage, why *poisonError) {
	s.receiver.logger.Warn("a message is no sync command and becomes a dead letter",
		zap.String(telemetry.LogKeyQueue, s.receiver.config.Queue), zap.String(telemetry.LogKeyReason, why.reason))
	s.each(ctx, []*azservicebus.ReceivedMessage{m}, outcomeDeadLettered, why.reason,
		func(ctx context.Context, m *azservicebus.ReceivedMessage) error {
			return s.queue.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{Reason: &why.reason, ErrorDescription: &why.detail})
		})
}

// renew keeps locks alive until the result is called, which waits for what is under way.
func (s *settler) renew(ctx context.Context, messages []*azservicebus.ReceivedMessage) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		// The SDK writes the new end of a lock into the message; nobody else reads it there.
		for held := messages; len(held) > 0; {
			timer := time.NewTimer(s.untilRenewal(held))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			held = s.renewAll(ctx, held)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *settler) untilRenewal(messages []*azservicebus.ReceivedMessage) time.Duration {
	wait, now := latestRenewal, s.receiver.now()
	for _, m := range messages {
		if m.LockedUntil != nil {
			wait = min(wait, m.LockedUntil.Sub(now)/2)
		}
	}
	return max(wait, soonestRenewal)
}

// renewAll gives the messages whose locks may still be ours.
func (s *settler) renewAll(ctx context.Context, messages []*azservicebus.ReceivedMessage) []*azservicebus.ReceivedMessage {
	var group errgroup.Group
	group.SetLimit(renewsAtOnce)
	lost := make([]bool, len(messages))
	for i, m := range messages {
		group.Go(func() error {
			lost[i] = isLockLost(s.queue.RenewMessageLock(ctx, m, nil))
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	var held []*azservicebus.ReceivedMessage
	for i, m := range messages {
		if !lost[i] {
			held = append(held, m)
		}
	}
	return held
}
