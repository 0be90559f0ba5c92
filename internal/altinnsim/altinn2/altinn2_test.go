package altinn2_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

func now() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

const root = "/a2/v1/correspondences"

// export is the service alone.
type export struct {
	*altinn2.Service
}

func newExport() export {
	return export{altinn2.New(altinn2.Config{Now: now})}
}

func (e export) get(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

type page struct {
	Items      []altinn2.Record `json:"items"`
	NextCursor *string          `json:"nextCursor"`
	HasMore    bool             `json:"hasMore"`
	AsOf       time.Time        `json:"asOf"`
}

func (p page) ids() []int32 {
	out := []int32{}
	for _, r := range p.Items {
		out = append(out, r.ID)
	}
	return out
}

type tester interface {
	require.TestingT
	Helper()
}

func (e export) page(t tester, path string) page {
	t.Helper()
	w := e.get(path)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var p page
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	return p
}

func (e export) put(t tester, id int32, created time.Time, changes ...func(*altinn2.Record)) {
	t.Helper()
	title := "Tittel"
	r := altinn2.Record{
		ID: id, Created: created, VisibleFrom: created, ResourceID: "skd-migratedcorrespondence-1-1", Deletion: altinn2.DeletionNone,
		Content: altinn2.Content{Language: &title, Title: &title, Summary: &title, Body: &title},
	}
	for _, change := range changes {
		change(&r)
	}
	require.NoError(t, e.PutRecord(r))
}

func code(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	assert.Contains(t, w.Header().Get("Content-Type"), "application/problem+json")
	var p struct {
		Code   string `json:"code"`
		Status int    `json:"status"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	assert.Equal(t, w.Code, p.Status)
	return p.Code
}

func TestHistory(t *testing.T) {
	t.Parallel()
	e := newExport()
	for id := range int32(10) {
		// Five share an instant.
		e.put(t, id+1, now().Add(-time.Duration(min(id, 5))*time.Hour))
	}
	before := now().Add(time.Second).Format(time.RFC3339Nano)
	first := e.page(t, root+"/history?limit=4&createdBefore="+before)
	assert.Equal(t, []int32{1, 2, 3, 4}, first.ids())
	assert.True(t, first.HasMore)
	assert.Equal(t, now(), first.AsOf)
	second := e.page(t, root+"/history?limit=4&cursor="+*first.NextCursor)
	assert.Equal(t, []int32{5, 10, 9, 8}, second.ids())
	last := e.page(t, root+"/history?limit=4&createdBefore=2000-01-01T00:00:00Z&cursor="+*second.NextCursor)
	assert.Equal(t, []int32{7, 6}, last.ids())
	assert.Nil(t, last.NextCursor)
	assert.False(t, last.HasMore)

	// The end is excluded, the beginning included.
	at := func(hours int) string { return now().Add(-time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	assert.Equal(t, []int32{2, 3, 4}, e.page(t, root+"/history?createdBefore="+at(0)+"&createdFrom="+at(3)).ids())
	assert.Empty(t, e.page(t, root+"/history?createdBefore="+at(0)+"&resourceId=other").ids())

	for path, want := range map[string]string{
		root + "/history":                                                                   "parameterInvalid",
		root + "/history?createdBefore=yesterday":                                           "parameterInvalid",
		root + "/history?createdBefore=" + before + "&limit=0":                              "parameterInvalid",
		root + "/history?createdBefore=" + before + "&limit=501":                            "parameterInvalid",
		root + "/history?cursor=rubbish":                                                    "cursorInvalid",
		root + "/history?resourceId=other&cursor=" + *first.NextCursor:                      "cursorInvalid",
		root + "/history?createdFrom=" + at(3) + "&cursor=" + *first.NextCursor:             "cursorInvalid",
		root + "/changes?cursor=" + *first.NextCursor:                                       "cursorInvalid",
		root + "/history?cursor=" + base64.RawURLEncoding.EncodeToString([]byte(`{"v":2}`)): "cursorInvalid",
	} {
		w := e.get(path)
		assert.Equal(t, http.StatusBadRequest, w.Code, path)
		assert.Equal(t, want, code(t, w), path)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(*first.NextCursor)
	require.NoError(t, err)
	assert.True(t, json.Valid(decoded))
}

func TestChanges(t *testing.T) {
	t.Parallel()
	e := newExport()
	start := e.page(t, root+"/changes")
	require.NotNil(t, start.NextCursor)
	for id := range int32(5) {
		e.put(t, id+1, now(), func(r *altinn2.Record) { r.ChangedAt = now().Add(time.Duration(id-5) * time.Minute) })
	}
	first := e.page(t, root+"/changes?limit=2&cursor="+*start.NextCursor)
	assert.Equal(t, []int32{1, 2}, first.ids())
	require.NoError(t, e.ChangeRead(1, uuid.New()))
	require.NoError(t, e.ChangeArchive(4, uuid.New()))
	second := e.page(t, root+"/changes?cursor="+*first.NextCursor)
	assert.Equal(t, []int32{3, 5, 1, 4}, second.ids(), "changed again, it comes again, and as it is now")
	assert.False(t, second.HasMore)
	head := e.page(t, root+"/changes?cursor="+*second.NextCursor)
	assert.Empty(t, head.Items)
	assert.Equal(t, *second.NextCursor, *head.NextCursor)
	assert.Contains(t, e.get(root+"/changes?cursor="+*second.NextCursor).Body.String(), `"items":[]`)
	since := now().Add(-3 * time.Minute).Format(time.RFC3339)
	assert.Equal(t, []int32{3, 5, 1, 4}, e.page(t, root+"/changes?since="+since).ids())
	assert.Empty(t, e.page(t, root+"/changes?since="+now().Add(time.Hour).Format(time.RFC3339)).ids())
	require.NoError(t, e.ChangeTrash(2, uuid.New()))
	third := e.page(t, root+"/changes?cursor="+*head.NextCursor)
	assert.Equal(t, []int32{2}, third.ids())
	assert.Equal(t, altinn2.DeletionSoft, third.Items[0].Deletion)
	assert.Greater(t, third.Items[0].ChangeSeq, second.Items[3].ChangeSeq)
	require.ErrorIs(t, e.ChangeRead(99, uuid.New()), altinn2.ErrUnknown)
}

// A cursor leads nowhere in another world, be it a reset one or another simulator's.
func TestCursorsOfAnotherWorld(t *testing.T) {
	t.Parallel()
	e := newExport()
	fill := func(e export) {
		for id := range int32(3) {
			e.put(t, id+1, now())
		}
	}
	fill(e)
	const history = root + "/history?limit=2&createdBefore=2100-01-01T00:00:00Z"
	changes, walk := *e.page(t, root+"/changes").NextCursor, *e.page(t, history).NextCursor
	refused := func(e export, path string) {
		t.Helper()
		w := e.get(path)
		require.Equal(t, http.StatusBadRequest, w.Code)
		assert.Equal(t, "cursorInvalid", code(t, w))
	}
	other := newExport()
	refused(other, root+"/changes?cursor="+changes)
	e.Reset()
	fill(e)
	refused(e, root+"/changes?cursor="+changes)
	refused(e, history+"&cursor="+walk)
	assert.Empty(t, e.page(t, root+"/changes?cursor="+*e.page(t, root+"/changes").NextCursor).ids())
}

// Whatever happens between pages, a walk of the history sees each message that was there once, and a walk of the changes
// sees each message after its last change.
func TestWalksLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := newExport()
		n := rapid.IntRange(1, 30).Draw(t, "messages")
		for id := range n {
			e.put(t, int32(id+1), now().Add(-time.Duration(rapid.IntRange(0, 4).Draw(t, "hour"))*time.Hour))
		}
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		happen := func() {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				id := int32(rapid.IntRange(1, n).Draw(t, "id"))
				require.NoError(t, e.ChangeRead(id, uuid.Nil))
			}
		}
		var seen []int32
		path := fmt.Sprintf("%s/history?limit=%d&createdBefore=2100-01-01T00:00:00Z", root, limit)
		for cursor := ""; ; {
			p := e.page(t, path+"&cursor="+cursor)
			seen = append(seen, p.ids()...)
			happen()
			if p.NextCursor == nil {
				break
			}
			cursor = *p.NextCursor
		}
		slices.Sort(seen)
		require.Len(t, seen, n)
		require.Len(t, slices.Compact(seen), n)

		latest := map[int32]int{}
		path = fmt.Sprintf("%s/changes?limit=%d", root, limit)
		cursor := ""
		for turns := 0; ; turns++ {
			p := e.page(t, path+"&cursor="+cursor)
			for _, r := range p.Items {
				latest[r.ID] = len(r.Events)
			}
			cursor = *p.NextCursor
			if turns < 5 {
				happen()
			} else if !p.HasMore {
				break
			}
		}
		require.Len(t, latest, n)
		e.Each(func(r altinn2.Record) bool {
			require.Equal(t, len(r.Events), latest[r.ID])
			return true
		})
	})
}

func TestMessageAndCount(t *testing.T) {
	t.Parallel()
	e := newExport()
	for id := range int32(4) {
		e.put(t, id+1, now().AddDate(0, 0, -int(id/2)))
	}
	require.NoError(t, e.ChangePurge(1, false))
	require.ErrorIs(t, e.ChangeRead(1, uuid.Nil), altinn2.ErrPurged)
	var r altinn2.Record
	require.NoError(t, json.Unmarshal(e.get(root+"/1").Body.Bytes(), &r))
	assert.Equal(t, altinn2.DeletionPurged, r.Deletion)
	assert.Empty(t, *r.Content.Title+*r.Content.Body, "without text")
	assert.Equal(t, altinn2.EventPurged, r.Events[0].Type)
	assert.Contains(t, e.get(root+"/2").Body.String(), `"dueAt":null`)
	for _, path := range []string{"/99", "/x"} {
		assert.Equal(t, "notFound", code(t, e.get(root+path)))
	}
	yesterday := now().AddDate(0, 0, -1)
	assert.JSONEq(t, `{"count":4,"days":[{"day":"2026-01-14","count":2},{"day":"2026-01-15","count":2}],"asOf":"2026-01-15T12:00:00Z"}`,
		e.get(root+"/count?groupBy=day").Body.String())
	assert.JSONEq(t, `{"count":2,"asOf":"2026-01-15T12:00:00Z"}`,
		e.get(root+"/count?createdFrom="+yesterday.Format(time.RFC3339)+"&createdTo="+now().Format(time.RFC3339)).Body.String())
	assert.JSONEq(t, `{"count":0,"asOf":"2026-01-15T12:00:00Z"}`, e.get(root+"/count?resourceId=other").Body.String())
	assert.JSONEq(t, `{"count":0,"days":[],"asOf":"2026-01-15T12:00:00Z"}`, e.get(root+"/count?groupBy=day&resourceId=other").Body.String())
	assert.Equal(t, http.StatusBadRequest, e.get(root+"/count?groupBy=week").Code)
}

func TestErrorsAreProblemDocuments(t *testing.T) {
	t.Parallel()
	closed := export{altinn2.New(altinn2.Config{Now: now, Caller: func(*http.Request) (auth.Caller, error) { return auth.Caller{Anonymous: true}, nil }})}
	w := closed.get(root + "/1")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "unauthorized", code(t, w))
	assert.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
	e := newExport()
	w = e.get("/a2/v1/unknown")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Equal(t, "notFound", code(t, w))
	w = httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodPost, root+"/1", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
	assert.Equal(t, "methodNotAllowed", code(t, w))
	assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}

func TestContent(t *testing.T) {
	t.Parallel()
	e := newExport()
	const size = 200_001
	e.put(t, 1, now(), func(r *altinn2.Record) {
		r.Attachments = []altinn2.Attachment{{ID: "SS1", Size: size}, {ID: "SS2", Content: []byte("hei")}, {ID: "SS3"}, {ID: "SS4", Size: 2 << 30, MD5: "x"}}
	})
	path := root + "/1/attachments/"
	whole := e.get(path + "SS1/content")
	require.Equal(t, http.StatusOK, whole.Code)
	assert.Equal(t, size, whole.Body.Len())
	assert.Equal(t, "200001", whole.Header().Get("Content-Length"))
	assert.Equal(t, "bytes", whole.Header().Get("Accept-Ranges"))
	sum := md5.Sum(whole.Body.Bytes())
	assert.Equal(t, hex.EncodeToString(sum[:]), whole.Header().Get("Content-MD5"))
	record, _ := e.Message(1)
	assert.Equal(t, hex.EncodeToString(sum[:]), record.Attachments[0].MD5)

	part := e.get(path+"SS1/content", "Range", "bytes=65530-65545")
	assert.Equal(t, http.StatusPartialContent, part.Code)
	assert.Equal(t, whole.Body.Bytes()[65530:65546], part.Body.Bytes())
	assert.Equal(t, "bytes 65530-65545/200001", part.Header().Get("Content-Range"))
	assert.Equal(t, whole.Body.Bytes()[size-5:], e.get(path+"SS1/content", "Range", "bytes=-5").Body.Bytes())
	beyond := e.get(path+"SS1/content", "Range", "bytes=200001-")
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, beyond.Code)
	assert.Equal(t, "rangeNotSatisfiable", code(t, beyond))
	assert.Equal(t, "bytes */200001", beyond.Header().Get("Content-Range"))
	assert.Equal(t, "hei", e.get(path+"SS2/content").Body.String())
	assert.Zero(t, e.get(path+"SS3/content").Body.Len())
	for _, missing := range []string{"SS9", "ss1"} {
		assert.Equal(t, http.StatusNotFound, e.get(path+missing+"/content").Code)
	}
	// The end of a very large one comes without the rest.
	reader := altinn2.Attachment{ID: "SS4", Size: 2 << 30}.Open()
	_, err := reader.Seek(-7, io.SeekEnd)
	require.NoError(t, err)
	end, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Len(t, end, 7)
	require.NoError(t, e.ChangePurge(1, true))
	assert.Equal(t, http.StatusNotFound, e.get(path+"SS1/content").Code)
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	options := altinn2.DefaultOptions()
	options.Messages, options.Odd, options.Broken, options.Deceased = 3000, 0.2, 0.1, 0.05
	e := newExport()
	totals, needed, err := e.Generate(options)
	require.NoError(t, err)
	assert.Equal(t, 3000, totals.Messages)
	assert.Len(t, needed.Organisations, 5)
	assert.Len(t, needed.Resources, 20)
	known := map[string]bool{}
	for _, r := range needed.Resources {
		known[r.ID] = true
	}
	counts, instants, files := map[string]int{}, map[time.Time]int{}, map[string]int{}
	e.Each(func(r altinn2.Record) bool {
		require.True(t, known[r.ResourceID])
		require.False(t, r.Created.Before(totals.From) || !r.Created.Before(totals.To))
		for _, event := range r.Events {
			counts[event.Type]++
			require.False(t, event.At.After(now()))
		}
		instants[r.Created]++
		counts[r.Recipient.Kind]++
		counts[string(r.Deletion)]++
		for _, a := range r.Attachments {
			files[a.ID]++
			if a.Size == 0 {
				counts["empty"]++
			}
		}
		counts["notifications"] += len(r.Notifications)
		counts["forwardings"] += len(r.Forwardings)
		if len(*r.Content.Title) > 255 {
			counts["long title"]++
		}
		if !slices.ContainsFunc(r.Events, func(e altinn2.Event) bool { return e.Type == altinn2.EventPublished }) {
			counts["unpublished"]++
		}
		for _, reply := range r.ReplyOptions {
			if strings.HasPrefix(reply.URL, "http:") {
				counts["http"]++
			}
		}
		return true
	})
	for _, name := range []string{
		"read", "confirmed", "archived", "softDeleted", "restored", "purgedByRecipient", "organization", "person", "selfIdentified", "none",
		"purged", "empty", "notifications", "forwardings", "long title", "unpublished", "http",
	} {
		assert.Positive(t, counts[name], name)
	}
	assert.Greater(t, slices.Max(valuesOf(instants)), 100, "mailings share an instant")
	assert.Greater(t, slices.Max(valuesOf(files)), 100, "and their attachments")

	// The same seed gives the same bytes; a second call goes on after the first.
	other := newExport()
	_, _, err = other.Generate(options)
	require.NoError(t, err)
	const path = root + "/history?limit=500&createdBefore=2100-01-01T00:00:00Z"
	assert.Equal(t, e.get(path).Body.String(), other.get(path).Body.String())
	_, _, err = other.Generate(options)
	require.NoError(t, err)
	assert.Equal(t, 6000, other.Len())
	options.Odd = 2
	_, _, err = other.Generate(options)
	assert.ErrorContains(t, err, "not a share")
}

func valuesOf[K comparable](counts map[K]int) []int {
	out := make([]int, 0, len(counts))
	for _, n := range counts {
		out = append(out, n)
	}
	return out
}

func TestLive(t *testing.T) {
	t.Parallel()
	e := newExport()
	t.Cleanup(e.Close)
	for range 300 {
		_, _ = e.Live.Step() // what cannot happen to a message does not
	}
	report := e.Live.Report()
	for _, kind := range []string{"new", altinn2.EventRead, altinn2.EventArchived, "notification", "forwarding"} {
		assert.Positive(t, report.Done[kind], kind)
	}
	assert.Equal(t, report.Done["new"], e.Len())
	done := 0
	for _, n := range report.Done {
		done += n
	}
	require.NoError(t, e.Live.Set(altinn2.LiveSettings{Rate: 1000}))
	require.Eventually(t, func() bool {
		sum := 0
		for _, n := range e.Live.Report().Done {
			sum += n
		}
		return sum > done
	}, time.Minute, time.Millisecond)
	require.NoError(t, e.Live.Set(altinn2.LiveSettings{}))
	require.Error(t, e.Live.Set(altinn2.LiveSettings{Rate: -1}))
	e.Reset()
	assert.Zero(t, e.Len())
	assert.Empty(t, e.Live.Report().Done)
}
