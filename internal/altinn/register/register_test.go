package register

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/internal/transport/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// person is one party that the played Register knows.
type person struct {
	PartyID int64
	UserIDs []int64 // the current one first
	// Bare: the answer has no user member, as some real ones.
	Bare bool
}

// registry answers like Register: 206 when something is unknown, at most 100 URNs, one record for two URNs of a party,
// in the reverse order.
type registry struct {
	people []person

	mu       sync.Mutex
	requests [][]string
	status   int           // other than 0: every answer
	hold     chan struct{} // not nil: answers wait for it
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var query struct {
		Data []string `json:"data"`
	}
	if json.NewDecoder(r.Body).Decode(&query) != nil || len(query.Data) > 100 || slices.Contains(query.Data, "bad") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	g.requests = append(g.requests, query.Data)
	status, hold := g.status, g.hold
	g.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	records, complete := g.answer(query.Data)
	if !complete {
		w.WriteHeader(http.StatusPartialContent)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": records})
}

func (g *registry) answer(urns []string) (records []altinn.Party, complete bool) {
	complete = true
	records = []altinn.Party{}
	found := map[int64]bool{}
	for _, urn := range urns {
		i := slices.IndexFunc(g.people, func(p person) bool { return p.isCalled(urn) })
		if i < 0 {
			complete = false
			continue
		}
		p := g.people[i]
		if found[p.PartyID] {
			continue
		}
		found[p.PartyID] = true
		record := altinn.Party{PartyID: &p.PartyID, PartyType: "person"}
		if !p.Bare && len(p.UserIDs) > 0 {
			record.User = &altinn.PartyUser{UserID: &p.UserIDs[0], UserIDs: p.UserIDs}
		}
		records = append(records, record)
	}
	slices.Reverse(records)
	return records, complete
}

func (p person) isCalled(urn string) bool {
	if urn == partyURN(p.PartyID) {
		return true
	}
	return slices.ContainsFunc(p.UserIDs, func(user int64) bool { return urn == userURN(user) })
}

func partyURN(id int64) string { return PartyIDPrefix + strconv.FormatInt(id, 10) }
func userURN(id int64) string  { return UserIDPrefix + strconv.FormatInt(id, 10) }

func newTestClient(t testing.TB, g *registry, config cache.Config) *Client {
	t.Helper()
	server := httptest.NewServer(g)
	wire := transport.Wire(4)
	t.Cleanup(server.Close)
	t.Cleanup(wire.CloseIdleConnections)
	return newClient(server.URL, &http.Client{Transport: wire}, config)
}

func TestLookup(t *testing.T) {
	t.Parallel()
	g := &registry{people: []person{
		{PartyID: 1, UserIDs: []int64{11, 12}}, {PartyID: 2, UserIDs: []int64{21}, Bare: true}, {PartyID: 3},
	}}
	c := newTestClient(t, g, cache.Config{})

	found, err := c.Lookup(t.Context(), []string{
		partyURN(1), userURN(11), userURN(12), userURN(21), partyURN(3), partyURN(4), partyURN(1),
	})

	require.NoError(t, err)
	parties := map[string]int64{}
	for urn, party := range found {
		parties[urn] = *party.PartyID
	}
	require.Equal(t, map[string]int64{partyURN(1): 1, userURN(11): 1, userURN(12): 1, userURN(21): 2, partyURN(3): 3}, parties)
	require.Len(t, g.requests[0], 6, "one request for all, none twice")
	require.ElementsMatch(t, [][]string{{userURN(21)}, {partyURN(4)}}, g.requests[1:], "what cannot be matched is asked for alone")
}

func TestASingleURNTakesTheFirstRecord(t *testing.T) {
	t.Parallel()
	g := &registry{people: []person{{PartyID: 2, UserIDs: []int64{21}, Bare: true}}}
	c := newTestClient(t, g, cache.Config{})
	found, err := c.Lookup(t.Context(), []string{userURN(21)})
	require.NoError(t, err)
	require.EqualValues(t, 2, *found[userURN(21)].PartyID)
	require.Len(t, g.requests, 1)
}

// Whatever is asked together, the answer is that of asking for each alone.
func TestTogetherIsAsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		g := &registry{}
		for id := range int64(rapid.IntRange(0, 6).Draw(rt, "people")) {
			p := person{PartyID: id + 1, Bare: rapid.Bool().Draw(rt, "bare")}
			for user := range int64(rapid.IntRange(0, 2).Draw(rt, "users")) {
				p.UserIDs = append(p.UserIDs, 10*p.PartyID+user)
			}
			g.people = append(g.people, p)
		}
		urns := rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.Int64Range(1, 8), partyURN), rapid.Map(rapid.Int64Range(10, 80), userURN),
		), 0, 12).Draw(rt, "urns")

		server := httptest.NewServer(g)
		defer server.Close()
		wire := transport.Wire(1)
		defer wire.CloseIdleConnections()
		c := newClient(server.URL, &http.Client{Transport: wire}, cache.Config{})
		c.gather = 0
		got, err := c.Lookup(context.Background(), urns)
		if err != nil {
			rt.Fatal(err)
		}
		for _, urn := range urns {
			records, _ := g.answer([]string{urn})
			party, found := got[urn]
			if found != (len(records) > 0) || found && *party.PartyID != *records[0].PartyID {
				rt.Fatalf("%s: got %v, want %v", urn, party.PartyID, records)
			}
		}
	})
}

func TestLookupsAtTheSameTimeShareARequest(t *testing.T) {
	t.Parallel()
	g := &registry{}
	for id := range int64(250) {
		g.people = append(g.people, person{PartyID: id + 1})
	}
	c := newTestClient(t, g, cache.Config{})
	c.gather = 200 * time.Millisecond
	var group sync.WaitGroup
	for id := range int64(250) {
		group.Go(func() {
			urn := partyURN(id + 1)
			found, err := c.Lookup(t.Context(), []string{urn})
			if err != nil || *found[urn].PartyID != id+1 {
				t.Errorf("%s: %v, %v", urn, found, err)
			}
		})
	}
	group.Wait()
	for _, request := range g.requests {
		require.LessOrEqual(t, len(request), 100)
	}
	require.Less(t, len(g.requests), 50)
}

func TestMoreThanOneRequestHolds(t *testing.T) {
	t.Parallel()
	g := &registry{}
	var urns []string
	for id := range int64(230) {
		g.people = append(g.people, person{PartyID: id + 1})
		urns = append(urns, partyURN(id+1))
	}
	c := newTestClient(t, g, cache.Config{})
	found, err := c.Lookup(t.Context(), urns)
	require.NoError(t, err)
	require.Len(t, found, 230)
	require.Len(t, g.requests, 3)
}

func TestABadURNFailsItsOwnLookupOnly(t *testing.T) {
	t.Parallel()
	g := &registry{people: []person{{PartyID: 1}}}
	c := newTestClient(t, g, cache.Config{})
	c.gather = 100 * time.Millisecond
	var group sync.WaitGroup
	group.Go(func() {
		found, err := c.Lookup(t.Context(), []string{partyURN(1)})
		if err != nil || len(found) != 1 {
			t.Errorf("the good one: %v, %v", found, err)
		}
	})
	group.Go(func() {
		_, err := c.Lookup(t.Context(), []string{"bad"})
		if transport.Classify(err) != transport.Permanent {
			t.Errorf("the bad one: %v", err)
		}
	})
	group.Wait()
}

func TestRecordsAreKeptAndMissesAreNot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := &registry{people: []person{{PartyID: 1}}}
	c := newTestClient(t, g, cache.Config{Now: func() time.Time { return now }})
	lookup := func(id int64) (map[string]altinn.Party, error) { return c.Lookup(t.Context(), []string{partyURN(id)}) }

	for range 3 {
		found, err := lookup(1)
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
	require.Len(t, g.requests, 1)

	for range 2 {
		found, err := lookup(2)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	require.Len(t, g.requests, 3, "a party may appear at any moment")

	now = now.Add(cache.DefaultFresh)
	g.status = http.StatusBadGateway
	found, err := lookup(1)
	require.NoError(t, err)
	require.Len(t, found, 1, "stale, since Register is down")
	_, err = lookup(2)
	require.Equal(t, transport.Transient, transport.Classify(err))

	now = now.Add(cache.DefaultStale)
	_, err = lookup(1)
	require.Error(t, err)
}

func TestWhoeverBeganABatchServesThoseWhoStay(t *testing.T) {
	t.Parallel()
	g := &registry{people: []person{{PartyID: 1}, {PartyID: 2}}, hold: make(chan struct{})}
	c := newTestClient(t, g, cache.Config{})
	c.gather = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		_, err := c.Lookup(ctx, []string{partyURN(1)})
		if class := transport.Classify(err); class != transport.Canceled && class != transport.OK {
			t.Errorf("who left: %v", err)
		}
	})
	waitFor(t, func() bool { c.waiting.mu.Lock(); defer c.waiting.mu.Unlock(); return c.waiting.open != nil })
	group.Go(func() {
		found, err := c.Lookup(t.Context(), []string{partyURN(2)})
		if err != nil || len(found) != 1 {
			t.Errorf("who stayed: %v, %v", found, err)
		}
	})
	waitFor(t, func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.requests) == 1 })
	require.Len(t, g.requests[0], 2)
	cancel()
	close(g.hold)
	group.Wait()
}

func TestARequestNobodyWaitsForIsGivenUp(t *testing.T) {
	t.Parallel()
	g := &registry{hold: make(chan struct{})}
	defer close(g.hold)
	c := newTestClient(t, g, cache.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for id := range int64(3) {
		group.Go(func() {
			_, err := c.Lookup(ctx, []string{partyURN(id)})
			if transport.Classify(err) != transport.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
	waitFor(t, func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.requests) > 0 })
	cancel()
	group.Wait()
}

func TestErrorsNameNobody(t *testing.T) {
	t.Parallel()
	g := &registry{status: http.StatusInternalServerError}
	c := newTestClient(t, g, cache.Config{})
	_, err := c.Lookup(t.Context(), []string{personPrefix + "13897197123"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "13897197123")
	_, err = c.Lookup(t.Context(), []string{partyURN(50001337)})
	require.ErrorContains(t, err, "urn:altinn:party:id:50001337")
}

func TestAnAnswerWithoutRecordsIsNoAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") }))
	t.Cleanup(server.Close)
	wire := transport.Wire(1)
	t.Cleanup(wire.CloseIdleConnections)
	c := New(server.URL, &http.Client{Transport: wire})
	_, err := c.Lookup(t.Context(), []string{partyURN(1)})
	require.Equal(t, transport.Transient, transport.Classify(err))
}

func TestMatchByOtherValues(t *testing.T) {
	t.Parallel()
	id, org, external := "13897197123", "310702641", "urn:altinn:person:idporten-email:ola%40example.com"
	records := []altinn.Party{{PersonIdentifier: &id}, {OrganizationIdentifier: &org}, {ExternalURN: &external}}
	for i, urn := range []string{personPrefix + id, organizationPrefix + org, external} {
		party, ok := match(urn, records)
		require.True(t, ok, urn)
		require.Same(t, &records[i], party)
	}
	_, ok := match(strings.Replace(external, "ola", "kari", 1), records)
	require.False(t, ok)
}

func TestMatchAsksAgainWhenItCannotTell(t *testing.T) {
	t.Parallel()
	first, second := int64(1), int64(2)
	records := []altinn.Party{
		{PartyID: &first, User: &altinn.PartyUser{UserID: &first, UserIDs: []int64{1, 7}}},
		{PartyID: &second, User: &altinn.PartyUser{UserID: &second, UserIDs: []int64{2, 7, 1}}},
	}
	party, ok := match(userURN(1), records)
	require.True(t, ok)
	require.Same(t, &records[0], party, "the current user before a former one")
	_, ok = match(userURN(7), records)
	require.False(t, ok, "a former user of two")
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond)
}
