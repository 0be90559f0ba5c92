package altinn2_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
)

// watched is an export of two messages. What is sent to it happens the next time that somebody asks for the time, who gets
// that of before or of afterwards.
func watched(t *testing.T, afterwards bool) (e export, meanwhile chan<- func()) {
	t.Helper()
	armed := make(chan func(), 1)
	e = export{altinn2.New(altinn2.Config{Now: func() time.Time {
		before := time.Now()
		select {
		case do := <-armed:
			done := make(chan struct{})
			go func() {
				defer close(done)
				do()
			}()
			select {
			case <-done:
			case <-time.After(50 * time.Millisecond): // it has to wait for whoever asked
			}
			if afterwards {
				return time.Now()
			}
		default:
		}
		return before
	}})}
	for id := range int32(2) {
		e.put(t, id+1, now())
	}
	return e, armed
}

// A change that is not on a page is later than the page's asOf.
func TestAsOfClaimsNoMoreThanAPageHolds(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"changes": root + "/changes", "history": root + "/history?createdBefore=2100-01-01T00:00:00Z",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, meanwhile := watched(t, true)
			changed := make(chan error, 1)
			meanwhile <- func() { changed <- e.ChangeRead(1, uuid.Nil) }
			got := e.page(t, path)
			require.NoError(t, <-changed)
			record, _ := e.Message(1)
			require.Len(t, record.Events, 1)
			for _, r := range got.Items {
				if r.ID == 1 && len(r.Events) == 0 {
					assert.True(t, record.ChangedAt.After(got.AsOf), "changed at %s, and the page without it is as of %s", record.ChangedAt, got.AsOf)
				}
			}
		})
	}
}

// A message that is put in place changes within the lock: no page whose asOf is later lacks it.
func TestPutChangesBeforeTheNextPage(t *testing.T) {
	t.Parallel()
	e, meanwhile := watched(t, false)
	p := make(chan page, 1)
	meanwhile <- func() { p <- e.page(t, root+"/changes") }
	e.put(t, 3, now())
	record, _ := e.Message(3)
	if got := <-p; !record.ChangedAt.After(got.AsOf) {
		assert.Contains(t, got.ids(), int32(3))
	}
}

// A page of the history is in order, whatever is put elsewhere meanwhile.
func TestHistoryStaysInOrder(t *testing.T) {
	t.Parallel()
	e := newExport()
	at := func(n int32) time.Time { return now().Add(-time.Duration(n) * time.Second) }
	const n, newest = 200, 20
	for id := range int32(n) {
		e.put(t, id+1, at(id))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for g := range int32(2) {
		writers.Go(func() {
			for i := int32(0); ctx.Err() == nil; i++ {
				e.put(t, n+1+g, at(i*7%newest))
			}
		})
	}
	path := root + "/history?createdBefore=2100-01-01T00:00:00Z&createdFrom=" + at(newest).Format(time.RFC3339)
	for range 150 {
		p := e.page(t, path)
		require.True(t, slices.IsSortedFunc(p.Items, func(a, b altinn2.Record) int { return b.Created.Compare(a.Created) }))
	}
	cancel()
	writers.Wait()
}
