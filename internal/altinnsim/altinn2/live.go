package altinn2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// LiveSettings say how messages change by themselves.
type LiveSettings struct {
	// Rate is how many changes happen in a second of real time. 0: none.
	Rate float64 `json:"rate"`
	// New is the share of changes that are new messages. Default 0.3.
	New *float64 `json:"new,omitempty"`
	// Seed makes the changes repeatable.
	Seed uint64 `json:"seed"`
	// Recent is how many of the newest messages changes are about. Default 5000.
	Recent int `json:"recent,omitempty"`
}

// LiveReport is what has happened.
type LiveReport struct {
	Settings LiveSettings   `json:"settings"`
	Done     map[string]int `json:"done"`
}

// Live lets messages change at a rate. It is safe for concurrent use.
type Live struct {
	store *Store

	mu       sync.Mutex
	settings LiveSettings
	roll     dice
	done     map[string]int
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newLive(store *Store) *Live { return &Live{store: store, done: map[string]int{}} }

// Set replaces the settings. A rate of 0 stops.
func (l *Live) Set(settings LiveSettings) error {
	const fastest = 10_000
	if settings.Rate < 0 || settings.Rate > fastest {
		return fmt.Errorf("rate: %g does not lie between 0 and %d", settings.Rate, fastest)
	}
	if settings.New != nil && (*settings.New < 0 || *settings.New > 1) {
		return fmt.Errorf("new: %g is not a share between 0 and 1", *settings.New)
	}
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings, l.roll = settings, dice{world.NewDice(settings.Seed)}
	if settings.Rate == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.running.Add(1)
	go l.run(ctx, time.Duration(float64(time.Second)/settings.Rate))
	return nil
}

// Reset stops and forgets what was done.
func (l *Live) Reset() {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings, l.done = LiveSettings{}, map[string]int{}
}

func (l *Live) stop() {
	l.mu.Lock()
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
	l.mu.Unlock()
	l.running.Wait()
}

// Report is what has happened since the last reset.
func (l *Live) Report() LiveReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := LiveReport{Settings: l.settings, Done: map[string]int{}}
	maps.Copy(out.Done, l.done)
	return out
}

func (l *Live) run(ctx context.Context, pause time.Duration) {
	defer l.running.Done()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = l.Step() // what cannot happen to a message happens to another one next time
		}
	}
}

// Step lets one thing happen: a new message, or a change of one that is there. It tells what happened.
func (l *Live) Step() (kind string, err error) {
	l.mu.Lock()
	roll := dice{world.NewDice(l.roll.Next())}
	fresh := 0.3
	if l.settings.New != nil {
		fresh = *l.settings.New
	}
	recent := l.settings.Recent
	l.mu.Unlock()
	if recent == 0 {
		recent = 5000
	}
	id, ok := l.store.recent(&roll, recent)
	if !ok || roll.Chance(fresh) {
		kind, err = "new", l.store.arrive(&roll)
	} else {
		kind, err = l.store.live(id, &roll)
	}
	if err == nil {
		l.mu.Lock()
		l.done[kind]++
		l.mu.Unlock()
	}
	return kind, err
}

// recent is one of the newest messages.
func (s *Store) recent(roll *dice, most int) (int32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sortCreated()
	n := min(len(s.byCreated), most)
	if n == 0 {
		return 0, false
	}
	return s.byCreated[roll.Below(int64(n))].id, true
}

// arrive adds a message that was just published.
func (s *Store) arrive(roll *dice) error {
	s.mu.Lock()
	template := s.template()
	id := s.nextID()
	s.mu.Unlock()
	now := s.now().Truncate(time.Millisecond)
	options := template.options
	options.Seed, options.Messages, options.From, options.To, options.End = roll.Next(), 1, now, now.Add(time.Second), now
	options.Mailings, options.Odd, options.Broken = 0, 0, 0
	a := *template
	a.options, a.firstID = options, id
	r := a.record(0)
	r.Created, r.VisibleFrom, r.ChangedAt, r.ChangeSeq = now, now, time.Time{}, 0
	r.Notifications, r.Forwardings = nil, nil
	r.Deletion = DeletionNone
	for i := range r.Attachments {
		r.Attachments[i].Created = now
	}
	created, published := Event{Type: EventCreated, At: now}, Event{Type: EventPublished, At: now}
	published.PartyUUID, published.UserUUID = r.Sender.PartyUUID, userOf(r.Sender.PartyUUID)
	r.Events = []Event{created, published}
	return s.PutRecord(r)
}

// template is an author whose services new messages come from.
func (s *Store) template() *author {
	for _, r := range s.byCreated {
		if r.author != nil {
			return r.author
		}
	}
	return newAuthor(DefaultOptions(), firstID)
}

var errNothingHappens = errors.New("nothing can happen to this message")

// live lets something happen to a message that can happen to it.
func (s *Store) live(id int32, roll *dice) (kind string, err error) {
	kinds := []string{
		EventRead, EventRead, EventRead, EventConfirmed, EventArchived, EventArchived, EventSoftDeleted, EventRestored, EventPurged,
		"notification", "notification", "forwarding",
	}
	kind = kinds[roll.Below(int64(len(kinds)))]
	err = s.Change(id, func(r *Record) error {
		if r.Deletion == DeletionPurged || r.Recipient.Deceased {
			return errNothingHappens
		}
		party := r.Recipient.PartyUUID
		if r.Recipient.Kind != KindPerson {
			party = roll.person().UUID
		}
		now := s.now()
		switch kind {
		case EventConfirmed:
			if !r.ConfirmationRequired {
				kind = EventRead
			}
		case EventSoftDeleted, EventRestored:
			kind = EventSoftDeleted
			if r.Deletion == DeletionSoft {
				kind = EventRestored
			}
		case "notification":
			r.Notifications = append(r.Notifications, Notification{
				ID: int32(roll.Below(1 << 30)), Channel: channelEmail, SentAt: now, //nolint:gosec // bounded
				Address: "post@example.no", Reminder: roll.Chance(0.5),
			})
			return nil
		case "forwarding":
			f := Forwarding{At: now, ByPartyUUID: party, ByUserUUID: userOf(party)}
			f.target(roll)
			r.Forwardings = append(r.Forwardings, f)
			return nil
		}
		return r.happened(kind, now, party)
	})
	return kind, err
}
