package history_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

var publishStream = stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Publish}

// late puts one more message into a range, beside the newest that is there.
func (p *post) late(t *testing.T, from, to time.Time) simaltinn2.Record {
	t.Helper()
	var found simaltinn2.Record
	p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if m.Deletion == simaltinn2.DeletionNone && !m.Recipient.Deceased && !m.Created.Before(from) && m.Created.Before(to) && m.Created.After(found.Created) {
			found = m
		}
		return true
	})
	require.NotZero(t, found.ID)
	found.ID += 1_000_000
	require.NoError(t, p.sim.Altinn2.PutRecord(found))
	return found
}

// requireTakenBack looks whether publish promises nothing of the day of a message, which is hidden.
func (p *post) requireTakenBack(t *testing.T, late simaltinn2.Record) {
	t.Helper()
	item, found := p.sim.Correspondence.Item(late.ID)
	require.True(t, found)
	require.True(t, item.Hidden)
	coverage, err := history.ReadCoverage(t.Context(), p.pool, publishStream)
	require.NoError(t, err)
	assert.Len(t, coverage.Holes(history.WholeSource), 1)
	for _, closed := range coverage.Closed[history.WholeSource] {
		assert.False(t, closed.Contains(late.Created), "hidden inside what publish promises")
	}
}

// requireBalanced holds the accounts of publish against what is published.
func (p *post) requireBalanced(t *testing.T, publish int64) {
	t.Helper()
	accounts := p.progress(t, publish).Accounts
	assert.True(t, accounts.Balanced())
	assert.Equal(t, p.published(t), accounts.Created)
	assert.Equal(t, accounts.Created, accounts.Seen, "each is counted once")
}

func isPublishing(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/migration/") && strings.HasSuffix(r.URL.Path, "/makemigratedcorrespondenceavailable")
}

// What a second transfer finds in the part of a day that publish has behind it is published all the same.
func TestLateMessageOfADayHalfPublished(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(160))
	p.walk(t, p.ordered(t, lettersOrder(history.StageTransfer))...)
	publish := p.ordered(t, lettersOrder(history.StagePublish))
	var calls atomic.Int32
	p.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !isPublishing(r) {
			return false
		}
		n := calls.Add(1)
		if n < 2 {
			return false
		}
		if n == 2 {
			assert.NoError(t, stream.Pause(r.Context(), p.pool, publishStream, asked))
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	_, err := p.walker.Slice(t.Context(), publish[0])
	require.NoError(t, err)
	p.answer(nil)
	var to, reached time.Time
	require.NoError(t, p.pool.QueryRow(t.Context(),
		"select to_time, reached from backfill_window where backfill_id = $1 and reached < to_time and state = 'pending'", publish[0]).Scan(&to, &reached))

	late := p.late(t, reached, to)
	p.walk(t, p.ordered(t, lettersOrder(history.StageTransfer))...)
	require.NoError(t, stream.Resume(t.Context(), p.pool, publishStream, asked))
	p.walk(t, publish...)
	item, _ := p.sim.Correspondence.Item(late.ID)
	assert.False(t, item.Hidden)
	p.requireBalanced(t, publish[0])
	p.requireClean(t)
}

// A slice of publish that is at work on the day just then must not close over what it has not listed (Invariant 5).
func TestLateMessageOfADayBeingPublished(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(160))
	p.walk(t, p.ordered(t, lettersOrder(history.StageTransfer))...)
	late := p.late(t, oldest, newest)
	order := lettersOrder(history.StageTransfer)
	order.Range, order.Items = history.Range{}, []string{message.Key(late.ID)}
	given := p.ordered(t, order)
	publish := p.ordered(t, lettersOrder(history.StagePublish))
	var calls atomic.Int32
	p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPublishing(r) && calls.Add(1) == 1 {
			_, err := p.walker.Slice(r.Context(), given[0])
			assert.NoError(t, err)
			item, _ := p.sim.Correspondence.Item(late.ID)
			assert.True(t, item.Hidden)
		}
		return false
	})
	p.walk(t, publish...)
	item, _ := p.sim.Correspondence.Item(late.ID)
	assert.False(t, item.Hidden)
	var epoch int64
	require.NoError(t, p.pool.QueryRow(t.Context(),
		"select epoch from backfill_window where backfill_id = $1 and $2 >= from_time and $2 < to_time", publish[0], late.Created).Scan(&epoch))
	assert.Greater(t, epoch, int64(2), "the slice at work lost the window")
	p.requireBalanced(t, publish[0])
	p.requireClean(t)
}

// A transfer that is cancelled has taken back what publish promised of the messages that it hid.
func TestLateMessageOfATransferCancelled(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(160))
	p.walk(t, p.ordered(t, lettersOrder(history.StageBoth))...)
	late := p.late(t, oldest, newest)
	order := lettersOrder(history.StageTransfer)
	order.Parallel = 1
	again := p.ordered(t, order)
	var lists atomic.Int32
	p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/a2/v1/") && lists.Add(1) == 2 {
			assert.NoError(t, p.backfills.Cancel(r.Context(), again[0], "tester", "enough"))
			select { // until a heartbeat feels it
			case <-time.After(1500 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		return false
	})
	_, err := p.walker.Slice(t.Context(), again[0])
	require.NoError(t, err)
	p.answer(nil)
	p.requireTakenBack(t, late)
	p.walk(t, p.ordered(t, lettersOrder(history.StagePublish))...)
	p.requireClean(t)
}

// Messages given to transfer alone take back what publish promised of their days.
func TestLateMessageGivenToTransfer(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(40))
	p.walk(t, p.ordered(t, lettersOrder(history.StageBoth))...)
	late := p.late(t, oldest, newest)
	order := lettersOrder(history.StageTransfer)
	order.Range, order.Items = history.Range{}, []string{message.Key(late.ID)}
	p.walk(t, p.ordered(t, order)...)
	p.requireTakenBack(t, late)
	p.walk(t, p.ordered(t, lettersOrder(history.StagePublish))...)
	p.requireClean(t)
}
