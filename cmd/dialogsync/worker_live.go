package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn/dialogsync/internal/altinn/openid"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/httpserver"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/live/servicebus"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/throttle"
	"github.com/altinn/dialogsync/internal/transport"
)

// scopeSyncAdapter is what senders of sync commands must have (Storage reference 2.3).
const scopeSyncAdapter = "altinn:storage/instances.syncadapter"

// liveFlags size live sync.
type liveFlags struct {
	slots    int
	reserved float64
	poll     live.PollConfig
}

func (f *liveFlags) addFlags(flags *pflag.FlagSet) {
	const usualSlots = 32
	flags.IntVar(&f.slots, "event-slots", usualSlots,
		"events of app instances that this process delivers at once; a quarter as many of archived forms come on top")
	flags.Float64Var(&f.reserved, "live-share", throttle.DefaultReserved,
		"share of all deliveries under way in this process that history never takes, from 0 to below 1")
	flags.DurationVar(&f.poll.CatchUpEvery, "catch-up-every", live.DefaultCatchUpEvery,
		"how often app instances are polled for what no event told")
	flags.DurationVar(&f.poll.CatchUpOverlap, "catch-up-overlap", live.DefaultCatchUpOverlap, "how far back each such poll looks again")
	flags.DurationVar(&f.poll.Grace, "catch-up-grace", live.DefaultGrace, "how long an instance is left to its event, where events come in")
	flags.DurationVar(&f.poll.BatchOverlap, "batch-overlap", live.DefaultBatchOverlap, "how far back each batch of archived forms looks again")
	flags.DurationVar(&f.poll.DaysSpan, "hourly-sweep", live.DefaultDaysSpan, "how far back the hourly sweep of archived forms goes")
	flags.DurationVar(&f.poll.MonthsSpan, "nightly-sweep", live.DefaultMonthsSpan, "how far back the nightly sweep of archived forms goes")
	flags.DurationVar(&f.poll.ChangesOverlap, "message-overlap", live.DefaultChangesOverlap,
		"how far back the changes of messages are looked at where there is no cursor: when live begins, or the export refuses it")
}

func (f *liveFlags) check() error {
	switch {
	case f.slots < 1:
		return usageError{"--event-slots must be at least 1"}
	case !(f.reserved >= 0 && f.reserved < 1): // NaN is neither
		return usageError{"--live-share must be at least 0 and below 1"}
	}
	for name, d := range map[string]time.Duration{
		"catch-up-every": f.poll.CatchUpEvery, "catch-up-overlap": f.poll.CatchUpOverlap, "catch-up-grace": f.poll.Grace,
		"batch-overlap": f.poll.BatchOverlap, "hourly-sweep": f.poll.DaysSpan, "nightly-sweep": f.poll.MonthsSpan,
		"message-overlap": f.poll.ChangesOverlap,
	} {
		if d <= 0 {
			return usageError{"--" + name + " must be more than 0, such as 10s"}
		}
	}
	return nil
}

// liveParts is live sync in a worker process, and what holds history back for it.
type liveParts struct {
	streams *stream.Gate
	// part is history's part of Dialogporten, messagePart that of Correspondence.
	part, messagePart *throttle.Gate

	events  *live.Events
	keeper  *live.Keeper
	poller  *live.Poller
	inbox   *live.Inbox
	metrics *live.EventMetrics
	intake  *httpserver.Intake
	// bus is nil when there is none.
	bus *servicebus.Receiver

	busDone sync.WaitGroup
	endBus  context.CancelFunc
	busErr  error
}

// destinations are the services that history must be gentle with.
type destinations struct{ dialogporten, correspondence *throttle.Destination }

func newDestinations() destinations {
	return destinations{throttle.NewDestination("dialogporten"), throttle.NewDestination("correspondence")}
}

// observe is platformOptions.observe.
func (d destinations) observe(e transport.Exchange) {
	d.dialogporten.Observe(e)
	d.correspondence.Observe(e)
}

// partOf is what the history of a source needs to have a part of.
func (l *liveParts) partOf(source ledger.Source) *throttle.Gate {
	if source == ledger.A2Correspondence {
		return l.messagePart
	}
	return l.part
}

// admit is history.Walker.Admit.
func (l *liveParts) admit(ctx context.Context, of stream.Stream) (release func(), err error) {
	return l.partOf(of.Source).Acquire(ctx)
}

// assembleLive makes the parts that work in live streams, and starts none.
func (w *worker) assembleLive(
	settings config.Config, f workerFlags, p platform, deliverer *delivery.Deliverer, d destinations, meter metric.Meter,
) (*liveParts, error) {
	l := &liveParts{}
	l.streams = stream.NewGate(stream.GateConfig{
		Pool: w.gatePool, Worker: f.name, Log: w.log,
		Throttled: func(of ledger.Source) (string, float64) { return l.partOf(of).Throttled() }, Bus: l.busState,
	})
	policy := throttle.Policy{Slots: f.concurrency*f.slots + f.live.slots, Reserved: f.live.reserved}
	l.part = throttle.NewGate(throttle.Config{
		Name: "dialogporten", Policy: policy, Destinations: []*throttle.Destination{d.dialogporten}, Live: l.streams.LiveLags, Log: w.log,
	})
	// The dialogs of messages end in Dialogporten, too.
	l.messagePart = throttle.NewGate(throttle.Config{
		Name: "correspondence", Policy: policy, Destinations: []*throttle.Destination{d.correspondence, d.dialogporten}, Live: l.part.Lags,
		Log: w.log,
	})
	if err := throttle.RegisterMetrics(meter, l.part, l.messagePart); err != nil {
		return nil, fmt.Errorf("make metrics of history's part: %w", err)
	}
	var err error
	if l.metrics, err = live.NewEventMetrics(meter); err != nil {
		return nil, fmt.Errorf("make metrics of events: %w", err)
	}
	if err := live.RegisterBacklog(meter, w.pool); err != nil {
		return nil, fmt.Errorf("make metrics of the inbox: %w", err)
	}
	if w.messages != nil {
		if err := live.RegisterMessageBacklog(meter, w.pool); err != nil {
			return nil, fmt.Errorf("make metrics of messages: %w", err)
		}
	}
	polled, err := live.NewPollMetrics(meter)
	if err != nil {
		return nil, fmt.Errorf("make metrics of polls: %w", err)
	}
	l.events = live.NewEvents(live.EventsConfig{
		Pool: w.pool, Deliverer: deliverer, Gate: l.streams, Health: p.health, Metrics: l.metrics, Log: w.log, Rest: f.rest,
	})
	l.keeper = &live.Keeper{Pool: w.pool, Gate: l.streams, Log: w.log}
	poll := f.live.poll
	poll.Worker, poll.PageSize, poll.Lease, poll.Rest = f.name, f.pageSize, f.lease, f.rest
	poll.Intakes = settings.ServiceBus != nil || settings.EventsSecret.Reveal() != ""
	poll.Messages = w.messages != nil
	l.poller = &live.Poller{
		Pool: w.pool, Storage: p.storage, Delivery: deliverer, Health: p.health, Gate: l.streams, Log: w.log, Config: poll,
		Alike: l.events.Alike, Metrics: polled, Stopping: w.stopping, Messages: w.messages, MessageHealth: w.messageHealth,
	}
	return l, nil
}

// assembleIntakes makes the ways that events come in by. The River client must be there.
func (w *worker) assembleIntakes(settings config.Config, p platform, meter metric.Meter) error {
	l := w.live
	l.inbox = live.NewInbox(w.pool, jobs.EnqueueEvents(w.client), l.streams, l.metrics)
	counter, err := httpserver.NewIntakeCounter(meter)
	if err != nil {
		return fmt.Errorf("make metrics of intakes: %w", err)
	}
	l.intake = &httpserver.Intake{
		Accepter: l.inbox, EventsSecret: settings.EventsSecret.Reveal(), Instances: p.storage, Requests: counter, Log: w.log,
	}
	if settings.Maskinporten != nil {
		l.intake.Tokens = openid.New(settings.PlatformURL, scopeSyncAdapter, transport.NewClient(transport.Config{
			Service: "authentication", BaseURL: settings.PlatformURL, SubscriptionKey: settings.SubscriptionKey.Reveal(),
		}))
	}
	if settings.ServiceBus == nil {
		return nil
	}
	l.bus, err = servicebus.New(servicebus.Config{
		Connection: settings.ServiceBus.Connection.Reveal(), Queue: settings.ServiceBus.Queue, Accepter: l.inbox, Logger: w.log, Meter: meter,
	})
	if err != nil {
		return fmt.Errorf("intake from Service Bus: %w", err)
	}
	return nil
}

// start sets everything to work that is not River's. stop ends it, the intakes aside, and waits.
func (l *liveParts) start(ctx context.Context) (stop func()) {
	ctx = context.WithoutCancel(ctx) // each part has its own end
	watching, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { l.streams.Run(watching) })
	running.Go(func() { l.part.Run(watching) })
	running.Go(func() { l.messagePart.Run(watching) })
	running.Go(func() { l.poller.Follow(watching) })
	running.Go(func() { l.keeper.Run(watching) })
	var receiving context.Context
	receiving, l.endBus = context.WithCancel(ctx)
	if l.bus != nil {
		l.busDone.Go(func() { l.busErr = l.bus.Run(receiving) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// busState tells how the intake from the bus is.
func (l *liveParts) busState() stream.Bus {
	if l.bus == nil {
		return stream.Bus{}
	}
	return l.bus.Bus()
}

// notes are what is wrong while the worker works: without the bus, polls find what changed.
func (l *liveParts) notes() []string {
	bus := l.busState()
	if bus.Trouble == "" {
		return nil
	}
	return []string{"nothing comes in from the bus since " + bus.Since.Format(time.RFC3339) + ": " + bus.Trouble}
}

// closeBus ends the intake from the bus: what it has received and not accepted goes back.
func (l *liveParts) closeBus() error {
	l.endBus()
	l.busDone.Wait()
	if l.busErr != nil {
		return fmt.Errorf("intake from Service Bus: %w", l.busErr)
	}
	return nil
}
