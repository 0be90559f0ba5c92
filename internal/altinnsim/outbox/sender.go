package outbox

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// How the sender works (13).
const (
	batch      = 100
	pausePoll  = time.Second      // after a batch that was not full
	pauseError = 10 * time.Second // after a failure
	pauseLeast = 5 * time.Millisecond
	kept       = 100 // messages that are remembered
)

// run sends while rows wait.
func (b *Box) run() {
	for {
		b.mu.Lock()
		if len(b.rows) == 0 || b.closed {
			b.running = false
			b.mu.Unlock()
			return
		}
		pause := time.Until(b.leaderless)
		scaled := b.settings.scaled
		b.mu.Unlock()
		if pause <= 0 {
			full, err := b.sendBatch(b.ctx, time.Now())
			switch {
			case err != nil:
				pause = max(scaled(pauseError), pauseLeast)
			case full:
				continue
			default:
				pause = max(scaled(pausePoll), pauseLeast)
			}
		}
		if !b.wait(pause) {
			b.mu.Lock()
			b.running = false
			b.mu.Unlock()
			return
		}
	}
}

// wait waits, less long when the settings change. It is false at the end of everything.
func (b *Box) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.wake:
	case <-b.ctx.Done():
		return false
	}
	return true
}

// Flush sends what waits, without looking at times or the lease, until nothing is left or a bus refuses.
func (b *Box) Flush(ctx context.Context) error {
	for b.Waiting() > 0 {
		if _, err := b.sendBatch(ctx, endOfTime()); err != nil {
			return err
		}
	}
	return nil
}

func endOfTime() time.Time { return time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC) }

// sendBatch publishes and deletes the rows that are due, the oldest first, at most a batch. Each row is published, then
// deleted by its instance: what changed in between goes with it.
func (b *Box) sendBatch(ctx context.Context, due time.Time) (full bool, err error) {
	b.sending.Lock()
	defer b.sending.Unlock()
	rows := b.due(due)
	for _, instance := range rows {
		row, messages, buses, ok := b.prepare(instance)
		if !ok {
			continue
		}
		for _, message := range messages {
			if err := publish(ctx, buses, message); err != nil {
				b.failed(row, err)
				return false, err
			}
			b.sent(row, message)
		}
		if gap := time.Duration(b.Settings().Gap); gap > 0 && !sleep(ctx, gap) {
			return false, fmt.Errorf("publish %s: %w", instance, ctx.Err())
		}
		if b.delete(row) || len(messages) == 0 {
			b.lost(instance)
		}
	}
	return len(rows) == batch, nil
}

func publish(ctx context.Context, buses []Bus, message Message) error {
	for _, bus := range buses {
		if err := bus.Publish(ctx, message); err != nil {
			return fmt.Errorf("publish %s: %w", message.MessageID, err)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// due are the instances of the next batch.
func (b *Box) due(now time.Time) []uuid.UUID {
	b.mu.Lock()
	defer b.mu.Unlock()
	// The heap gives them in order; they go back, since they stay in the table until they are deleted.
	var rows []*Row
	for len(b.queue) > 0 && len(rows) < batch && !b.queue[0].ValidFrom.After(now) {
		rows = append(rows, heap.Pop(&b.queue).(*Row)) //nolint:forcetypeassert // nothing else is ever pushed
	}
	instances := make([]uuid.UUID, 0, len(rows))
	for _, row := range rows {
		heap.Push(&b.queue, row)
		instances = append(instances, row.Instance)
	}
	if b.settings.Shuffle {
		for i := len(instances) - 1; i > 0; i-- {
			j := b.roll.Below(int64(i) + 1)
			instances[i], instances[j] = instances[j], instances[i]
		}
	}
	return instances
}

// prepare writes the messages of a row: none if it is to be lost, two if it is to be doubled. ok is false when the row
// is gone.
func (b *Box) prepare(instance uuid.UUID) (row *Row, messages []Message, buses []Bus, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row, ok = b.rows[instance]
	if !ok {
		return nil, nil, nil, false
	}
	row.published, row.overtaken = true, false
	if b.roll.Chance(b.settings.Lose) {
		b.counts.Lost++
		return row, nil, nil, true
	}
	now := time.Now()
	messages = append(messages, row.message(now, &b.roll))
	if b.roll.Chance(b.settings.Double) {
		b.counts.Doubled++
		messages = append(messages, row.message(now, &b.roll))
	}
	return row, messages, slices.Clone(b.buses), true
}

func (b *Box) failed(row *Row, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row.published = false
	b.counts.Errors++
	b.counts.LastError = err.Error()
}

func (b *Box) sent(row *Row, message Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Sent++
	b.counts.ByType[NameOf(row.EventType)]++
	if len(b.latest) == kept {
		b.latest = slices.Delete(b.latest, 0, 1)
	}
	b.latest = append(b.latest, message)
}

// delete takes a row out of the table, and says whether a change goes with it that came after the publishing.
func (b *Box) delete(row *Row) (overtaken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows[row.Instance] != row {
		return false // the box was emptied meanwhile
	}
	delete(b.rows, row.Instance)
	heap.Remove(&b.queue, row.at)
	if row.overtaken {
		b.counts.Overtaken++
	}
	return row.overtaken
}
