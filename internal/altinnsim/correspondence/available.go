package correspondence

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

type availableStatus struct {
	ID       uuid.UUID `json:"correspondenceId"`
	DialogID *string   `json:"dialogId"`
	Error    *string   `json:"error"`
	OK       bool      `json:"ok"`
}

// Sizes of the asynchronous batch (6.3).
const (
	chunkSize   = 999
	queueBound  = chunkSize * 20
	rescheduled = time.Minute
)

var errNoEnd = errors.New("createdTo is needed in batch mode")

// available is chapter 6.
func (s *Service) available(c *call) error {
	var a availability
	if err := bindBody(c.r, a.read); err != nil {
		return err
	}
	statuses := []availableStatus{}
	switch {
	case a.one != nil:
		statuses = append(statuses, s.makeAvailable(c.r.Context(), *a.one, true))
	case len(a.several) > 0:
		for _, id := range a.several {
			statuses = append(statuses, s.makeAvailable(c.r.Context(), id, true))
		}
	case a.batch > 0:
		if a.to == nil {
			return errNoEnd
		}
		// Nothing that was created at the end itself comes after this place.
		from := place{created: a.to.UnixMicro(), id: uuid.Max}
		w := walk{from: deref(a.from), position: from, remaining: int(a.batch), events: a.events}
		if a.async {
			s.chunk(w, c.enqueue)
			break
		}
		for _, p := range s.items.window(w.position, w.from, w.remaining) {
			statuses = append(statuses, s.makeAvailable(c.r.Context(), p.id, !a.events))
		}
	}
	answer.JSON(c.w, http.StatusOK, map[string]any{"statuses": statuses})
	return nil
}

// makeAvailable is one item within the call.
func (s *Service) makeAvailable(ctx context.Context, id uuid.UUID, silent bool) availableStatus {
	out := availableStatus{ID: id}
	made, err := s.createDialog(ctx, id, silent)
	if crash, ok := errors.AsType[crashError](err); ok && crash.abrupt {
		panic(http.ErrAbortHandler) // the process died in the middle
	}
	if err != nil {
		text := err.Error()
		out.Error = &text
		return out
	}
	// A refusal looks like a success without an id.
	out.OK, out.DialogID = true, &made.dialogID
	return out
}

// walk is the state of an asynchronous batch.
type walk struct {
	from      time.Time
	position  place
	remaining int
	events    bool
}

// chunk queues one chunk of an asynchronous batch, and before it the chunk after it (6.3).
func (s *Service) chunk(w walk, enqueue func(*job)) {
	size := min(chunkSize, w.remaining)
	found := s.items.window(w.position, w.from, size)
	if len(found) == 0 {
		return
	}
	if len(found) == chunkSize && w.remaining > len(found) {
		next := w
		next.position, next.remaining = found[len(found)-1], w.remaining-len(found)
		enqueue(s.chunkJob(next, 0))
	}
	for _, p := range found {
		enqueue(&job{queue: queueMigration, name: "create-dialog", item: p.id, run: func(ctx context.Context) error {
			_, err := s.createDialog(ctx, p.id, !w.events)
			return err
		}})
	}
}

func (s *Service) chunkJob(w walk, after time.Duration) *job {
	return &job{queue: queueLive, name: "chunk", item: w.position.id, once: true, after: after, run: func(context.Context) error {
		if s.jobs.queued(queueMigration) >= queueBound {
			s.jobs.add(s.chunkJob(w, rescheduled))
			return nil
		}
		s.chunk(w, func(j *job) { s.jobs.add(j) })
		return nil
	}}
}
