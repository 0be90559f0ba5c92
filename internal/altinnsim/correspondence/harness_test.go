package correspondence_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
)

type object = map[string]any

type list = []any

// Whom the tests are about.
const (
	itemID     = "019ba6eb-587b-7abc-8def-0123456789ab"
	dialogID   = "019ba6eb-587b-76f0-ae66-835e195fa496" // of that item
	kari       = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a1001"
	ola        = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a1002"
	company    = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2001"
	senderUUID = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2002"
	selfMade   = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a3001"
	robot      = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a4001"
	stranger   = "6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a9999"
	nobody     = "00000000-0000-0000-0000-000000000000"
	kariURN    = "urn:altinn:person:identifier-no:05887510026"
	companyURN = "urn:altinn:organization:identifier-no:313414450"
	senderURN  = "urn:altinn:organization:identifier-no:974761076"
	number     = 30088189
)

func now() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

// bench is a simulator with a few parties, whose clock stands still.
type bench struct {
	*altinnsim.Sim

	t   *testing.T
	url string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{CorrespondencePauses: []time.Duration{0, 0, 0}})
	require.NoError(t, err)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.Close()
		sim.Close()
	})
	sim.Freeze(now())
	b := &bench{Sim: sim, t: t, url: server.URL}
	party := func(uuid, kind, name, urn string, more object) json.RawMessage {
		p := object{"partyUuid": uuid, "partyType": kind, "displayName": name, "externalUrn": urn}
		if urn == "" {
			p["externalUrn"] = nil
		}
		maps.Copy(p, more)
		return raw(t, p)
	}
	require.NoError(t, sim.Register.Put([]json.RawMessage{
		party(kari, "person", "KARI TESTPERSON", kariURN, object{"personIdentifier": "05887510026"}),
		party(ola, "person", "OLA-PER O'PRØVE", "urn:altinn:person:identifier-no:17838210090", object{"personIdentifier": "17838210090"}),
		party(company, "organization", "PRØVEFIRMA AS", companyURN, object{"organizationIdentifier": "313414450"}),
		party(senderUUID, "organization", "AVSENDER ETAT", senderURN, object{"organizationIdentifier": "974761076"}),
		party(selfMade, "self-identified-user", "Per Hansen", "urn:altinn:person:legacy-selfidentified:per%20hansen", object{"user": object{"username": "Per Hansen+å"}}),
		party(robot, "system-user", "System", "urn:altinn:systemuser:uuid:"+robot, nil),
	}))
	return b
}

func raw(t *testing.T, value any) json.RawMessage {
	t.Helper()
	out, err := json.Marshal(value)
	require.NoError(t, err)
	return out
}

// reply is an answer.
type reply struct {
	t      *testing.T
	status int
	body   []byte
}

func (r reply) object() object {
	r.t.Helper()
	var out object
	require.NoError(r.t, json.Unmarshal(r.body, &out), string(r.body))
	return out
}

// is checks the status.
func (r reply) is(status int) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, string(r.body))
	return r
}

func (b *bench) send(method, path, contentType string, body io.Reader) (reply, error) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	require.NoError(b.t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return reply{t: b.t, status: response.StatusCode, body: content}, err
}

func (b *bench) post(path string, body any) reply {
	b.t.Helper()
	text, ok := body.(string)
	if !ok {
		text = string(raw(b.t, body))
	}
	r, err := b.send(http.MethodPost, path, "application/json", strings.NewReader(text))
	require.NoError(b.t, err)
	return r
}

func (b *bench) get(path string) reply {
	b.t.Helper()
	r, err := b.send(http.MethodGet, path, "", nil)
	require.NoError(b.t, err)
	return r
}

// upload posts an attachment and gives its id.
func (b *bench) upload(query, content string) reply {
	b.t.Helper()
	r, err := b.send(http.MethodPost, correspondence.PathAttachment+"?"+query, "application/octet-stream", bytes.NewReader([]byte(content)))
	require.NoError(b.t, err)
	return r
}

const metadata = "resourceId=skd-migratedcorrespondence-3476-130314&sendersReference=ref&altinn2AttachmentId="

func (b *bench) file(id string) string {
	b.t.Helper()
	var out string
	require.NoError(b.t, json.Unmarshal(b.upload(metadata+id+"&fileName="+id+".pdf", "x").is(http.StatusOK).body, &out))
	return out
}

func event(status any, at, party string) object {
	return object{"status": status, "statusText": "text", "statusChanged": at, "eventUserPartyUuid": party}
}

// message is a plain migrate call. Changes are paths such as "correspondence.content.language"; nil values stay, and gone
// takes a member away.
func message(changes object) object {
	inner := object{
		"resourceId": "skd-migratedcorrespondence-3476-130314", "sender": senderURN, "sendersReference": "ref-1", "messageSender": "Etaten",
		"content":              object{"language": "nb", "messageTitle": "Tittel", "messageSummary": "", "messageBody": "Tekst"},
		"requestedPublishTime": "2025-06-30T10:06:09.487Z", "isConfirmationNeeded": false,
	}
	m := object{
		"correspondenceData": object{"correspondence": inner, "recipients": list{companyURN}}, "altinn2CorrespondenceId": number,
		"eventHistory": list{event(0, "2025-06-30T10:06:09.487Z", nobody), published("2025-06-30T10:06:09.487Z")},
		"IsMigrating":  true, "created": "2025-06-30T10:06:09.487Z", "partyId": 51843981,
	}
	for path, value := range changes {
		names := strings.Split(path, ".")
		at := m
		switch names[0] {
		case "correspondence":
			at, names = inner, names[1:]
		case "data":
			at, names = m["correspondenceData"].(object), names[1:]
		}
		for ; len(names) > 1; names = names[1:] {
			at = at[names[0]].(object)
		}
		if value == gone {
			delete(at, names[0])
		} else {
			at[names[0]] = value
		}
	}
	return m
}

// gone takes a member away.
const gone = "\x00gone"

func published(at string) object {
	e := event("published", at, senderUUID)
	e["statusText"] = "Correspondence Published in Altinn 2"
	return e
}

// migrate brings a message in and gives its item.
func (b *bench) migrate(changes object) correspondence.Item {
	b.t.Helper()
	b.post(correspondence.PathMigrate, message(changes)).is(http.StatusOK)
	return b.item()
}

func (b *bench) item() correspondence.Item {
	b.t.Helper()
	item, ok := b.Correspondence.Item(number)
	require.True(b.t, ok)
	return item
}

// put puts an item in place, as the vectors write them.
func (b *bench) put(changes object) {
	b.t.Helper()
	item := object{
		"correspondenceId": itemID, "altinn2CorrespondenceId": number, "resourceId": "skd-migratedcorrespondence-3476-130314",
		"sender": senderURN, "recipient": companyURN, "title": "Tilbakemelding", "sendersReference": "ref", "isMigrating": true,
		"statuses": list{object{"status": "Published", "at": "2025-06-30T10:06:09.487Z", "partyUuid": senderUUID}},
	}
	maps.Copy(item, changes)
	require.NoError(b.t, b.Correspondence.Put([]json.RawMessage{raw(b.t, item)}))
}

// visible puts an item in place and makes it available.
func (b *bench) visible(changes object) {
	b.t.Helper()
	b.put(changes)
	require.Equal(b.t, dialogID, b.available(object{"correspondenceId": itemID})[0]["dialogId"])
}

// available asks for items to be made available.
func (b *bench) available(body object) []object {
	b.t.Helper()
	var out struct {
		Statuses []object `json:"statuses"`
	}
	require.NoError(b.t, json.Unmarshal(b.post(correspondence.PathAvailable, body).is(http.StatusOK).body, &out))
	require.NotNil(b.t, out.Statuses)
	return out.Statuses
}

func (b *bench) sync(events ...any) reply {
	b.t.Helper()
	r := b.post(correspondence.PathStatus, object{"correspondenceId": itemID, "syncedStatusEvents": events})
	b.idle()
	return r
}

func (b *bench) idle() {
	b.t.Helper()
	require.NoError(b.t, b.Correspondence.Idle(b.t.Context()))
}

// calls are what Correspondence asked of a service about the message, in order.
func (b *bench) calls(service string) []story.Entry {
	var out []story.Entry
	for _, e := range b.Story("30088189") {
		if e.Service == service && e.Headers["User-Agent"] == "altinn-correspondence" {
			out = append(out, e)
		}
	}
	return out
}

// told are the calls to Dialogporten as "METHOD last part of the path".
func (b *bench) told() []string {
	out := []string{}
	for _, e := range b.calls(altinnsim.ServiceDialogporten) {
		parts := strings.Split(e.Path, "/")
		last := parts[len(parts)-1]
		if last == dialogID {
			last = "dialog"
		}
		out = append(out, e.Method+" "+last)
	}
	return out
}

// since are the calls to Dialogporten after the first n.
func (b *bench) since(n int) []string { return b.told()[n:] }

func bodyOf(t *testing.T, e story.Entry) object {
	t.Helper()
	var out object
	require.NoError(t, json.Unmarshal(e.Body, &out))
	return out
}

// created is the body of the first dialog creation.
func (b *bench) created() object {
	b.t.Helper()
	for _, e := range b.calls(altinnsim.ServiceDialogporten) {
		if e.Method == http.MethodPost && strings.HasSuffix(e.Path, "/dialogs") {
			return bodyOf(b.t, e)
		}
	}
	require.Fail(b.t, "no dialog was created")
	return nil
}

func (b *bench) fault(rules ...faults.Rule) {
	b.t.Helper()
	require.NoError(b.t, b.Faults.Set(rules))
}

// walk follows a path such as "a.0.b" into a document.
func walk(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case object:
			value = v[name]
		case list:
			i := int(name[0] - '0')
			if i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// registered are Kari and the stranger, who came to be known.
func registered(t *testing.T) []json.RawMessage {
	t.Helper()
	return []json.RawMessage{
		raw(t, object{"partyUuid": kari, "partyType": "person", "displayName": "KARI TESTPERSON", "externalUrn": kariURN}),
		raw(t, object{"partyUuid": stranger, "partyType": "person", "displayName": "NY PERSON", "externalUrn": "urn:altinn:person:identifier-no:17838210090"}),
	}
}
