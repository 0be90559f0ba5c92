package live

import (
	"slices"
	"time"

	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
)

// alone is since when a few failing items have been all that a source's polls met, while the systems look well, and how often.
type alone struct {
	since time.Time
	tries int
}

// noteAlone counts a page that met nothing else, or forgets them all.
func (m *pollMemory) noteAlone(only bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !only:
		m.alone = alone{}
	case m.alone.tries == 0:
		m.alone = alone{since: now, tries: 1}
	default:
		m.alone.tries++
	}
}

// longAlone tells whether that has been so for so long, and so often, that the items need not hold their source up any longer.
func (m *pollMemory) longAlone(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alone.tries >= aloneTries && now.Sub(m.alone.since) >= aloneFor
}

// maxFailureShare is 1, which lets every item be judged by itself, once a few have been alone for long: none is lost by it, since
// whatever lists them again tries them again (Invariant 8).
func (r *pollRun) maxFailureShare() float64 {
	if r.memory.longAlone(r.poller.now()) {
		return 1
	}
	return r.config.MaxFailureShare
}

// noteAlone takes up how a page of messages ended, unless it was of those that failed before, which say nothing new.
func (w *messageWalk) noteAlone(rows []message.Row, end batch.Ending) {
	memory, now := w.run.memory, w.run.poller.now()
	switch {
	case w.carrier.Alike != memory.alike:
	case end.Waiting != "":
		pending := slices.ContainsFunc(rows, func(r message.Row) bool { return r.Pending() != nil })
		few := memory.alike.Judge(w.run.config.MaxFailureShare).Of <= mostAlone
		judge := batch.Judge{Health: w.carrier.Health}
		_, failing := judge.Failing()
		memory.noteAlone(pending && few && !failing, now)
	case slices.ContainsFunc(rows, func(r message.Row) bool { return r.Settled() && !r.Repeated }):
		memory.noteAlone(false, now)
	}
}

// noteAlone takes up how a page ended. One that met nothing new says nothing.
func (w *orgWalk) noteAlone(rows []batch.Row, end batch.Ending) {
	memory, now := w.run.memory, w.run.poller.now()
	pending := slices.ContainsFunc(rows, func(r batch.Row) bool { return r.Pending() != nil })
	_, failing := w.carrier.Failing()
	switch {
	case end.Waiting != "":
		few := memory.alike.Judge(w.run.config.MaxFailureShare).Of <= mostAlone
		memory.noteAlone(pending && few && !failing, now)
	case slices.ContainsFunc(rows, func(r batch.Row) bool { return r.Settled() && !r.Repeated }):
		memory.noteAlone(false, now)
	}
}
