package message_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Invariant 9: a page of history that waits for its turn keeps nobody from its messages.
func TestPageThatWaitsForItsTurnLetsOthersAtItsMessages(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]struct{ publish bool }{"transfer": {}, "publish": {publish: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, 6)
			rows := r.listed(t)
			o := newOwner(r)
			carry, order := o.Bring, transferOnly
			if stage.publish {
				_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
				require.NoError(t, err)
				for i := range rows {
					rows[i] = message.GivenRow(rows[i].Number, rows[i].Created)
				}
				carry, order = o.Publish, message.Order{Lane: message.History}
				o.WindowID = window + 1
			}
			const free = 2
			begun, waiting, goOn := 0, make(chan struct{}), make(chan struct{})
			o.Pace = func(ctx context.Context) error {
				if begun++; begun == free+1 {
					close(waiting)
				}
				if begun > free {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-goOn:
					}
				}
				return nil
			}
			o.Admit = func(ctx context.Context) (func(), error) {
				if err := o.Pace(ctx); err != nil {
					return nil, err
				}
				o.admitted.Add(1)
				return func() { o.admitted.Add(-1) }, nil
			}
			var ending batch.Ending
			var err error
			carried := make(chan struct{})
			go func() {
				defer close(carried)
				ending, err = carry(t.Context(), rows, order, o.write)
			}()
			<-waiting

			last := rows[len(rows)-1].Number
			result, liveErr := r.Deliver(t.Context(), last, message.Order{Lane: message.Live})
			require.NoError(t, liveErr)
			assert.NotEqual(t, ledger.Failed, result.Outcome)
			close(goOn)
			<-carried

			require.NoError(t, err)
			assert.Zero(t, ending)
			assert.Equal(t, len(rows), batch.SettledPrefix(rows))
			assert.EqualValues(t, len(rows), o.accounts.Seen)
			assert.True(t, o.accounts.Balanced())
			assert.Zero(t, o.admitted.Load())
		})
	}
}

// parts lets a few messages be begun in a row; those that follow wait for longer than messages are held.
func parts(o *owner, most int) {
	begun := 0
	o.Admit = func(context.Context) (func(), error) {
		begun = 1
		return func() {}, nil
	}
	o.Pace = func(ctx context.Context) error {
		if begun++; begun <= most {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

// Invariant 8: a page that is brought over a few messages at a time is judged as a whole, as one that is not.
func TestPartsOfAPageAreJudgedTogether(t *testing.T) {
	t.Parallel()
	const all, part = 60, 20
	for name, tt := range map[string]struct {
		// refused are the messages from one place in the page to another.
		from, to int
		waits    bool
	}{
		"all are refused":                 {0, all, true},
		"all but those of the first part": {part, all, true},
		"a cluster in front is refused":   {0, all / 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, all)
			rows := r.listed(t)
			_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
			require.NoError(t, err)
			refused := map[uuid.UUID]bool{}
			for i := range rows {
				if i >= tt.from && i < tt.to {
					refused[rows[i].Result().CorrespondenceID] = true
				}
				rows[i] = message.GivenRow(rows[i].Number, rows[i].Created)
			}
			r.faults(func(_ int, request *http.Request) (int, string) {
				if !strings.HasSuffix(request.URL.Path, callAvailable) {
					return 0, ""
				}
				return http.StatusOK, r.refusal(t, request, func(id uuid.UUID) bool { return refused[id] })
			}, nil)
			o := newOwner(r)
			o.WindowID = window + 1
			parts(o, part)
			ending, err := o.Publish(t.Context(), rows, message.Order{Lane: message.History}, o.write)
			require.NoError(t, err)
			if tt.waits {
				assert.Contains(t, ending.Waiting, message.ReasonDialogRefused)
				assert.Zero(t, r.count(t, "quarantine"))
				assert.EqualValues(t, all-len(refused), o.accounts.Seen)
				return
			}
			assert.Zero(t, ending)
			assert.Equal(t, all, batch.SettledPrefix(rows))
			assert.Equal(t, len(refused), r.count(t, "quarantine"))
			assert.EqualValues(t, len(refused), o.accounts.Quarantined)
			assert.EqualValues(t, all, o.accounts.Seen)
			assert.True(t, o.accounts.Balanced())
		})
	}
}

// What was put aside in a part of a page, and brought over by somebody else before the page was judged, is as that left it.
func TestFailureThatWasOvertakenIsNotRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 6)
	rows := r.listed(t)
	_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
	require.NoError(t, err)
	bad := rows[0].Result().CorrespondenceID
	for i := range rows {
		rows[i] = message.GivenRow(rows[i].Number, rows[i].Created)
	}
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		return http.StatusOK, r.refusal(t, request, func(id uuid.UUID) bool { return id == bad })
	}, nil)
	o := newOwner(r)
	o.WindowID = window + 1
	const part = 2
	begun := 0
	o.Pace = func(context.Context) error {
		if begun++; begun >= part {
			return errors.New("another has its turn")
		}
		return nil
	}
	between, goOn := make(chan struct{}), make(chan struct{})
	rounds := 0
	o.Admit = func(context.Context) (func(), error) {
		begun = 0
		if rounds++; rounds == 2 {
			close(between)
			<-goOn
		}
		return func() {}, nil
	}
	var ending batch.Ending
	carried := make(chan struct{})
	go func() {
		defer close(carried)
		ending, err = o.Publish(t.Context(), rows, message.Order{Lane: message.History}, o.write)
	}()
	<-between
	assert.Zero(t, r.count(t, "quarantine"), "the page is not judged yet")
	r.faults(nil, nil)
	_, liveErr := r.Deliver(t.Context(), rows[0].Number, message.Order{Lane: message.Live})
	close(goOn)
	<-carried
	require.NoError(t, liveErr)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.Equal(t, len(rows), batch.SettledPrefix(rows))
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Equal(t, len(rows), r.count(t, "message where stage = 'published'"))
	assert.Zero(t, o.accounts.Quarantined)
	assert.True(t, o.accounts.Balanced())
}

// A message whose files take long to send keeps nobody from the others of its page.
func TestLargeFilesHoldNoOthers(t *testing.T) {
	t.Parallel()
	const all, size = 6, 8 << 20
	r := newRig(t)
	r.generate(t, all)
	large := r.listed(t)[0].Number
	r.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if m.ID == large {
			m.Attachments = []simaltinn2.Attachment{{ID: "LARGE", Size: size, Created: m.Created}}
			assert.NoError(t, r.sim.Altinn2.PutRecord(m))
		}
		return m.ID != large
	})
	rows := r.listed(t)
	require.Equal(t, large, rows[0].Number)
	sending, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callAttachment) && request.ContentLength == size {
			once.Do(func() { close(sending) })
			<-goOn
		}
		return 0, ""
	}, nil)
	o := newOwner(r)
	var ending batch.Ending
	var err error
	carried := make(chan struct{})
	go func() {
		defer close(carried)
		ending, err = o.Bring(t.Context(), rows, message.Order{Lane: message.History}, o.write)
	}()
	<-sending
	const patience = 30 * time.Second // it waits for the message as long as somebody holds it
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range rows[1:] {
		_, liveErr := r.Deliver(ctx, rows[1+i].Number, message.Order{Lane: message.Live})
		assert.NoError(t, liveErr, rows[1+i].Number) //nolint:testifylint // what waits below must be let go
	}
	close(goOn)
	<-carried
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, all, o.accounts.Created)
	r.clean(t)
}

// slices brings a page over that takes several: each may begin so many messages, five at a time, and between them happens what happens.
// It gives the last slice's end.
func (r *rig) slices(t *testing.T, rows []message.Row, alike *batch.Alike, capacityOf func(int) int, between func()) (end batch.Ending, settled int) {
	t.Helper()
	const most, blameAfter = 30, 4
	attempts := 0
	for n := range most {
		capacity := capacityOf(n)
		o := newOwner(r)
		o.Alike, o.WindowID = alike, window+1
		begun, inRound := 0, 0
		o.Blame = func(*message.Row) bool { return attempts >= blameAfter }
		o.MustStop = func(context.Context) bool { return begun >= capacity }
		o.Admit = func(context.Context) (func(), error) {
			begun, inRound = begun+1, 1
			return func() {}, nil
		}
		o.Pace = func(context.Context) error {
			if inRound++; inRound > 5 {
				return errors.New("another has its turn")
			}
			begun++
			return nil
		}
		page := make([]message.Row, len(rows))
		for i := range rows {
			page[i] = message.GivenRow(rows[i].Number, rows[i].Created)
		}
		require.NoError(t, o.Recall(t.Context(), page))
		var err error
		end, err = o.Publish(t.Context(), page, message.Order{Lane: message.History}, o.write)
		require.NoError(t, err)
		if settled = len(batch.SettledRows(page)); settled == len(page) {
			return end, settled
		}
		if attempts++; end.Failure == "" {
			attempts = 0
		}
		between()
	}
	return end, settled
}

// A page that takes several slices is brought over whatever is bad in it; a system that refuses everything still burns none.
func TestPageOfSeveralSlices(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		// capacity is how many messages a slice may begin, first how many the first may, if that is another number.
		all, first, capacity int
		// known is how many others went well before, elsewhere how many do between two slices.
		// later: they do so once, after so many slices.
		known, elsewhere, later int
		isBad                   func(int) bool
		waits                   bool
	}{
		"more are bad in front than a slice takes":  {all: 60, capacity: 10, known: 26, isBad: func(i int) bool { return i < 12 }},
		"bad ones everywhere":                       {all: 120, capacity: 10, isBad: func(i int) bool { return i%10 == 5 }},
		"a cluster in front":                        {all: 120, capacity: 40, known: 50, isBad: func(i int) bool { return i < 30 }},
		"other windows go well meanwhile":           {all: 30, capacity: 10, known: 50, elsewhere: 50, isBad: func(i int) bool { return i < 12 }},
		"all are refused":                           {all: 60, capacity: 10, isBad: func(int) bool { return true }, waits: true},
		"all are refused that went well before":     {all: 60, capacity: 20, known: 50, isBad: func(int) bool { return true }, waits: true},
		"all are refused, and others go well after": {all: 60, capacity: 20, later: 5, elsewhere: 50, isBad: func(int) bool { return true }, waits: true},
		"all are refused, at once then":             {all: 60, first: 20, capacity: 60, known: 50, isBad: func(int) bool { return true }, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, tt.all)
			rows := r.listed(t)
			_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
			require.NoError(t, err)
			bad := map[uuid.UUID]bool{}
			for i := range rows {
				if tt.isBad(i) {
					bad[rows[i].Result().CorrespondenceID] = true
				}
			}
			r.faults(func(_ int, request *http.Request) (int, string) {
				if !strings.HasSuffix(request.URL.Path, callAvailable) {
					return 0, ""
				}
				return http.StatusOK, r.refusal(t, request, func(id uuid.UUID) bool { return bad[id] })
			}, nil)
			alike := &batch.Alike{}
			others, slice := 0, 0
			wentWell := func(n int) {
				for range n {
					others++
					alike.Note("another "+strconv.Itoa(others), "", false)
				}
			}
			wentWell(tt.known)
			capacity := func(slice int) int {
				if slice == 0 && tt.first > 0 {
					return tt.first
				}
				return tt.capacity
			}
			end, settled := r.slices(t, rows, alike, capacity, func() {
				if slice++; tt.later == 0 || tt.later == slice {
					wentWell(tt.elsewhere)
				}
			})
			if tt.waits {
				assert.Contains(t, end.Waiting, message.ReasonDialogRefused)
				assert.Zero(t, r.count(t, "quarantine"))
				return
			}
			assert.Equal(t, tt.all, settled)
			assert.Equal(t, len(bad), r.count(t, "quarantine"))
		})
	}
}

// Messages with large files come last in their page, but are no row of failures for that.
func TestLargeFilesThatAreMissing(t *testing.T) {
	t.Parallel()
	const all, every = 104, 4
	r := newRig(t)
	r.generate(t, all)
	rows := r.listed(t)
	for i := range rows {
		if i%every == every-1 {
			gone := altinn2.Attachment{ID: "gone" + rows[i].Key(), Size: 8 << 20}
			rows[i].Message.Attachments = append(rows[i].Message.Attachments, gone)
		}
	}
	o := newOwner(r)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.Equal(t, all, batch.SettledPrefix(rows))
	assert.Equal(t, all/every, r.count(t, "quarantine where reason = '"+message.ReasonAttachmentMissing+"'"))
}

// A message that is due is found again when its page is stopped before it is judged (Invariant 1).
func TestDueMessageOfAStoppedPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 12)
	rows := r.listed(t)
	_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "update message set due_at = now() - interval '1 minute'")
	require.NoError(t, err)
	bad := rows[1].Result().CorrespondenceID
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		return http.StatusOK, r.refusal(t, request, func(id uuid.UUID) bool { return id == bad })
	}, nil)
	o := newOwner(r)
	o.Patient, o.WindowID, o.WindowTakes = true, 0, false
	const most = 6
	begun := 0
	o.Admit = func(context.Context) (func(), error) {
		if begun++; begun > most {
			o.halt()
			return nil, errors.New("the owner must stop")
		}
		return func() {}, nil
	}
	page := make([]message.Row, len(rows))
	for i := range rows {
		page[i] = message.GivenRow(rows[i].Number, rows[i].Created)
	}
	_, err = o.Bring(t.Context(), page, message.Order{Lane: message.Live}, o.write)
	require.NoError(t, err)
	assert.False(t, page[1].Settled())
	assert.Equal(t, 1, r.count(t, fmt.Sprintf("message where altinn2_id = %d and stage = 'transferred' and due_at <= now()", rows[1].Number)))
	assert.Zero(t, r.count(t, "quarantine"))
}

// What is due of a message that Correspondence has lost stays due until it is visible again (Invariant 1).
func TestDueMessageThatWasLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	_, err := r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "update message set due_at = now() - interval '1 minute', correspondence_id = $1", uuid.New())
	require.NoError(t, err)
	made := 0
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		if made++; made == 1 {
			return 0, "" // it does not know the item
		}
		return http.StatusBadGateway, "{}"
	}, nil)
	_, err = r.Deliver(t.Context(), m.ID, message.Order{Lane: message.Live})
	require.Error(t, err)
	assert.Equal(t, 1, r.count(t, "message where stage = 'transferred' and due_at <= now()"))
}

// What could not be made visible when it was brought over is tried again, and is no success.
func TestLiveMessageThatIsNotMadeVisible(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 4)
	rows := r.listed(t)
	_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "truncate message, ledger") // over there already, and nobody here knows
	require.NoError(t, err)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, callAvailable) {
			return http.StatusBadGateway, "{}"
		}
		return 0, ""
	}, nil)
	o := newOwner(r)
	o.Patient = true
	rows = r.listed(t)
	ending, err := o.Bring(t.Context(), rows, message.Order{Lane: message.Live}, o.write)
	require.NoError(t, err)
	assert.NotZero(t, ending)
	assert.Zero(t, o.accounts.Unchanged)
	assert.Equal(t, len(rows), r.count(t, "message where stage = 'transferred' and due_at <= now()"))
}
