package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

const (
	// QueueEvents is the queue of app instances' events.
	QueueEvents = "events"
	// QueueForms is that of archived forms' events, of which Altinn 2 may send a backlog at once: neither a backlog nor a slow rate
	// of the one takes slots from the other.
	QueueForms = "form_events"
	// formsPart is for how many slots of app instances there is one of forms.
	formsPart = 4
	// eventTimeout leaves a delivery that took too long the time to write that down.
	eventTimeout = live.DeliveryTimeout + 15*time.Second
	// eventAttempts is how often our own or the database's fault may end a job. River discards it then, and the keeper gives
	// its event another; an item's failures do not count here.
	eventAttempts = 100
)

// QueueOf is the queue of a source's events.
func QueueOf(source ledger.Source) string {
	if source == ledger.A2ArchivedForms {
		return QueueForms
	}
	return QueueEvents
}

// EventDelivery delivers one row of the inbox. The row is what counts: a job without one has nothing to do.
type EventDelivery struct {
	InboxID int64 `json:"inbox_id"`
}

// Kind names the job in River's table.
func (EventDelivery) Kind() string { return "event_delivery" }

type eventWorker struct {
	river.WorkerDefaults[EventDelivery]

	events *live.Events
}

func (w *eventWorker) Work(ctx context.Context, job *river.Job[EventDelivery]) error {
	end, err := w.events.Deliver(ctx, job.Args.InboxID, job.ID)
	if err != nil {
		return fmt.Errorf("event delivery: %w", err)
	}
	if end.Again {
		return river.JobSnooze(end.Pause)
	}
	return nil
}

func (w *eventWorker) Timeout(*river.Job[EventDelivery]) time.Duration { return eventTimeout }

// NextRetry is soon: what ends a job with an error is the database, which is back or not.
func (w *eventWorker) NextRetry(*river.Job[EventDelivery]) time.Time {
	return time.Now().Add(retryAfter)
}

// AddEventWorkers registers what delivers events.
func AddEventWorkers(workers *river.Workers, events *live.Events) {
	river.AddWorker(workers, &eventWorker{events: events})
}

// EnqueueEvents gives the function that inserts the jobs of rows of the inbox in the transaction that writes the rows. No
// uniqueness: it must never guard events, since an insert that meets a running job would be dropped.
func EnqueueEvents(client *river.Client[pgx.Tx]) live.EnqueueEvents {
	return func(ctx context.Context, tx pgx.Tx, source ledger.Source, rows []int64) ([]int64, error) {
		if len(rows) == 0 {
			return nil, nil
		}
		params := make([]river.InsertManyParams, len(rows))
		position := make(map[int64]int, len(rows))
		for i, row := range rows {
			params[i] = river.InsertManyParams{
				Args:       EventDelivery{InboxID: row},
				InsertOpts: &river.InsertOpts{Queue: QueueOf(source), MaxAttempts: eventAttempts},
			}
			position[row] = i
		}
		inserted, err := client.InsertManyTx(ctx, tx, params)
		if err != nil {
			return nil, fmt.Errorf("insert %d event jobs: %w", len(rows), err)
		}
		jobs := make([]int64, len(rows))
		for _, result := range inserted {
			var args EventDelivery
			if err := json.Unmarshal(result.Job.EncodedArgs, &args); err != nil {
				return nil, fmt.Errorf("read an inserted job: %w", err)
			}
			jobs[position[args.InboxID]] = result.Job.ID
		}
		return jobs, nil
	}
}
