package dialogporten_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Service-owner labels (Chapters 6 and 13).
func TestServiceOwnerLabels(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": "bbb"}}}}))
	path := dialogs + "/" + id + "/context/labels"
	add := func(label any, r request) answer {
		r.method, r.path, r.body = "POST", path, object{"value": label}
		return s.send(r)
	}
	before := s.get(id)
	context := before["serviceOwnerContext"].(object)["revision"]
	a := add(" URN:altinn:Integration:storage:1/x ", request{header: match(context)}).is(204)
	require.NotEqual(t, context, a.etag())
	got := s.send(request{method: "GET", path: path}).is(200)
	require.Equal(t, a.etag(), got.etag())
	require.Equal(t, list{object{"value": "bbb"}, object{"value": "urn:altinn:integration:storage:1/x"}}, got.list())
	after := s.get(id)
	require.Equal(t, []any{before["revision"], before["updatedAt"], before["contentUpdatedAt"]},
		[]any{after["revision"], after["updatedAt"], after["contentUpdatedAt"]})

	add("BBB", request{}).is(400).has("dto.serviceOwnerLabels", "Can not contain duplicate items: [bbb].")
	add("ab", request{}).is(400).has("dto.serviceOwnerLabels[2].value", "The length of 'Value' must be at least 3 characters. You entered 2 characters.")
	add(long(256), request{}).is(400).has("dto.serviceOwnerLabels[2].value", tooLong("Value", 255, 256))
	add(nil, request{}).is(400).hasKey("value")
	add("x", request{header: match(context)}).is(412) // before the rules
	add("x", request{token: other(scopeAdmin)}).is(404)
	add("quoted", request{header: map[string]string{"If-Match": `"` + a.etag() + `"`}}).is(400)

	drop := func(label string, r request) answer {
		r.method, r.path = "DELETE", path+"/"+label
		return s.send(r)
	}
	drop("nothing", request{header: match(context)}).is(404).has("Label", "Entity 'Label' with the following key(s) was not found: (nothing).")
	drop("bbb", request{header: match(context)}).is(412)
	drop("urn%3Aaltinn%3AINTEGRATION%3Astorage%3A1%2Fx", request{}).is(204)
	drop("bbb", request{token: other(scopeAdmin)}).is(404)
	require.Equal(t, list{object{"value": "bbb"}}, s.send(request{method: "GET", path: path}).list())

	for i := range 19 {
		add("label-"+itoa(i+1), request{}).is(204)
	}
	add("one-more", request{}).is(400).has("dto.serviceOwnerLabels", "Maximum 20 service owner labels are allowed.")
	s.remove(id).is(204)
	s.send(request{method: "GET", path: path}).is(404)
	add("gone", request{}).is(404)
	drop("bbb", request{}).is(404).hasKey("DialogEntity")
}

func performed() object { return object{"actorType": "PartyRepresentative", "actorName": "Ola"} }

// End-user labels (Chapter 13).
func TestSystemLabels(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"party": personParty, "transmissions": list{s.transmission(object{"type": "Correction"})}}))
	before := s.get(id)
	set := func(body object, r request) answer {
		r.method, r.path, r.body = "PUT", dialogs+"/"+id+"/endusercontext/systemlabels", body
		return s.send(r)
	}
	labels := func() any { return s.get(id)["endUserContext"].(object)["systemLabels"] }
	require.Equal(t, list{"Default", "Sent"}, labels())
	asAdmin := request{token: admin()}
	a := set(object{"addLabels": list{"Bin", "Archive", "MarkedAsUnopened"}, "performedBy": performed()}, asAdmin).is(204)
	require.Equal(t, list{"Archive", "MarkedAsUnopened", "Sent"}, labels())
	d := s.get(id)
	require.Equal(t, a.etag(), d["endUserContext"].(object)["revision"])
	require.Equal(t, []any{before["revision"], before["updatedAt"], "Archive"}, []any{d["revision"], d["updatedAt"], d["systemLabel"]})
	require.Equal(t, a.etag(), set(object{"addLabels": list{"Archive"}, "performedBy": performed()}, asAdmin).is(204).etag())
	set(object{"removeLabels": list{"Archive", "MarkedAsUnopened"}, "performedBy": performed()}, asAdmin).is(204)
	require.Equal(t, list{"Default", "Sent"}, labels())
	user := func(id string) request { return request{query: url.Values{"enduserId": {id}}} }
	set(object{"addLabels": list{"Bin"}}, user(personParty)).is(204)
	require.Equal(t, list{"Bin", "Sent"}, labels())

	set(object{"addLabels": list{"Sent"}}, user(personParty)).is(400).hasKey("addLabels[0]")
	set(object{"addLabels": list{"Bin"}}, request{}).is(400).has("endUserId", "EnduserId is required")
	both := user(personParty)
	both.token = admin()
	set(object{"performedBy": performed()}, both).is(400).has("endUserId", "EnduserId must be omitted when performedBy is supplied.")
	set(object{"performedBy": performed()}, request{}).is(403).has("Forbidden", "performedBy is only allowed for admin-integrations.")
	set(object{"addLabels": list{"Bin"}}, user("urn:altinn:person:identifier-no:52129010088")).is(403)
	stale := user(personParty)
	stale.header = match(before["revision"])
	set(object{"addLabels": list{"Default"}}, stale).is(412)
	s.remove(id).is(204)
	set(object{"addLabels": list{"Default"}}, user(personParty)).is(404)
}

// MarkedAsUnopened hides that the content was seen (Chapter 12).
func TestMarkedAsUnopened(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"createdAt": "2025-01-01T00:00:00Z"}))
	require.Equal(t, true, s.get(id)["isContentSeen"])
	s.send(request{
		method: "PUT", path: dialogs + "/" + id + "/endusercontext/systemlabels", token: admin(),
		body: object{"addLabels": list{"MarkedAsUnopened"}, "performedBy": performed()},
	}).is(204)
	require.Equal(t, false, s.get(id)["isContentSeen"])
	found := func(seen string) list {
		return s.send(request{method: "GET", path: dialogs, token: admin(), query: url.Values{"isContentSeen": {seen}}}).is(200).object()["items"].(list)
	}
	require.Len(t, found("false"), 1)
	require.Empty(t, found("true"))
}

// Bulk changes are all or nothing (Chapter 13).
func TestBulkSetSystemLabels(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	one, two := s.create(s.dialog()), s.create(s.dialog())
	revision := func(id string) any { return s.get(id)["endUserContext"].(object)["revision"] }
	bulk := func(targets list, r request) answer {
		r.method, r.path = "POST", dialogs+"/endusercontext/systemlabels/actions/bulkset"
		r.body = object{"dialogs": targets, "addLabels": list{"Archive"}, "performedBy": performed()}
		r.token = admin()
		return s.send(r)
	}
	target := func(id string, revision any) object {
		return object{"dialogId": id, "endUserContextRevision": revision}
	}
	bulk(list{target(one, nil), target(s.id(), nil)}, request{}).is(403)
	bulk(list{target(one, nil), target(two, s.id())}, request{}).is(412)
	bulk(list{}, request{}).is(400)
	bulk(list{target(one, nil), target(one, nil)}, request{}).is(400)
	require.Equal(t, "Default", s.get(one)["systemLabel"])
	require.Empty(t, bulk(list{target(two, revision(two)), target(one, nil)}, request{}).is(204).etag())
	require.Equal(t, []any{"Archive", "Archive"}, []any{s.get(one)["systemLabel"], s.get(two)["systemLabel"]})
	many := list{}
	for range 201 {
		many = append(many, target(s.id(), nil))
	}
	bulk(many, request{}).is(400)
}

// dialoglookup (Chapter 6).
func TestDialogLookup(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	instance := "51441547/26cbe3f0-355d-4459-b085-7edaa899b6ba"
	withLabel := func(label string) object {
		return object{"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": label}}}}
	}
	id := s.create(s.dialog(withLabel("urn:altinn:integration:storage:" + instance)))
	look := func(ref string, r request) answer {
		r.method, r.path, r.query = "GET", "/api/v1/serviceowner/dialoglookup", url.Values{"instanceRef": {ref}}
		return s.send(r)
	}
	found := look("urn:altinn:instance-id:"+instance, request{}).is(200).object()
	require.Equal(t, []any{id, "urn:altinn:instance-id:" + instance, orgParty}, []any{found["dialogId"], found["instanceRef"], found["party"]})
	require.Equal(t, "ttd", found["serviceOwner"].(object)["code"])
	require.Equal(t, texts("nb", "Tittel"), found["title"])
	require.Equal(t, "urn:altinn:instance-id:"+instance, look("urn:altinn:dialog-id:"+id, request{}).is(200).object()["instanceRef"])
	look("urn:altinn:dialog-id:"+id, request{token: other()}).is(403)
	s.remove(id).is(204)
	look("urn:altinn:instance-id:"+instance, request{}).is(200)
	look("urn:altinn:correspondence-id:26cbe3f0-355d-4459-b085-7edaa899b6ba", request{}).is(404)
	look("urn:altinn:dialog-id:"+s.id(), request{}).is(404)
	look("urn:altinn:else:x", request{}).is(400).hasKey("instanceRef")
	s.create(s.dialog(withLabel("urn:altinn:integration:storage:" + instance)))
	look("urn:altinn:instance-id:"+instance, request{}).is(500)
}

// metadata/limits (Chapters 5 and 15): no token, 406 where JSON is ruled out.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	const path = "/api/v1/metadata/limits"
	got := s.send(request{method: "GET", path: path, token: "x"}).is(200).object()
	require.Equal(t, object{"maxPartyFilterValues": 20.0, "maxServiceResourceFilterValues": 20.0, "maxExtendedStatusFilterValues": 20.0},
		got["serviceOwnerSearch"])
	p := s.send(request{method: "GET", path: path, header: map[string]string{"Accept": "text/html"}}).is(406).object()
	require.Equal(t, "Requested content type is not acceptable.", p["title"])
	s.send(request{method: "GET", path: path, header: map[string]string{"Accept": "text/html, */*;q=0.1"}}).is(200)
	s.send(request{method: "POST", path: path}).is(405)
}

// A label is a dialog's for as long as the dialog is there.
func TestLabelsFollowTheirDialog(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": "abc"}}}}))
	search := func(label string) list {
		return s.send(request{method: "GET", path: dialogs, token: owner(scopeSearch), query: url.Values{"serviceOwnerLabels": {label}}}).
			is(200).object()["items"].(list)
	}
	require.Len(t, search("abc"), 1)
	s.advance(time.Second)
	s.act(id, "purge").is(204)
	require.Empty(t, search("abc"))
}
