package message_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// clean fails with the first differences between Altinn 2 and what became of it.
func (r *rig) clean(t *testing.T) {
	t.Helper()
	r.idle(t)
	report, err := r.sim.Diff(t.Context())
	require.NoError(t, err)
	require.NotNil(t, report.Messages)
	require.True(t, report.Clean(), "%+v", report.Messages)
}

// Both stages of history over a made-up world with everything that is odd in it, compared with the truth.
func TestWorldInTwoStages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 400, func(o *simaltinn2.Options) { o.Odd, o.Broken, o.Deceased, o.Purged = 0.2, 0.05, 0.02, 0.03 })
	query := altinn2.HistoryQuery{CreatedBefore: time.Now(), Limit: 150}
	outcomes := map[ledger.Outcome]int{}
	seen := 0
	for {
		page, err := r.Source.History(t.Context(), query)
		require.NoError(t, err)
		var messages []*altinn2.Message
		for _, item := range page.Items {
			require.NoError(t, item.Err)
			messages = append(messages, item.Message)
		}
		seen += len(messages)
		results, err := r.DeliverAll(t.Context(), messages, message.Order{Lane: message.History, TransferOnly: true})
		require.NoError(t, err)
		var stored []int32
		for _, result := range results {
			if result.Err == nil && result.CorrespondenceID != uuid.Nil {
				item, found := r.sim.Correspondence.ByID(result.CorrespondenceID)
				require.True(t, found)
				assert.True(t, item.Hidden)
				stored = append(stored, result.Altinn2ID)
			} else {
				outcomes[result.Outcome]++
			}
		}
		published, err := r.Publish(t.Context(), stored, history)
		require.NoError(t, err)
		for _, result := range published {
			outcomes[result.Outcome]++
		}
		if query.Cursor = page.NextCursor; query.Cursor == "" {
			break
		}
	}
	assert.Equal(t, 400, seen)
	t.Log(outcomes)
	assert.Greater(t, outcomes[ledger.Created], 300)
	assert.Positive(t, outcomes[ledger.Skipped])
	assert.Positive(t, outcomes[ledger.Failed], "broken messages cannot be brought over")
	r.clean(t)
}

// A crash or a lost answer at any call, and everything repeated, ends as if nothing had happened (Invariants 1 and 2).
func TestP03CrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, lane := range []message.Lane{message.History, message.Live} {
		for _, how := range []string{"refused", "answer lost", "stopped"} {
			t.Run(fmt.Sprintf("lane %d %s", lane, how), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				m := r.one(t, func(m simaltinn2.Record) bool { return len(m.Events) > 2 && m.Deletion == simaltinn2.DeletionNone })
				order := message.Order{Lane: lane}
				record := m
				for at := 1; ; at++ {
					record.ID = m.ID + 100_000 + int32(at)
					fresh := record
					fresh.Attachments = files(fmt.Sprintf("F%d", at), m.Created)
					require.NoError(t, r.sim.Altinn2.PutRecord(fresh))
					hit := r.crash(t, fresh.ID, at, how, order)
					r.faults(nil, nil)
					start := time.Now()
					_, err := r.Deliver(t.Context(), fresh.ID, order)
					require.NoError(t, err, "call %d", at)
					r.idle(t)
					r.setClock(start.Add(11 * time.Minute))
					result, err := r.Deliver(t.Context(), fresh.ID, order)
					r.setClock(time.Time{})
					require.NoError(t, err, "call %d", at)
					item, found := r.sim.Correspondence.Item(fresh.ID)
					require.True(t, found)
					assert.Equal(t, item.ID, result.CorrespondenceID)
					assert.False(t, item.Hidden, "call %d", at)
					assert.True(t, r.dialogOf(t, result.DialogID))
					if !hit {
						assert.Greater(t, at, 3)
						break
					}
				}
				r.only(t)
			})
		}
	}
}

// files are two attachments.
func files(name string, created time.Time) []simaltinn2.Attachment {
	return []simaltinn2.Attachment{
		{ID: name + "a", Size: 100_000, Created: created}, {ID: name + "b", Size: 1, Created: created},
	}
}

// only compares what was brought over with the truth: nothing is amiss but the messages that nobody asked for.
func (r *rig) only(t *testing.T) {
	t.Helper()
	report, err := r.sim.Diff(t.Context())
	require.NoError(t, err)
	for kind, count := range report.Messages.Counts {
		assert.Equal(t, diff.Missing, kind, "%d: %+v", count, report.Messages.Differences)
	}
	assert.Positive(t, report.Messages.Equal)
}

// crash delivers a message, with something going wrong at the nth call. It tells whether there was such a call.
func (r *rig) crash(t *testing.T, id int32, at int, how string, order message.Order) (hit bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var met atomic.Bool
	switch how {
	case "refused":
		r.faults(func(n int, _ *http.Request) (int, string) {
			if n != at {
				return 0, ""
			}
			met.Store(true)
			return http.StatusBadGateway, ""
		}, nil)
	case "answer lost":
		r.faults(nil, func(n int, _ *http.Request) bool {
			met.CompareAndSwap(false, n == at)
			return n == at
		})
	default:
		r.faults(func(n int, _ *http.Request) (int, string) {
			if n == at {
				met.Store(true)
				cancel()
			}
			return 0, ""
		}, nil)
	}
	_, err := r.Deliver(ctx, id, order)
	if met.Load() && how == "refused" {
		require.Error(t, err) // a stream whose connection breaks is taken up again; what is done when the end comes is recorded
	}
	return met.Load()
}

// A file is never held: it passes.
func TestAttachmentIsNotHeld(t *testing.T) { //nolint:paralleltest // it measures the heap
	r := newRig(t)
	m := r.one(t, plain)
	const size = 300 << 20
	m.ID += 100_000
	created := m.Created
	m.Attachments = []simaltinn2.Attachment{{ID: "HUGE1", Size: size, Created: created}}
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapInuse))
			}
		}
	}()
	result, err := r.Deliver(t.Context(), m.ID, history)
	close(stop)
	<-stopped
	require.NoError(t, err)
	assert.Equal(t, ledger.Created, result.Outcome)
	grown := int64(peak.Load()) - int64(before.HeapInuse)
	t.Logf("heap grew by %d KiB while %d MiB passed", grown>>10, size>>20)
	assert.Less(t, grown, int64(32<<20))
}

func TestBrokenDownloadIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	m.ID += 100_000
	m.Attachments = []simaltinn2.Attachment{{ID: "BROKEN1", Size: 5 << 20, Created: m.Created}}
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	var downloads atomic.Int32
	r.mu.Lock()
	r.cut = func(request *http.Request) int64 {
		if !strings.HasSuffix(request.URL.Path, "/content") {
			return 0
		}
		if downloads.Add(1) < 3 {
			return 1 << 20
		}
		return 0
	}
	r.mu.Unlock()
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.EqualValues(t, 3, downloads.Load())
	file, found := r.sim.Correspondence.File("BROKEN1")
	require.True(t, found)
	assert.EqualValues(t, 5<<20, file.Size)
}
