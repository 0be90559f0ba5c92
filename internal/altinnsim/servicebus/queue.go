package servicebus

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

// Names of what the bus adds to messages.
const (
	annotationEnqueued    = amqp.Symbol("x-opt-enqueued-time")
	annotationSequence    = amqp.Symbol("x-opt-sequence-number")
	annotationFirstNumber = amqp.Symbol("x-opt-enqueue-sequence-number")
	annotationLockedUntil = amqp.Symbol("x-opt-locked-until")
	annotationState       = amqp.Symbol("x-opt-message-state")
	annotationScheduled   = amqp.Symbol("x-opt-scheduled-enqueue-time")

	propertyReason      = "DeadLetterReason"
	propertyDescription = "DeadLetterErrorDescription"

	deadLetterSuffix = "/$deadletterqueue"
)

// Limits of a queue, as the real bus has them by default.
const (
	DefaultLockDuration     = time.Minute
	MaxLockDuration         = 5 * time.Minute
	DefaultMaxDeliveries    = 10
	DefaultDuplicateHistory = 10 * time.Minute
	DefaultMaxMessageSize   = 256 << 10
)

// QueueOptions set a queue up. Zero values become the defaults.
type QueueOptions struct {
	Name string
	// LockDuration is at most MaxLockDuration.
	LockDuration time.Duration
	// MaxDeliveries is how often a message is delivered before it becomes a dead letter.
	MaxDeliveries int
	// DuplicateHistory is how long a message id is remembered; negative: duplicates are not detected.
	DuplicateHistory time.Duration
	// MaxMessageSize is in bytes, everything included.
	MaxMessageSize int
}

func (o QueueOptions) withDefaults() (QueueOptions, error) {
	if o.Name == "" || strings.ContainsAny(o.Name, "$? ") {
		return o, fmt.Errorf("queue name %q is empty or has characters that no queue has", o.Name)
	}
	if o.LockDuration == 0 {
		o.LockDuration = DefaultLockDuration
	}
	if o.MaxDeliveries < 0 || o.MaxMessageSize < 0 {
		return o, errors.New("a number is negative")
	}
	if o.LockDuration < 0 || o.LockDuration > MaxLockDuration {
		return o, fmt.Errorf("lock duration %s is not between 0 and %s", o.LockDuration, MaxLockDuration)
	}
	if o.MaxDeliveries == 0 {
		o.MaxDeliveries = DefaultMaxDeliveries
	}
	if o.DuplicateHistory == 0 {
		o.DuplicateHistory = DefaultDuplicateHistory
	}
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = DefaultMaxMessageSize
	}
	return o, nil
}

// Errors of settling and sending.
var (
	errLockLost = errors.New("the lock supplied is invalid: it has expired, or the message has already been removed from the queue")
	errTooLarge = errors.New("the message is larger than the queue allows")
)

// state of an entry.
type state int32

const (
	active    state = 0
	deferred  state = 1
	scheduled state = 2
)

// entry is a message in a queue.
type entry struct {
	sequence   int64
	enqueued   time.Time
	message    amqp.Message
	deliveries uint32 // that failed
	state      state
	due        time.Time // of a scheduled one
	token      uuid.UUID // of the lock
	until      time.Time // the lock's end; zero: not locked
}

// line are entries by sequence number: a message given back takes its old place.
type line []*entry

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].sequence < l[j].sequence }
func (l line) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *line) Push(x any)        { *l = append(*l, x.(*entry)) } //nolint:forcetypeassert // container/heap's only caller is here
func (l *line) Pop() any {
	old := *l
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	return last
}

// Counts of a queue.
type Counts struct {
	Active       int `json:"active"`
	Locked       int `json:"locked"`
	Scheduled    int `json:"scheduled"`
	Deferred     int `json:"deferred"`
	DeadLettered int `json:"deadLettered"`
	// What has happened since the beginning.
	Enqueued   int `json:"enqueued"`
	Duplicates int `json:"duplicates"`
	Delivered  int `json:"delivered"`
	Completed  int `json:"completed"`
	Abandoned  int `json:"abandoned"`
	Released   int `json:"released"`
	Renewed    int `json:"renewed"`
	LocksLost  int `json:"locksLost"`
}

// seenID is a message id and when it came.
type seenID struct {
	id string
	at time.Time
}

// Queue is one queue, or the dead letters of one. It is safe for concurrent use.
type Queue struct {
	options QueueOptions
	now     func() time.Time
	dead    *Queue // nil in a queue of dead letters
	faults  *faultRules

	mu        sync.Mutex
	sequence  int64
	ready     line
	waiting   map[int64]*entry // scheduled and deferred
	locked    map[uuid.UUID]*entry
	seen      map[string]struct{} // ids of messages
	seenAt    []seenID            // the same, in order
	counts    Counts
	listeners map[*func()]struct{}
}

func newQueue(options QueueOptions, now func() time.Time, faults *faultRules) *Queue {
	q := &Queue{options: options, now: now, faults: faults, listeners: map[*func()]struct{}{}}
	q.clear()
	return q
}

// clear empties the queue. Sequence numbers go on.
func (q *Queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready, q.waiting, q.locked = nil, map[int64]*entry{}, map[uuid.UUID]*entry{}
	q.seen, q.seenAt, q.counts = map[string]struct{}{}, nil, Counts{}
}

// listen has f called, often, when there may be something to take: f must not wait, nor use the queue. The result ends that.
func (q *Queue) listen(f func()) (stop func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.listeners[&f] = struct{}{}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.listeners, &f)
	}
}

// tell calls the listeners, which only set a flag.
func (q *Queue) tell() {
	q.mu.Lock()
	listeners := make([]func(), 0, len(q.listeners))
	for f := range q.listeners {
		listeners = append(listeners, *f)
	}
	q.mu.Unlock()
	for _, f := range listeners {
		f()
	}
}

// enqueue takes a message. A message whose id is known already is taken and forgotten.
func (q *Queue) enqueue(message amqp.Message, size int) (int64, error) {
	if size > q.options.MaxMessageSize {
		return 0, errTooLarge
	}
	copies := 1
	if q.faults.strikes(EffectDouble, q.options.Name) {
		copies = 2
	}
	var sequence int64
	q.mu.Lock()
	now := q.now()
	if !q.duplicate(message.Properties.MessageID, now) {
		for range copies {
			sequence = q.put(message, now)
		}
	}
	q.mu.Unlock()
	q.tell()
	return sequence, nil
}

func (q *Queue) duplicate(id any, now time.Time) bool {
	if q.options.DuplicateHistory < 0 || id == nil {
		return false
	}
	for len(q.seenAt) > 0 && now.Sub(q.seenAt[0].at) >= q.options.DuplicateHistory {
		delete(q.seen, q.seenAt[0].id)
		q.seenAt = q.seenAt[1:]
	}
	key := fmt.Sprintf("%T:%v", id, id)
	if _, known := q.seen[key]; known {
		q.counts.Duplicates++
		return true
	}
	q.seen[key] = struct{}{}
	q.seenAt = append(q.seenAt, seenID{id: key, at: now})
	return false
}

// put adds an entry. The caller holds the lock.
func (q *Queue) put(message amqp.Message, now time.Time) int64 {
	q.sequence++
	e := &entry{sequence: q.sequence, enqueued: now, message: message}
	q.counts.Enqueued++
	if due, ok := message.Annotations.Get(string(annotationScheduled)).(time.Time); ok && due.After(now) {
		e.state, e.due = scheduled, due
		q.waiting[e.sequence] = e
		return e.sequence
	}
	heap.Push(&q.ready, e)
	return e.sequence
}

// delivery is a message on its way out.
type delivery struct {
	token   uuid.UUID
	payload []byte
}

// take locks up to n messages, oldest first; without a lock they are gone from the queue. more tells that it has others.
func (q *Queue) take(n int, lock bool) (out []delivery, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for len(out) < n && len(q.ready) > 0 {
		e := heap.Pop(&q.ready).(*entry) //nolint:forcetypeassert // a line holds entries
		q.counts.Delivered++
		if !lock {
			q.counts.Completed++
			out = append(out, delivery{payload: q.written(e)})
			continue
		}
		q.lock(e, now)
		out = append(out, delivery{token: e.token, payload: q.written(e)})
	}
	return out, len(q.ready) > 0
}

func (q *Queue) lock(e *entry, now time.Time) {
	e.token, e.until = uuid.New(), now.Add(q.options.LockDuration)
	q.locked[e.token] = e
}

// written is the entry's message as receivers see it.
func (q *Queue) written(e *entry) []byte {
	m := e.message
	m.Header.DeliveryCount = e.deliveries
	m.Annotations = m.Annotations.With(annotationEnqueued, e.enqueued).With(annotationSequence, e.sequence).
		With(annotationFirstNumber, e.sequence).With(annotationState, int32(e.state))
	if !e.until.IsZero() {
		m.Annotations = m.Annotations.With(annotationLockedUntil, e.until)
	}
	return m.Append(nil)
}

// settle ends a lock with an outcome: one of package amqp's terminal states.
func (q *Queue) settle(token uuid.UUID, outcome any) error {
	q.mu.Lock()
	e, found := q.locked[token]
	if !found || !q.now().Before(e.until) {
		q.mu.Unlock()
		return errLockLost
	}
	if q.faults.strikes(EffectLockLost, q.options.Name) {
		q.expire(e)
		q.mu.Unlock()
		q.tell()
		return errLockLost
	}
	delete(q.locked, token)
	e.until = time.Time{}
	switch outcome := outcome.(type) {
	case amqp.Accepted:
		q.counts.Completed++
	case amqp.Rejected:
		q.bury(e, outcome.Error)
	case amqp.Modified:
		for _, annotation := range outcome.Annotations {
			e.message.Application = e.message.Application.With(fmt.Sprint(annotation.Key), annotation.Value)
		}
		if outcome.UndeliverableHere {
			e.state = deferred
			q.waiting[e.sequence] = e
			break
		}
		q.counts.Abandoned++
		q.giveBack(e)
	default: // released: the attempt does not count (inferred from the standard)
		q.counts.Released++
		heap.Push(&q.ready, e)
	}
	q.mu.Unlock()
	q.tell()
	return nil
}

// giveBack counts a failed delivery; after the last one the message is a dead letter. The caller holds the lock.
func (q *Queue) giveBack(e *entry) {
	e.deliveries++
	if q.dead != nil && int(e.deliveries) >= q.options.MaxDeliveries {
		q.bury(e, &amqp.Error{Info: amqp.Map{
			{Key: amqp.Symbol(propertyReason), Value: "MaxDeliveryCountExceeded"},
			{
				Key:   amqp.Symbol(propertyDescription),
				Value: fmt.Sprintf("Message could not be consumed after %d delivery attempts.", q.options.MaxDeliveries),
			},
		}})
		return
	}
	if e.state == deferred {
		q.waiting[e.sequence] = e
		return
	}
	heap.Push(&q.ready, e)
}

// bury makes a message a dead letter. In a queue of dead letters it stays. The caller holds the lock.
func (q *Queue) bury(e *entry, why *amqp.Error) {
	if q.dead == nil {
		heap.Push(&q.ready, e)
		return
	}
	m := e.message
	if why != nil {
		for _, info := range why.Info {
			m.Application = m.Application.With(fmt.Sprint(info.Key), info.Value)
		}
	}
	q.dead.mu.Lock()
	q.dead.put(m, q.now())
	q.dead.mu.Unlock()
	q.dead.tell()
}

// expire ends a lock that nobody settled. The caller holds the lock.
func (q *Queue) expire(e *entry) {
	delete(q.locked, e.token)
	e.until = time.Time{}
	q.counts.LocksLost++
	q.giveBack(e)
}

// sweep gives back what was locked too long, and brings up what is due.
func (q *Queue) sweep() {
	q.mu.Lock()
	now, changed := q.now(), false
	for _, e := range q.locked {
		if !now.Before(e.until) {
			q.expire(e)
			changed = true
		}
	}
	for sequence, e := range q.waiting {
		if e.state == scheduled && !now.Before(e.due) {
			delete(q.waiting, sequence)
			e.state, e.enqueued = active, now
			heap.Push(&q.ready, e)
			changed = true
		}
	}
	q.mu.Unlock()
	if changed {
		q.tell()
	}
}

// LoseLocks ends all locks: whoever holds one will be told so, and the messages are delivered again.
func (q *Queue) LoseLocks() {
	q.mu.Lock()
	for _, e := range q.locked {
		q.expire(e)
	}
	q.mu.Unlock()
	q.tell()
}

// renew makes locks last for another lock duration. One that is lost refuses them all.
func (q *Queue) renew(tokens []uuid.UUID) ([]time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	out := make([]time.Time, 0, len(tokens))
	for _, token := range tokens {
		e, found := q.locked[token]
		if !found || !now.Before(e.until) {
			return nil, errLockLost
		}
		e.until = now.Add(q.options.LockDuration)
		q.counts.Renewed++
		out = append(out, e.until)
	}
	return out, nil
}

// peek shows up to n messages from a sequence number on, locked and waiting ones too.
func (q *Queue) peek(from int64, n int) [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := append(line(nil), q.ready...)
	for _, e := range q.locked {
		all = append(all, e)
	}
	for _, e := range q.waiting {
		all = append(all, e)
	}
	var found line
	for _, e := range all {
		if e.sequence >= from {
			found = append(found, e)
		}
	}
	heap.Init(&found)
	var out [][]byte
	for len(found) > 0 && len(out) < n {
		e := heap.Pop(&found).(*entry) //nolint:forcetypeassert // a line holds entries
		out = append(out, q.written(e))
	}
	return out
}

// cancel takes scheduled messages away.
func (q *Queue) cancel(sequences []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, sequence := range sequences {
		if e, found := q.waiting[sequence]; found && e.state == scheduled {
			delete(q.waiting, sequence)
		}
	}
}

// takeDeferred locks deferred messages; false when one is not there.
func (q *Queue) takeDeferred(sequences []int64) ([]delivery, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, sequence := range sequences {
		if e, found := q.waiting[sequence]; !found || e.state != deferred {
			return nil, false
		}
	}
	out := make([]delivery, 0, len(sequences))
	for _, sequence := range sequences {
		e := q.waiting[sequence]
		delete(q.waiting, sequence)
		q.lock(e, q.now())
		q.counts.Delivered++
		out = append(out, delivery{token: e.token, payload: q.written(e)})
	}
	return out, true
}

// Counts tells what the queue holds and what has happened to it.
func (q *Queue) Counts() Counts {
	var dead int
	if q.dead != nil {
		q.dead.mu.Lock()
		dead = len(q.dead.ready) + len(q.dead.locked)
		q.dead.mu.Unlock()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.counts
	c.Active, c.Locked, c.DeadLettered = len(q.ready), len(q.locked), dead
	for _, e := range q.waiting {
		if e.state == deferred {
			c.Deferred++
		} else {
			c.Scheduled++
		}
	}
	return c
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	MessageID   string    `json:"messageId"`
	Subject     string    `json:"subject"`
	Reason      string    `json:"reason"`
	Description string    `json:"description"`
	Enqueued    time.Time `json:"enqueued"` // when it became a dead letter
	Body        string    `json:"body"`
}

// DeadLetters shows up to n of the queue's dead letters, oldest first.
func (q *Queue) DeadLetters(n int) []DeadLetter {
	out := []DeadLetter{}
	if q.dead == nil {
		return out
	}
	q.dead.mu.Lock()
	defer q.dead.mu.Unlock()
	found := append(line(nil), q.dead.ready...)
	heap.Init(&found)
	for len(found) > 0 && len(out) < n {
		e := heap.Pop(&found).(*entry) //nolint:forcetypeassert // a line holds entries
		letter := DeadLetter{
			MessageID: fmt.Sprint(e.message.Properties.MessageID), Subject: e.message.Properties.Subject, Enqueued: e.enqueued.UTC(),
		}
		letter.Reason, _ = e.message.Application.Get(propertyReason).(string) // whoever gave it up need not have said why
		letter.Description, _ = e.message.Application.Get(propertyDescription).(string)
		data, _, err := e.message.Content()
		if err == nil {
			for _, section := range data {
				letter.Body += string(section)
			}
		}
		out = append(out, letter)
	}
	return out
}

// swapped turns a lock token into a delivery tag, or back: .NET writes the first three parts of a GUID little-endian.
func swapped(id [16]byte) [16]byte {
	binary.LittleEndian.PutUint32(id[0:], binary.BigEndian.Uint32(id[0:]))
	binary.LittleEndian.PutUint16(id[4:], binary.BigEndian.Uint16(id[4:]))
	binary.LittleEndian.PutUint16(id[6:], binary.BigEndian.Uint16(id[6:]))
	return id
}
