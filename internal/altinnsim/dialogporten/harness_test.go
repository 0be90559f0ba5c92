package dialogporten_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
)

const (
	dialogs      = "/api/v1/serviceowner/dialogs"
	scopeBase    = "digdir:dialogporten.serviceprovider"
	scopeAdmin   = "digdir:dialogporten.serviceprovider.admin"
	scopeSearch  = "digdir:dialogporten.serviceprovider.search"
	scopeHTML    = "digdir:dialogporten.serviceprovider.legacyhtml"
	scopeChange  = "digdir:dialogporten.serviceprovider.changetransmissions"
	scopeCorr    = "digdir:dialogporten.correspondence"
	scopeNotify  = "altinn:system/notifications.condition.check"
	orgParty     = "urn:altinn:organization:identifier-no:991825827"
	personParty  = "urn:altinn:person:identifier-no:12829010001"
	resourceMine = "urn:altinn:resource:app_ttd_skjema"
	resourceMsg  = "urn:altinn:resource:ttd-melding"
	resourceElse = "urn:altinn:resource:app_skd_skjema"
)

// object is a JSON object.
type object = map[string]any

type list = []any

// simulation is a service under test, served over HTTP, with a clock that stands still.
type simulation struct {
	t       *testing.T
	service *dialogporten.Service
	server  *httptest.Server
	clock   atomic.Int64
	overlap atomic.Bool
	ids     atomic.Uint32
	names   names
}

type names struct {
	sync.Mutex
	known map[string]string
}

func (n *names) Name(urn string) (string, bool) {
	n.Lock()
	defer n.Unlock()
	name, ok := n.known[urn]
	return name, ok
}

type resources map[string]dialogporten.Resource

func (r resources) Resource(id string) (dialogporten.Resource, bool) {
	found, ok := r[id]
	return found, ok
}

func registry() resources {
	return resources{
		"app_ttd_skjema":    {ID: "app_ttd_skjema", OrgNumber: "991825827", Org: "ttd", Type: "AltinnApp"},
		"app_ttd_a2-1234-5": {ID: "app_ttd_a2-1234-5", OrgNumber: "991825827", Org: "ttd", Type: "MigratedApp"},
		"ttd-melding":       {ID: "ttd-melding", OrgNumber: "991825827", Org: "ttd", Type: "CorrespondenceService"},
		"app_skd_skjema":    {ID: "app_skd_skjema", OrgNumber: "974761076", Org: "skd", Type: "AltinnApp"},
		"ttd-oddity":        {ID: "ttd-oddity", OrgNumber: "991825827", Org: "ttd", Type: "MaskinportenSchema"},
		"ownerless":         {ID: "ownerless", Type: "AltinnApp"},
	}
}

var startTime = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

func newSimulation(t *testing.T) *simulation {
	t.Helper()
	s := &simulation{t: t, names: names{known: map[string]string{personParty: "KARI MELLOM NORDMANN", orgParty: "FIRMA AS"}}}
	s.clock.Store(startTime.UnixMicro())
	s.service = dialogporten.New(dialogporten.Config{
		Now:       s.now,
		Resources: registry(),
		Names:     &s.names,
		Caller:    callerOf,
		Overlap:   func(*http.Request, uuid.UUID) bool { return s.overlap.Load() },
	})
	s.server = httptest.NewServer(s.service)
	t.Cleanup(s.server.Close)
	return s
}

func (s *simulation) now() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }

func (s *simulation) advance(d time.Duration) { s.clock.Add(d.Microseconds()) }

// at is a time near the clock's, as JSON wants it.
func (s *simulation) at(d time.Duration) string {
	return s.now().Add(d).Format("2006-01-02T15:04:05.000000Z07:00")
}

// id is a new UUIDv7 of an hour ago; later ones are greater.
func (s *simulation) id() string { return s.idAt(-time.Hour) }

func (s *simulation) idAt(d time.Duration) string {
	millis := uint64(s.now().Add(d).UnixMilli())
	serial := s.ids.Add(1)
	random := uuid.New()
	return fmt.Sprintf("%08x-%04x-7%03x-%02x%02x-%x", millis>>16, millis&0xffff, serial>>8&0xfff, 0x80, serial&0xff, random[10:])
}

// callerOf reads the test's own bearer tokens: org;number;person;scope scope ….
func callerOf(r *http.Request) (dialogporten.Caller, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return dialogporten.Caller{Anonymous: true}, nil
	}
	parts := strings.Split(token, ";")
	if len(parts) != 4 {
		return dialogporten.Caller{}, fmt.Errorf("token of %d parts", len(parts))
	}
	return dialogporten.Caller{Org: parts[0], OrgNumber: parts[1], Person: parts[2], Scopes: strings.Fields(parts[3])}, nil
}

func tokenOf(org, number string, scopes ...string) string {
	return org + ";" + number + ";;" + strings.Join(append([]string{scopeBase}, scopes...), " ")
}

func owner(scopes ...string) string { return tokenOf("ttd", "991825827", scopes...) }

func admin(scopes ...string) string { return owner(append(scopes, scopeAdmin, scopeSearch)...) }

func other(scopes ...string) string { return tokenOf("skd", "974761076", scopes...) }

// request is one call; the zero token is the owner's.
type request struct {
	method, path string
	query        url.Values
	token        string
	header       map[string]string
	body         any    // JSON; nil: none
	raw          string // instead of body
	lax          bool   // the service takes it although the OpenAPI document does not
}

type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (s *simulation) send(r request) answer {
	s.t.Helper()
	body := []byte(r.raw)
	if r.body != nil {
		var err error
		body, err = json.Marshal(r.body)
		require.NoError(s.t, err)
	}
	address := s.server.URL + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(s.t.Context(), r.method, address, bytes.NewReader(body))
	require.NoError(s.t, err)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token == "" {
		r.token = owner()
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	for name, value := range r.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	response, err := s.server.Client().Do(req)
	require.NoError(s.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	requireContract(s.t, req, body, response, content, r.lax)
	return answer{t: s.t, status: response.StatusCode, header: response.Header, body: content}
}

func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, string(a.body))
	return a
}

func (a answer) object() object {
	a.t.Helper()
	var o object
	require.NoError(a.t, json.Unmarshal(a.body, &o), string(a.body))
	return o
}

func (a answer) list() list {
	a.t.Helper()
	var l list
	require.NoError(a.t, json.Unmarshal(a.body, &l), string(a.body))
	return l
}

func (a answer) text() string {
	a.t.Helper()
	var text string
	require.NoError(a.t, json.Unmarshal(a.body, &text), string(a.body))
	return text
}

func (a answer) etag() string { return a.header.Get("Etag") }

// errors are the messages of a problem, "key: message" each.
func (a answer) errors() []string {
	a.t.Helper()
	var problem struct {
		Errors map[string][]string `json:"errors"`
	}
	require.NoError(a.t, json.Unmarshal(a.body, &problem), string(a.body))
	var out []string
	for key, messages := range problem.Errors {
		for _, message := range messages {
			out = append(out, key+": "+message)
		}
	}
	return out
}

// has wants a message under a key.
func (a answer) has(key, message string) answer {
	a.t.Helper()
	require.Contains(a.t, a.errors(), key+": "+message)
	return a
}

// hasKey wants some message under a key.
func (a answer) hasKey(key string) answer {
	a.t.Helper()
	for _, line := range a.errors() {
		if strings.HasPrefix(line, key+": ") {
			return a
		}
	}
	require.Fail(a.t, "no key "+key, string(a.body))
	return a
}

func silent() url.Values { return url.Values{"isSilentUpdate": {"true"}} }

func plain(text string) object {
	return object{"value": list{object{"value": text, "languageCode": "nb"}}}
}

// dialog is a body that POST dialog takes.
func (s *simulation) dialog(changes ...object) object {
	d := object{
		"id": s.id(), "serviceResource": resourceMine, "party": orgParty, "status": "InProgress",
		"content": object{"title": plain("Tittel"), "summary": plain("Sammendrag")},
	}
	for _, change := range changes {
		maps.Copy(d, change)
		for name, value := range change {
			if value == nil {
				delete(d, name)
			}
		}
	}
	return d
}

// full has everything in it that a dialog can have.
func (s *simulation) full() object {
	transmission := s.id()
	return s.dialog(object{
		"idempotentKey": "key-" + s.id()[:30], "progress": 40, "extendedStatus": "urn:x", "externalReference": "ref & <co>",
		"process": "urn:p:2", "precedingProcess": "urn:p:1", "isApiOnly": false, "systemLabel": "Archive",
		"dueAt": s.at(48 * time.Hour), "expiresAt": s.at(72 * time.Hour), "createdAt": s.at(-48 * time.Hour), "updatedAt": s.at(-24 * time.Hour),
		"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": "urn:altinn:integration:storage:1/" + s.id()}, object{"value": "abc"}}},
		"searchTags":          list{object{"value": "skatt"}, object{"value": "avgift"}},
		"content": object{
			"title": plain("Blåbærsyltetøy 😀"), "summary": plain("b"), "senderName": plain("c"), "extendedStatus": plain("d"),
			"nonSensitiveTitle": plain("e"), "nonSensitiveSummary": plain("f"),
			"additionalInfo": object{"mediaType": "text/markdown", "value": list{
				object{"value": "*x*", "languageCode": "en"},
				object{"value": "*y*", "languageCode": "nb"},
			}},
			"mainContentReference": object{
				"mediaType": "application/vnd.dialogporten.frontchannelembed-url;type=text/markdown",
				"value":     list{object{"value": "https://example.com/x", "languageCode": "nb"}},
			},
		},
		"attachments": list{s.attachment()},
		"transmissions": list{
			s.transmission(object{"id": transmission}),
			s.transmission(object{"relatedTransmissionId": transmission, "type": "Submission", "idempotentKey": "t-1"}),
		},
		"guiActions": list{s.guiAction(object{"priority": "Primary"}), s.guiAction(object{
			"priority": "Tertiary", "httpMethod": "DELETE",
			"isDeleteDialogAction": true, "prompt": list{object{"value": "Sikker?", "languageCode": "nb"}},
		})},
		"apiActions": list{s.apiAction()},
		"activities": list{
			s.activity(object{"type": "TransmissionOpened", "transmissionId": transmission}),
			s.activity(object{
				"type": "Information", "description": list{object{"value": "Noe", "languageCode": "nb"}},
				"performedBy": object{"actorType": "PartyRepresentative", "actorName": "Ola"},
			}),
		},
	})
}

func merged(base object, changes []object) object {
	for _, change := range changes {
		for name, value := range change {
			base[name] = value
			if value == nil {
				delete(base, name)
			}
		}
	}
	return base
}

func (s *simulation) attachment(changes ...object) object {
	return merged(object{
		"id": s.id(), "name": "kvittering", "displayName": list{object{"value": "Fil", "languageCode": "nb"}},
		"urls": list{object{"id": s.id(), "url": "https://example.com/a.pdf", "mediaType": "application/pdf", "consumerType": "Gui"}},
	}, changes)
}

func (s *simulation) transmission(changes ...object) object {
	return merged(object{
		"id": s.id(), "type": "Information", "sender": object{"actorType": "ServiceOwner"},
		"createdAt":    s.at(-time.Hour),
		"content":      object{"title": plain("Forsendelse"), "summary": plain("S")},
		"attachments":  list{object{"id": s.id(), "displayName": list{}, "urls": list{object{"url": "https://example.com/b.pdf", "consumerType": "Api"}}}},
		"extendedType": "urn:type:1",
		"navigationalActions": list{object{
			"title": list{object{"value": "Gå", "languageCode": "nb"}}, "url": "https://example.com/n",
			"expiresAt": s.at(time.Hour),
		}},
	}, changes)
}

func (s *simulation) guiAction(changes ...object) object {
	return merged(object{
		"id": s.id(), "action": "read", "url": "https://example.com/g", "priority": "Secondary", "httpMethod": "GET",
		"authorizationAttribute": "urn:altinn:task:Task_1", "title": list{object{"value": "Åpne", "languageCode": "nb"}},
	}, changes)
}

func (s *simulation) apiAction(changes ...object) object {
	return merged(object{"id": s.id(), "action": "read", "name": "confirm", "endpoints": list{object{
		"id": s.id(), "version": "1.0",
		"url": "https://example.com/api", "httpMethod": "GET", "documentationUrl": "https://example.com/doc", "deprecated": true,
		"sunsetAt": s.at(time.Hour),
	}}}, changes)
}

func (s *simulation) activity(changes ...object) object {
	return merged(object{
		"id": s.id(), "type": "FormSaved", "createdAt": s.at(-time.Hour),
		"performedBy": object{"actorType": "PartyRepresentative", "actorId": personParty},
	}, changes)
}

// create posts a dialog silently and gives its id.
func (s *simulation) create(body object) string {
	s.t.Helper()
	return s.send(request{method: "POST", path: dialogs, query: silent(), token: admin(scopeCorr), body: body}).is(201).text()
}

// createLax posts what the OpenAPI document would not take.
func (s *simulation) createLax(body object) string {
	s.t.Helper()
	return s.send(request{method: "POST", path: dialogs, query: silent(), token: admin(scopeCorr), body: body, lax: true}).is(201).text()
}

func (s *simulation) get(id string) object {
	s.t.Helper()
	return s.send(request{method: "GET", path: dialogs + "/" + id, token: admin()}).is(200).object()
}

// update is a PUT body made of what a GET shows.
func (s *simulation) update(id string, changes ...object) object {
	s.t.Helper()
	shown, body := s.get(id), object{}
	for _, name := range []string{
		"progress", "extendedStatus", "externalReference", "dueAt", "process", "precedingProcess", "expiresAt", "isApiOnly",
		"status", "content", "searchTags", "attachments", "guiActions", "apiActions",
	} {
		if value, ok := shown[name]; ok {
			body[name] = value
		}
	}
	return merged(body, changes)
}
