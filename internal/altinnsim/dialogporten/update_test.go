package dialogporten_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (s *simulation) put(id string, body object, r ...request) answer {
	s.t.Helper()
	call := request{}
	if len(r) > 0 {
		call = r[0]
	}
	call.method, call.path, call.body = "PUT", dialogs+"/"+id, body
	return s.send(call)
}

// minimal is the smallest body that PUT takes.
func minimal(changes ...object) object {
	return merged(object{"status": "InProgress", "content": object{"title": plain("Tittel"), "summary": plain("Sammendrag")}}, changes)
}

func match(revision any) map[string]string {
	return map[string]string{"If-Match": revision.(string)}
}

// Scalars are replaced, absent ones removed, immutable ones ignored (Chapter 8).
func TestPutReplaces(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	before := s.get(id)
	body := minimal(object{
		"status": "Sent", "externalReference": "new", "id": s.id(), "party": personParty, "idempotentKey": "other",
		"serviceResource": resourceElse, "visibleFrom": s.at(time.Hour), "createdAt": s.at(-time.Hour), "updatedAt": s.at(-time.Hour),
		"systemLabel": "Bin", "serviceOwnerContext": object{"serviceOwnerLabels": list{}}, "revision": s.id(),
	})
	a := s.put(id, body, request{query: silent(), lax: true}).is(204)
	require.Empty(t, a.body)
	after := s.get(id)
	require.Equal(t, a.etag(), after["revision"])
	require.NotEqual(t, before["revision"], after["revision"])
	for _, name := range []string{
		"id", "idempotentKey", "serviceResource", "party", "createdAt", "updatedAt", "contentUpdatedAt", "systemLabel",
		"serviceOwnerContext", "activities", "transmissions",
	} {
		require.Equal(t, before[name], after[name], name)
	}
	for _, name := range []string{"progress", "extendedStatus", "dueAt", "expiresAt", "process", "precedingProcess", "visibleFrom"} {
		require.NotContains(t, after, name)
	}
	require.Equal(t, "Awaiting", after["status"])
	require.Equal(t, "new", after["externalReference"])
	require.Len(t, after["content"], 2)
	for _, name := range []string{"attachments", "guiActions", "apiActions", "searchTags"} {
		require.Empty(t, after[name], name)
	}
}

// Lists merge by id: known ids are updated where they are, unknown ones or none created, others deleted (Chapter 8).
func TestPutMerges(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	keep, drop, url := s.id(), s.id(), s.id()
	id := s.create(s.dialog(object{
		"attachments": list{s.attachment(object{"id": drop}), s.attachment(object{"id": keep, "urls": list{
			object{"id": url, "url": "https://x.no/1", "consumerType": "Gui"}, object{"url": "https://x.no/2", "consumerType": "Gui"},
		}})},
		"apiActions": list{s.apiAction()}, "searchTags": list{object{"value": "aaa"}, object{"value": "bbb"}},
	}))
	fresh := s.id()
	body := minimal(object{
		"searchTags": list{object{"value": "ccc"}, object{"value": "BBB"}},
		"apiActions": s.get(id)["apiActions"],
		"attachments": list{s.attachment(object{"id": fresh}), s.attachment(object{"id": keep, "name": "new", "urls": list{
			object{"url": "https://x.no/3", "consumerType": "Api"}, object{"id": url, "url": "https://x.no/changed", "consumerType": "Gui"},
		}})},
	})
	before := s.get(id)
	s.put(id, body).is(204)
	after := s.get(id)
	require.Equal(t, before["apiActions"], after["apiActions"])
	require.Equal(t, list{object{"value": "bbb"}, object{"value": "ccc"}}, after["searchTags"])
	require.Len(t, after["attachments"], 2)
	first := at(after, "attachments", 0)
	require.Equal(t, keep, first["id"])
	require.Equal(t, "new", first["name"])
	require.Equal(t, url, at(first, "urls", 0)["id"])
	require.Equal(t, "https://x.no/changed", at(first, "urls", 0)["url"])
	require.Equal(t, "https://x.no/3", at(first, "urls", 1)["url"])
	require.Equal(t, fresh, at(after, "attachments", 1)["id"])
	// What was deleted is free again; what is new is taken.
	post(s, s.dialog(object{"attachments": list{s.attachment(object{"id": drop})}}), "").is(201)
	post(s, s.dialog(object{"attachments": list{s.attachment(object{"id": fresh})}}), "").is(422).hasKey("Attachment")
	other := s.create(s.dialog())
	s.put(other, minimal(object{"attachments": list{s.attachment(object{"id": fresh})}})).is(422).has("Attachment", "Key ('Id')=("+fresh+") already exists.")
}

// Activities and transmissions are append-only (Chapter 8).
func TestPutAppends(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	quiet := request{query: silent()}
	id := s.create(s.full())
	before := s.get(id)
	opened := at(before, "transmissions", 0)["id"]
	s.put(id, minimal(object{
		"activities":    list{s.activity(object{"type": "TransmissionOpened", "transmissionId": opened})},
		"transmissions": list{s.transmission(object{"relatedTransmissionId": opened})},
	}), quiet).is(204)
	after := s.get(id)
	require.Len(t, after["activities"], 3)
	require.Len(t, after["transmissions"], 3)
	require.InDelta(t, 2, after["fromServiceOwnerTransmissionsCount"], 0)
	require.Equal(t, true, after["hasUnopenedContent"])
	stored := at(before, "activities", 0)["id"].(string)
	s.put(id, minimal(object{"activities": list{s.activity(object{"id": stored})}}), quiet).is(422).
		has("DialogActivity", "Entity 'DialogActivity' with the following key(s) already exists: ("+stored+").")
	s.put(id, minimal(object{"transmissions": list{s.transmission(object{"id": opened})}}), quiet).is(422).
		has("DialogTransmission", "Entity 'DialogTransmission' with the following key(s) already exists: ("+opened.(string)+").")
	attachment := at(at(before, "transmissions", 0), "attachments", 0)["id"].(string)
	s.put(id, minimal(object{"transmissions": list{s.transmission(object{"attachments": list{object{
		"id":   attachment,
		"urls": list{object{"url": "https://x.no", "consumerType": "Gui"}},
	}}})}}), quiet).is(422).
		has("DialogAttachment", "Entity 'DialogAttachment' with the following key(s) already exists: ("+attachment+").")
	require.Equal(t, after, s.get(id))
}

// Rules of PUT that differ from POST's (Chapter 8).
func TestPutRules(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		body    func(*simulation) object
		key     string
		message string
	}{
		{
			"status is required", func(*simulation) object { return minimal(object{"status": nil}) }, "dto.status",
			"'Status' has a range of values which does not include '0'.",
		},
		{
			"dueAt after visibleFrom", func(s *simulation) object { return minimal(object{"dueAt": s.at(time.Hour)}) }, "dto.dueAt",
			"DueAt must be greater than or equal to VisibleFrom.",
		},
		{
			"expiresAt after visibleFrom", func(s *simulation) object { return minimal(object{"expiresAt": s.at(time.Hour)}) }, "dto.expiresAt",
			"ExpiresAt must be greater than or equal to VisibleFrom.",
		},
		{
			"transmissions need content", func(*simulation) object { return minimal() }, "dto.transmissions",
			"This dialog is locked to IsApiOnly=true, as one or more of the existing immutable transmissions do not have content.",
		},
		{"attachment ids are v7", func(s *simulation) object {
			return minimal(object{"attachments": list{s.attachment(object{"id": "a312cb9c-7632-43c2-aa38-69b06aed56ca"})}})
		}, "dto.attachments[0].id", ""},
		{"content is required", func(*simulation) object { return minimal(object{"content": nil}) }, "dto.content", "'Content' must not be empty."},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			id := s.create(s.dialog(object{
				"visibleFrom": s.at(2 * time.Hour), "isApiOnly": true,
				"transmissions": list{s.transmission(object{"content": nil})},
			}))
			a := s.put(id, test.body(s)).is(400).hasKey(test.key)
			if test.message != "" {
				a.has(test.key, test.message)
			}
		})
	}
	s := newSimulation(t)
	id := s.create(s.dialog(object{"visibleFrom": s.at(2 * time.Hour)}))
	s.put(id, minimal(object{"dueAt": s.at(time.Hour)}), request{token: admin()}).is(204)
	s.put(id, minimal(object{
		"guiActions":  list{s.guiAction(object{"id": "a312cb9c-7632-43c2-aa38-69b06aed56ca"})},
		"attachments": list{s.attachment(object{"expiresAt": s.at(time.Hour)})},
	})).is(204)
	s.send(request{method: "PUT", path: dialogs + "/" + id, raw: `{"status":null}`}).is(400).hasKey("status")
}

// The order of checks of PUT (Chapter 6).
func TestPutOrderOfChecks(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	bad := minimal(object{"progress": 101})
	revision := s.id()
	id := s.create(s.full())
	gone := s.create(s.dialog())
	s.send(request{method: "DELETE", path: dialogs + "/" + gone}).is(204)
	frozen := s.create(s.dialog())
	s.send(request{method: "POST", path: dialogs + "/" + frozen + "/actions/freeze", token: admin()}).is(204)
	activity := at(s.get(id), "activities", 0)["id"]

	s.put(s.id(), bad).is(404).hasKey("DialogEntity")                                                                       // 2 before 3
	s.put(id, bad, request{token: other()}).is(404)                                                                         // unowned is unknown
	s.put(gone, bad).is(400)                                                                                                // 3 before 4
	s.put(frozen, bad).is(400)                                                                                              // 3 before 5
	s.put(gone, minimal(), request{header: match(revision)}).is(410)                                                        // 4 before 6
	s.put(gone, minimal(), request{token: admin()}).is(410)                                                                 // administrators too
	s.put(frozen, minimal(), request{header: match(revision)}).is(403).has("Forbidden", "User cannot modify frozen dialog") // 5 before 6
	s.put(frozen, minimal(object{"progress": 3}), request{token: admin()}).is(204)
	s.put(id, minimal(object{"dueAt": s.at(-time.Hour)}), request{header: match(revision)}).is(412) // 6 before 7
	// Collected errors do not stop the 403 of activity types.
	s.put(id, minimal(object{"dueAt": s.at(-time.Hour), "activities": list{s.activity(object{"type": "CorrespondenceOpened"})}})).is(403)
	// 409 of transmissions before the collected 422s.
	s.put(id, minimal(object{"dueAt": s.at(-time.Hour), "transmissions": list{s.transmission(object{"idempotentKey": "t-1"})}})).is(409).
		has("IdempotentKey", "Duplicate IdempotentKey detected in dialog transmissions. Conflicting keys: 't-1'.")
	// 403 of resources beats the collected 422s.
	s.put(id, minimal(object{"dueAt": s.at(-time.Hour), "guiActions": list{s.guiAction(object{"authorizationAttribute": resourceElse})}})).is(403)
	// The 422s are told together.
	s.put(id, minimal(object{"dueAt": s.at(-time.Hour), "activities": list{s.activity(object{"id": activity})}})).is(422).
		hasKey("DueAt").hasKey("DialogActivity").hasKey("ExpiresAt")
	s.put(id, minimal(object{"activities": list{s.activity(object{"type": "TransmissionOpened", "transmissionId": revision})}}),
		request{query: silent()}).is(422).has("Activities", "Invalid 'TransmissionId, entity 'DialogTransmission' with the following key(s) does "+
		"not exist: ("+revision+") in 'Transmissions'")
}

// Changed times must lie ahead, unless silent or by an administrator (Chapter 6, PUT, step 7).
func TestPutTimes(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	due, expires := s.at(time.Hour), s.at(2*time.Hour)
	id := s.create(s.dialog(object{"dueAt": due, "expiresAt": expires}))
	s.advance(3 * time.Hour)
	past := s.at(-time.Minute)
	keep := func(changes ...object) object {
		return minimal(append([]object{{"dueAt": due, "expiresAt": expires}}, changes...)...)
	}
	s.put(id, keep()).is(204)
	s.put(id, keep(object{"dueAt": nil})).is(204)
	s.put(id, keep(object{"expiresAt": nil})).is(422).has("ExpiresAt", "Must be in future or current value.")
	s.put(id, keep(object{"dueAt": past, "expiresAt": past})).is(422).has("DueAt", "Must be in future or current value. (Or null)").
		has("ExpiresAt", "Must be in future or current value.")
	s.put(id, keep(object{"dueAt": past, "expiresAt": past}), request{query: silent()}).is(204)
	s.put(id, keep(object{"dueAt": nil, "expiresAt": nil}), request{token: admin()}).is(204)
}

// Attachments may not expire in the past; neither silence nor the admin scope lifts that (Chapter 6, PUT, step 13).
func TestPutAttachmentTimes(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	attachment := s.attachment(object{"expiresAt": s.at(time.Hour)})
	name := attachment["id"].(string)
	id := s.create(s.dialog(object{"attachments": list{attachment}}))
	s.advance(2 * time.Hour)
	by := request{query: silent(), token: admin()}
	s.put(id, minimal(object{"attachments": list{attachment}, "progress": 1}), by).is(204)
	changed := merged(object{}, []object{attachment, {"expiresAt": s.at(-time.Minute)}})
	s.put(id, minimal(object{"attachments": list{changed}}), by).is(422).
		has("Attachments.ExpiresAt", "Must be in future, current value, or null. (Id: "+name+")")
	fresh := s.attachment(object{"expiresAt": "2020-01-02T03:04:05Z"})
	s.put(id, minimal(object{"attachments": list{fresh}}), by).is(422).
		has("Attachments.ExpiresAt", "Must be in future or null, got '01/02/2020 03:04:05 +00:00'. (Id: "+fresh["id"].(string)+")")
	s.put(id, minimal(object{"transmissions": list{s.transmission(object{"attachments": list{object{
		"expiresAt": "2020-01-01T00:00:00Z",
		"urls":      list{object{"url": "https://x.no", "consumerType": "Gui"}},
	}}})}}), by).is(422).hasKey("Transmissions.Attachments.ExpiresAt")
}

// Nothing changed: same revision, nothing bumped (Chapters 6 and 18); but a write that is not silent resets the label
// all the same (Chapter 14).
func TestPutWithoutEffect(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	before := s.get(id)
	s.advance(time.Minute)
	a := s.put(id, s.update(id), request{query: silent()}).is(204)
	require.Equal(t, before["revision"], a.etag())
	require.Equal(t, before, s.get(id))
	a = s.put(id, s.update(id)).is(204)
	require.Equal(t, before["revision"], a.etag())
	after := s.get(id)
	require.Equal(t, "Default", after["systemLabel"])
	require.Equal(t, before["updatedAt"], after["updatedAt"])
}

// What moves the dates (Chapter 12).
func TestUpdateDates(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name                          string
		change                        object
		query                         url.Values
		updated, contentUpdated, seen bool // moved, still seen
	}{
		{"content", object{"status": "Completed"}, nil, true, true, false},
		{"title", object{"content": object{"title": plain("x")}}, nil, true, true, false},
		{"extendedStatus", object{"extendedStatus": "x"}, nil, true, true, false},
		{"attachments", object{"attachments": list{object{"urls": list{object{"url": "https://x.no", "consumerType": "Gui"}}}}}, nil, true, true, false},
		{"externalReference is no content", object{"externalReference": "x"}, nil, true, false, true},
		{"tags are no content", object{"searchTags": list{object{"value": "abc"}}}, nil, true, false, true},
		{"progress is no content", object{"progress": 1}, nil, true, false, true},
		{"dueAt is no content", object{"dueAt": "2099-01-01T00:00:00Z"}, nil, true, false, true},
		{
			"activities are no content",
			object{"activities": list{object{"type": "FormSaved", "performedBy": object{"actorType": "ServiceOwner"}}}},
			nil,
			true, false, true,
		},
		{"silent", object{"status": "Completed"}, silent(), false, false, true},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			id := s.create(s.dialog(object{"createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-02T00:00:00Z", "systemLabel": "Archive"}))
			before := s.get(id)
			require.Equal(t, true, before["isContentSeen"])
			s.put(id, s.update(id, test.change), request{query: test.query}).is(204)
			after := s.get(id)
			want := func(moved bool, name string) {
				expected := before[name]
				if moved {
					expected = shown(s.at(0))
				}
				require.Equal(t, expected, after[name], name)
			}
			want(test.updated, "updatedAt")
			want(test.contentUpdated, "contentUpdatedAt")
			want(false, "createdAt")
			require.Equal(t, test.seen, after["isContentSeen"])
			require.NotEqual(t, before["revision"], after["revision"])
			label := "Default"
			if test.query != nil {
				label = "Archive"
			}
			require.Equal(t, label, after["systemLabel"])
		})
	}
}

// While a dialog is not visible yet, every change sets its dates to visibleFrom (Chapter 12).
func TestUpdateBeforeVisible(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	visible := s.at(time.Hour)
	id := s.create(s.dialog(object{"visibleFrom": visible}))
	s.put(id, minimal(object{"progress": 5}), request{query: silent()}).is(204)
	d := s.get(id)
	require.Equal(t, []any{shown(visible), shown(visible)}, []any{d["updatedAt"], d["contentUpdatedAt"]})
	s.advance(2 * time.Hour)
	s.put(id, minimal(object{"progress": 6})).is(204)
	require.Equal(t, shown(s.at(0)), s.get(id)["updatedAt"])
}

// updatedAt never moves back (Chapter 12).
func TestUpdatedAtNeverMovesBack(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	updated := s.get(id)["updatedAt"]
	s.advance(-time.Hour)
	s.put(id, minimal(object{"status": "Completed"})).is(204)
	require.Equal(t, updated, s.get(id)["updatedAt"])
}

// If-Match with the right revision passes; races are 409 without and 412 with it (Chapter 4).
func TestConcurrencyHeaders(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog())
	revision := s.get(id)["revision"]
	s.overlap.Store(true)
	for _, write := range []request{
		{method: "PUT", path: dialogs + "/" + id, body: minimal(object{"progress": 1})},
		{method: "PATCH", path: dialogs + "/" + id, body: list{object{"op": "add", "path": "/progress", "value": 1}}},
		{method: "DELETE", path: dialogs + "/" + id},
		{method: "POST", path: dialogs + "/" + id + "/activities", body: s.activity()},
		{method: "POST", path: dialogs + "/" + id + "/transmissions", body: s.transmission()},
		{method: "POST", path: dialogs + "/" + id + "/actions/purge"},
	} {
		s.send(write).is(409).has("", "The request conflicted with a concurrent operation. Please try again.")
		write.header = match(revision)
		require.Empty(t, s.send(write).is(412).object()["errors"])
	}
	s.overlap.Store(false)
	require.Equal(t, revision, s.get(id)["revision"])
	a := s.put(id, minimal(object{"progress": 1}), request{header: match(strings.ToUpper(revision.(string)))}).is(204)
	require.NotEqual(t, revision, a.etag())
	s.put(id, minimal(object{"progress": 2}), request{header: match(revision)}).is(412)
}

// PATCH (Chapter 6).
func TestPatch(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	before := s.get(id)
	patch := func(operations ...object) answer {
		body := list{}
		for _, operation := range operations {
			body = append(body, operation)
		}
		return s.send(request{method: "PATCH", path: dialogs + "/" + id, query: silent(), body: body})
	}
	a := patch(object{"op": "replace", "path": "/PROGRESS", "value": 77}, object{"op": "add", "path": "/activities/-", "value": s.activity()},
		object{"op": "remove", "path": "/searchTags"}, object{"op": "replace", "path": "/content/title/value/0/value", "value": "Ny"},
		object{"op": "copy", "from": "/externalReference", "path": "/extendedStatus"}, object{"op": "test", "path": "/status", "value": "InProgress"},
		object{"op": "remove", "path": "/guiActions/0"}, object{"op": "add", "path": "/attachments/0/urls/0/mediaType", "value": "text/plain"},
		object{"op": "move", "from": "/process", "path": "/precedingProcess"}, object{"op": "add", "path": "/process", "value": "urn:p"}).is(204)
	after := s.get(id)
	require.Equal(t, a.etag(), after["revision"])
	require.InDelta(t, 77, after["progress"], 0)
	require.Len(t, after["activities"], 3)
	require.Len(t, after["guiActions"], 1)
	require.Empty(t, after["searchTags"])
	require.Equal(t, before["externalReference"], after["extendedStatus"])
	require.Equal(t, "urn:p:2", after["precedingProcess"])
	require.Equal(t, "text/plain", at(at(after, "attachments", 0), "urls", 0)["mediaType"])
	require.Equal(t, before["transmissions"], after["transmissions"])
	require.Equal(t, a.etag(), patch().is(204).etag())

	for _, operation := range []object{
		{"op": "replace", "path": "/nothing", "value": 1},
		{"op": "test", "path": "/progress", "value": 1},
		{"op": "remove", "path": "/attachments/7"},
		{"op": "replace", "path": "/progress", "value": "x"},
		{"op": "add", "path": "/a/b/c", "value": 1},
	} {
		a := patch(operation).is(400)
		require.Equal(t, "application/json", a.header.Get("Content-Type"), operation)
		require.Len(t, a.object()["UpdateDialogDto"], 1, operation)
	}
	patch(object{"op": "replace", "path": "/progress", "value": 101}).is(400).hasKey("dto.progress")
	patch(object{"op": "remove", "path": "/status"}).is(400).hasKey("dto.status")
	patch(object{"op": "replace", "path": "/attachments", "value": nil}).is(204)
	s.send(request{method: "PATCH", path: dialogs + "/" + id, raw: "{}"}).is(400)
	s.send(request{method: "PATCH", path: dialogs + "/" + s.id(), raw: "[]"}).is(404)
	s.send(request{method: "DELETE", path: dialogs + "/" + id}).is(204)
	patch(object{"op": "add", "path": "/progress", "value": 1}).is(410)
}
