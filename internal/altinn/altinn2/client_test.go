package altinn2_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/transport"
)

func serve(t *testing.T, handler http.Handler) *altinn2.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return altinn2.New(server.URL, nil, nil)
}

// answering answers everything alike.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func world(t *testing.T, messages int) (*simaltinn2.Service, *altinn2.Client) {
	t.Helper()
	service := simaltinn2.New(simaltinn2.Config{})
	t.Cleanup(service.Close)
	options := simaltinn2.DefaultOptions()
	options.Messages, options.Mailings, options.To = messages, 1, time.Now()
	_, _, err := service.Generate(options)
	require.NoError(t, err)
	return service, serve(t, service)
}

// P2a, P2b, P25: both walks meet each message once, many of one instant included.
func TestP02And25WalksMeetEverything(t *testing.T) {
	t.Parallel()
	const messages = 450
	_, c := world(t, messages)
	seen := map[int32]int{}
	query := altinn2.HistoryQuery{CreatedBefore: time.Now().AddDate(1, 0, 0), Limit: 37}
	var last *altinn2.Message
	for {
		page, err := c.History(t.Context(), query)
		require.NoError(t, err)
		for _, item := range page.Items {
			require.NoError(t, item.Err)
			seen[item.ID]++
			m := item.Message
			if last != nil {
				older := m.Created.Before(last.Created) || m.Created.Equal(last.Created) && m.ID < last.ID
				assert.True(t, older, "newest first")
			}
			last = m
		}
		if query.Cursor = page.NextCursor; query.Cursor == "" {
			break
		}
	}
	assert.Len(t, seen, messages)
	changes, cursor := map[int32]int{}, ""
	for {
		page, err := c.Changes(t.Context(), altinn2.ChangesQuery{Cursor: cursor, Limit: 100})
		require.NoError(t, err)
		require.NotEmpty(t, page.NextCursor, "it never ends")
		cursor = page.NextCursor
		for _, item := range page.Items {
			changes[item.ID]++
		}
		if !page.HasMore {
			break
		}
	}
	assert.Equal(t, seen, changes)
	count, err := c.CountBetween(t.Context(), time.Unix(0, 0), time.Now().AddDate(1, 0, 0), "", true)
	require.NoError(t, err)
	assert.EqualValues(t, messages, count.Count)
	assert.NotEmpty(t, count.Days)
	_, err = c.Changes(t.Context(), altinn2.ChangesQuery{Cursor: "damaged"})
	require.ErrorIs(t, err, altinn2.ErrCursor)
}

func TestMalformedRecordHidesNoNeighbour(t *testing.T) {
	t.Parallel()
	c := serve(t, answering(200, `{"items":[{"altinn2CorrespondenceId":1,"created":"2025-01-01T00:00:00Z","events":"none"},{"altinn2CorrespondenceId":2}],"nextCursor":null,"hasMore":false,"asOf":"2025-01-01T00:00:00Z"}`))
	page, err := c.History(t.Context(), altinn2.HistoryQuery{})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	require.Error(t, page.Items[0].Err)
	assert.Equal(t, transport.Permanent, transport.Classify(page.Items[0].Err))
	assert.EqualValues(t, 1, page.Items[0].ID)
	assert.False(t, page.Items[0].Created.IsZero())
	assert.EqualValues(t, 2, page.Items[1].Message.ID)
}

// 16.1 gives the codes no type.
func TestCodesAreTextsOrNumbers(t *testing.T) {
	t.Parallel()
	c := serve(t, answering(200, `{"items":[
		{"altinn2CorrespondenceId":1,"serviceOwnerCode":"skd","serviceCode":3476,"serviceEditionCode":130314},
		{"altinn2CorrespondenceId":2,"serviceOwnerCode":null,"serviceCode":"03476","serviceEditionCode":"130314"},
		{"altinn2CorrespondenceId":3,"serviceEditionCode":["130314"]}],"hasMore":false}`))
	page, err := c.History(t.Context(), altinn2.HistoryQuery{})
	require.NoError(t, err)
	require.Len(t, page.Items, 3)
	codes := func(m *altinn2.Message) []altinn2.Code {
		require.NotNil(t, m)
		return []altinn2.Code{m.ServiceOwnerCode, m.ServiceCode, m.ServiceEditionCode}
	}
	assert.Equal(t, []altinn2.Code{"skd", "3476", "130314"}, codes(page.Items[0].Message))
	assert.Equal(t, []altinn2.Code{"", "03476", "130314"}, codes(page.Items[1].Message))
	assert.Equal(t, transport.Permanent, transport.Classify(page.Items[2].Err))
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		class  transport.Class
	}{
		"unknown":     {404, `{"title":"Not Found","status":404}`, transport.Permanent},
		"misrouted":   {404, `<html>`, transport.Transient},
		"other":       {200, `{"altinn2CorrespondenceId":8}`, transport.Permanent},
		"down":        {503, ``, transport.Systemic},
		"too many":    {429, ``, transport.Transient},
		"no such":     {501, ``, transport.Transient},
		"not allowed": {403, `{"title":"Forbidden","errors":{"a":["b"]}}`, transport.Systemic},
		"cut off":     {200, `{"altinn2Corr`, transport.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, answering(test.status, test.body)).Message(t.Context(), 7)
			require.Error(t, err)
			assert.Equal(t, test.class, transport.Classify(err))
		})
	}
	c := serve(t, answering(200, `{"altinn2CorrespondenceId":7,"properties":{"b":"1","a":null},"messageSender":null,"content":{"summary":null,"title":"x"}}`))
	m, err := c.Message(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, altinn2.Properties{{Key: "b", Value: "1"}, {Key: "a"}}, m.Properties)
	assert.Equal(t, altinn2.Text{Title: "x"}, m.Content)
}

// breaking serves bytes and breaks off after some of them.
func breaking(content []byte, after int, ranges bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !ranges {
			r.Header.Del("Range")
		}
		sum := md5.Sum(content)
		w.Header().Set("Content-MD5", hex.EncodeToString(sum[:]))
		http.ServeContent(&cut{w, after}, r, "", time.Time{}, bytes.NewReader(content))
	}
}

type cut struct {
	http.ResponseWriter

	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		n, _ := c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		_ = n
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func TestContentIsTakenUpWhereItBroke(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	stream, err := serve(t, breaking(content, 3333, true)).OpenContent(t.Context(), 7, "SS 1/2")
	require.NoError(t, err)
	assert.EqualValues(t, len(content), stream.Length)
	sum := md5.Sum(content)
	assert.Equal(t, hex.EncodeToString(sum[:]), stream.MD5)
	got, err := io.ReadAll(stream)
	require.NoError(t, err)
	assert.Equal(t, content, got)
	require.NoError(t, stream.Close())
}

func TestContentGivesUp(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	for name, handler := range map[string]http.HandlerFunc{
		"no ranges": breaking(content, 3333, false), "nothing comes": breaking(content, 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream, err := serve(t, handler).OpenContent(t.Context(), 7, "SS1")
			require.NoError(t, err)
			_, err = io.ReadAll(stream)
			require.Error(t, err)
			assert.Equal(t, transport.Transient, transport.Classify(err))
			require.NoError(t, stream.Close())
		})
	}
	_, err := serve(t, answering(404, `{"title":"Not Found"}`)).OpenContent(t.Context(), 7, "SS1")
	require.ErrorIs(t, err, altinn2.ErrNoContent)
}
