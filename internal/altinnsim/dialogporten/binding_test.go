package dialogporten_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Faults of the JSON itself are told before any rule, under the JSON path without dto (Chapters 2 and 3).
func TestJSONBindingFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*simulation, object)
		key    string
	}{
		{"party null", set("party", nil), "party"},
		{"serviceResource null", set("serviceResource", nil), "serviceResource"},
		{"list null", set("activities", nil), "activities"},
		{"isApiOnly null", set("isApiOnly", nil), "isApiOnly"},
		{"isApiOnly text", set("isApiOnly", "true"), "isApiOnly"},
		{"unknown status", set("status", "Done"), "status"},
		{"status of a wrong type", set("status", true), "status"},
		{"date without offset", set("dueAt", "2099-01-01T00:00:00"), "dueAt"},
		{"date without time", set("dueAt", "2099-01-01"), "dueAt"},
		{"no date", set("dueAt", "soon"), "dueAt"},
		{"impossible date", set("dueAt", "2099-02-30T00:00:00Z"), "dueAt"},
		{"id without hyphens", set("id", "019bc14fef8070008010cbea9ac623b7"), "id"},
		{"progress with a fraction", set("progress", 1.5), "progress"},
		{"progress beyond 32 bits", set("progress", 1e12), "progress"},
		{"object for a list", set("guiActions", object{}), "guiActions"},
		{"text for an object", set("content", "x"), "content"},
		{"null title", set("content", object{"title": nil}), "content.title"},
		{"localisation without value", set("content", object{"title": object{"value": list{object{"languageCode": "nb"}}}}), "content.title.value[0]"},
		{"localisation without language", set("content", object{"title": object{"value": list{object{"value": "x"}}}}), "content.title.value[0]"},
		{
			"null value", set("content", object{"title": object{"value": list{object{"value": nil, "languageCode": "nb"}}}}),
			"content.title.value[0].value",
		},
		{"activity type", in("activities", func(s *simulation) object { return s.activity(object{"type": "Opened"}) }), "activities[0].type"},
		{"null performedBy", func(s *simulation, d object) {
			a := s.activity()
			a["performedBy"] = nil
			d["activities"] = list{a}
		}, "activities[0].performedBy"},
		{"GUI action httpMethod null", func(s *simulation, d object) {
			a := s.guiAction()
			a["httpMethod"] = nil
			d["guiActions"] = list{a}
		}, "guiActions[0].httpMethod"},
		{"url without host", in("guiActions", func(s *simulation) object { return s.guiAction(object{"url": "https://"}) }), "guiActions[0].url"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			d := s.dialog(object{"progress": 101}) // a rule's fault, which must not show
			test.change(s, d)
			a := s.send(request{method: "POST", path: dialogs, body: d}).is(400).hasKey(test.key)
			require.Len(t, a.errors(), 1)
		})
	}
}

func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for _, body := range []string{
		"", "{", `{"id":}`, `{"id" 1}`, `[1,]`, `{"a":1,}`, `{'a':1}`, `{"a":01}`, `{"a":"\x"}`, "{\"a\":\"\n\"}", `{"a":1} x`,
		`"x`, "\xff", `{"a":nul}`, `{"a":"\ud800"}`, strings.Repeat("[", 70),
	} {
		a := s.send(request{method: "POST", path: dialogs, raw: body, header: map[string]string{"Content-Type": "application/json"}})
		require.Equal(t, 400, a.status, body)
		a.hasKey("SerializerErrors")
	}
	s.send(request{method: "POST", path: dialogs, raw: "null"}).is(400).hasKey("dto")
	s.send(request{method: "POST", path: dialogs, raw: "[]"}).is(400).hasKey("SerializerErrors")
}

// Members are matched in any case, unknown ones ignored, the last of several wins; enums are texts in any case or
// numbers (Chapter 2).
func TestLenientBinding(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	body := `{"ID":"` + s.id() + `","SERVICERESOURCE":"` + resourceMine + `","Party":"x","pArTy":"` + orgParty + `","status":"COMPLETED",
		"unknown":{"deep":[1,2.5e3,{"x":null,"y":[true,false]}]},"Progress":"7","systemLabel":3,"contentUpdatedAt":"x",
		"content":{"Title":{"VALUE":[{"Value":"\u00e6\ud83d\ude00\/\n","LanguageCode":"nb","more":1}]}}}`
	id := s.send(request{method: "POST", path: dialogs, query: silent(), raw: "\xef\xbb\xbf" + body, lax: true}).is(201).text()
	d := s.get(id)
	require.Equal(t, orgParty, d["party"])
	require.Equal(t, "Completed", d["status"])
	require.Equal(t, "Archive", d["systemLabel"])
	require.InDelta(t, 7, d["progress"], 0)
	require.Equal(t, object{"title": object{"mediaType": "text/plain", "value": texts("nb", "æ😀/\n")}}, d["content"])
}

// Null among the objects of a list makes the real service fall over.
func TestNullElements(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"attachments": list{nil}})}).is(500)
}

func TestStatusNumbers(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for input, stored := range map[any]string{
		"New": "NotApplicable", 1: "NotApplicable", "sent": "Awaiting", 4: "Awaiting", 2: "InProgress",
		3: "Draft", 5: "RequiresAttention", 6: "Completed", 7: "NotApplicable", 8: "Awaiting",
	} {
		require.Equal(t, stored, s.get(s.createLax(s.dialog(object{"status": input})))["status"], input)
	}
	d := s.dialog()
	delete(d, "status")
	require.Equal(t, "NotApplicable", s.get(s.create(d))["status"])
}

// Content types (Chapter 2): 415 without a body; actions take anything.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	path := dialogs + "/" + id
	for contentType, status := range map[string]int{
		"": 415, "text/plain": 415, "application/json-patch+json": 415,
		"application/json; charset=utf-8": 400, "APPLICATION/JSON": 400,
	} {
		a := s.send(request{method: "POST", path: dialogs, raw: "{}", body: nil, header: map[string]string{"Content-Type": contentType}})
		if status == 400 {
			require.Contains(t, []int{400, 500}, a.status)
			continue
		}
		a.is(status)
		require.Empty(t, a.body)
	}
	s.send(request{method: "PATCH", path: path, raw: "[]", header: map[string]string{"Content-Type": "application/json-patch+json"}}).is(204)
	s.send(request{method: "PATCH", path: path, raw: "[]", header: map[string]string{"Content-Type": "text/json"}}).is(415)
	s.send(request{method: "POST", path: path + "/actions/restore", raw: "x", header: map[string]string{"Content-Type": "text/plain"}}).is(204)
}

// Route, query and header faults stand under the parameter's name (Chapter 3).
func TestParameterFaults(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	s.send(request{method: "GET", path: dialogs + "/abc"}).is(400).has("dialogId", "Value [abc] is not valid for a [Guid] property!")
	s.send(request{method: "GET", path: dialogs + "/" + id + "/activities/x"}).is(400).hasKey("activityId")
	s.send(request{method: "DELETE", path: dialogs + "/" + id, query: url.Values{"isSilentUpdate": {"1"}}}).is(400).hasKey("isSilentUpdate")
	for _, match := range []string{`"` + id + `"`, "*", `W/"` + id + `"`, "x"} {
		s.send(request{method: "DELETE", path: dialogs + "/" + id, header: map[string]string{"If-Match": match}}).is(400).hasKey("If-Match")
		s.send(request{method: "PATCH", path: dialogs + "/" + id, raw: "[]", header: map[string]string{"If-Match": match}}).is(400).hasKey("If-Match")
	}
	s.send(request{method: "DELETE", path: dialogs + "/" + id, query: url.Values{"ISSILENTUPDATE": {"TRUE"}}}).is(204)
}

// The shape of problem details (Chapter 3).
func TestProblemDetails(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	path := dialogs + "/" + id
	missing := dialogs + "/" + s.id()
	check := func(a answer, status int, kind, title string, withErrors bool) {
		t.Helper()
		p := a.is(status).object()
		require.Equal(t, "application/problem+json; charset=utf-8", a.header.Get("Content-Type"))
		require.Equal(t, "https://datatracker.ietf.org/doc/html/"+kind, p["type"])
		require.Equal(t, title, p["title"])
		require.InDelta(t, status, p["status"], 0)
		require.Regexp(t, "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$", p["traceId"])
		_, has := p["errors"]
		require.Equal(t, withErrors, has)
	}
	a := s.send(request{method: "GET", path: missing, query: url.Values{"x": {"y"}}})
	check(a, 404, "rfc7231#section-6.5.4", "Resource not found.", true)
	require.Equal(t, missing, a.object()["instance"])
	check(s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"progress": 101})}), 400, "rfc7231#section-6.5.1",
		"One or more validation errors occurred.", true)
	check(s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"serviceResource": resourceElse})}), 403, "rfc7231#section-6.5.3",
		"Forbidden.", true)
	check(s.send(request{method: "DELETE", path: path, header: map[string]string{"If-Match": s.id()}}), 412, "rfc7232#section-4.2",
		"Precondition failed.", false)
	check(s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"id": id})}), 422, "rfc4918#section-11.2", "Unprocessable request.", true)
	s.overlap.Store(true)
	check(s.send(request{method: "DELETE", path: path}), 409, "rfc7231#section-6.5.8", "Conflict.", true)
	s.overlap.Store(false)
	s.send(request{method: "DELETE", path: path}).is(204)
	check(s.send(request{method: "DELETE", path: path}), 410, "rfc7231#section-6.5.9", "Resource no longer available.", true)

	internal := s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"serviceResource": nil})}).is(500)
	require.Equal(t, "application/json", internal.header.Get("Content-Type"))
	require.Equal(t, "Something went wrong during the request.", internal.object()["detail"])
}

// Bodies beyond 20 000 000 bytes (Chapter 15).
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	body := strings.Repeat(" ", 20_000_001)
	p := s.send(request{method: "POST", path: dialogs, raw: body, header: map[string]string{"Content-Type": "application/json"}}).is(413).object()
	require.Equal(t, "Payload too large. The maximum allowed size is 20000000 bytes.", p["title"])
	require.NotContains(t, p, "errors")
}

// Who may call what (Chapters 1, 3 and 5).
func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	path := dialogs + "/" + id
	anonymous, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+path, nil)
	require.NoError(t, err)
	response, err := s.server.Client().Do(anonymous)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 401, response.StatusCode)
	require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
	bad := s.send(request{method: "GET", path: path, token: "x"}).is(401)
	require.Contains(t, bad.header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`)
	require.Empty(t, bad.body)

	empty := func(a answer) { t.Helper(); require.Empty(t, a.is(403).body) }
	empty(s.send(request{method: "GET", path: path, token: "ttd;991825827;;"}))
	empty(s.send(request{method: "GET", path: path, token: ";;;" + scopeBase}))
	empty(s.send(request{method: "GET", path: dialogs}))
	empty(s.send(request{method: "GET", path: dialogs + "/endusercontext"}))
	empty(s.send(request{method: "PUT", path: path + "/transmissions/" + s.id(), body: object{}}))
	empty(s.send(request{method: "POST", path: path + "/activities/" + s.id() + "/actions/updateFormSavedActivityTime", body: "x"}))
	empty(s.send(request{method: "GET", path: path + "/actions/should-send-notification"}))
	s.send(request{
		method: "GET", path: path + "/actions/should-send-notification", token: "x;991825827;;" + scopeNotify,
		query: url.Values{"conditionType": {"Exists"}, "activityType": {"FormSaved"}},
	}).is(200)

	person := "ttd;991825827;12829010001;" + scopeBase + " " + scopeAdmin
	a := s.send(request{
		method: "POST", path: path + "/activities/" + s.id() + "/actions/updateFormSavedActivityTime", token: person,
		body: "2024-05-05T05:05:05Z",
	}).is(403).hasKey("Type")
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	s.send(request{method: "GET", path: path, token: person}).is(200)
	s.send(request{method: "POST", path: path + "/actions/freeze", token: person}).is(403).
		has("Forbidden", "Only ServiceOwner admin can freeze dialogs.")

	s.send(request{method: "GET", path: "/api/v1/serviceowner/else"}).is(404)
	s.send(request{method: "GET", path: path + "/activities/" + s.id() + "/x"}).is(404)
	s.send(request{method: "POST", path: path}).is(405)
	s.send(request{method: "GET", path: strings.Replace(path, "serviceowner", "ServiceOwner", 1)}).is(200)
}
