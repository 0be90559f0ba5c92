package correspondence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// queue is where a job waits (13.1).
type queue string

const (
	queueDefault   queue = "default"
	queueLive      queue = "live-migration"
	queueMigration queue = "migration"
)

// lastAttempt is the first attempt and ten repeats (13.2).
const lastAttempt = 11

// job is a piece of work in the background. Jobs of one item in one queue run one after the other.
type job struct {
	queue queue
	name  string
	item  uuid.UUID
	run   func(context.Context) error
	then  func() *job // queued after success
	once  bool        // no repeats
	after time.Duration

	attempt int
}

// DeadLetter is a job that was given up.
type DeadLetter struct {
	Queue string    `json:"queue"`
	Name  string    `json:"name"`
	Item  uuid.UUID `json:"correspondenceId"`
	Error string    `json:"error"`
}

// JobCounts are how many jobs there are.
type JobCounts struct {
	Queued    map[string]int `json:"queued"` // by queue, running ones included
	Scheduled int            `json:"scheduled"`
	Failed    int            `json:"failed"`
	Done      int            `json:"done"`
}

// jobs runs jobs in goroutines of its own, which end when there is nothing to do.
type jobs struct {
	retry func(int) time.Duration
	sizes map[queue]int

	mu        sync.Mutex
	context   context.Context //nolint:containedctx // that of all jobs until the next reset
	cancel    context.CancelFunc
	lanes     map[queue][]*lane
	scheduled map[*job]*time.Timer
	dead      []DeadLetter
	pending   map[queue]int
	done      int
	held      bool
	idlers    []chan struct{}
	running   sync.WaitGroup
}

// lane is a worker and what it is to do.
type lane struct {
	waiting []*job
	busy    bool
}

func newJobs(retry func(int) time.Duration, sizes map[queue]int) *jobs {
	j := &jobs{retry: retry, sizes: sizes}
	j.clear()
	return j
}

// clear is called without jobs running.
func (j *jobs) clear() {
	j.context, j.cancel = context.WithCancel(context.Background())
	j.lanes, j.scheduled, j.dead, j.pending, j.done = map[queue][]*lane{}, map[*job]*time.Timer{}, nil, map[queue]int{}, 0
	for name, size := range j.sizes {
		for range size {
			j.lanes[name] = append(j.lanes[name], &lane{})
		}
	}
}

// reset forgets all jobs and waits for those that run.
func (j *jobs) reset() {
	j.mu.Lock()
	j.cancel()
	for _, timer := range j.scheduled {
		timer.Stop()
	}
	for _, lanes := range j.lanes {
		for _, l := range lanes {
			l.waiting = nil
		}
	}
	j.mu.Unlock()
	j.running.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = false
	j.clear()
	j.wake()
}

// add queues jobs.
func (j *jobs) add(list ...*job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range list {
		j.put(one)
	}
}

func (j *jobs) put(one *job) {
	if one.after > 0 {
		j.schedule(one, one.after)
		return
	}
	lanes := j.lanes[one.queue]
	l := lanes[binary.BigEndian.Uint64(one.item[8:])%uint64(len(lanes))]
	l.waiting = append(l.waiting, one)
	j.pending[one.queue]++
	j.start(l)
}

func (j *jobs) start(l *lane) {
	if l.busy || j.held || len(l.waiting) == 0 {
		return
	}
	l.busy = true
	j.running.Add(1)
	go j.work(j.context, l)
}

// schedule lets a job begin later.
func (j *jobs) schedule(one *job, after time.Duration) {
	one.after = 0
	j.scheduled[one] = time.AfterFunc(after, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		// It may have been hurried, or forgotten by a reset.
		if _, still := j.scheduled[one]; still {
			delete(j.scheduled, one)
			j.put(one)
		}
	})
}

// work does what waits in a lane.
func (j *jobs) work(ctx context.Context, l *lane) {
	defer j.running.Done()
	for {
		j.mu.Lock()
		if len(l.waiting) == 0 || j.held || ctx.Err() != nil {
			l.busy = false
			j.mu.Unlock()
			return
		}
		one := l.waiting[0]
		l.waiting = l.waiting[1:]
		j.mu.Unlock()
		one.attempt++
		err := one.run(ctx)
		j.mu.Lock()
		if ctx.Err() == nil {
			j.pending[one.queue]--
			j.settle(one, err)
			j.wake()
		}
		j.mu.Unlock()
	}
}

// settle decides what follows an attempt.
func (j *jobs) settle(one *job, err error) {
	crash, crashed := errors.AsType[crashError](err)
	switch {
	case err == nil:
		j.done++
		if one.then != nil {
			if next := one.then(); next != nil {
				j.put(next)
			}
		}
	case crashed && crash.abrupt:
		// The process died: the job is found running by nobody and taken again, which counts as no attempt.
		one.attempt--
		j.put(one)
	case one.once || one.attempt >= lastAttempt:
		j.dead = append(j.dead, DeadLetter{Queue: string(one.queue), Name: one.name, Item: one.item, Error: err.Error()})
	default:
		j.schedule(one, max(j.retry(one.attempt), time.Nanosecond))
	}
}

func (j *jobs) hold(held bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = held
	for _, lanes := range j.lanes {
		for _, l := range lanes {
			j.start(l)
		}
	}
}

func (j *jobs) hurry() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.scheduled)
	for one, timer := range j.scheduled {
		timer.Stop()
		delete(j.scheduled, one)
		j.put(one)
	}
	return n
}

// queued is how many jobs a queue holds.
func (j *jobs) queued(name queue) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pending[name]
}

func (j *jobs) counts() JobCounts {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := JobCounts{Queued: map[string]int{}, Scheduled: len(j.scheduled), Failed: len(j.dead), Done: j.done}
	for name, n := range j.pending {
		out.Queued[string(name)] = n
	}
	return out
}

func (j *jobs) deadLetters() []DeadLetter {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]DeadLetter{}, j.dead...)
}

// wake tells those who wait for idleness, if it is idle. The caller holds the lock.
func (j *jobs) wake() {
	for _, n := range j.pending {
		if n > 0 {
			return
		}
	}
	for _, waiting := range j.idlers {
		close(waiting)
	}
	j.idlers = nil
}

func (j *jobs) idle(ctx context.Context) error {
	waiting := make(chan struct{})
	j.mu.Lock()
	j.idlers = append(j.idlers, waiting)
	j.wake()
	j.mu.Unlock()
	select {
	case <-waiting:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for jobs: %w", ctx.Err())
	}
}
