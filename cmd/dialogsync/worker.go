package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/httpserver"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/status"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

// stopTimeout is how long work under way may take to end by itself. Five seconds more are given to what must then be canceled,
// which together stays below Kubernetes' usual 30 s.
const stopTimeout = 20 * time.Second

// workerFlags size a worker process.
type workerFlags struct {
	live        liveFlags
	slots       int
	concurrency int
	pageSize    int
	sliceTime   time.Duration
	lease       time.Duration
	rest        time.Duration
	name        string
}

func (c *cli) workerCommand() *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run the synchronisation until told to stop",
		Long: `Runs the synchronisation. Run as many as you like: they share the work through PostgreSQL, and what one leaves undone
another takes up. Live sync begins with the first worker, history when a backfill is ordered.

Changes come in by POST /events/{secret} with DIALOGSYNC_EVENTS_SECRET, from Azure Service Bus with
DIALOGSYNC_SERVICEBUS_CONNECTION and _QUEUE, and by POST /storage/dialogporten/api/v1/syncDialog; polls find what none of
them told. docs/live.md explains them, and how --batch-overlap and the other reaches are set.

SIGTERM or Ctrl-C ends it in good order: checkpoints are saved, which takes seconds. A second signal ends it at once, which
loses nothing either. /healthz, /readyz and /metrics are served on DIALOGSYNC_HTTP_ADDR, beside events and commands; logs go
to stderr.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runWorker(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.slots, "history-slots", 8, "windows of history that this process walks at once")
	flags.IntVar(&f.concurrency, "concurrency", 32, "items that one window delivers at once")
	flags.IntVar(&f.pageSize, "page-size", 500, "instances asked of Storage at a time, by history and polls")
	flags.DurationVar(&f.sliceTime, "slice-time", 2*time.Minute, "how long a job works before it gives its slot back")
	flags.DurationVar(&f.lease, "lease", 30*time.Second, "how long a window, a poll or a message stays held when its worker is not heard of")
	flags.DurationVar(&f.rest, "rest", 15*time.Second, "how long to wait before trying a failing system again")
	flags.StringVar(&f.name, "name", workerName(), "name of this process in the database and in logs")
	f.live.addFlags(flags)
	return cmd
}

func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// worker is a worker process with all its parts.
type worker struct {
	log  *zap.Logger
	pool *pgxpool.Pool
	// gatePool is the streams' gate's own.
	gatePool *pgxpool.Pool
	metrics  *telemetry.Metrics
	client   *river.Client[pgx.Tx]
	live     *liveParts
	// messages brings over messages of Altinn 2, by services whose health is messageHealth; nil where none are configured.
	messages      *message.Deliverer
	messageHealth []batch.HealthCheck
	server        *httpserver.Server
	// stopping is closed when work under way is to end.
	stopping chan struct{}
}

func (c *cli) runWorker(ctx context.Context, f workerFlags) error {
	if err := f.live.check(); err != nil {
		return err
	}
	settings, err := c.workerSettings()
	if err != nil {
		return err
	}
	log, err := c.logger(settings)
	if err != nil {
		return err
	}
	log = log.With(zap.String(telemetry.LogKeyWorker, f.name))
	// Each slice and each event holds a connection now and then, beside River's and the polls' own needs.
	const otherConns, perSlot, eventsPerConn = 16, 2, 4
	conns := otherConns + perSlot*f.slots + f.live.slots/eventsPerConn
	pool, err := c.database(ctx, settings, int32(conns)) //nolint:gosec // a small number
	if err != nil {
		return err
	}
	defer pool.Close()
	// What operators say of the streams is heard within two seconds, however many wait for the other connections.
	const gateConns = 2
	gatePool, err := c.database(ctx, settings, gateConns)
	if err != nil {
		return err
	}
	defer gatePool.Close()
	w := &worker{log: log, pool: pool, gatePool: gatePool, stopping: make(chan struct{})}
	if err := w.assemble(settings, f); err != nil {
		return err
	}
	return w.run(ctx, settings)
}

// workerSettings wants what messages need only where their source is configured.
func (c *cli) workerSettings() (config.Config, error) {
	settings, err := c.settings(config.NeedDelivery)
	if err == nil && settings.Altinn2URL != "" {
		settings, err = c.settings(config.NeedDelivery | config.NeedMessages)
	}
	return settings, err
}

// assemble makes the parts, and starts none.
func (w *worker) assemble(settings config.Config, f workerFlags) error {
	var err error
	if w.metrics, err = telemetry.NewMetrics(); err != nil {
		return fmt.Errorf("make metrics: %w", err)
	}
	meter := w.metrics.Meter("dialogsync")
	instruments, err := transport.NewInstruments(meter)
	if err != nil {
		return fmt.Errorf("make metrics of HTTP: %w", err)
	}
	if err := status.RegisterMetrics(meter, w.pool); err != nil {
		return fmt.Errorf("make metrics of streams: %w", err)
	}
	slots := f.concurrency*f.slots + f.live.slots
	d := newDestinations()
	options := platformOptions{instruments: instruments, concurrency: slots, observe: d.observe}
	p, err := newPlatform(settings, options)
	if err != nil {
		return err
	}
	if settings.Altinn2URL != "" {
		messages, err := newMessagePlatform(settings, options, w.pool, time.Now)
		if err != nil {
			return err
		}
		w.messages, w.messageHealth = messages.deliverer, messages.health
		w.messages.Concurrency, w.messages.Lease = f.concurrency, f.lease
	}
	deliverer := newDeliverer(settings, p, w.pool, time.Now)
	if w.live, err = w.assembleLive(settings, f, p, deliverer, d, meter); err != nil {
		return err
	}
	walker := &history.Walker{
		Pool: w.pool, Storage: p.storage, Delivery: deliverer, Health: p.health, Log: w.log, Stopping: w.stopping,
		Messages: w.messages, MessageHealth: w.messageHealth,
		Pace: w.live.streams.Pace, Admit: w.live.admit,
		Config: history.WalkerConfig{
			Worker: f.name, PageSize: f.pageSize, Concurrency: f.concurrency, SliceTime: f.sliceTime, Lease: f.lease, Rest: f.rest,
		},
	}
	if walker.Items, err = history.NewItemCounter(meter); err != nil {
		return fmt.Errorf("make metrics of items: %w", err)
	}
	keeper := &history.Keeper{Pool: w.pool, Orgs: p.storage, Log: w.log}
	w.client, err = jobs.NewClient(w.pool, keeper, jobs.Config{
		HistorySlots: f.slots, Walker: walker, Log: w.log,
		Live: jobs.Live{Events: w.live.events, Keeper: w.live.keeper, Poller: w.live.poller, EventSlots: f.live.slots},
	})
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w.live.streams.RunsJobsAs(w.client.ID())
	return w.assembleIntakes(settings, p, meter)
}

// run works until ctx is done, and then ends in good order.
func (w *worker) run(ctx context.Context, settings config.Config) error {
	var err error
	// What operators said of the streams must be known before anything begins.
	if err := w.live.streams.Refresh(ctx); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w.server, err = httpserver.Listen(ctx, httpserver.Config{
		Addr: settings.HTTPAddr, Ready: w.ready, Notes: w.live.notes, Metrics: w.metrics.Handler(), Intake: w.live.intake,
	})
	if err != nil {
		return err
	}
	// River's jobs must outlive ctx: they end by themselves when stopping is closed.
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(fmt.Errorf("start River: %w", err), w.server.Stop(ctx))
	}
	stopLive := w.live.start(ctx)
	if err := jobs.Keep(ctx, w.client); err != nil {
		w.log.Warn("housekeeping waits for its schedule", zap.Error(err))
	}
	w.log.Info("worker started", zap.String(telemetry.LogKeyListeningAddr, w.server.Addr()), zap.String(telemetry.LogKeyVersion, version),
		zap.String(telemetry.LogKeyEnvironment, string(settings.Environment)))

	<-ctx.Done()
	w.log.Info("worker stops: checkpoints are being saved")
	close(w.stopping)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	// What comes in over HTTP until the last is committed like any other: another worker delivers it.
	err = errors.Join(w.live.closeBus(), jobs.Stop(stopCtx, w.client), w.server.Stop(stopCtx))
	w.live.inbox.Wait()
	stopLive()
	err = errors.Join(err, w.metrics.Shutdown(stopCtx))
	w.log.Info("worker stopped")
	return err
}

// ready tells what keeps the worker from working: the database, or that it is stopping.
func (w *worker) ready(ctx context.Context) error {
	select {
	case <-w.stopping:
		return errors.New("stopping")
	default:
	}
	if err := w.pool.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}
