package storage_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/transport"
)

const listPath = "/storage/api/v1/instances"

func page(next, instances string) string {
	if next != "null" {
		next = `"` + next + `"`
	}
	return fmt.Sprintf(`{"count":1,"self":"x","next":%s,"instances":%s}`, next, instances)
}

func TestQueryIsSentExactly(t *testing.T) {
	t.Parallel()
	zero, two := 0, 2
	at := time.Date(2026, 3, 2, 9, 15, 30, 123456700, time.FixedZone("CET", 3600))
	tests := map[string]struct {
		query storage.Query
		want  string
	}{
		"ascending window": {
			storage.Query{Org: "ttd", From: at, To: at.Add(time.Hour), MainVersionExclude: &zero, Size: 1000},
			"order=asc%3AlastChanged&org=ttd&lastChanged=gte%3A2026-03-02T08%3A15%3A30.1234567Z" +
				"&lastChanged=lt%3A2026-03-02T09%3A15%3A30.1234567Z&mainVersionExclude=0&size=1000",
		},
		"newest first": {
			storage.Query{AppID: "skd/a1-213-2638:1", UpTo: at, Descending: true, MainVersionInclude: &two},
			"order=desc%3AlastChanged&appId=skd%2Fa1-213-2638%3A1&lastChanged=lte%3A2026-03-02T08%3A15%3A30.1234567Z" +
				"&mainVersionInclude=2&size=100",
		},
		"one time, with a token": {
			storage.Query{Org: "ttd", At: at, PartyID: 50001337, Token: "639080361301234570%3b4711"},
			"order=asc%3AlastChanged&org=ttd&instanceOwner.partyId=50001337" +
				"&lastChanged=eq%3A2026-03-02T08%3A15%3A30.1234567Z&size=100&continuationToken=639080361301234570%253b4711",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := newService(t, map[string]http.HandlerFunc{"GET " + listPath: answerJSON(200, page("null", "[]"))})
			_, err := client.ListInstances(t.Context(), test.query)
			require.NoError(t, err)
			require.Equal(t, test.want, s.requests[0].URL.RawQuery)
		})
	}
}

func TestQueriesThatMustNotBeSent(t *testing.T) {
	t.Parallel()
	s, client := newService(t, nil)
	_, err := client.ListInstances(t.Context(), storage.Query{Org: "ttd", Descending: true, Token: "1;1"})
	require.ErrorIs(t, err, storage.ErrDescendingToken)
	_, err = client.ListInstances(t.Context(), storage.Query{})
	require.ErrorIs(t, err, storage.ErrUnboundedQuery)
	require.Empty(t, s.requests)
}

func TestNextIsReducedToItsToken(t *testing.T) {
	t.Parallel()
	const public = "https://platform.tt02.altinn.no/storage/api/v1/instances"
	tests := map[string]struct {
		next, token string
		fails       bool
	}{
		"last page":             {next: "null"},
		"encoded twice":         {next: public + "?order=asc%3AlastChanged&size=2&continuationToken=639080361301234570%253b4711", token: "639080361301234570%3b4711"},
		"encoded once":          {next: public + "?continuationToken=639080361301234570%3B4711", token: "639080361301234570;4711"},
		"not encoded":           {next: public + "?continuationToken=639080361301234570;4711&size=2", token: "639080361301234570;4711"},
		"other letter case":     {next: public + "?ContinuationToken=639080361301234570%3b4711", token: "639080361301234570;4711"},
		"opaque":                {next: public + "?continuationToken=abc", token: "abc"},
		"another resource":      {next: "https://platform.tt02.altinn.no/storage/api/v1/applications?continuationToken=1", fails: true},
		"no token":              {next: public + "?size=2", fails: true},
		"time of a row missing": {next: public + "?continuationToken=0%253b4711", fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newService(t, map[string]http.HandlerFunc{"GET " + listPath: answerJSON(200, page(test.next, `[{"id":"`+instanceID+`"}]`))})
			got, err := client.ListInstances(t.Context(), storage.Query{Org: "ttd", From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Size: 1})
			if test.fails {
				var bad *storage.PageError
				require.ErrorAs(t, err, &bad)
				require.Equal(t, transport.Transient, transport.Classify(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.token, got.NextToken)
			require.True(t, got.Full)
		})
	}
}

func TestATokenThatGoesBackIsAnError(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + listPath: answerJSON(200, page("https://x/storage/api/v1/instances?continuationToken=99%253b1", "[]")),
	})
	_, err := client.ListInstances(t.Context(), storage.Query{Org: "ttd", Token: "100%3b1"})
	require.ErrorContains(t, err, "goes back in time")
}

func TestABadRowIsNotAFailedPage(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{"GET " + listPath: answerJSON(200, page("null",
		`[{"id":"`+instanceID+`","lastChanged":"2026-03-02T08:15:30.123457"},{"id":"x"},null,{"id":7}]`))})

	got, err := client.ListInstances(t.Context(), storage.Query{Org: "ttd"})

	require.NoError(t, err)
	require.Len(t, got.Instances, 4)
	require.False(t, got.Full)
	require.NoError(t, got.Instances[0].Err)
	require.Equal(t, theInstance(t), got.Instances[0].ID)
	require.Equal(t, time.Date(2026, 3, 2, 8, 15, 30, 123457000, time.UTC), got.Instances[0].Instance.LastChanged.Time)
	for _, listed := range got.Instances[1:] {
		require.Error(t, listed.Err)
		require.Nil(t, listed.Instance)
		require.NotEmpty(t, listed.Raw)
	}
}

func TestListingErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer http.HandlerFunc
		want   transport.Class
	}{
		"our fault":           {answerJSON(400, `"Org or AppId must be defined."`), transport.Permanent},
		"a value of ours":     {answerJSON(400, `{"status":400,"errors":{"size":["x"]}}`), transport.Permanent},
		"no org claim":        {answer(400, "application/problem+json", `{"type":"x","title":"Bad Request","status":400,"traceId":"1"}`), transport.Systemic},
		"old timeout":         {answerJSON(400, `"Exception while reading from stream"`), transport.Transient},
		"old timeout, worded": {answerJSON(400, `"Timeout during reading attempt"`), transport.Transient},
		"token":               {answerJSON(401, ""), transport.Systemic},
		"scope":               {answerJSON(403, ""), transport.Systemic},
		"statement timeout":   {answerJSON(500, `"Exception while reading from stream"`), transport.Transient},
		"gateway":             {answer(502, "text/html", "<html>"), transport.Transient},
		"a page of HTML":      {answer(200, "text/html", "<html>"), transport.Transient},
		"not a page":          {answerJSON(200, `{}`), transport.Transient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newService(t, map[string]http.HandlerFunc{"GET " + listPath: test.answer})
			_, err := client.ListInstances(t.Context(), storage.Query{Org: "ttd"})
			require.Error(t, err)
			require.Equal(t, test.want.String(), transport.Classify(err).String())
			require.NotContains(t, err.Error(), "Exception", "bodies stay out of errors")
		})
	}
}
