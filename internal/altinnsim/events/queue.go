package events

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

const (
	// poll is how often the clock is looked at while something is to be done later. The simulator's clock may be frozen,
	// set or run at any speed, so no timer can know when a time comes.
	poll = 20 * time.Millisecond
	// maxInFlight is how many tasks run at once.
	maxInFlight = 256
)

// queue runs tasks at their times. It has a goroutine of its own only while there are tasks.
type queue struct {
	now  func() time.Time
	wake chan struct{}

	mu       sync.Mutex
	tasks    taskHeap
	seq      uint64
	inFlight int
	running  bool
	closed   bool
	ctx      context.Context //nolint:containedctx // tasks outlive the calls that queue them; reset and close end it
	cancel   context.CancelFunc
	wait     sync.WaitGroup
}

// task is something to be done at a time. Its context ends with a reset: then it must leave no trace.
type task struct {
	due time.Time
	seq uint64
	run func(ctx context.Context)
}

func newQueue(now func() time.Time) *queue {
	q := &queue{now: now, wake: make(chan struct{}, 1)}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// add queues a task, unless the queue is closed.
func (q *queue) add(due time.Time, run func(ctx context.Context)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.seq++
	heap.Push(&q.tasks, task{due: due, seq: q.seq, run: run})
	if !q.running {
		q.running = true
		q.wait.Go(q.loop)
		return
	}
	q.signal()
}

// signal lets the loop look again.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pending is how many tasks wait or run.
func (q *queue) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks) + q.inFlight
}

// reset forgets all tasks and ends those that run.
func (q *queue) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = nil
	q.cancel()
	if !q.closed {
		q.ctx, q.cancel = context.WithCancel(context.Background())
	}
	q.signal()
}

// close forgets all tasks, ends those that run, and waits for them.
func (q *queue) close() {
	q.mu.Lock()
	q.closed, q.tasks = true, nil
	q.cancel()
	q.mu.Unlock()
	q.signal()
	q.wait.Wait()
}

// loop starts tasks as they fall due, and ends when there are none.
func (q *queue) loop() {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for q.startDue() {
		timer.Reset(poll)
		select {
		case <-q.wake:
		case <-timer.C:
		}
	}
}

// startDue starts what is due. more tells whether tasks are left; without any, the loop is over.
func (q *queue) startDue() (more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for len(q.tasks) > 0 && q.inFlight < maxInFlight && !q.tasks[0].due.After(now) {
		next, _ := heap.Pop(&q.tasks).(task)
		q.inFlight++
		ctx := q.ctx
		q.wait.Go(func() {
			defer q.ended()
			next.run(ctx)
		})
	}
	q.running = len(q.tasks) > 0
	return q.running
}

func (q *queue) ended() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight--
	q.signal()
}

// taskHeap has the task that is due first in front; of those that are due together, the one that came first.
type taskHeap []task

func (h taskHeap) Len() int { return len(h) }
func (h taskHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}
func (h taskHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *taskHeap) Push(x any) {
	if t, ok := x.(task); ok {
		*h = append(*h, t)
	}
}

// Pop is heap.Interface's.
func (h *taskHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
