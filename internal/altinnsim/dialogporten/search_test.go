package dialogporten_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (s *simulation) search(pairs ...string) answer {
	s.t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return s.send(request{method: "GET", path: dialogs, token: owner(scopeSearch), query: query, lax: true})
}

func (a answer) found() []string {
	a.t.Helper()
	var refs []string
	for _, item := range a.is(200).object()["items"].(list) {
		refs = append(refs, item.(object)["externalReference"].(string))
	}
	slices.Sort(refs)
	return refs
}

// Every filter of Chapter 10.
func TestSearchFilters(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	named := func(name string, changes ...object) object {
		return s.dialog(append([]object{{"externalReference": name}}, changes...)...)
	}
	labels := func(values ...string) object {
		all := list{}
		for _, value := range values {
			all = append(all, object{"value": value})
		}
		return object{"serviceOwnerContext": object{"serviceOwnerLabels": all}}
	}
	s.create(named("a", labels("urn:x:1", "both"), object{"createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-02-01T00:00:00Z", "status": "Draft"}))
	s.create(named("b", labels("urn:x:2", "both", "a_b"), object{"party": personParty, "dueAt": "2099-01-01T00:00:00Z", "extendedStatus": "one"}))
	s.create(named("c", object{
		"visibleFrom": "2098-01-01T00:00:00Z", "extendedStatus": "two", "process": "urn:p", "isApiOnly": true,
		"systemLabel": "Archive",
	}))
	s.create(named("d", object{"serviceResource": "urn:altinn:resource:app_ttd_a2-1234-5", "status": "New"}))
	gone := s.create(named("gone", labels("urn:x:3")))
	s.remove(gone).is(204)
	s.create(named("elsewhere", object{"serviceResource": resourceElse}))

	for _, test := range []struct {
		query []string
		want  []string
	}{
		{nil, []string{"a", "b", "c", "d"}},
		{[]string{"deleted", "Exclude"}, []string{"a", "b", "c", "d"}},
		{[]string{"deleted", "include"}, []string{"a", "b", "c", "d", "gone"}},
		{[]string{"deleted", "Only"}, []string{"gone"}},
		{[]string{"serviceOwnerLabels", " URN:x:1 "}, []string{"a"}},
		{[]string{"serviceOwnerLabels", "urn:x:*"}, []string{"a", "b"}},
		{[]string{"serviceOwnerLabels", "urn:x"}, nil},
		{[]string{"serviceOwnerLabels", "both", "serviceOwnerLabels", "urn:x:2"}, []string{"b"}},
		{[]string{"serviceOwnerLabels", "both,urn:x:1"}, []string{"a"}},
		{[]string{"serviceOwnerLabels", "urn%*"}, []string{"a", "b"}},
		{[]string{"serviceOwnerLabels", "_oth*"}, []string{"a", "b"}},
		{[]string{"serviceOwnerLabels", "a_b"}, []string{"b"}},
		{[]string{"party", personParty}, []string{"b"}},
		{[]string{"party", personParty, "party", orgParty}, []string{"a", "b", "c", "d"}},
		{[]string{"serviceResource", "urn:altinn:resource:APP_ttd_a2-1234-5"}, []string{"d"}},
		{[]string{"extendedStatus", "one", "extendedStatus", "two"}, []string{"b", "c"}},
		{[]string{"externalReference", "c"}, []string{"c"}},
		{[]string{"process", "urn:p"}, []string{"c"}},
		{[]string{"status", "draft"}, []string{"a"}},
		{[]string{"status", "NotApplicable", "status", "3"}, []string{"a", "d"}},
		{[]string{"systemLabel", "Archive"}, []string{"c"}},
		{[]string{"excludeApiOnly", "true"}, []string{"a", "b", "d"}},
		{[]string{"isContentSeen", "true"}, []string{"a", "d"}},
		{[]string{"createdBefore", "2024-01-01T00:00:00Z"}, []string{"a"}},
		{[]string{"createdAfter", "2024-01-01T00:00:00.000001Z"}, []string{"b", "c", "d"}},
		{[]string{"updatedAfter", "2024-02-01T01:00:00+01:00", "updatedBefore", "2024-02-01T00:00:00Z"}, []string{"a"}},
		{[]string{"contentUpdatedBefore", "2025-01-01T00:00:00Z"}, []string{"a"}},
		{[]string{"dueAfter", "2000-01-01T00:00:00Z"}, []string{"b"}},
		{[]string{"visibleBefore", "2098-01-01T00:00:00Z"}, []string{"c"}},
		{[]string{"endUserId", personParty, "party", personParty, "search", "tittel"}, []string{"b"}},
		{[]string{"endUserId", personParty, "party", personParty, "search", "annet"}, nil},
	} {
		require.Equal(t, test.want, s.search(test.query...).found(), test.query)
	}
	// The organisation is always the token's own, the administrator's too.
	admins := s.send(request{method: "GET", path: dialogs, token: other(scopeSearch, scopeAdmin)})
	require.Equal(t, []string{"elsewhere"}, admins.found())
}

func TestSearchFaults(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	for _, test := range []struct{ name, value, key, message string }{
		{"limit", "1001", "limit", "'Limit' must be between 1 and 1000. You entered 1001."},
		{"limit", "0", "limit", ""},
		{"limit", "x", "limit", "Value [x] is not valid for a [Int32] property!"},
		{"orderBy", "title", "orderBy", ""},
		{"continuationToken", "createdat_x", "continuationToken", ""},
		{"createdAfter", "2024-01-01T00:00:00", "createdAfter", ""},
		{"deleted", "perhaps", "deleted", ""},
		{"status", "Done", "status", ""},
		{"isContentSeen", "yes", "isContentSeen", "Value [yes] is not valid for a [Boolean] property!"},
		{"party", "x", "party[0]", "'Party'" + partyFault},
		{"serviceOwnerLabels", "ab", "serviceOwnerLabels[0]", ""},
		{"search", "ab", "search", "The length of 'Search' must be at least 3 characters. You entered 2 characters."},
		{"search", "abc", "search", ""},
		{"endUserId", personParty, "endUserId", ""},
		{"searchLanguageCode", "no", "searchLanguageCode", ""},
	} {
		a := s.search(test.name, test.value).is(400).hasKey(test.key)
		if test.message != "" {
			a.has(test.key, test.message)
		}
	}
	many := []string{}
	for range 21 {
		many = append(many, "serviceResource", resourceMine)
	}
	s.search(many...).is(400).hasKey("serviceResource.count")
	s.search("createdAfter", "2024-01-02T00:00:00Z", "createdBefore", "2024-01-01T00:00:00Z").is(400).hasKey("createdAfter")
	s.search("serviceOwnerLabels", "a*bc").is(500)
}

// Pages follow each other without loss or repetition, in every order (Chapter 10).
func TestSearchPages(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	const n = 25
	for i := range n {
		d := object{"externalReference": fmt.Sprintf("%02d", i), "createdAt": s.at(time.Duration(i/3) * -time.Hour), "updatedAt": s.at(time.Duration(-i/5) * time.Minute)}
		if i%2 == 0 {
			d["dueAt"] = s.at(time.Duration(i+1) * time.Hour)
		}
		s.create(s.dialog(d))
	}
	for _, order := range []string{"", "createdAt", "updatedAt_asc", "dueAt_desc", "dueAt_asc,createdAt_desc", "id_asc", "contentUpdatedAt_asc"} {
		seen := map[string]bool{}
		token := ""
		for page := 0; ; page++ {
			query := []string{"limit", "7"}
			if order != "" {
				query = append(query, "orderBy", order)
			}
			if token != "" {
				query = append(query, "continuationToken", token)
			}
			got := s.search(query...).is(200).object()
			for _, item := range got["items"].(list) {
				ref := item.(object)["externalReference"].(string)
				require.False(t, seen[ref], "%s twice by %s", ref, order)
				seen[ref] = true
			}
			if got["hasNextPage"] != true {
				require.NotContains(t, got, "continuationToken")
				break
			}
			require.Len(t, got["items"], 7)
			token = got["continuationToken"].(string)
		}
		require.Len(t, seen, n, order)
	}
	first := s.search("limit", "1").is(200).object()
	require.Equal(t, "contentupdatedat_desc,id_desc", first["orderBy"])
	item := at(first, "items", 0)
	require.Equal(t, "contentupdatedat_"+item["contentUpdatedAt"].(string)+",id_"+item["id"].(string), first["continuationToken"])
	require.Equal(t, "createdat_asc,id_desc", s.search("orderBy", "createdAt_asc").object()["orderBy"])
	require.Equal(t, "updatedat_desc,id_asc", s.search("orderBy", "updatedAt,id_asc").object()["orderBy"])
}

// What items have and lack (Chapter 10).
func TestSearchItems(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	d := s.get(id)
	item := at(s.search().is(200).object(), "items", 0)
	for _, name := range []string{"attachments", "transmissions", "guiActions", "apiActions", "activities", "searchTags", "expiresAt", "idempotentKey"} {
		require.NotContains(t, item, name)
	}
	for _, name := range []string{"id", "revision", "org", "party", "serviceOwnerContext", "endUserContext", "createdAt", "contentUpdatedAt", "systemLabel"} {
		require.Equal(t, d[name], item[name], name)
	}
	require.InDelta(t, 1, item["guiAttachmentCount"], 0)
	require.Equal(t, at(d, "activities", 1), item["latestActivity"])
	require.NotContains(t, item["content"], "additionalInfo")
	require.Contains(t, item["content"], "senderName")
}

// GET dialogs/endusercontext (Chapter 5).
func TestSearchEndUserContexts(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.dialog(object{"party": personParty, "systemLabel": "Bin"}))
	s.create(s.dialog())
	ask := func(query url.Values) answer {
		return s.send(request{method: "GET", path: dialogs + "/endusercontext", token: owner(scopeSearch), query: query})
	}
	got := ask(url.Values{"party": {personParty}, "label": {"Bin"}}).is(200).object()
	require.Equal(t, list{object{
		"dialogId": id, "systemLabels": list{"Bin"},
		"endUserContextRevision": s.get(id)["endUserContext"].(object)["revision"],
	}}, got["items"])
	require.Empty(t, ask(url.Values{"party": {personParty}, "label": {"Archive"}}).is(200).object()["items"])
	require.Empty(t, ask(url.Values{"party": {personParty}, "contentUpdatedAfter": {s.at(time.Second)}}).is(200).object()["items"])
	ask(url.Values{}).is(400).has("party", "'Party' must not be empty.")
}
