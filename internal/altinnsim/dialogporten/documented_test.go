package dialogporten_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endpoint is one of the document's operations, with a body that can be read.
type endpoint struct {
	method, path string
	body         any
}

// endpoints are all operations on a dialog; names in braces are filled in by at.
func endpoints() []endpoint {
	const one = dialogs + "/{dialog}"
	patch := list{object{"op": "replace", "path": "/progress", "value": 7}}
	labels := object{"addLabels": list{"Bin"}, "removeLabels": list{}, "performedBy": object{"actorType": "ServiceOwner"}}
	return []endpoint{
		{"GET", one, nil},
		{"PUT", one, object{"status": "Draft", "content": object{"title": plain("x")}}},
		{"PATCH", one, patch},
		{"DELETE", one, nil},
		{"POST", one + "/actions/purge", nil},
		{"POST", one + "/actions/restore", nil},
		{"POST", one + "/actions/freeze", nil},
		{"GET", one + "/activities", nil},
		{"GET", one + "/activities/{child}", nil},
		{"POST", one + "/activities", object{"type": "FormSaved", "performedBy": object{"actorType": "ServiceOwner"}}},
		{"GET", one + "/transmissions", nil},
		{"GET", one + "/transmissions/{child}", nil},
		{"POST", one + "/transmissions", object{"type": "Information", "sender": object{"actorType": "ServiceOwner"}, "content": object{"title": plain("x"), "summary": plain("y")}}},
		{"PUT", one + "/transmissions/{child}?isSilentUpdate=true", object{"type": "Information", "sender": object{"actorType": "ServiceOwner"}, "content": object{"title": plain("x"), "summary": plain("y")}}},
		{"GET", one + "/seenlog", nil},
		{"GET", one + "/seenlog/{child}", nil},
		{"GET", one + "/context/labels", nil},
		{"POST", one + "/context/labels", object{"value": "merke"}},
		{"DELETE", one + "/context/labels/borte", nil},
		{"PUT", one + "/endusercontext/systemlabels", labels},
		{"GET", one + "/actions/should-send-notification?conditionType=Exists&activityType=FormSaved", nil},
	}
}

// others are the operations that name no dialog in their path.
func others() []endpoint {
	return []endpoint{
		{"POST", dialogs, object{}},
		{"GET", dialogs, nil},
		{"GET", dialogs + "/endusercontext?party=" + orgParty, nil},
		{"POST", dialogs + "/endusercontext/systemlabels/actions/bulkset", object{"dialogs": list{}, "addLabels": list{"Bin"}}},
		{"GET", "/api/v1/serviceowner/dialoglookup?instanceRef=urn:altinn:dialog-id:00000000-0000-7000-8000-000000000000", nil},
	}
}

func (e endpoint) at(dialog, child string) request {
	path := strings.NewReplacer("{dialog}", dialog, "{child}", child).Replace(e.path)
	return request{method: e.method, path: path, body: e.body, lax: true}
}

func everything() string { return admin(scopeChange, scopeCorr, scopeNotify) }

// No endpoint answers without a token or without its scope, and both answers are empty.
func TestEveryEndpointWantsATokenAndAScope(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id, child := s.create(s.dialog()), s.id()
	for _, e := range append(endpoints(), others()...) {
		r := e.at(id, child)
		r.token = "rubbish"
		require.Empty(t, s.send(r).is(http.StatusUnauthorized).body)
		r.token = "ttd;991825827;;"
		require.Empty(t, s.send(r).is(http.StatusForbidden).body)
	}
}

// What is asked of a dialog that nobody knows is 404, but for a body or parameters that are wrong before.
func TestEveryEndpointMissesUnknownDialogs(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for _, e := range endpoints() {
		r := e.at(s.id(), s.id())
		r.token = everything()
		s.send(r).is(http.StatusNotFound).hasKey("DialogEntity")
	}
}

// What another organisation owns is not there for others (reads, labels and writes by resource or by organisation).
func TestEveryEndpointHidesOthersDialogs(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	for _, e := range endpoints() {
		r := e.at(id, s.id())
		r.token = other(scopeChange)
		if strings.Contains(e.path, "should-send-notification") || strings.Contains(e.path, "freeze") || strings.Contains(e.path, "systemlabels") {
			continue // no ownership check; administrators only
		}
		if e.method == "PUT" && strings.Contains(e.path, "/transmissions/") {
			continue // 404 before 403, or 403: TestPutTransmission
		}
		s.send(r).is(http.StatusNotFound)
	}
}

// A soft-deleted dialog is answered by each endpoint in its own way (Chapter 6).
func TestEveryEndpointKnowsDeletedDialogs(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		s := newSimulation(t)
		id := s.create(s.full())
		child := s.id()
		s.send(request{method: "DELETE", path: dialogs + "/" + id, token: everything()}).is(http.StatusNoContent)
		r := e.at(id, child)
		r.token = everything()
		want := http.StatusGone
		switch path := strings.TrimPrefix(r.path, dialogs+"/"+id); {
		case path == "" && e.method == "GET":
			want = http.StatusOK
		case path == "/actions/purge" || path == "/actions/restore":
			want = http.StatusNoContent
		case path == "/activities" && e.method == "POST":
			want = http.StatusCreated // by an administrator
		case strings.HasPrefix(path, "/context/labels"), strings.HasPrefix(path, "/endusercontext"):
			want = http.StatusNotFound
		case strings.HasPrefix(path, "/actions/should"):
			want = http.StatusOK
		}
		s.send(r).is(want)
	}
}

// A race is told by every write of a stored dialog: 409 under an empty key, or 412 with If-Match.
func TestEveryWriteCanMeetAnother(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		if e.method == "GET" {
			continue
		}
		s := newSimulation(t)
		id := s.create(s.full())
		child := s.get(id)["transmissions"].([]any)[0].(object)["id"].(string)
		if strings.HasSuffix(e.path, "/restore") {
			s.send(request{method: "DELETE", path: dialogs + "/" + id, token: everything()}).is(http.StatusNoContent)
		}
		r := e.at(id, child)
		r.path = strings.Replace(r.path, "/borte", "/abc", 1)
		r.token = everything()
		s.overlap.Store(true)
		s.send(r).is(http.StatusConflict).hasKey("")
		s.overlap.Store(false)
	}
}

func TestBulkCanMeetAnotherWriter(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	s.overlap.Store(true)
	s.send(request{
		method: "POST", path: dialogs + "/endusercontext/systemlabels/actions/bulkset", token: everything(),
		body: object{
			"dialogs": list{object{"dialogId": id}}, "addLabels": list{"Bin"}, "removeLabels": list{},
			"performedBy": object{"actorType": "ServiceOwner"},
		},
	}).is(http.StatusConflict).hasKey("")
	require.Equal(t, "Default", s.get(id)["systemLabel"])
}

// An actor whom the party register does not know is refused wherever there is one (Chapters 7, 14).
func TestUnknownActorsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	path := dialogs + "/" + id
	transmission := s.get(id)["transmissions"].([]any)[0].(object)["id"].(string)
	unknown := object{"actorType": "PartyRepresentative", "actorId": "urn:altinn:organization:identifier-no:310702641"}
	for _, e := range []endpoint{
		{"PUT", path, s.update(id, object{"activities": list{s.activity(object{"performedBy": unknown})}})},
		{"PATCH", path, list{object{"op": "add", "path": "/activities/-", "value": s.activity(object{"performedBy": unknown})}}},
		{"POST", path + "/activities", s.activity(object{"performedBy": unknown})},
		{"POST", path + "/transmissions", s.transmission(object{"sender": unknown})},
		{"PUT", path + "/transmissions/" + transmission + "?isSilentUpdate=true", s.transmission(object{"id": nil, "sender": unknown})},
		{"PUT", path + "/endusercontext/systemlabels", object{"addLabels": list{"Bin"}, "removeLabels": list{}, "performedBy": unknown}},
		{"POST", dialogs + "/endusercontext/systemlabels/actions/bulkset", object{
			"dialogs": list{object{"dialogId": id}}, "addLabels": list{"Bin"}, "removeLabels": list{}, "performedBy": unknown,
		}},
	} {
		r := e.at(id, transmission)
		r.token = everything()
		s.send(r).is(http.StatusUnprocessableEntity).
			has("ActorId", "Unable to look up name for actor id: urn:altinn:organization:identifier-no:310702641")
	}
	require.Equal(t, "Archive", s.get(id)["systemLabel"], "nothing was changed")
}

func TestEveryWriteWantsABareGUIDInIfMatch(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	for _, e := range endpoints() {
		if e.method == "GET" {
			continue
		}
		r := e.at(id, s.id())
		r.token = everything()
		r.header = map[string]string{"If-Match": `"` + s.id() + `"`}
		s.send(r).is(http.StatusBadRequest).hasKey("If-Match")
	}
}
