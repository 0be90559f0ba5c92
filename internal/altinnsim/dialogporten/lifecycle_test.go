package dialogporten_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (s *simulation) act(id, action string, r ...request) answer {
	s.t.Helper()
	call := request{}
	if len(r) > 0 {
		call = r[0]
	}
	call.method, call.path = "POST", dialogs+"/"+id+"/actions/"+action
	return s.send(call)
}

func (s *simulation) remove(id string, r ...request) answer {
	s.t.Helper()
	call := request{}
	if len(r) > 0 {
		call = r[0]
	}
	call.method, call.path = "DELETE", dialogs+"/"+id
	return s.send(call)
}

// DELETE and restore (Chapter 6): dates and labels stay, revisions change.
func TestDeleteAndRestore(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	before := s.get(id)
	s.advance(time.Hour)
	deleted := s.remove(id, request{header: match(before["revision"])}).is(204)
	gone := s.get(id)
	require.Equal(t, shown(s.at(0)), gone["deletedAt"])
	require.Equal(t, deleted.etag(), gone["revision"])
	require.NotEqual(t, before["revision"], gone["revision"])
	s.remove(id).is(410).has("DialogEntity", "Entity 'DialogEntity' with the following key(s) is removed: ("+id+").")
	s.act(id, "restore", request{header: match(before["revision"])}).is(412)
	restored := s.act(id, "restore").is(204)
	after := s.get(id)
	require.Equal(t, restored.etag(), after["revision"])
	require.Equal(t, restored.etag(), s.act(id, "restore").is(204).etag())
	before["revision"] = after["revision"]
	require.Equal(t, before, after)
	s.remove(s.id()).is(404)
	s.act(s.id(), "restore").is(404)
	s.remove(id, request{token: other()}).is(404)
	s.remove(id, request{header: match(s.id())}).is(412)
}

// Correspondence dialogs can't be deleted or purged without the scope, administrators included (Chapter 6).
func TestDeleteCorrespondence(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"serviceResource": resourceMsg}))
	const text = "User cannot modify resource type correspondenceservice."
	s.remove(id, request{token: admin()}).is(403).has("Forbidden", text)
	s.act(id, "purge", request{token: admin(), header: match(s.id())}).is(403).has("Forbidden", text)
	s.put(id, minimal()).is(403).has("Forbidden", "User cannot create or modify a dialog with resource type correspondenceservice.")
	s.remove(id, request{token: owner(scopeCorr)}).is(204)
	s.act(id, "restore").is(204)
	s.act(id, "purge", request{token: owner(scopeCorr)}).is(204)
}

// Purge (Chapter 6): deleted and frozen dialogs too, no ETag, nothing is left.
func TestPurge(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	d := s.full()
	id := s.create(d)
	s.act(id, "freeze", request{token: admin()}).is(204)
	s.remove(id, request{token: admin()}).is(204)
	s.act(id, "purge", request{header: match(s.id())}).is(412)
	s.act(id, "purge", request{token: other()}).is(404)
	a := s.act(id, "purge").is(204)
	require.Empty(t, a.etag())
	s.act(id, "purge").is(404)
	s.send(request{method: "GET", path: dialogs + "/" + id}).is(404)
	alive, deleted := s.service.Count()
	require.Equal(t, []int{0, 0}, []int{alive, deleted})
	require.Equal(t, id, s.create(d))
}

// Freeze (Chapter 6): who may, in which order, and what a frozen dialog refuses.
func TestFreeze(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	s.act(s.id(), "freeze").is(403).has("Forbidden", "Only ServiceOwner admin can freeze dialogs.")
	s.act(s.id(), "freeze", request{token: admin()}).is(404)
	s.act(id, "freeze", request{token: admin(), header: match(s.id())}).is(412)
	s.advance(time.Minute)
	first := s.act(id, "freeze", request{token: admin()}).is(204).etag()
	require.Equal(t, first, s.act(id, "freeze", request{token: admin()}).is(204).etag())
	d := s.get(id)
	require.Equal(t, shown(s.at(0)), d["updatedAt"])
	require.NotContains(t, d, "frozen")
	transmission := at(d, "transmissions", 0)["id"].(string)
	path := dialogs + "/" + id
	for _, write := range []request{
		{method: "PUT", path: path, body: minimal()},
		{method: "PATCH", path: path, raw: "[]"},
		{method: "DELETE", path: path},
		{method: "POST", path: path + "/activities", body: s.activity()},
		{method: "POST", path: path + "/transmissions", body: s.transmission()},
		{method: "PUT", path: path + "/transmissions/" + transmission, query: silent(), token: owner(scopeChange), body: s.transmission()},
	} {
		s.send(write).is(403).has("Forbidden", "User cannot modify frozen dialog")
	}
	s.send(request{method: "POST", path: path + "/context/labels", body: object{"value": "frozen-label"}}).is(204)
	s.act(id, "restore").is(204)
	s.send(request{method: "POST", path: path + "/activities", token: admin(), body: s.activity()}).is(201)
	s.remove(id, request{token: admin()}).is(204)
	s.act(id, "freeze", request{token: admin()}).is(410)
}

// POST activities (Chapter 6).
func TestPostActivity(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{
		"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-02T00:00:00Z", "systemLabel": "Bin",
		"transmissions": list{s.transmission()},
	}))
	path := dialogs + "/" + id + "/activities"
	transmission := at(s.get(id), "transmissions", 0)["id"]
	quiet := s.send(request{method: "POST", path: path, query: silent(), body: s.activity()}).is(201)
	d := s.get(id)
	require.Equal(t, quiet.etag(), d["revision"])
	require.Equal(t, []any{"2025-01-02T00:00:00.0000000Z", "Bin", true}, []any{d["updatedAt"], d["systemLabel"], d["hasUnopenedContent"]})
	loud := s.send(request{method: "POST", path: path, body: object{
		"type": "TransmissionOpened", "transmissionId": transmission,
		"performedBy": object{"actorType": "ServiceOwner"},
	}}).is(201)
	d = s.get(id)
	require.Equal(t, []any{shown(s.at(0)), "2025-01-02T00:00:00.0000000Z", "Default", false, true},
		[]any{d["updatedAt"], d["contentUpdatedAt"], d["systemLabel"], d["hasUnopenedContent"], at(d, "transmissions", 0)["isOpened"]})
	require.Equal(t, shown(s.at(0)), at(d, "activities", 1)["createdAt"])
	require.Equal(t, loud.text(), at(d, "activities", 1)["id"])

	send := func(body object, r request) answer {
		r.method, r.path, r.body = "POST", path, body
		return s.send(r)
	}
	send(s.activity(object{"description": texts("nb", "x")}), request{}).is(400).
		has("activity.description", "Description is only allowed when the type is 'Information'.")
	send(s.activity(), request{token: other()}).is(404)
	send(s.activity(), request{header: match(s.id())}).is(412)
	send(s.activity(object{"id": quiet.text()}), request{}).is(422).has("DialogActivity", "Key ('Id')=("+quiet.text()+") already exists.")
	send(s.activity(object{"type": "CorrespondenceOpened"}), request{}).is(403)
	send(s.activity(object{"type": "TransmissionOpened", "transmissionId": s.id()}), request{}).is(422).hasKey("Activity.TransmissionId")
	send(s.activity(object{"performedBy": object{"actorType": "PartyRepresentative", "actorId": "urn:altinn:organization:identifier-no:974761076"}}),
		request{}).is(422).hasKey("ActorId")
	send(s.activity(object{"type": nil}), request{}).is(400).hasKey("activity.type")
	require.Equal(t, d["revision"], s.get(id)["revision"])
	// A refused activity leaves its id free.
	free := s.id()
	send(s.activity(object{"id": free, "performedBy": object{
		"actorType": "PartyRepresentative",
		"actorId":   "urn:altinn:organization:identifier-no:974761076",
	}}), request{}).is(422)
	send(s.activity(object{"id": free}), request{}).is(201)
	s.remove(id).is(204)
	send(s.activity(), request{}).is(410)
	send(s.activity(), request{token: admin()}).is(201)
}

// updateFormSavedActivityTime (Chapter 6).
func TestUpdateFormSavedActivityTime(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	saved, closed := s.id(), s.id()
	id := s.create(s.dialog(object{
		"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-02T00:00:00Z",
		"activities": list{s.activity(object{"id": saved}), s.activity(object{"id": closed, "type": "DialogClosed"})},
	}))
	send := func(activity string, body any, r request) answer {
		r.method, r.path, r.body = "POST", dialogs+"/"+id+"/activities/"+activity+"/actions/updateFormSavedActivityTime", body
		if r.token == "" {
			r.token = admin()
		}
		return s.send(r)
	}
	a := send(saved, "2024-05-05T05:05:05Z", request{}).is(204)
	d := s.get(id)
	require.Equal(t, a.etag(), d["revision"])
	require.Equal(t, "2024-05-05T05:05:05.0000000Z", at(d, "activities", 0)["createdAt"])
	require.Equal(t, "2025-01-02T00:00:00.0000000Z", d["updatedAt"])
	send(saved, s.at(0), request{}).is(204)
	require.Equal(t, shown(s.at(0)), s.get(id)["updatedAt"])
	send(saved, s.at(16*time.Second), request{}).is(500)
	send(closed, "2024-05-05T05:05:05Z", request{}).is(422).has("Type", "Only FormSaved activities is allowed to be updated using admin scope.")
	send(s.id(), "2024-05-05T05:05:05Z", request{}).is(404).hasKey("DialogActivity")
	send(saved, "2024-05-05T05:05:05Z", request{header: match(s.id())}).is(412)
	send(saved, "2024-05-05T05:05:05", request{}).is(400)
	require.Empty(t, send(saved, "2024-05-05T05:05:05Z", request{token: owner()}).is(403).body)
}

// POST transmissions (Chapter 6).
func TestPostTransmission(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-02T00:00:00Z", "systemLabel": "Bin"}))
	path := dialogs + "/" + id + "/transmissions"
	send := func(body object, r request) answer {
		r.method, r.path, r.body = "POST", path, body
		return s.send(r)
	}
	first := send(s.transmission(object{"idempotentKey": "one", "type": "Submission"}), request{query: silent()}).is(201)
	d := s.get(id)
	require.Equal(t, first.etag(), d["revision"])
	require.Equal(t, []any{"2025-01-02T00:00:00.0000000Z", "Bin", false}, []any{d["contentUpdatedAt"], d["systemLabel"], d["hasUnopenedContent"]})
	require.Equal(t, list{"Bin", "Sent"}, d["endUserContext"].(object)["systemLabels"])
	send(s.transmission(object{"relatedTransmissionId": first.text(), "attachments": list{object{"urls": list{object{
		"url":          "urn:anything",
		"consumerType": "Api",
	}}}}}), request{}).is(201)
	d = s.get(id)
	require.Equal(t, []any{shown(s.at(0)), shown(s.at(0)), "Default", true, false},
		[]any{d["updatedAt"], d["contentUpdatedAt"], d["systemLabel"], d["hasUnopenedContent"], d["isContentSeen"]})

	revision := d["revision"]
	send(s.transmission(object{"content": nil}), request{}).is(400).has("transmissions[0].content", "'Content' must not be empty.")
	send(s.transmission(object{"sender": nil}), request{}).is(400).hasKey("transmissions[0].sender")
	send(s.transmission(), request{token: other()}).is(404)
	send(s.transmission(object{"idempotentKey": "one"}), request{header: match(s.id())}).is(412)
	send(s.transmission(object{"idempotentKey": "one", "relatedTransmissionId": s.id()}), request{}).is(409).
		has("IdempotentKey", "Duplicate IdempotentKey detected in dialog transmissions. Conflicting keys: 'one'.")
	send(s.transmission(object{"relatedTransmissionId": s.id(), "authorizationAttribute": resourceElse}), request{}).is(422).hasKey("Transmissions")
	expired := object{"attachments": list{object{"expiresAt": "2020-01-01T00:00:00Z", "urls": list{object{"url": "https://x.no", "consumerType": "Gui"}}}}}
	send(s.transmission(expired, object{"authorizationAttribute": resourceElse}), request{query: silent()}).is(422).hasKey("Transmissions.Attachments.ExpiresAt")
	send(s.transmission(object{"authorizationAttribute": resourceElse}), request{}).is(403)
	send(s.transmission(object{"id": first.text()}), request{}).is(422).has("DialogTransmission", "Key ('Id')=("+first.text()+") already exists.")
	require.Equal(t, revision, s.get(id)["revision"])
	s.remove(id).is(204)
	send(s.transmission(), request{token: admin()}).is(410)
}

// PUT transmissions (Chapter 6).
func TestPutTransmission(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	first, second := s.id(), s.id()
	id := s.create(s.dialog(object{"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-02T00:00:00Z", "transmissions": list{
		s.transmission(object{"id": first, "idempotentKey": "one"}),
		s.transmission(object{"id": second, "idempotentKey": "two", "relatedTransmissionId": first}),
	}}))
	send := func(transmission string, body object, r request) answer {
		r.method, r.path, r.body, r.lax = "PUT", dialogs+"/"+id+"/transmissions/"+transmission, body, true
		if r.token == "" {
			r.token = owner(scopeChange)
		}
		return s.send(r)
	}
	before := s.get(id)
	stored := at(before, "transmissions", 0)
	body := merged(object{}, []object{stored, {
		"isSilentUpdate": true, "createdAt": nil, "content": object{"title": plain("Ny")},
		"attachments": list{merged(object{}, []object{at(stored, "attachments", 0), {"name": "fil"}})},
	}})
	a := send(first, body, request{}).is(204)
	d := s.get(id)
	changed := at(d, "transmissions", 0)
	require.Equal(t, a.etag(), d["revision"])
	require.Equal(t, stored["createdAt"], changed["createdAt"])
	require.Equal(t, object{"title": object{"mediaType": "text/plain", "value": texts("nb", "Ny")}}, changed["content"])
	require.Equal(t, at(stored, "attachments", 0)["id"], at(changed, "attachments", 0)["id"])
	require.Equal(t, "fil", at(changed, "attachments", 0)["name"])
	require.Equal(t, []any{before["updatedAt"], before["contentUpdatedAt"]}, []any{d["updatedAt"], d["contentUpdatedAt"]})
	require.Equal(t, a.etag(), send(first, body, request{}).is(204).etag())

	delete(body, "isSilentUpdate")
	send(first, body, request{}).is(400).has("isSilentUpdate", "IsSilentUpdate must be true when updating transmissions.")
	quiet := request{query: silent()}
	send(first, merged(object{}, []object{body, {"sender": nil}}), quiet).is(400).hasKey("dto.sender")
	send(s.id(), body, quiet).is(404).hasKey("DialogTransmission")
	send(first, merged(object{}, []object{body, {"idempotentKey": "two"}}), quiet).is(409).
		has("IdempotentKey", "Duplicate IdempotentKey detected in dialog transmissions. Conflicting key: 'two'.")
	send(first, merged(object{}, []object{body, {"relatedTransmissionId": second}}), quiet).is(422).hasKey("Transmissions")
	send(first, body, request{query: silent(), header: match(s.id())}).is(412)
	send(first, merged(object{}, []object{body, {"authorizationAttribute": resourceElse}}), quiet).is(403)
	send(first, merged(object{}, []object{body, {"createdAt": "2099-01-01T00:00:00Z"}}), quiet).is(204)
	s.remove(id).is(204)
	send(first, body, quiet).is(410)
}

// Views by end users (Chapter 9), and what they do to isContentSeen (Chapter 12).
func TestSeenLog(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	before := s.get(id)
	require.Equal(t, false, before["isContentSeen"])
	view := request{method: "GET", path: dialogs + "/" + id, query: url.Values{"endUserId": {personParty}}}
	d := s.send(view).is(200).object()
	require.Equal(t, true, d["isContentSeen"])
	require.Len(t, d["seenSinceLastUpdate"], 1)
	entry := at(d, "seenSinceLastUpdate", 0)
	require.Equal(t, true, entry["isCurrentEndUser"])
	require.Equal(t, "NORDMANN KARI MELLOM", entry["seenBy"].(object)["actorName"])
	require.Equal(t, before["revision"], d["revision"])
	s.send(view).is(200)
	path := dialogs + "/" + id + "/seenlog"
	require.Len(t, s.send(request{method: "GET", path: path}).is(200).list(), 1)
	require.Equal(t, entry["id"], s.send(request{method: "GET", path: path + "/" + entry["id"].(string)}).is(200).object()["id"])
	s.advance(time.Minute)
	s.put(id, minimal(object{"status": "Completed"})).is(204)
	require.Empty(t, s.get(id)["seenSinceLastUpdate"])
	s.send(request{method: "GET", path: dialogs + "/" + id, query: url.Values{"endUserId": {"x"}}}).is(400).hasKey("endUserId")
}

// should-send-notification (Chapter 6).
func TestShouldSendNotification(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	opened := at(s.get(id), "activities", 0)["transmissionId"].(string)
	ask := func(pairs ...string) answer {
		query := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			query.Set(pairs[i], pairs[i+1])
		}
		return s.act2(id, query)
	}
	require.Equal(t, object{"sendNotification": true}, ask("conditionType", "Exists", "activityType", "Information").is(200).object())
	require.Equal(t, object{"sendNotification": false}, ask("conditionType", "notexists", "activityType", "Information").is(200).object())
	require.Equal(t, object{"sendNotification": true}, ask("conditionType", "NotExists", "activityType", "PaymentMade").is(200).object())
	require.Equal(t, object{"sendNotification": true},
		ask("conditionType", "Exists", "activityType", "TransmissionOpened", "transmissionId", opened).is(200).object())
	ask("conditionType", "Exists", "activityType", "TransmissionOpened").is(400).hasKey("transmissionId")
	ask("conditionType", "Exists", "activityType", "Information", "transmissionId", opened).is(400).hasKey("transmissionId")
	ask("conditionType", "Perhaps", "activityType", "Information").is(400).hasKey("conditionType")
	ask("activityType", "Information").is(400).hasKey("conditionType")
	s.remove(id).is(204)
	ask("conditionType", "Exists", "activityType", "Information").is(200)
	s.act(id, "purge").is(204)
	ask("conditionType", "Exists", "activityType", "Information").is(404).hasKey("DialogEntity")
}

func (s *simulation) act2(id string, query url.Values) answer {
	s.t.Helper()
	return s.send(request{
		method: "GET", path: dialogs + "/" + id + "/actions/should-send-notification", query: query,
		token: "any;991825827;;" + scopeNotify, lax: true,
	})
}
