package dialogporten_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A create is read back as it was sent, but for what Chapters 2, 7 and 9 normalise, and a PUT of what is read changes
// nothing.
func TestCreateReadUpdate(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	rapid.Check(t, func(r *rapid.T) {
		sent := s.drawDialog(r)
		id := sent["id"].(string)
		s.exchange(r, "POST", dialogs+"?isSilentUpdate=true", sent, 201)
		read := s.exchange(r, "GET", dialogs+"/"+id, nil, 200)
		requireRead(r, sent, read)
		update := maps.Clone(read)
		delete(update, "activities")
		delete(update, "transmissions")
		s.exchange(r, "PUT", dialogs+"/"+id+"?isSilentUpdate=true", update, 204)
		require.Equal(r, read, s.exchange(r, "GET", dialogs+"/"+id, nil, 200))
		s.exchange(r, "PATCH", dialogs+"/"+id+"?isSilentUpdate=true", list{}, 204)
		require.Equal(r, read, s.exchange(r, "GET", dialogs+"/"+id, nil, 200))
		repeated := 422
		if sent["idempotentKey"] != nil {
			repeated = 409
		}
		s.exchange(r, "POST", dialogs, sent, repeated)
		s.exchange(r, "POST", dialogs+"/"+id+"/actions/purge", nil, 204)
	})
}

func (s *simulation) exchange(t *rapid.T, method, path string, body any, status int) object {
	raw := ""
	if body != nil {
		content, err := json.Marshal(body)
		require.NoError(t, err)
		raw = string(content)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(raw))
	r.Header.Set("Authorization", "Bearer "+admin())
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.service.ServeHTTP(w, r)
	require.Equal(t, status, w.Code, w.Body.String())
	var o object
	if status == 200 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &o))
	}
	return o
}

// requireRead compares what was sent with what is read: every member that was sent is there and the same.
func requireRead(t *rapid.T, sent, read object) {
	for name, value := range sent {
		switch name {
		case "serviceOwnerContext":
			require.Equal(t, value.(object)["serviceOwnerLabels"], read[name].(object)["serviceOwnerLabels"])
		case "systemLabel", "status", "party", "isApiOnly", "externalReference", "extendedStatus", "idempotentKey", "id", "serviceResource",
			"searchTags", "content", "createdAt", "updatedAt", "process":
			require.Equal(t, value, read[name], name)
		case "progress":
			require.InDelta(t, value, read[name], 0)
		default:
			requireList(t, name, value.(list), read[name].(list))
		}
	}
}

func requireList(t *rapid.T, name string, sent, read list) {
	require.Len(t, read, len(sent), name)
	for i := range sent {
		have := read[i].(object)
		for member, value := range sent[i].(object) {
			require.Equal(t, value, have[member], "%s %s", name, member)
		}
	}
}

func (s *simulation) drawDialog(t *rapid.T) object {
	text := rapid.StringMatching(`[a-zæøå😀"'&<>+\\\n/ ]{0,20}[a-zæøå]`)
	d := object{
		"id": s.id(), "serviceResource": resourceMine, "party": rapid.SampledFrom([]string{orgParty, personParty}).Draw(t, "party"),
		"status":      rapid.SampledFrom([]string{"InProgress", "Draft", "RequiresAttention", "Completed", "NotApplicable", "Awaiting"}).Draw(t, "status"),
		"systemLabel": rapid.SampledFrom([]string{"Default", "Bin", "Archive"}).Draw(t, "label"),
		"isApiOnly":   rapid.Bool().Draw(t, "api"), "content": object{"title": drawContent(t, text)},
	}
	optionally := func(name string, draw func() any) {
		if rapid.Bool().Draw(t, "has "+name) {
			d[name] = draw()
		}
	}
	optionally("progress", func() any { return rapid.IntRange(0, 100).Draw(t, "progress") })
	optionally("externalReference", func() any { return text.Draw(t, "reference") })
	optionally("extendedStatus", func() any { return text.Draw(t, "extended") })
	optionally("process", func() any { return "urn:" + rapid.StringMatching(`[a-z]{1,9}:[0-9a-f]{4}`).Draw(t, "process") })
	optionally("idempotentKey", func() any { return s.id() })
	optionally("createdAt", func() any {
		micros := rapid.Int64Range(0, startTime.UnixMicro()).Draw(t, "created")
		created := time.UnixMicro(micros).UTC()
		d["updatedAt"] = wire(created.Add(time.Duration(rapid.Int64Range(0, startTime.UnixMicro()-micros).Draw(t, "later")) * time.Microsecond))
		return wire(created)
	})
	optionally("searchTags", func() any { return drawValues(t, "tag", false) })
	optionally("serviceOwnerContext", func() any { return object{"serviceOwnerLabels": drawValues(t, "label", true)} })
	several := func(name string, most int, draw func() object) {
		elements := list{}
		for range rapid.IntRange(0, most).Draw(t, name) {
			elements = append(elements, draw())
		}
		d[name] = elements
	}
	several("attachments", 3, func() object {
		return object{"id": s.id(), "urls": list{object{
			"id": s.id(), "url": "https://example.com/" + rapid.StringMatching(`[a-z0-9/]{0,9}`).Draw(t, "path"),
			"consumerType": rapid.SampledFrom([]string{"Gui", "Api"}).Draw(t, "consumer"),
		}}}
	})
	several("guiActions", 5, func() object {
		return object{
			"id": s.id(), "action": text.Draw(t, "action"), "url": "https://example.com/x", "priority": "Tertiary",
			"title": drawTexts(t, text), "httpMethod": rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(t, "verb"),
		}
	})
	created := s.now().Add(-time.Hour)
	several("activities", 4, func() object {
		created = created.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "pause")) * time.Second)
		return object{
			"id": s.id(), "createdAt": wire(created), "type": "Information", "description": drawTexts(t, text),
			"performedBy": object{"actorType": "PartyRepresentative", "actorName": text.Draw(t, "name")},
		}
	})
	several("transmissions", 3, func() object {
		created = created.Add(time.Second)
		return object{
			"id": s.id(), "createdAt": wire(created), "type": rapid.SampledFrom([]string{"Alert", "Submission"}).Draw(t, "type"),
			"sender": object{"actorType": "ServiceOwner"}, "content": object{"title": drawContent(t, text)},
		}
	})
	return d
}

func wire(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000") + "0Z" }

func drawContent(t *rapid.T, text *rapid.Generator[string]) object {
	return object{"mediaType": "text/plain", "value": drawTexts(t, text)}
}

func drawTexts(t *rapid.T, text *rapid.Generator[string]) list {
	languages := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"en", "nb", "nn", "se"}), 1, 4, rapid.ID[string]).Draw(t, "languages")
	slices.Sort(languages)
	out := list{}
	for _, language := range languages {
		out = append(out, object{"languageCode": language, "value": text.Draw(t, "text")})
	}
	return out
}

func drawValues(t *rapid.T, what string, sorted bool) list {
	values := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9:/]{3,20}`), 0, 5, rapid.ID[string]).Draw(t, what)
	if sorted {
		slices.Sort(values)
	}
	out := list{}
	for _, value := range values {
		out = append(out, object{"value": value})
	}
	return out
}
