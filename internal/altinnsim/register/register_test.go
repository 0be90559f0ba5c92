package register_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

type party struct {
	PartyID     int32  `json:"partyId"`
	ExternalURN string `json:"externalUrn"`
	DisplayName string `json:"displayName"`
	PartyType   string `json:"partyType"`
	User        struct {
		UserID  int64   `json:"userId"`
		UserIDs []int64 `json:"userIds"`
	} `json:"user"`
}

func ask(t *testing.T, s http.Handler, urns ...string) (int, []party, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"data": urns})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
		"/register/api/v1/dialogporten/parties/query?fields=identifiers,display-name", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var out struct {
		Data []party `json:"data"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	return w.Code, out.Data, w.Body.String()
}

func partyURN(id int32) string { return world.URNPartyID + strconv.Itoa(int(id)) }

func TestQuery(t *testing.T) {
	t.Parallel()
	s := register.New(register.Config{})
	people := world.Population{}
	person, ok := people.ByID(people.Person(50))
	require.True(t, ok)
	company, ok := people.ByID(people.Company(3))
	require.True(t, ok)

	status, got, _ := ask(t, s, partyURN(person.ID))
	assert.Equal(t, http.StatusOK, status)
	require.Len(t, got, 1)
	assert.Equal(t, person.ExternalURN, got[0].ExternalURN)
	assert.Equal(t, person.UserIDs[0], got[0].User.UserID)

	status, got, _ = ask(t, s, partyURN(company.ID), world.URNOrganisation+company.Organisation, world.URNPartyUUID+company.UUID.String(),
		"urn:altinn:partyid:"+strconv.Itoa(int(company.ID)), world.URNPerson+person.Person,
		"urn:altinn:userid:"+strconv.FormatInt(person.UserIDs[0], 10))
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, got, 2, "duplicates are merged")

	status, got, _ = ask(t, s)
	assert.Equal(t, http.StatusOK, status)
	assert.Empty(t, got)
}

func TestUnknownPartiesMakeAPartialAnswer(t *testing.T) {
	t.Parallel()
	s := register.New(register.Config{})
	people := world.Population{}
	missing := people.Missing(1)
	known := partyURN(people.Company(1))
	status, got, _ := ask(t, s, known, partyURN(missing), partyURN(7))
	assert.Equal(t, http.StatusPartialContent, status)
	assert.Len(t, got, 1)

	s.Reveal(missing)
	status, got, _ = ask(t, s, known, partyURN(missing))
	assert.Equal(t, http.StatusOK, status, "it has come late")
	assert.Len(t, got, 2)
	s.Withhold(people.Company(1))
	status, _, _ = ask(t, s, known)
	assert.Equal(t, http.StatusPartialContent, status)
}

func TestOrderIsNotTheQuestions(t *testing.T) {
	t.Parallel()
	s := register.New(register.Config{})
	var urns []string
	for n := range uint64(20) {
		urns = append(urns, partyURN(world.Population{}.Company(n)))
	}
	_, got, body := ask(t, s, urns...)
	require.Len(t, got, 20)
	assert.False(t, slices.IsSortedFunc(got, func(a, b party) int { return int(a.PartyID - b.PartyID) }))
	slices.Reverse(urns)
	_, _, again := ask(t, s, urns...)
	assert.Equal(t, body, again, "and always the same")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := register.New(register.Config{})
	urns := make([]string, 101)
	for i := range urns {
		urns[i] = partyURN(int32(i + 1))
	}
	status, _, body := ask(t, s, urns...)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "REG.VLD-00001")
	status, _, _ = ask(t, s, urns[:100]...)
	assert.Equal(t, http.StatusPartialContent, status)
	for _, bad := range []string{
		"", "50001337", "urn:altinn:party:id:x", "urn:altinn:party:id:0", "urn:altinn:organization:identifier-no:1",
		"urn:altinn:person:identifier-no:abc", "urn:altinn:party:uuid:x", "urn:altinn:displayName:x",
	} {
		status, _, body := ask(t, s, partyURN(1), bad)
		assert.Equal(t, http.StatusBadRequest, status, bad)
		assert.Contains(t, body, "REG.VLD-00002")
		assert.Contains(t, body, "/data/1")
	}
}

func TestPutParties(t *testing.T) {
	t.Parallel()
	s := register.New(register.Config{})
	put := func(raws ...string) {
		t.Helper()
		var in []json.RawMessage
		for _, raw := range raws {
			in = append(in, json.RawMessage(raw))
		}
		require.NoError(t, s.Put(in))
	}
	put(`{"partyId":50001337,"partyType":"organization","displayName":"KRASS","externalUrn":null,"personIdentifier":null,
		"organizationIdentifier":"313654321","extra":[1]}`,
		`{"partyUuid":"6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2002","partyType":"self-identified-user","displayName":"kari",
		"externalUrn":"urn:altinn:person:idporten-email:kari%40example.no","user":{"username":"epost:kari@example.no","userId":7,"userIds":[7,8]}}`)
	status, got, body := ask(t, s, partyURN(50001337))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "KRASS", got[0].DisplayName, "before the population's")
	assert.Contains(t, body, `"extra":[1]`, "as it was put")
	for _, urn := range []string{
		"urn:altinn:organization:identifier-no:313654321", "urn:altinn:user:id:8", "urn:altinn:userid:7",
		"urn:altinn:person:idporten-email:kari@example.no", "urn:altinn:person:idporten-email:kari%40example.no",
		"urn:altinn:party:username:epost:kari@example.no", "urn:altinn:person:legacy-selfidentified:kari",
		"urn:altinn:person:uuid:6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2002",
	} {
		status, _, _ := ask(t, s, urn)
		assert.Equal(t, http.StatusOK, status, urn)
	}
	put(`{"partyId":50001337,"partyType":"organization","displayName":"NY"}`)
	status, got, _ = ask(t, s, partyURN(50001337))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "NY", got[0].DisplayName, "replaced")
	status, _, _ = ask(t, s, "urn:altinn:organization:identifier-no:313654321")
	assert.Equal(t, http.StatusPartialContent, status, "what it no longer has does not find it")
	require.Error(t, s.Put([]json.RawMessage{[]byte(`{"partyUuid":"x"}`)}))
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		who  auth.Caller
		err  error
		want int
	}{
		{auth.Caller{Scopes: []string{auth.ScopePartyLookup}}, nil, 200},
		{auth.Caller{Scopes: []string{auth.ScopeSyncAdapter}}, nil, 403},
		{auth.Caller{Anonymous: true}, nil, 401},
		{auth.Caller{}, auth.ErrInvalidToken, 401},
	} {
		s := register.New(register.Config{Caller: func(*http.Request) (auth.Caller, error) { return test.who, test.err }})
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/register/api/v1/dialogporten/parties/query",
			strings.NewReader(`{"data":[]}`))
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(w, r)
		assert.Equal(t, test.want, w.Code, fmt.Sprint(test.who))
	}
}

func TestPartiesComeLate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := register.New(register.Config{Now: func() time.Time { return now }})
	people := world.Population{}
	known, missing := people.Company(1), people.Missing(1)
	s.WithholdUntil(known, now.Add(time.Minute))
	s.WithholdUntil(missing, now.Add(time.Minute))
	status, _, _ := ask(t, s, partyURN(known), partyURN(missing))
	assert.Equal(t, http.StatusPartialContent, status)
	now = now.Add(time.Minute)
	status, got, _ := ask(t, s, partyURN(known), partyURN(missing))
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, got, 2)
	s.Withhold(missing)
	status, _, _ = ask(t, s, partyURN(missing))
	assert.Equal(t, http.StatusPartialContent, status, "until it is revealed")
}

func TestOldLookups(t *testing.T) {
	t.Parallel()
	who := auth.Caller{Scopes: []string{auth.ScopePartyLookup}}
	s := register.New(register.Config{Caller: func(*http.Request) (auth.Caller, error) { return who, nil }})
	people := world.Population{}
	company, ok := people.ByID(people.Company(3))
	require.True(t, ok)
	person, ok := people.ByID(people.Person(50))
	require.True(t, ok)
	call := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, "/register/api/v1/parties/"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	aCompany := fmt.Sprintf(`{"partyId":%d,"partyUuid":%q,"partyTypeName":2,"orgNumber":%q,"ssn":null,"name":%q,"isDeleted":false}`,
		company.ID, company.UUID, company.Organisation, company.DisplayName)
	aPerson := fmt.Sprintf(`{"partyId":%d,"partyUuid":%q,"partyTypeName":1,"orgNumber":null,"ssn":%q,"name":%q,"isDeleted":false}`,
		person.ID, person.UUID, person.Person, person.DisplayName)
	for _, test := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{http.MethodPost, "lookup", `{"orgNo":"` + company.Organisation + `"}`, 200, aCompany},
		{http.MethodPost, "lookup", `{"ssn":"` + person.Person + `"}`, 200, aPerson},
		{http.MethodGet, strconv.Itoa(int(company.ID)), "", 200, aCompany},
		{http.MethodPost, "lookup", `{"orgNo":"999999999"}`, 404, ""},
		{http.MethodGet, "7", "", 404, ""},
		{http.MethodGet, "x", "", 400, ""},
		{http.MethodPost, "lookup", `{}`, 400, ""},
		{http.MethodPost, "lookup", `{"orgNo":"1"}`, 400, ""},
		{http.MethodPost, "lookup", `{"orgNo":"310702641","ssn":"13897197123"}`, 400, ""},
		{http.MethodPost, "lookup", `[]`, 400, ""},
	} {
		status, body := call(test.method, test.path, test.body)
		assert.Equal(t, test.want, status, test.body)
		if test.says != "" {
			assert.JSONEq(t, test.says, body)
		}
	}
	s.Withhold(company.ID)
	status, _ := call(http.MethodGet, strconv.Itoa(int(company.ID)), "")
	assert.Equal(t, 404, status)
	who = auth.Caller{Anonymous: true}
	status, _ = call(http.MethodGet, "7", "")
	assert.Equal(t, 401, status)
	who = auth.Caller{Scopes: []string{auth.ScopeSyncAdapter}}
	status, _ = call(http.MethodPost, "lookup", `{"orgNo":"310702641"}`)
	assert.Equal(t, 403, status)
}
