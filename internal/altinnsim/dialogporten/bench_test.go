package dialogporten_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
)

// BenchmarkCreate is the cost of a create of some 3 KB through the handler, without a network.
func BenchmarkCreate(b *testing.B) {
	for _, hash := range []bool{false, true} {
		b.Run(map[bool]string{false: "whole", true: "hashed"}[hash], func(b *testing.B) {
			b.Helper()
			benchmarkCreate(b, hash)
		})
	}
}

func benchmarkCreate(b *testing.B, hash bool) {
	b.Helper()
	body, places := migratedInstance(b)
	service := dialogporten.New(dialogporten.Config{HashBodies: hash})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		mine := bytes.Clone(body)
		for pb.Next() {
			for _, at := range places {
				id := uuid.Must(uuid.NewV7()).String()
				copy(mine[at:], id)
			}
			r := httptest.NewRequest(http.MethodPost, "/api/v1/serviceowner/dialogs?isSilentUpdate=true", bytes.NewReader(mine))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			service.ServeHTTP(w, r)
			if w.Code != http.StatusCreated {
				b.Errorf("%d %s", w.Code, w.Body)
				return
			}
		}
	})
}

// migratedInstance is a dialog such as the worker makes, with the places of its ids.
func migratedInstance(b *testing.B) (body []byte, places []int) {
	b.Helper()
	const marker = "00000000-0000-7000-8000-000000000000"
	texts := func(text string) list {
		return list{
			object{"value": text, "languageCode": "nb"},
			object{"value": text + " nn", "languageCode": "nn"},
			object{"value": text + " en", "languageCode": "en"},
		}
	}
	gui := func(action, priority string) object {
		return object{"id": marker, "action": action, "url": "https://platform.altinn.no/authentication/api/v1/authentication?goto=https%3A%2F%2F" +
			"ttd.apps.altinn.no%2Fttd%2Fskjema%2F%23%2Finstance%2F50001337%2F6f3da581", "priority": priority, "title": texts("Gå til skjemautfylling")}
	}
	activity := func(kind string) object {
		return object{
			"id": marker, "type": kind, "createdAt": "2024-06-18T08:54:53.6233769Z",
			"performedBy": object{"actorType": "PartyRepresentative", "actorId": orgParty},
		}
	}
	raw, err := json.Marshal(object{
		"id": marker, "serviceResource": resourceMine, "party": orgParty, "status": "Completed",
		"createdAt": "2024-06-18T08:54:53.6233769Z", "updatedAt": "2024-06-19T08:54:53.6233769Z",
		"content":             object{"title": object{"value": texts("Innsending av skjema")}, "summary": object{"value": texts("Innsendingen er bekreftet mottatt.")}},
		"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": "urn:altinn:integration:storage:50001337/" + marker}}},
		"attachments": list{object{"id": marker, "displayName": texts("skjema.pdf")[:1], "urls": list{object{
			"id":  marker,
			"url": "https://ttd.apps.altinn.no/ttd/skjema/instances/1/2/data/3", "consumerType": "Gui", "mediaType": "application/pdf",
		}}}},
		"guiActions": list{gui("read", "Primary"), gui("delete", "Secondary")},
		"apiActions": list{object{"id": marker, "action": "read", "endpoints": list{object{
			"id": marker, "httpMethod": "GET",
			"url": "https://ttd.apps.altinn.no/ttd/skjema/instances/1/2",
		}}}},
		"activities": list{activity("DialogCreated"), activity("FormSaved"), activity("FormSubmitted")},
	})
	require.NoError(b, err)
	for at := 0; ; at++ {
		next := bytes.Index(raw[at:], []byte(marker))
		if next < 0 {
			return raw, places
		}
		at += next
		places = append(places, at)
	}
}
