package storage_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// bench is a service on an address, with a clock that stands still.
type bench struct {
	*storage.Service

	t    *testing.T
	url  string
	now  time.Time
	who  auth.Caller
	fail error
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), who: auth.Caller{Admin: true, Org: "ttd"}}
	b.Service = storage.New(storage.Config{
		Now:    func() time.Time { return b.now },
		Caller: func(*http.Request) (auth.Caller, error) { return b.who, b.fail },
		PartyOf: func(person, organisation string) (int32, bool) {
			return 50001337, organisation == "310702641" || person == "13897197123"
		},
	})
	server := httptest.NewServer(b.Service)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

const party = "50001337"

// guid is the nth guid.
func guid(n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", n, n) }

// put puts an instance of ttd/demo in place. members are added or replaced.
func (b *bench) put(n int, lastChanged string, members map[string]any) {
	b.t.Helper()
	instance := map[string]any{
		"id": party + "/" + guid(n), "instanceOwner": map[string]any{"partyId": party}, "appId": "ttd/demo", "org": "ttd",
		"status": map[string]any{"isArchived": false, "isSoftDeleted": false, "isHardDeleted": false}, "data": []any{},
		"created": "2026-01-01T00:00:00Z", "lastChanged": lastChanged,
	}
	for name, value := range members {
		if value == nil {
			delete(instance, name)
			continue
		}
		instance[name] = value
	}
	raw, err := json.Marshal(instance)
	require.NoError(b.t, err)
	require.NoError(b.t, b.PutInstance(raw))
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

func (b *bench) ask(method, path, body string, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+"/storage/api/v1/"+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return answer{status: response.StatusCode, header: response.Header, body: string(content)}
}

// listed is a page of a list.
type listed struct {
	Count     int               `json:"count"`
	Self      *string           `json:"self"`
	Next      *string           `json:"next"`
	Instances []json.RawMessage `json:"instances"`
}

// numbers are the numbers of the page's instances.
func (l listed) numbers(t *testing.T) []int {
	t.Helper()
	out := []int{}
	for _, raw := range l.Instances {
		var in struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(raw, &in))
		var n int
		_, err := fmt.Sscanf(strings.Split(in.ID, "/")[1], "%08d", &n)
		require.NoError(t, err)
		out = append(out, n)
	}
	return out
}

func (b *bench) list(query string) listed {
	b.t.Helper()
	a := b.ask(http.MethodGet, "instances?"+query, "")
	require.Equal(b.t, http.StatusOK, a.status, a.body)
	var out listed
	a.into(b.t, &out)
	require.Len(b.t, out.Instances, out.Count)
	return out
}

// walk follows next until there is none.
func (b *bench) walk(query string) [][]int {
	b.t.Helper()
	var pages [][]int
	for len(pages) < 20 {
		page := b.list(query)
		pages = append(pages, page.numbers(b.t))
		if page.Next == nil {
			return pages
		}
		u, err := url.Parse(*page.Next)
		require.NoError(b.t, err)
		assert.Equal(b.t, "https://platform.tt02.altinn.no/storage/api/v1/instances", "https://"+u.Host+u.Path)
		query = u.RawQuery
	}
	return pages
}

const tied = "2026-03-02T08:15:30.123457Z"

// eight puts the eight rows of section 3.5: six of them at one time.
func (b *bench) eight() {
	b.put(1, "2026-03-01T00:00:00Z", nil)
	for n := 2; n <= 7; n++ {
		b.put(n, tied, nil)
	}
	b.put(8, "2026-03-03T00:00:00Z", nil)
}

func TestDescendingPagesLoseTiedRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	assert.Equal(t, [][]int{{8, 2, 3}, {2, 1}}, b.walk("org=ttd&size=3"), "rows 4 to 7 are lost, as in the real service")
	assert.Equal(t, [][]int{{8, 2, 3}, {2, 1}}, b.walk("org=ttd&size=3&order=DESC:created"))
}

func TestAscendingPagesAreComplete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	assert.Equal(t, [][]int{{1, 2, 3}, {4, 5, 6}, {7, 8}}, b.walk("org=ttd&size=3&order=asc:lastChanged"))
	assert.Equal(t, [][]int{{1, 2, 3, 4}, {5, 6, 7, 8}, {}}, b.walk("org=ttd&size=4&order=rubbish"), "a full last page has a next")
}

func TestDescendingWithoutTokenDrainsTies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	query := url.Values{"org": {"ttd"}, "size": {"3"}, "lastChanged": {"lte:" + tied}}
	assert.Equal(t, []int{2, 3, 4}, b.list(query.Encode()).numbers(t))
	query.Set("lastChanged", "eq:"+tied)
	query.Set("order", "asc:lastChanged")
	assert.Equal(t, [][]int{{2, 3, 4}, {5, 6, 7}, {}}, b.walk(query.Encode()))
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	next := b.list("order=asc:lastChanged&mainVersionExclude=0&size=2&org=ttd").Next
	require.NotNil(t, next)
	assert.Equal(t, "https://platform.tt02.altinn.no/storage/api/v1/instances?order=asc%3AlastChanged&mainVersionExclude=0&size=2"+
		"&org=ttd&continuationToken=639080361301234570%253b2", *next)

	for _, test := range []struct {
		name, token string
		want        []int
	}{
		{"encoded twice", "639080361301234570%253b4", []int{5, 6}},
		{"encoded twice, upper case", "639080361301234570%253B4", []int{5, 6}},
		{"encoded once", "639080361301234570%3b4", []int{5, 6}},
		{"raw", "639080361301234570;4", []int{5, 6}},
		{"no position", "639080361301234570%253b0", []int{1, 2}},
		{"no semicolon", "639080361301234570", []int{}},
		{"ticks nought", "0%253b4", []int{1, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := b.list("order=asc:x&size=2&org=ttd&continuationToken=" + test.token)
			assert.Equal(t, test.want, page.numbers(t))
			assert.Equal(t, len(test.want) == 2, page.Next != nil)
		})
	}
	for _, rubbish := range []string{"abc%253b1", "1%253babc", "%253b"} {
		a := b.ask(http.MethodGet, "instances?org=ttd&continuationToken="+rubbish, "")
		assert.Equal(t, http.StatusInternalServerError, a.status)
		assert.Regexp(t, `^"The input string '.*' was not in a correct format\."$`, a.body)
	}
	twice := b.list("org=ttd&order=asc:x&size=2&ContinuationToken=639080361301234570%253b2")
	require.NotNil(t, twice.Next)
	assert.Equal(t, 2, strings.Count(strings.ToLower(*twice.Next), "continuationtoken="), "another spelling stays in the link")
}

func TestLinksGroupRepeatedParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	sent := "lastChanged=gte:2026-01-01T00:00:00Z&org=ttd&lastChanged=lt:2027-01-01T00:00:00Z&size=1&appId=ttd/demo&order=asc:x"
	page := b.list(sent)
	require.NotNil(t, page.Self)
	require.NotNil(t, page.Next)
	assert.Equal(t, "https://platform.tt02.altinn.no/storage/api/v1/instances?"+sent, *page.Self, "as it was sent")
	assert.Equal(t, "https://platform.tt02.altinn.no/storage/api/v1/instances?lastChanged=gte%3A2026-01-01T00%3A00%3A00Z"+
		"&lastChanged=lt%3A2027-01-01T00%3A00%3A00Z&org=ttd&size=1&appId=ttd%2Fdemo&order=asc%3Ax"+
		"&continuationToken=639079200000000000%253b1", *page.Next)
}

func TestPageSizes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	nothing := b.list("org=ttd&size=0&order=asc:x")
	assert.Empty(t, nothing.Instances)
	require.NotNil(t, nothing.Next, "nought rows are a full page")
	a := b.ask(http.MethodGet, "instances?org=ttd&size=-1", "")
	assert.Equal(t, http.StatusInternalServerError, a.status)
	body := b.ask(http.MethodGet, "instances?org=ttd", "").body
	assert.Contains(t, body, `"next":null`)
	for _, bad := range []string{"size=abc", "instanceOwner.partyId=99999999999", "status.isArchived=maybe"} {
		a := b.ask(http.MethodGet, "instances?org=ttd&"+bad, "")
		assert.Equal(t, http.StatusBadRequest, a.status)
		assert.Contains(t, a.header.Get("Content-Type"), "application/problem+json")
		assert.Contains(t, a.body, `"`+strings.Split(bad, "=")[0]+`":[`)
	}
}

func TestRowWithoutLastChangedBreaksTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(1, "", map[string]any{"lastChanged": nil, "created": "2026-03-01T00:00:00Z"})
	b.put(2, "2026-03-02T00:00:00Z", nil)
	next := b.list("org=ttd&order=asc:x&size=1").Next
	require.NotNil(t, next)
	assert.Contains(t, *next, "continuationToken=0%253b1")
	assert.Equal(t, []int{1}, b.list("org=ttd&order=asc:x&size=1&continuationToken=0%253b1").numbers(t), "ascending starts again")
	assert.Empty(t, b.list("org=ttd&size=1&continuationToken=0%253b1").Instances, "descending ends")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(1, "2026-03-01T00:00:00Z", map[string]any{
		"status":                map[string]any{"isArchived": true},
		"process":               map[string]any{"ended": "2026-03-01T00:00:00Z"},
		"completeConfirmations": []any{map[string]any{"stakeholderId": "ttd"}}, "visibleAfter": "2026-01-01T00:00:00Z",
	})
	b.put(2, "2026-03-02T00:00:00Z", map[string]any{
		"process":           map[string]any{"currentTask": map[string]any{"elementId": "Task_1"}},
		"presentationTexts": map[string]any{"navn": "Kari Testperson"}, "visibleAfter": "2026-02-01T00:00:00Z",
	})
	b.put(3, "2026-03-03T00:00:00Z", map[string]any{
		"status": nil, "created": "2026-02-01T00:00:00Z",
		"completeConfirmations": []any{map[string]any{"stakeholderId": "skd"}},
	})
	b.put(4, "2026-03-04T00:00:00Z", map[string]any{
		"appId": "ttd/a2-1051-181125", "dataValues": map[string]any{"A2ArchRef": "303147258"},
		"status": map[string]any{"isArchived": true},
	})
	b.put(5, "2026-03-05T00:00:00Z", map[string]any{
		"appId": "ttd/a1-213-2638:1", "dataValues": map[string]any{"A1ArchRef": "7"},
		"status": map[string]any{"isArchived": true, "isSoftDeleted": true, "isHardDeleted": true},
	})
	b.put(6, "2026-03-06T00:00:00Z", map[string]any{"id": "50009999/" + guid(6), "appId": "ttd/other"})
	b.put(7, "2026-03-07T00:00:00Z", map[string]any{"appId": "skd/x", "org": "skd"})

	for _, test := range []struct {
		name, query string
		want        []int
	}{
		{"version 3 only by default", "", []int{1, 2, 3, 6}},
		{"all versions", "mainVersionExclude=0", []int{1, 2, 3, 4, 5, 6}},
		{"archived forms", "MAINVERSIONEXCLUDE=3", []int{4, 5}},
		{"version 2", "mainVersionInclude=2", []int{4}},
		{"both conditions", "mainVersionInclude=2&mainVersionExclude=2", []int{}},
		{"reference of A2", "dataValues.A2ArchRef=303147258", []int{4}},
		{"last digits", "A3Ref=000000000002&mainVersionInclude=1", []int{2}},
		{"app", "appId=ttd/other", []int{6}},
		{"party", "instanceOwner.partyId=50009999", []int{6}},
		{"from, included", "lastChanged=gte:2026-03-03T00:00:00Z", []int{3, 6}},
		{"from, excluded", "lastChanged=gt:2026-03-03T00:00:00Z", []int{6}},
		{"to, excluded", "lastChanged=lt:2026-03-02", []int{1}},
		{"to, included", "lastChanged=lte:2026-03-02", []int{1, 2}},
		{"range", "lastChanged=gte:2026-03-02&lastChanged=lt:2026-03-06", []int{2, 3}},
		{"time with offset", "lastChanged=eq:2026-03-02T01:00:00%2B01:00", []int{2}},
		{"zone-less is UTC", "lastChanged=eq:2026-03-02T00:00:00", []int{2}},
		{"further decimals are cut off", "lastChanged=eq:2026-03-02T00:00:00.0000009Z", []int{2}},
		{"unknown operator is ignored", "lastChanged=ge:2026-03-06", []int{1, 2, 3, 6}},
		{"unknown parameter is ignored", "nonsense=1", []int{1, 2, 3, 6}},
		{"created", "created=gte:2026-02-01", []int{3}},
		{"archived", "status.isArchived=true", []int{1}},
		{"not archived, without a status neither", "status.isArchived=false", []int{2, 6}},
		{"hard-deleted are shown", "status.isHardDeleted=true&mainVersionExclude=0", []int{5}},
		{"complete", "process.isComplete=true", []int{1}},
		{"not complete", "process.isComplete=false", []int{2}},
		{"task", "process.currentTask=Task_1", []int{2}},
		{"end event does nothing", "process.endEvent=x", []int{1, 2, 3, 6}},
		{"confirmed by the owner", "confirmed=true", []int{1}},
		{"not confirmed by the owner", "confirmed=false", []int{2, 3, 6}},
		{"not confirmed by somebody", "excludeConfirmedBy=skd", []int{1, 2, 6}},
		{"not confirmed by the org", "excludeConfirmedBy=ttd", []int{2, 3, 6}},
		{"texts", "searchString=TESTPERSON", []int{2}},
		{"visible after, as text", "visibleAfter=gt:2026-01-15", []int{2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, b.list("org=ttd&order=asc:x&"+test.query).numbers(t))
		})
	}
}

func TestBadDates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range []struct{ name, query, expression, key string }{
		{"no operator", "lastChanged=2026-01-01", "2026-01-01", "lastChanged"},
		{"no operator, with a time", "lastChanged=2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "lastChanged"},
		{"not a date", "created=gt:yesterday", "gt:yesterday", "created"},
		{"raw plus sign", "lastChanged=gt:2026-01-01T00:00:00+01:00", "gt:2026-01-01T00:00:00 01:00", "lastChanged"},
		{"repeated operator", "lastChanged=gt:2026-01-01&lastChanged=gt:2026-01-02", "gt:2026-01-02", "lastChanged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := b.ask(http.MethodGet, "instances?org=ttd&"+test.query, "")
			assert.Equal(t, http.StatusInternalServerError, a.status)
			assert.Equal(t, `"Invalid date expression: `+test.expression+` for query key: `+test.key+`"`, a.body)
		})
	}
}

func TestWhoMayList(t *testing.T) {
	t.Parallel()
	adapter := auth.Caller{Org: "ttd", Scopes: []string{auth.ScopeSyncAdapter, auth.ScopeInstancesRead}}
	owner := auth.Caller{Org: "ttd", Scopes: []string{auth.ScopeInstancesRead}}
	for _, test := range []struct {
		name   string
		who    auth.Caller
		query  string
		header string
		status int
		body   string
	}{
		{"adapter, any org", adapter, "org=skd", "", 200, `"count":0`},
		{"adapter, org of the app", adapter, "appId=skd/x", "", 200, `"count":0`},
		{"neither org nor app", adapter, "size=1", "", 400, `"Org or AppId must be defined."`},
		{"owner, own org, any case", owner, "org=TTD", "", 200, `"count":0`},
		{"owner, other org", owner, "org=skd", "", 400, `"AppId must be defined."`},
		{"owner, app of other org", owner, "appId=skd/x", "", 403, ""},
		{"org without scope", auth.Caller{Org: "ttd"}, "org=ttd", "", 403, ""},
		{"adapter scope without org", auth.Caller{Scopes: adapter.Scopes}, "org=ttd", "", 400, `"title":"Bad Request"`},
		{"nobody", auth.Caller{Anonymous: true}, "org=ttd", "", 401, ""},
		{"user without owner", auth.Caller{User: true}, "", "", 400, "need to be defined"},
		{"user with owner", auth.Caller{User: true}, "instanceOwner.partyId=50001337", "", 200, `"count":1`},
		{"party twice", adapter, "org=ttd&instanceOwner.partyId=1", "person:13897197123", 400, `"Both InstanceOwner.PartyId`},
		{"owner by number", adapter, "org=ttd", "Organisation: 310702641", 200, `"count":1`},
		{"owner unknown", adapter, "org=ttd", "organisation:310702642", 200, `{"count":0,"self":null,"next":null,"instances":[]}`},
		{"owner malformed", adapter, "org=ttd", "rubbish", 400, `"Invalid InstanceOwnerIdentifier."`},
		{"person too short", adapter, "org=ttd", "person:123", 400, `"Person number needs to be exactly 11 digits."`},
		{"organisation too short", adapter, "org=ttd", "organisation:123", 400, `"Organization number needs to be exactly 9 digits."`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(1, "2026-03-01T00:00:00Z", nil)
			b.who = test.who
			a := b.ask(http.MethodGet, "instances?"+test.query, "", "X-Ai-InstanceOwnerIdentifier", test.header)
			assert.Equal(t, test.status, a.status, a.body)
			assert.Contains(t, a.body, test.body)
			if test.body == "" {
				assert.Empty(t, a.body)
			}
		})
	}
}

func TestGetInstance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(1, "2026-03-01T00:00:00Z", map[string]any{"data": []any{
		map[string]any{"id": "b", "created": "2026-01-02T00:00:00Z"}, map[string]any{"id": "a", "created": "2026-01-01T00:00:00Z"},
	}})
	single := b.ask(http.MethodGet, "instances/"+party+"/"+guid(1), "")
	require.Equal(t, http.StatusOK, single.status)
	assert.Contains(t, single.body, `"selfLinks":{"platform":"https://platform.tt02.altinn.no/storage/api/v1/instances/`+party+"/"+guid(1)+`"}`)
	assert.Less(t, strings.Index(single.body, `"id":"a"`), strings.Index(single.body, `"id":"b"`), "elements by creation")
	assert.JSONEq(t, single.body, string(b.list("org=ttd").Instances[0]), "a list has the same")
	assert.Equal(t, single.body, b.ask(http.MethodGet, "instances/1/"+guid(1), "").body, "the party id is not compared")
	assert.Equal(t, single.body, b.ask(http.MethodGet, "instances/"+guid(1), "").body)
	assert.Contains(t, string(b.list("org=ttd&includeDataElements=false").Instances[0]), `"data":[]`)

	for _, test := range []struct{ path, body string }{
		{"instances/" + party + "/" + guid(2), `"Unable to find instance ` + guid(2) + `"`},
		{"instances/" + guid(2), `"Unable to find instance ` + guid(2) + `"`},
		{"instances/" + party + "/rubbish", ""},
		{"instances/rubbish/" + guid(1), ""},
		{"nothing/here", ""},
	} {
		a := b.ask(http.MethodGet, test.path, "")
		assert.Equal(t, http.StatusNotFound, a.status, test.path)
		assert.Equal(t, test.body, a.body, test.path)
	}
	b.fail = auth.ErrInvalidToken
	a := b.ask(http.MethodGet, "instances/"+party+"/"+guid(1), "")
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Empty(t, a.body)
	assert.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(1, "2026-03-01T00:00:00Z", nil)
	event := func(n int, kind, created string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"id":%q,"eventType":%q,"created":%q}`, guid(n), kind, created))
	}
	require.NoError(t, b.PutEvents(uuid.MustParse(guid(1)), []json.RawMessage{
		event(3, "Saved", "2026-03-01T00:00:02Z"), event(1, "Created", "2026-03-01T00:00:01Z"), event(2, "Saved", "2026-03-01T00:00:01.5Z"),
	}))
	path := "instances/" + party + "/" + guid(1) + "/events"
	for _, test := range []struct {
		name, query string
		want        []int
	}{
		{"by the text of their times", "", []int{2, 1, 3}},
		{"repeated keys", "?eventTypes=Saved&eventTypes=Created", []int{2, 1, 3}},
		{"one type", "?EVENTTYPES=Created", []int{1}},
		{"a comma makes one type", "?eventTypes=Saved,Created", []int{}},
		{"types have a case", "?eventTypes=saved", []int{}},
		{"both ends", "?from=2026-03-01T00:00:01.5Z&to=2026-03-01T00:00:02", []int{2, 3}},
		{"one end does nothing", "?from=2026-03-01T00:00:02", []int{2, 1, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out struct {
				InstanceEvents []struct {
					ID string `json:"id"`
				} `json:"instanceEvents"`
			}
			a := b.ask(http.MethodGet, path+test.query, "")
			require.Equal(t, http.StatusOK, a.status)
			a.into(t, &out)
			got := []int{}
			for _, e := range out.InstanceEvents {
				var n int
				_, err := fmt.Sscanf(e.ID, "%08d", &n)
				require.NoError(t, err)
				got = append(got, n)
			}
			assert.Equal(t, test.want, got)
		})
	}
	a := b.ask(http.MethodGet, "instances/"+party+"/"+guid(2)+"/events", "")
	assert.Equal(t, http.StatusOK, a.status)
	assert.JSONEq(t, `{"instanceEvents":[]}`, a.body, "no 404 for an unknown instance")
	assert.Equal(t, http.StatusBadRequest, b.ask(http.MethodGet, "instances/"+party+"/rubbish/events", "").status)
	assert.Equal(t, http.StatusBadRequest, b.ask(http.MethodGet, path+"?from=x&to=y", "").status)
	assert.Contains(t, b.ask(http.MethodGet, path+"/"+guid(2), "").body, "Saved")
	assert.Equal(t, http.StatusNotFound, b.ask(http.MethodGet, path+"/"+guid(9), "").status)
}

func TestDataValues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(1, "2026-03-01T00:00:00Z", map[string]any{"dataValues": map[string]any{"a": "1"}})
	path := "instances/" + party + "/" + guid(1) + "/datavalues"
	a := b.ask(http.MethodPut, path, `{"values":{"dialog.id":"019cad9c-857e-712c-ba01-44e375b5bc79","a":"2"}}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.NotContains(t, a.body, "selfLinks")
	var in struct {
		DataValues  map[string]string `json:"dataValues"`
		LastChanged string            `json:"lastChanged"`
	}
	a.into(t, &in)
	assert.Equal(t, map[string]string{"a": "2", "dialog.id": "019cad9c-857e-712c-ba01-44e375b5bc79"}, in.DataValues)
	assert.Equal(t, "2026-03-01T00:00:00Z", in.LastChanged, "unchanged")
	b.ask(http.MethodPut, path, `{"values":{"a":"","dialog.id":null}}`).into(t, &in)
	assert.Equal(t, "2", in.DataValues["a"], "nothing can be removed")
	assert.Len(t, in.DataValues, 2)
	assert.Empty(t, b.Events(uuid.MustParse(guid(1))))

	a = b.ask(http.MethodPut, path, `{"values":{"a":"b"}}`, "Content-Type", "text/plain")
	assert.Equal(t, http.StatusUnsupportedMediaType, a.status)
	assert.Equal(t, http.StatusBadRequest, b.ask(http.MethodPut, path, `{"values":{"a":"b"}} {}`).status, "more than one value")
	a = b.ask(http.MethodPut, path, `{"values":null}`)
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Equal(t, `"Missing parameter value: dataValues is misformed or empty"`, a.body)
	a = b.ask(http.MethodPut, "instances/"+party+"/"+guid(2)+"/datavalues", `{"values":{"a":"b"}}`)
	assert.Equal(t, http.StatusInternalServerError, a.status, "not 404")
}

func TestDeleteAndUndelete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.PutApplication(json.RawMessage(`{"id":"ttd/demo","org":"ttd","preventInstanceDeletionForDays":30}`)))
	b.put(1, "2026-03-01T00:00:00Z", nil)
	b.put(2, "2026-03-01T00:00:00Z", map[string]any{"status": map[string]any{"isArchived": true, "archived": "2026-03-01T00:00:00Z"}})
	path := "sbl/instances/" + party + "/" + guid(1)

	a := b.ask(http.MethodDelete, path+"?hard=false", "")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "true", a.body)
	body := b.ask(http.MethodGet, "instances/"+party+"/"+guid(1), "").body
	assert.Contains(t, body, `"isSoftDeleted":true`)
	assert.Contains(t, body, `"softDeleted":"2026-03-10T12:00:00Z"`)
	assert.Contains(t, body, `"lastChanged":"2026-03-10T12:00:00Z"`)
	assert.Equal(t, []int{1}, b.list("org=ttd&lastChanged=gte:2026-03-10T12:00:00Z").numbers(t), "it has moved")

	b.now = b.now.Add(time.Minute)
	assert.Equal(t, "true", b.ask(http.MethodPut, path+"/undelete", "").body)
	assert.Equal(t, "true", b.ask(http.MethodPut, path+"/undelete", "").body, "nothing to undo is no fault")
	body = b.ask(http.MethodGet, "instances/"+party+"/"+guid(1), "").body
	assert.Contains(t, body, `"isSoftDeleted":false`)
	assert.NotContains(t, body, `"softDeleted"`)
	events := b.Events(uuid.MustParse(guid(1)))
	require.Len(t, events, 2)
	assert.Equal(t, []string{"Deleted", "Undeleted"}, []string{events[0].Type, events[1].Type})

	a = b.ask(http.MethodDelete, "instances/"+party+"/"+guid(1)+"?hard=true", "")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Contains(t, a.body, `"isHardDeleted":true`)
	assert.Contains(t, a.body, `"isSoftDeleted":true`, "both flags")
	a = b.ask(http.MethodPut, path+"/undelete", "")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Contains(t, a.body, "restored")

	a = b.ask(http.MethodDelete, "sbl/instances/"+party+"/"+guid(2), "")
	assert.Equal(t, http.StatusForbidden, a.status)
	assert.Equal(t, `"Instance cannot be deleted yet due to application restrictions."`, a.body)
	b.now = b.now.AddDate(0, 0, 30)
	assert.Equal(t, http.StatusOK, b.ask(http.MethodDelete, "sbl/instances/"+party+"/"+guid(2), "").status)
	a = b.ask(http.MethodDelete, "sbl/instances/"+party+"/"+guid(3), "")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Equal(t, `"Didn't find the object that should be deleted with instanceId=`+party+"/"+guid(3)+`"`, a.body)
}

func TestWithheldAndRemovedRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eight()
	four, five := uuid.MustParse(guid(4)), uuid.MustParse(guid(5))
	require.NoError(t, b.Withhold(four, time.Time{}))
	require.NoError(t, b.Withhold(five, b.now.Add(time.Minute)))
	require.NoError(t, b.Remove(uuid.MustParse(guid(8))))
	assert.Equal(t, []int{1, 2, 3, 6, 7}, b.list("org=ttd&order=asc:x").numbers(t))
	assert.Equal(t, http.StatusNotFound, b.ask(http.MethodGet, "instances/"+guid(4), "").status)
	b.now = b.now.Add(time.Minute)
	assert.Equal(t, []int{1, 2, 3, 5, 6, 7}, b.list("org=ttd&order=asc:x").numbers(t))
	require.NoError(t, b.Release(four))
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7}, b.list("org=ttd&order=asc:x").numbers(t))
	require.NoError(t, b.SetLastChanged(four, time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)))
	assert.Equal(t, []int{1, 2, 3, 5, 6, 7, 4}, b.list("org=ttd&order=asc:x").numbers(t))
	require.ErrorIs(t, b.Remove(uuid.MustParse(guid(8))), storage.ErrNotFound)
	assert.Equal(t, 7, b.Len())
}

func TestApplicationsAndTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.PutApplication(json.RawMessage(`{"id":"ttd/demo","org":"ttd","title":{"nb":"æ < ø"}}`)))
	require.NoError(t, b.PutApplication(json.RawMessage(`{"id":"skd/a1-213-2638:1","org":"skd"}`)))
	require.NoError(t, b.PutTexts(json.RawMessage(`{"id":"ttd-demo-nb","org":"ttd","language":"nb","resources":[{"id":"x","value":null}]}`)))
	require.NoError(t, b.PutTexts(json.RawMessage(`{"id":"whatever","app":"demo","org":"ttd","language":"en","resources":[]}`)))

	for _, test := range []struct {
		path   string
		status int
		body   string
	}{
		{"applications", 200, `{"applications":[{"id":"ttd/demo","org":"ttd","title":{"nb":"æ < ø"}},{"id":"skd/a1-213-2638:1","org":"skd"}]}`},
		{"applications/skd", 200, `{"applications":[{"id":"skd/a1-213-2638:1","org":"skd"}]}`},
		{"applications/a-b", 400, `"Application owner id 'a-b' is not valid"`},
		{"applications/ttd/demo", 200, `{"id":"ttd/demo","org":"ttd","title":{"nb":"æ < ø"}}`},
		{"applications/skd/a1-213-2638:1", 200, `{"id":"skd/a1-213-2638:1","org":"skd"}`},
		{"applications/ttd/gone", 404, `"Could not find an application with appId=ttd/gone"`},
		{
			"applications/ttd/demo/texts/nb", 200,
			`{"id":"ttd-demo-nb","org":"ttd","language":"nb","resources":[{"id":"x","value":null}]}`,
		},
		{"applications/ttd/demo/texts/en", 200, `{"id":"ttd-demo-en","org":"ttd","language":"en","resources":[]}`},
		{"applications/ttd/demo/texts/nob", 400, `"The language must be a two letter ISO language name."`},
	} {
		a := b.ask(http.MethodGet, test.path, "")
		assert.Equal(t, test.status, a.status, test.path)
		assert.Equal(t, test.body, a.body, test.path)
	}
	a := b.ask(http.MethodGet, "applications/ttd/demo/texts/nn", "")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Contains(t, a.header.Get("Content-Type"), "problem+json")
	b.who = auth.Caller{Anonymous: true}
	assert.Equal(t, http.StatusOK, b.ask(http.MethodGet, "applications", "").status, "no token is needed")
	assert.Equal(t, http.StatusUnauthorized, b.ask(http.MethodGet, "applications/ttd/demo/texts/nb", "").status)
}
