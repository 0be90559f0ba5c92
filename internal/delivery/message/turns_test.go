package message_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
			assert.Equal(t, len(rows), message.SettledPrefix(rows))
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
			assert.Equal(t, all, message.SettledPrefix(rows))
			assert.Equal(t, len(refused), r.count(t, "quarantine"))
			assert.EqualValues(t, len(refused), o.accounts.Quarantined)
			assert.EqualValues(t, all, o.accounts.Seen)
			assert.True(t, o.accounts.Balanced())
		})
	}
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
		if strings.HasSuffix(request.URL.Path, "/migration/"+callAttachment) {
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
