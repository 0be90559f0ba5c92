package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/live"
)

const (
	queueHistory      = "history"
	queueHousekeeping = "housekeeping"

	keepEvery     = 5 * time.Second
	discoverEvery = time.Hour
	// housekeepers is how many housekeeping jobs run at once in a process: one of each kind.
	housekeepers = 3
	// fetchCooldown is the least time between two looks for jobs: with the slots of a queue it bounds events a second.
	fetchCooldown = 50 * time.Millisecond
	// Every event leaves a row: hundreds a second, of no interest a few minutes later.
	keepCompleted = 10 * time.Minute
)

// Config is how a worker process works.
type Config struct {
	// HistorySlots is how many slices this process works on at once.
	HistorySlots int
	Walker       *history.Walker
	Live         Live
	Log          *zap.Logger
}

// Live is live sync in a worker process.
type Live struct {
	Events *live.Events
	Keeper *live.Keeper
	Poller *live.Poller
	// EventSlots is how many events of app instances this process delivers at once; a quarter as many of forms come on top.
	EventSlots int
}

// NewClient gives the River client of a worker process. All processes register the same workers and schedules; River
// lets one of them lead.
func NewClient(pool *pgxpool.Pool, keeper *history.Keeper, config Config) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &historySliceWorker{walker: config.Walker})
	river.AddWorker(workers, &historyKeepWorker{keeper: keeper})
	river.AddWorker(workers, &discoverOrgsWorker{keeper: keeper})
	AddEventWorkers(workers, config.Live.Events)
	AddPollWorkers(workers, config.Live.Poller)

	periodic := []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(keepEvery), func() (river.JobArgs, *river.InsertOpts) {
			return HistoryKeep{}, onlyOnce()
		}, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(discoverEvery), func() (river.JobArgs, *river.InsertOpts) {
			return DiscoverOrgs{}, onlyOnce()
		}, &river.PeriodicJobOpts{RunOnStart: true}),
	}
	polls, err := PollSchedules(config.Live.Poller.Config)
	if err != nil {
		return nil, fmt.Errorf("schedule polls: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: slog.New(zapslog.NewHandler(config.Log.Named("river").WithOptions(zap.IncreaseLevel(zap.WarnLevel)).Core())),
		Queues: map[string]river.QueueConfig{
			queueHistory:      {MaxWorkers: config.HistorySlots},
			queueHousekeeping: {MaxWorkers: housekeepers},
			QueueEvents:       {MaxWorkers: config.Live.EventSlots, FetchCooldown: fetchCooldown},
			QueueForms:        {MaxWorkers: max(config.Live.EventSlots/formsPart, 1), FetchCooldown: fetchCooldown},
			QueuePoll:         {MaxWorkers: PollSlots},
		},
		PeriodicJobs:                append(periodic, polls...),
		Workers:                     workers,
		CompletedJobRetentionPeriod: keepCompleted,
		RescueStuckJobsAfter:        rescueAfter,
		JobTimeout:                  time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("make River client: %w", err)
	}
	// What the keeper enqueues goes through the client that runs it.
	keeper.Enqueue = EnqueueSlices(client)
	config.Live.Keeper.Enqueue, config.Live.Keeper.Queue = EnqueueEvents(client), QueueOf
	return client, nil
}

// Keep asks for one round of housekeeping now. A worker does so when it starts: the schedule waits for a leader, whose
// predecessor may have been killed and still hold that place for a while.
func Keep(ctx context.Context, client *river.Client[pgx.Tx]) error {
	if _, err := client.Insert(ctx, HistoryKeep{}, onlyOnce()); err != nil {
		return fmt.Errorf("ask for housekeeping: %w", err)
	}
	return nil
}

// NewInserter gives a client that only inserts: for the command line.
func NewInserter(pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("make River client: %w", err)
	}
	return client, nil
}

// Stop lets the jobs at work end by themselves until ctx is done, and then cancels them.
func Stop(ctx context.Context, client *river.Client[pgx.Tx]) error {
	if err := client.Stop(ctx); err == nil {
		return nil
	}
	const last = 5 * time.Second
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), last)
	defer cancel()
	if err := client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("cancel jobs at work: %w", err)
	}
	return nil
}
