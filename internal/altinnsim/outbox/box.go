package outbox

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Row is a row of the outbox table.
type Row struct {
	Instance    uuid.UUID `json:"instanceId"`
	AppID       string    `json:"appId"`
	PartyID     int32     `json:"partyId"`
	Created     time.Time `json:"instanceCreated"`
	ValidFrom   time.Time `json:"validFrom"`
	IsMigration bool      `json:"isMigration"`
	EventType   int       `json:"eventType"`

	order     uint64 // ties are sent in the order they were written
	at        int    // in the heap
	published bool   // it lies between publishing and deleting
	overtaken bool   // and the instance changed meanwhile
}

// Counts are what has become of the changes.
type Counts struct {
	Changes   int            `json:"changes"`   // that were to be announced
	Merged    int            `json:"merged"`    // of them met a waiting row
	Sent      int            `json:"sent"`      // messages, the doubled ones counted twice
	ByType    map[string]int `json:"byType"`    // messages by event type
	Lost      int            `json:"lost"`      // rows deleted on purpose without being published
	Overtaken int            `json:"overtaken"` // changes that nobody was told of: they came between publishing and deleting
	Doubled   int            `json:"doubled"`
	Errors    int            `json:"errors"` // failed publishings
	LastError string         `json:"lastError,omitempty"`
}

// Config sets a Box up.
type Config struct {
	// Seed makes misbehaviour and message ids repeatable.
	Seed uint64
	// Settings hold until they are changed. Nil: Defaults.
	Settings *Settings
	// Buses get every message, one after the other.
	Buses []Bus
	// Lost is told of instances whose change nobody may have been told of: the row was lost, or overtaken. Nil: nobody.
	Lost func(instance uuid.UUID)
}

// Box is the outbox and its sender. The sender runs while rows wait; Close ends it. Time is the process's own, also
// while the simulator's clock stands still. A Box is safe for concurrent use.
type Box struct {
	seed    uint64
	initial Settings
	lost    func(uuid.UUID)
	ctx     context.Context //nolint:containedctx // the sender starts on demand, and lives until Close
	cancel  context.CancelFunc
	sender  sync.WaitGroup
	wake    chan struct{}

	sending sync.Mutex // one sends at a time: the sender, or Flush

	mu         sync.Mutex
	settings   Settings
	rows       map[uuid.UUID]*Row
	queue      queue
	order      uint64
	leaderless time.Time // nobody has the lease until then
	running    bool
	closed     bool
	buses      []Bus
	counts     Counts
	latest     []Message
	roll       world.Dice
}

// New makes an empty outbox.
func New(config Config) (*Box, error) {
	settings := Defaults()
	if config.Settings != nil {
		settings = *config.Settings
	}
	if err := settings.validate(); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	b := &Box{seed: config.Seed, initial: settings, buses: config.Buses, lost: config.Lost, wake: make(chan struct{}, 1)}
	if b.lost == nil {
		b.lost = func(uuid.UUID) {}
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.clear()
	b.apply(settings)
	return b, nil
}

// clear empties the box. The caller holds the lock, or nobody else has the box yet.
func (b *Box) clear() {
	b.rows, b.queue = map[uuid.UUID]*Row{}, nil
	b.counts, b.latest = Counts{ByType: map[string]int{}}, nil
	b.roll = world.NewDice(b.seed ^ 0x0b07)
	b.leaderless = time.Time{}
}

// AddBus adds a bus.
func (b *Box) AddBus(bus Bus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buses = append(b.buses, bus)
}

// Put writes the row of a change, in the transaction of its event. A row that is waiting already for the instance keeps
// everything but its time, and that only moves to earlier (13). It is false when nothing is written: the change is never
// announced.
func (b *Box) Put(change Change) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.settings.Enabled || b.closed {
		return false
	}
	b.counts.Changes++
	validFrom := now.Add(b.settings.scaled(change.Delay()))
	if row, waiting := b.rows[change.Instance]; waiting {
		b.counts.Merged++
		row.overtaken = row.published
		if validFrom.Before(row.ValidFrom) {
			row.ValidFrom = validFrom
			heap.Fix(&b.queue, row.at)
		}
	} else {
		b.order++
		row := &Row{
			Instance: change.Instance, AppID: change.AppID, PartyID: change.PartyID, Created: change.Created.UTC(),
			ValidFrom: validFrom, IsMigration: change.Migration, EventType: NumberOf(change.EventType), order: b.order,
		}
		b.rows[change.Instance] = row
		heap.Push(&b.queue, row)
	}
	b.start()
	return true
}

// start lets the sender run. The caller holds the lock.
func (b *Box) start() {
	if b.running || b.closed || len(b.rows) == 0 {
		return
	}
	b.running = true
	b.sender.Go(b.run)
}

// Settings are those that hold.
func (b *Box) Settings() Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings
}

// Set replaces the settings. Rows that wait keep their times, unless nothing is to be delayed any more. With an error
// nothing is replaced.
func (b *Box) Set(settings Settings) error {
	if err := settings.validate(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	b.mu.Lock()
	b.apply(settings)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// apply puts settings into force: a lease gap begins now. The caller holds the lock.
func (b *Box) apply(settings Settings) {
	now := time.Now()
	b.leaderless = now.Add(time.Duration(settings.LeaseGap))
	settings.LeaseGap = 0
	b.settings = settings
	if settings.DelayScale > 0 {
		return
	}
	for _, row := range b.queue {
		row.ValidFrom = earlier(row.ValidFrom, now)
	}
	heap.Init(&b.queue)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Report is what GET /_sim/outbox answers.
type Report struct {
	Counts

	Settings   Settings  `json:"settings"`
	Waiting    int       `json:"waiting"`
	Rows       []Row     `json:"rows"` // the next ones, at most 100
	Leaderless string    `json:"leaderless,omitempty"`
	Latest     []Command `json:"latest"` // what was sent last, at most 100, the newest last
}

// Report tells the state.
func (b *Box) Report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Report{Counts: b.counts, Settings: b.settings, Waiting: len(b.rows), Rows: b.first(batch), Latest: commands(b.latest)}
	r.ByType = maps.Clone(b.counts.ByType)
	if left := time.Until(b.leaderless); left > 0 {
		r.Leaderless = left.Round(time.Millisecond).String()
	}
	return r
}

// Waiting is how many rows there are.
func (b *Box) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rows)
}

// Row is the row of an instance.
func (b *Box) Row(instance uuid.UUID) (Row, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row, ok := b.rows[instance]
	if !ok {
		return Row{}, false
	}
	return *row, true
}

// Reset empties the outbox and takes its settings back to those it began with.
func (b *Box) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.apply(b.initial)
}

// Close ends the sender and waits for it. Nothing is taken in afterwards.
func (b *Box) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.sender.Wait()
}
