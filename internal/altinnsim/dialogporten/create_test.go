package dialogporten_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const missingResource = "urn:altinn:resource:none"

func post(s *simulation, body object, token string) answer {
	s.t.Helper()
	return s.send(request{method: "POST", path: dialogs, body: body, token: token})
}

// 201 with the id as a bare text and the revision as an unquoted ETag (Chapters 2 and 4).
func TestCreateAnswer(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	d := s.dialog()
	a := post(s, d, "").is(201)
	require.Equal(t, `"`+d["id"].(string)+`"`, string(a.body))
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", a.etag())
	got := s.get(a.text())
	require.Equal(t, a.etag(), got["revision"])
	require.Empty(t, a.header.Get("Location"))

	delete(d, "id")
	minted := post(s, d, "").is(201).text()
	require.Equal(t, byte('7'), minted[14])
	require.NotEqual(t, got["id"], minted)
}

// The order of checks of POST dialogs (Chapter 6).
func TestCreateOrderOfChecks(t *testing.T) {
	t.Parallel()
	opened := func(s *simulation) list { return list{s.activity(object{"type": "CorrespondenceOpened"})} }
	sameKeys := func(s *simulation) list {
		return list{s.transmission(object{"idempotentKey": "abc"}), s.transmission(object{"idempotentKey": "abc"})}
	}
	unresolvable := func(s *simulation) list {
		return list{s.activity(object{"performedBy": object{
			"actorType": "PartyRepresentative",
			"actorId":   "urn:altinn:organization:identifier-no:974761076",
		}})}
	}
	cases := []struct {
		name   string
		token  string
		change func(*simulation) object
		status int
		key    string
	}{
		{"rules before the resource", "", func(*simulation) object { return object{"serviceResource": missingResource, "progress": 101} }, 400, "dto.progress"},
		{"unknown resource beats unowned", "", func(*simulation) object { return object{"serviceResource": missingResource} }, 422, "ServiceResource"},
		{"administrators get Org too", admin(), func(*simulation) object { return object{"serviceResource": missingResource} }, 422, "Org"},
		{"unsupported type", "", func(*simulation) object { return object{"serviceResource": "urn:altinn:resource:ttd-oddity"} }, 422, "ServiceResource"},
		{"resource without owner", "", func(*simulation) object { return object{"serviceResource": "urn:altinn:resource:ownerless"} }, 422, "ServiceResource"},
		{"unowned resource", "", func(*simulation) object { return object{"serviceResource": resourceElse} }, 403, "Forbidden"},
		{"unowned attribute", "", func(s *simulation) object {
			return object{"guiActions": list{s.guiAction(object{"authorizationAttribute": resourceElse})}}
		}, 403, "Forbidden"},
		{"correspondence without scope", "", func(*simulation) object { return object{"serviceResource": resourceMsg} }, 403, "Forbidden"},
		{"unowned before the key", "", func(*simulation) object { return object{"serviceResource": resourceElse, "idempotentKey": "taken"} }, 403, "Forbidden"},
		{"key before dates", "", func(s *simulation) object { return object{"idempotentKey": "taken", "dueAt": s.at(0)} }, 409, "IdempotentKey"},
		{"dates turn a later 403 into 422", "", func(s *simulation) object {
			return object{"dueAt": s.at(0), "activities": opened(s)}
		}, 422, "DueAt"},
		{"dates turn a later 409 into 422", "", func(s *simulation) object {
			return object{"expiresAt": s.at(0), "transmissions": sameKeys(s)}
		}, 422, "ExpiresAt"},
		{"activity types before hierarchy", "", func(s *simulation) object {
			return object{"activities": opened(s), "transmissions": sameKeys(s)}
		}, 403, "Forbidden"},
		{"transmission keys before actors", "", func(s *simulation) object {
			return object{"transmissions": sameKeys(s), "activities": unresolvable(s)}
		}, 409, "IdempotentKey"},
		{"dates before actors", "", func(s *simulation) object {
			return object{"visibleFrom": s.at(0), "activities": unresolvable(s)}
		}, 422, "VisibleFrom"},
		{"actors before the insert", "", func(s *simulation) object {
			return object{"id": "019bc14f-ef80-7000-8010-000000000001", "activities": unresolvable(s)}
		}, 422, "ActorId"},
		{"id taken", "", func(*simulation) object { return object{"id": "019bc14f-ef80-7000-8010-000000000001"} }, 422, "Dialog"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t)
			s.create(s.dialog(object{"id": "019bc14f-ef80-7000-8010-000000000001", "idempotentKey": "taken"}))
			post(s, s.dialog(test.change(s)), test.token).is(test.status).hasKey(test.key)
			alive, _ := s.service.Count()
			require.Equal(t, 1, alive)
		})
	}
}

// Texts of Chapters 3 and 6.
func TestCreateTexts(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	first := s.create(s.dialog(object{"idempotentKey": "taken"}))
	post(s, s.dialog(object{"idempotentKey": "taken"}), "").is(409).
		has("IdempotentKey", "'taken' already exists with DialogId '"+first+"'")
	post(s, s.dialog(object{"id": first}), "").is(422).has("Dialog", "Key ('Id')=("+first+") already exists.")
	post(s, s.dialog(object{"serviceResource": resourceElse, "guiActions": list{s.guiAction(object{"authorizationAttribute": "urn:altinn:resource:X"})}}), "").
		is(403).has("Forbidden", "Not allowed to reference the following unowned resources: ["+resourceElse+", urn:altinn:resource:x].")
	post(s, s.dialog(object{"serviceResource": resourceMsg}), "").is(403).
		has("Forbidden", "User cannot create or modify a dialog with resource type correspondenceservice.")
	post(s, s.dialog(object{"activities": list{s.activity(object{"type": "CorrespondenceConfirmed"})}}), "").is(403).
		has("Forbidden", "Use of CorrespondenceConfirmed or CorrespondenceOpened activity types requires the scope digdir:dialogporten.correspondence.")
	post(s, s.dialog(object{"transmissions": list{s.transmission(object{"idempotentKey": "abc"}), s.transmission(object{"idempotentKey": "abc"})}}), "").
		is(409).has("IdempotentKey", "Duplicate IdempotentKey detected in dialog transmissions. Conflicting keys: 'abc'.")
	post(s, s.dialog(object{"dueAt": s.at(0), "expiresAt": s.at(0)}), "").is(422).has("DueAt", "Must be in the future").
		has("ExpiresAt", "Must be in the future")
	unknown := "urn:altinn:organization:identifier-no:974761076"
	post(s, s.dialog(object{"activities": list{s.activity(object{"performedBy": object{"actorType": "PartyRepresentative", "actorId": unknown}})}}), "").
		is(422).has("ActorId", "Unable to look up name for actor id: "+unknown)
	a := post(s, s.dialog(object{"serviceResource": missingResource}), "").is(422)
	require.True(t, strings.HasPrefix(a.errors()[0],
		"ServiceResource: Service resource '"+missingResource+"' is invalid due to one or more of the following reasons:\n"))
	require.Equal(t, 3, strings.Count(a.errors()[0], "\n"))

	s.send(request{method: "DELETE", path: dialogs + "/" + first}).is(204)
	post(s, s.dialog(object{"idempotentKey": "taken"}), "").is(422).has("Dialog", "Key ('Org', 'IdempotentKey')=(ttd, taken) already exists.")
	post(s, s.dialog(object{"id": first}), "").is(422).has("Dialog", "Key ('Id')=("+first+") already exists.")
	s.send(request{method: "POST", path: dialogs + "/" + first + "/actions/purge"}).is(204)
	post(s, s.dialog(object{"id": first, "idempotentKey": "taken"}), "").is(201)
}

// Ids are unique across all dialogs; attachments of both kinds share a space (Chapter 18, item 2).
func TestGlobalUniqueness(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	shared := s.id()
	cases := []struct {
		key   string
		build func() object
	}{
		{"DialogActivity", func() object { return object{"activities": list{s.activity(object{"id": shared})}} }},
		{"DialogTransmission", func() object { return object{"transmissions": list{s.transmission(object{"id": shared})}} }},
		{"DialogGuiAction", func() object { return object{"guiActions": list{s.guiAction(object{"id": shared})}} }},
		{"DialogApiAction", func() object { return object{"apiActions": list{s.apiAction(object{"id": shared})}} }},
		{"Attachment", func() object { return object{"attachments": list{s.attachment(object{"id": shared})}} }},
		{"Attachment", func() object {
			return object{"transmissions": list{s.transmission(object{"attachments": list{object{
				"id":   shared,
				"urls": list{object{"url": "https://x.no", "consumerType": "Gui"}},
			}}})}}
		}},
		{"DialogApiActionEndpoint", func() object {
			return object{"apiActions": list{s.apiAction(object{"endpoints": list{object{"id": shared, "url": "https://x.no", "httpMethod": "GET"}}})}}
		}},
		{"AttachmentUrl", func() object {
			return object{"attachments": list{s.attachment(object{"urls": list{object{"id": shared, "url": "https://x.no", "consumerType": "Gui"}}})}}
		}},
	}
	first := map[string]string{}
	for _, test := range cases {
		if _, there := first[test.key]; !there {
			first[test.key] = s.create(s.dialog(test.build()))
		}
		post(s, s.dialog(test.build()), "").is(422).has(test.key, "Key ('Id')=("+shared+") already exists.")
	}
	// A refused create leaves nothing behind, a soft-deleted dialog keeps its ids, a purged one frees them.
	s.send(request{method: "DELETE", path: dialogs + "/" + first["DialogActivity"]}).is(204)
	post(s, s.dialog(cases[0].build()), "").is(422).hasKey("DialogActivity")
	s.send(request{method: "POST", path: dialogs + "/" + first["DialogActivity"] + "/actions/purge"}).is(204)
	post(s, s.dialog(cases[0].build()), "").is(201)
}

// The first rows of Chapter 12's table.
func TestCreateDates(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	created, updated, later := s.at(-48*time.Hour), s.at(-24*time.Hour), s.at(24*time.Hour)
	cases := []struct {
		name                      string
		change                    object
		created, updated, content string
	}{
		{"both given", object{"createdAt": created, "updatedAt": updated}, created, updated, updated},
		{"only createdAt", object{"createdAt": created}, created, s.at(0), s.at(0)},
		{"neither", object{}, s.at(0), s.at(0), s.at(0)},
		{"visible later", object{"createdAt": created, "updatedAt": updated, "visibleFrom": later}, later, later, later},
	}
	for _, test := range cases {
		d := s.get(s.create(s.dialog(test.change)))
		require.Equal(t, []any{shown(test.created), shown(test.updated), shown(test.content)},
			[]any{d["createdAt"], d["updatedAt"], d["contentUpdatedAt"]}, test.name)
	}
	id := s.create(s.dialog(object{"visibleFrom": later, "transmissions": list{s.transmission()}}))
	require.Equal(t, shown(later), at(s.get(id), "transmissions", 0)["createdAt"])
}

// shown is a time as read models have it.
func shown(text string) string { return strings.Replace(text, "Z", "0Z", 1) }

// at is an element of a list member.
func at(d object, name string, i int) object {
	return d[name].(list)[i].(object)
}

// Times are kept to microseconds and shown with seven decimals in UTC (Chapter 2).
func TestTimesOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for input, want := range map[string]string{
		"2099-01-01T01:02:03Z":              "2099-01-01T01:02:03.0000000Z",
		"2099-01-01T01:02:03.1234567Z":      "2099-01-01T01:02:03.1234560Z",
		"2099-01-01T01:02:03.9999999+01:00": "2099-01-01T00:02:03.9999990Z",
		"2099-01-01T01:02Z":                 "2099-01-01T01:02:00.0000000Z",
		"2099-01-01T01:02:03-05:30":         "2099-01-01T06:32:03.0000000Z",
		"2099-01-01T01:02:03.123456789012Z": "2099-01-01T01:02:03.1234560Z",
	} {
		require.Equal(t, want, s.get(s.createLax(s.dialog(object{"dueAt": input})))["dueAt"], input)
	}
}

// isContentSeen and hasUnopenedContent at creation (Chapter 12).
func TestCreateFlags(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	flags := func(change object) []any {
		d := s.get(s.create(s.dialog(change)))
		return []any{d["isContentSeen"], d["hasUnopenedContent"]}
	}
	transmission := s.id()
	require.Equal(t, []any{false, false}, flags(object{}))
	require.Equal(t, []any{true, false}, flags(object{"createdAt": "2025-11-30T23:59:59.999999Z"}))
	require.Equal(t, []any{false, false}, flags(object{"createdAt": "2025-12-01T00:00:00Z"}))
	require.Equal(t, []any{true, false}, flags(object{"serviceResource": "urn:altinn:resource:app_ttd_a2-1234-5"}))
	require.Equal(t, []any{false, true}, flags(object{"serviceResource": resourceMsg}))
	require.Equal(t, []any{false, false}, flags(object{
		"serviceResource": resourceMsg,
		"activities":      list{s.activity(object{"type": "CorrespondenceOpened"})},
	}))
	require.Equal(t, []any{false, true}, flags(object{
		"transmissions": list{s.transmission(object{"id": transmission})},
		"activities":    list{s.activity(object{"type": "TransmissionOpened", "transmissionId": transmission})},
	}))
	require.Equal(t, []any{false, false}, flags(object{"transmissions": list{s.transmission(object{"type": "Submission"})}}))
}

// Stored spelling: parties, labels, tags, languages, media types, URIs, actors (Chapters 2, 7 and 11).
func TestNormalization(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	d := s.get(s.createLax(s.dialog(object{
		"party":               "urn:altinn:person:idporten-email:Ola@Example.com",
		"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": " ZZZ "}, object{"value": "Abc"}}},
		"searchTags":          list{object{"value": " SKATT "}},
		"content": object{"title": object{"value": texts("nn_NO", "b", "EN-us", "a")}, "mainContentReference": object{
			"mediaType": "application/vnd.dialogporten.frontchannelembed+json;type=markdown", "value": texts("nb", "https://x.no"),
		}},
		"activities": list{
			s.activity(object{"performedBy": object{"actorType": "partyrepresentative", "actorId": "urn:altinn:person:legacy-selfidentified:Ola"}}),
			s.activity(object{"performedBy": object{"actorType": "PartyRepresentative", "actorId": personParty}}),
			s.activity(object{"performedBy": object{"actorType": 2}}),
		},
	})))
	require.Equal(t, "urn:altinn:person:idporten-email:ola@example.com", d["party"])
	require.Equal(t, list{object{"value": "abc"}, object{"value": "zzz"}}, d["serviceOwnerContext"].(object)["serviceOwnerLabels"])
	require.Equal(t, list{object{"value": "skatt"}}, d["searchTags"])
	fields := d["content"].(object)
	require.Equal(t, object{"mediaType": "text/plain", "value": texts("en", "a", "nn", "b")}, fields["title"])
	require.Equal(t, "application/vnd.dialogporten.frontchannelembed-url;type=text/markdown", fields["mainContentReference"].(object)["mediaType"])
	require.Equal(t, object{"actorType": "PartyRepresentative", "actorId": "urn:altinn:person:legacy-selfidentified:ola", "actorName": "ola"},
		at(d, "activities", 0)["performedBy"])
	require.Equal(t, "NORDMANN KARI MELLOM", at(d, "activities", 1)["performedBy"].(object)["actorName"])
	require.Equal(t, object{"actorType": "ServiceOwner"}, at(d, "activities", 2)["performedBy"])
}

// URIs come back in .NET's display form (Chapter 2).
func TestURIDisplay(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for input, want := range map[string]string{
		"https://example.com":                                 "https://example.com/",
		"HTTPS://Example.COM:443/A?b=c#d":                     "https://example.com/A?b=c#d",
		"https://example.com:8443/a/../b/./c":                 "https://example.com:8443/b/c",
		"https://example.com/%41%20b%2Fc%25%C3%A5%3F":         "https://example.com/A b%2Fc%25å%3F",
		"https://example.com/x%zz?goto=https%3A%2F%2Fa%23%2F": "https://example.com/x%zz?goto=https%3A%2F%2Fa%23%2F",
		`https://example.com\a`:                               "https://example.com/a",
		"https://user@example.com?x":                          "https://user@example.com/?x",
		"https://example.com/plain/path":                      "https://example.com/plain/path",
		"https://example.com/%C3":                             "https://example.com/%C3",
	} {
		d := s.get(s.create(s.dialog(object{"guiActions": list{s.guiAction(object{"url": input})}})))
		require.Equal(t, want, at(d, "guiActions", 0)["url"], input)
	}
	d := s.get(s.create(s.dialog(object{"activities": list{s.activity(object{"extendedType": "URN:a:B"})}})))
	require.Equal(t, "urn:a:B", at(d, "activities", 0)["extendedType"])
}

// Text is escaped as .NET does, nulls are left out and empty lists are there (Chapters 2 and 9).
func TestGetOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"externalReference": "a'&<>+\"`\\/æ😀\u007f\u0001\t"}))
	a := s.send(request{method: "GET", path: dialogs + "/" + id}).is(200)
	require.Contains(t, string(a.body), `"externalReference":"a\u0027\u0026\u003C\u003E\u002B\u0022\u0060\\/\u00E6\uD83D\uDE00\u007F\u0001\t"`)
	d := a.object()
	for _, name := range []string{
		"searchTags", "attachments", "transmissions", "guiActions", "apiActions", "activities", "seenSinceLastUpdate",
		"seenSinceLastContentUpdate",
	} {
		require.Equal(t, list{}, d[name], name)
	}
	for _, name := range []string{"idempotentKey", "progress", "deletedAt", "visibleFrom", "dueAt", "process", "extendedStatus"} {
		require.NotContains(t, d, name)
	}
	require.NotContains(t, string(a.body), "null")
	require.Equal(t, "altinnapp", d["serviceResourceType"])
	require.Equal(t, "ttd", d["org"])
	require.Equal(t, list{"Default"}, d["endUserContext"].(object)["systemLabels"])
	require.Equal(t, a.etag(), d["revision"])
	s.send(request{method: "GET", path: dialogs + "/" + id, token: other()}).is(404).
		has("DialogEntity", "Entity 'DialogEntity' with the following key(s) was not found: ("+id+").")
	s.send(request{method: "GET", path: dialogs + "/" + id, token: other(scopeAdmin)}).is(200)
}

// Children are shown by creation time, then id; without a time of their own, by id (Chapter 9).
func TestOrderOfChildren(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	a, b, c := s.id(), s.id(), s.id()
	early, late := s.at(-2*time.Hour), s.at(-time.Hour)
	id := s.create(s.dialog(object{
		"guiActions": list{
			s.guiAction(object{"id": c, "priority": "Tertiary"}), s.guiAction(object{"id": a, "priority": "Tertiary"}),
			s.guiAction(object{"id": b, "priority": "Tertiary"}),
		},
		"activities": list{
			s.activity(object{"id": a, "createdAt": late}), s.activity(object{"id": c, "createdAt": early}),
			s.activity(object{"id": b, "createdAt": late}),
		},
		"transmissions": list{s.transmission(object{"id": a, "createdAt": late}), s.transmission(object{"id": b, "createdAt": early})},
	}))
	d := s.get(id)
	order := func(of list) (ids []any) {
		for _, e := range of {
			ids = append(ids, e.(object)["id"])
		}
		return ids
	}
	require.Equal(t, []any{a, b, c}, order(d["guiActions"].(list)))
	require.Equal(t, []any{c, a, b}, order(d["activities"].(list)))
	require.Equal(t, []any{b, a}, order(d["transmissions"].(list)))
	path := dialogs + "/" + id
	require.Equal(t, []any{c, a, b}, order(s.send(request{method: "GET", path: path + "/activities"}).is(200).list()))
	require.Equal(t, []any{a, b}, order(s.send(request{method: "GET", path: path + "/transmissions"}).is(200).list()))
	item := s.send(request{method: "GET", path: path + "/activities"}).list()[0].(object)
	require.NotContains(t, item, "performedBy")
	require.Contains(t, s.send(request{method: "GET", path: path + "/activities/" + a}).is(200).object(), "performedBy")
	require.NotContains(t, s.send(request{method: "GET", path: path + "/transmissions/" + a}).is(200).object(), "isOpened")
	s.send(request{method: "GET", path: path + "/activities/" + s.id()}).is(404).hasKey("DialogActivity")
	s.send(request{method: "GET", path: path + "/transmissions/" + s.id()}).is(404).hasKey("DialogTransmission")
	s.send(request{method: "GET", path: path + "/seenlog/" + s.id()}).is(404).hasKey("DialogSeenLog")
	s.send(request{method: "DELETE", path: path}).is(204)
	for _, below := range []string{"/activities", "/transmissions", "/seenlog", "/activities/" + a} {
		s.send(request{method: "GET", path: path + below}).is(410)
	}
}

// Columns are narrower than the rules of some members (Chapter 7).
func TestTooLongForItsColumn(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"process": "urn:" + long(252)})}).is(500)
	s.send(request{method: "POST", path: dialogs, body: s.dialog(object{"process": "urn:" + long(251)})}).is(201)
}

// Hierarchies of transmissions (Chapter 7, Transmission).
func TestHierarchy(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	chain := func(n int) list {
		out := list{s.transmission()}
		for len(out) < n {
			out = append(out, s.transmission(object{"relatedTransmissionId": out[len(out)-1].(object)["id"]}))
		}
		return out
	}
	fan := func(n int) list {
		out := list{s.transmission()}
		for range n {
			out = append(out, s.transmission(object{"relatedTransmissionId": out[0].(object)["id"]}))
		}
		return out
	}
	a, b := s.id(), s.id()
	circle := list{s.transmission(object{"id": a, "relatedTransmissionId": b}), s.transmission(object{"id": b, "relatedTransmissionId": a})}
	for text, transmissions := range map[string]list{
		"Hierarchy depth violation found.": chain(101), "Hierarchy width violation found.": fan(101),
		"Hierarchy cyclic reference violation found.": circle,
	} {
		answer := post(s, s.dialog(object{"transmissions": transmissions}), "").is(422).hasKey("Transmissions")
		require.Contains(t, answer.errors()[0], text)
	}
	post(s, s.dialog(object{"transmissions": chain(100)}), "").is(201)
	id := post(s, s.dialog(object{"transmissions": fan(100)}), "").is(201).text()
	full := at(s.get(id), "transmissions", 0)["id"]
	path := dialogs + "/" + id + "/transmissions"
	require.Contains(t, s.send(request{method: "POST", path: path, body: s.transmission(object{"relatedTransmissionId": full})}).is(422).errors()[0],
		"Hierarchy width violation found.")
	require.Contains(t, s.send(request{method: "POST", path: path, body: s.transmission(object{"relatedTransmissionId": s.id()})}).is(422).errors()[0],
		"Transmissions: Hierarchy reference violation found.")
}
