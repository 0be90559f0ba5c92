package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

const (
	// QueuePoll is where polls wait for a worker; a process needs PollSlots of them, one for each reach with a schedule.
	QueuePoll = "poll"
	// PollSlots lets a nightly sweep of hours keep no batch from its slot.
	PollSlots = 7
	// pollAttempts is how often a poll that fails for our own sake is tried before the next tick does the same.
	pollAttempts = 3
)

// Poll is one tick of a reach: "catch up to now", never "do this tick's minutes". What it is to do stands in the database, so
// nothing is lost with it.
type Poll struct {
	Source string `json:"source"`
	Reach  string `json:"reach"`
	// Missed: only if a tick was missed, as when no process led at its time.
	Missed bool `json:"missed,omitempty"`
}

// Kind names the job in River's table.
func (Poll) Kind() string { return "poll" }

type pollWorker struct {
	river.WorkerDefaults[Poll]

	poller *live.Poller
}

// AddPollWorkers registers the worker of polls.
func AddPollWorkers(workers *river.Workers, poller *live.Poller) {
	river.AddWorker(workers, &pollWorker{poller: poller})
}

func (w *pollWorker) Work(ctx context.Context, job *river.Job[Poll]) error {
	reach, found := w.poller.Config.ReachOf(ledger.Source(job.Args.Source), job.Args.Reach)
	if !found {
		return nil // of another version
	}
	period, err := periodOf(reach)
	if err != nil {
		return err
	}
	if job.Args.Missed {
		if due, err := w.poller.Overdue(ctx, reach, period); err != nil || !due {
			return err
		}
	}
	end, err := w.poller.Run(ctx, reach)
	switch {
	case err != nil:
		return err
	case end.Again:
		return river.JobSnooze(0)
	case end.Rest > 0 && time.Since(job.CreatedAt) < period:
		// Beyond its period the next tick does the same.
		return river.JobSnooze(end.Rest)
	}
	return nil
}

// Timeout is just above the longest turn.
func (w *pollWorker) Timeout(job *river.Job[Poll]) time.Duration {
	if job.Args.Source == string(ledger.A2Correspondence) {
		return messageTimeout
	}
	return sliceTimeout
}

// NextRetry is soon: River's default would take weeks in the end.
func (w *pollWorker) NextRetry(*river.Job[Poll]) time.Time { return time.Now().Add(retryAfter) }

// PollSchedules are the ticks of all reaches that have a schedule, by the wall clock in UTC: River's own intervals start over
// with each leader. A tick that nobody led at is made up for when a leader starts.
func PollSchedules(config live.PollConfig) ([]*river.PeriodicJob, error) {
	var schedules []*river.PeriodicJob
	for _, reach := range config.Reaches() {
		if reach.Schedule == "" {
			continue
		}
		schedule, err := parseSchedule(reach)
		if err != nil {
			return nil, err
		}
		tick := func(missed bool) func() (river.JobArgs, *river.InsertOpts) {
			return func() (river.JobArgs, *river.InsertOpts) {
				// No uniqueness: a killed job stays "running" for minutes and would block its successors. The lease of the
				// reach sees to it that one process works on it at a time.
				return Poll{Source: string(reach.Source), Reach: reach.Name, Missed: missed},
					&river.InsertOpts{Queue: QueuePoll, MaxAttempts: pollAttempts}
			}
		}
		schedules = append(schedules,
			river.NewPeriodicJob(schedule, tick(false), nil),
			river.NewPeriodicJob(river.NeverSchedule(), tick(true), &river.PeriodicJobOpts{RunOnStart: true}))
	}
	return schedules, nil
}

// inUTC reads a schedule by the clock of UTC, whatever the machine's zone.
type inUTC struct{ cron.Schedule }

func (s inUTC) Next(current time.Time) time.Time { return s.Schedule.Next(current.UTC()) }

func parseSchedule(reach live.Reach) (river.PeriodicSchedule, error) {
	schedule, err := cron.ParseStandard(reach.Schedule)
	if err != nil {
		return nil, fmt.Errorf("schedule %q of poll %s: %w", reach.Schedule, reach.Name, err)
	}
	return inUTC{schedule}, nil
}

// periodOf is the time between two ticks.
func periodOf(reach live.Reach) (time.Duration, error) {
	if reach.Schedule == "" {
		return reach.Every, nil
	}
	schedule, err := parseSchedule(reach)
	if err != nil {
		return 0, err
	}
	first := schedule.Next(time.Unix(0, 0))
	return schedule.Next(first).Sub(first), nil
}
