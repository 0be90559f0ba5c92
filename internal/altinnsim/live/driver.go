package live

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// AppEvent is what an app announces through Altinn Events (Storage reference, 15.1).
type AppEvent struct {
	Type     string
	AppID    string
	PartyID  int32
	Instance uuid.UUID
}

// The types of app events. Of other changes apps announce nothing.
const (
	EventCreated   = "app.instance.created"
	EventMovedTo   = "app.instance.process.movedTo." // and the task's id
	EventCompleted = "app.instance.process.completed"
	EventSubstatus = "app.instance.substatus.changed"
)

// Config sets a Driver up.
type Config struct {
	// Seed makes what happens repeatable, as far as the world is the same.
	Seed uint64
	// Now is the clock that instances are stamped with. Default time.Now. The rate follows the process's own time.
	Now func() time.Time
	// Storage is where it happens.
	Storage *storage.Service
	// Generator makes up what arrives, and knows the apps. It is asked for once, when the first settings are set, and again
	// after Reset.
	Generator func() (*generator.Generator, error)
	// Announce posts an app event. An error is counted and forgotten, as apps do. Default: nobody is told.
	Announce func(ctx context.Context, event AppEvent) error
}

// Driver makes things happen. It is safe for concurrent use.
type Driver struct {
	config Config
	ctx    context.Context //nolint:containedctx // the loop starts on demand, and lives until Close
	cancel context.CancelFunc
	loop   sync.WaitGroup
	wake   chan struct{}

	acting sync.Mutex // one action at a time; guards what follows
	world  *generator.Generator
	roll   world.Dice
	number uint64 // of arrivals
	forms  int    // of forms that arrived
	recent []uuid.UUID
	oldest int // in recent, once that is full
	busy   map[uuid.UUID]bool

	mu       sync.Mutex
	settings Settings
	began    time.Time // of the rate that is in force
	ends     time.Time // zero: not by itself
	done     float64   // actions since began
	later    followUps
	order    uint64
	underway int        // actions and follow-ups that are being done
	idle     *sync.Cond // nothing is being done
	running  bool
	closed   bool
	counts   Counts
}

// Counts are what has happened.
type Counts struct {
	Actions   map[Action]int `json:"actions"`
	Skipped   map[Action]int `json:"skipped"` // nobody was there that it could happen to
	Failed    map[Action]int `json:"failed"`  // the instance went away before a late change was committed, for one
	LastError string         `json:"lastError,omitempty"`
	Missed    int            `json:"missed"` // the rate was more than could be done
	Late      int            `json:"late"`
	Skewed    int            `json:"skewed"`
	AppEvents int            `json:"appEvents"`
	Unposted  int            `json:"unposted"` // app events that could not be posted
}

// New makes a driver that does nothing yet.
func New(config Config) *Driver {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Announce == nil {
		config.Announce = func(context.Context, AppEvent) error { return nil }
	}
	d := &Driver{config: config, wake: make(chan struct{}, 1)}
	d.idle = sync.NewCond(&d.mu)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.clear()
	return d
}

func (d *Driver) clear() {
	d.world, d.number, d.forms, d.recent, d.oldest, d.busy = nil, 0, 0, nil, 0, map[uuid.UUID]bool{}
	d.roll = world.NewDice(d.config.Seed ^ 0x11fe)
	d.settings, d.later, d.ends = Defaults(), nil, time.Time{}
	d.counts = Counts{Actions: map[Action]int{}, Skipped: map[Action]int{}, Failed: map[Action]int{}}
}

// Settings are those in force.
func (d *Driver) Settings() Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings.clone()
}

// Set starts, changes or stops what happens. With an error nothing changes.
func (d *Driver) Set(settings Settings) error {
	if err := settings.Validate(); err != nil {
		return fmt.Errorf("live mode: %w", err)
	}
	if settings.Rate > 0 {
		if err := d.prepare(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.settings = settings.clone()
	d.began, d.done, d.ends = time.Now(), 0, time.Time{}
	if settings.For > 0 {
		d.ends = d.began.Add(time.Duration(settings.For))
	}
	d.start()
	d.mu.Unlock()
	d.nudge()
	return nil
}

// prepare gets the generator.
func (d *Driver) prepare() error {
	d.acting.Lock()
	defer d.acting.Unlock()
	if d.world != nil {
		return nil
	}
	world, err := d.config.Generator()
	if err != nil {
		return fmt.Errorf("live mode: %w", err)
	}
	d.world = world
	return nil
}

func (d *Driver) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// start lets the loop run. The caller holds the lock.
func (d *Driver) start() {
	if d.running || d.closed || !d.active(time.Now()) && len(d.later) == 0 {
		return
	}
	d.running = true
	d.loop.Go(d.run)
}

// active says whether actions are due now or later. The caller holds the lock.
func (d *Driver) active(now time.Time) bool {
	return d.settings.Rate > 0 && (d.ends.IsZero() || now.Before(d.ends))
}

// The loop looks again after so long at the latest, and rests so long at least between two looks.
const (
	longestRest  = time.Second
	shortestRest = 2 * time.Millisecond
	// grace is how far actions may lag behind the rate; what lags further is left out, and counted.
	grace = 250 * time.Millisecond
)

// run acts at the rate, and finishes what is under way, until there is nothing left to do.
func (d *Driver) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-d.wake:
		case <-d.ctx.Done():
			d.rest()
			return
		}
		n, rest, more := d.plan(time.Now())
		if !more {
			return
		}
		for range n {
			if d.goesOn() {
				d.step(d.ctx)
			}
			d.ended(1)
		}
		for _, due := range d.due(time.Now()) {
			d.finish(d.ctx, due)
		}
		timer.Reset(rest)
	}
}

// goesOn says whether actions are still wanted.
func (d *Driver) goesOn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings.Rate > 0 && time.Now().Before(d.ends.Add(grace)) || d.settings.Rate > 0 && d.ends.IsZero()
}

func (d *Driver) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
}

// plan says how many actions are due, and how long to rest after them. more is false when the loop is to end; it has
// noted that then.
func (d *Driver) plan(now time.Time) (n int, rest time.Duration, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rest = longestRest
	if len(d.later) > 0 {
		rest = min(rest, d.later[0].at.Sub(now))
	}
	if d.settings.Rate > 0 {
		until := now
		if !d.ends.IsZero() && d.ends.Before(now) {
			until = d.ends
		}
		n = max(0, int(math.Floor(until.Sub(d.began).Seconds()*d.settings.Rate-d.done)))
		d.done += float64(n)
		if most := int(d.settings.Rate*grace.Seconds()) + 1; n > most {
			d.counts.Missed += n - most
			n = most
		}
		d.underway += n
		if d.active(now) {
			rest = min(rest, time.Duration(float64(time.Second)/d.settings.Rate))
		}
	}
	if n == 0 && !d.active(now) && len(d.later) == 0 {
		d.running = false
		return 0, 0, false
	}
	return n, max(rest, shortestRest), true
}

// Do makes so many actions happen now, whatever the rate. It is for tests.
func (d *Driver) Do(ctx context.Context, n int) error {
	if err := d.prepare(); err != nil {
		return err
	}
	for range n {
		d.step(ctx)
	}
	return nil
}

// Stop ends the actions. What is under way is finished in its own time.
func (d *Driver) Stop() {
	d.mu.Lock()
	d.settings.Rate = 0
	d.mu.Unlock()
	d.nudge()
}

// Settle finishes at once what is under way: receipts, late commits, incomplete forms. It is for tests.
func (d *Driver) Settle(ctx context.Context) {
	for {
		due := d.due(time.Time{})
		for _, f := range due {
			d.finish(ctx, f)
		}
		if len(due) == 0 && !d.awaited() {
			return
		}
	}
}

// awaited waits for what the loop is doing, and says whether something came of it.
func (d *Driver) awaited() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.underway > 0 {
		d.idle.Wait()
	}
	return len(d.later) > 0
}

// Report is what GET /_sim/live answers, but for what lies outside of this package.
type Report struct {
	Counts

	Running  bool     `json:"running"` // actions happen
	Total    int      `json:"total"`   // actions so far
	Pending  int      `json:"pending"` // follow-ups and late commits
	Settings Settings `json:"settings"`
}

// Report tells the state.
func (d *Driver) Report() Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := Report{Counts: d.counts, Running: d.active(time.Now()), Pending: len(d.later) + d.underway, Settings: d.settings.clone()}
	r.Actions, r.Skipped, r.Failed = maps.Clone(r.Actions), maps.Clone(r.Skipped), maps.Clone(r.Failed)
	for _, n := range r.Actions {
		r.Total += n
	}
	return r
}

// Reset stops everything and forgets what was under way.
func (d *Driver) Reset() {
	d.acting.Lock()
	defer d.acting.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

// Close ends everything and waits for it. What was under way is not finished.
func (d *Driver) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.loop.Wait()
}

// followUp is something that comes later.
type followUp struct {
	at       time.Time // of the process's clock
	order    uint64
	action   Action
	instance uuid.UUID // which is busy until then
	do       func(ctx context.Context) error
}

// followUps are ordered by their time, as container/heap wants it.
type followUps []followUp

func (f followUps) Len() int { return len(f) }

func (f followUps) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].order < f[j].order
}
func (f followUps) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push is called by container/heap.
func (f *followUps) Push(x any) { *f = append(*f, x.(followUp)) } //nolint:forcetypeassert // nothing else is ever pushed

// Pop is called by container/heap.
func (f *followUps) Pop() any {
	old := *f
	last := old[len(old)-1]
	*f = old[:len(old)-1]
	return last
}

// schedule lets something come later. The instance is left alone until then. The caller holds acting.
func (d *Driver) schedule(f followUp, delay time.Duration) {
	d.busy[f.instance] = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order++
	f.at, f.order = time.Now().Add(delay), d.order
	heap.Push(&d.later, f)
	d.start()
	d.nudge()
}

// due takes what is due; the zero time takes all there is.
func (d *Driver) due(now time.Time) []followUp {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []followUp
	for len(d.later) > 0 && (now.IsZero() || !d.later[0].at.After(now)) {
		out = append(out, heap.Pop(&d.later).(followUp)) //nolint:forcetypeassert // nothing else is ever pushed
	}
	d.underway += len(out)
	return out
}

// ended tells that actions or follow-ups have been done.
func (d *Driver) ended(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.underway -= n; d.underway == 0 {
		d.idle.Broadcast()
	}
}

// finish does what was scheduled.
func (d *Driver) finish(ctx context.Context, f followUp) {
	defer d.ended(1)
	d.acting.Lock()
	defer d.acting.Unlock()
	delete(d.busy, f.instance)
	if err := f.do(ctx); err != nil {
		d.fail(f.action, err)
	}
}

func (d *Driver) fail(action Action, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Failed[action]++
	d.counts.LastError = string(action) + ": " + err.Error()
}

// count changes the counts.
func (d *Driver) count(change func(c *Counts)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.counts)
}
