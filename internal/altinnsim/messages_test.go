package altinnsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// carrier brings messages over as a careful worker does, in the simplest way.
type carrier struct {
	*rig
}

func (c carrier) post(t *testing.T, path string, body any, into any) int {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	a := c.do(t, http.MethodPost, path, string(raw))
	if a.status == http.StatusOK && into != nil {
		a.into(t, into)
	}
	return a.status
}

// upload sends an attachment from one side to the other without holding it.
func (c carrier) upload(t *testing.T, m altinn2.Record, a altinn2.Attachment) (string, bool) {
	t.Helper()
	source, err := c.client.Get(fmt.Sprintf("%s/a2/v1/correspondences/%d/attachments/%s/content", c.url, m.ID, a.ID))
	require.NoError(t, err)
	defer func() { _ = source.Body.Close() }()
	require.Equal(t, http.StatusOK, source.StatusCode)
	query := url.Values{
		"resourceId": {m.ResourceID}, "sender": {"urn:altinn:organization:identifier-no:" + m.Sender.OrgNumber},
		"sendersReference": {a.ID}, "altinn2AttachmentId": {a.ID}, "checksum": {a.MD5}, "created": {a.Created.Format(time.RFC3339Nano)},
		"senderPartyUuid": {m.Sender.PartyUUID.String()},
	}
	if a.FileName != nil {
		query.Set("fileName", *a.FileName)
	}
	if a.DisplayName != nil && *a.DisplayName != "" {
		query.Set("displayName", *a.DisplayName)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+correspondence.PathAttachment+"?"+query.Encode(), source.Body)
	require.NoError(t, err)
	request.ContentLength = source.ContentLength
	response, err := c.client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var id string
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode != http.StatusOK {
		return "", false
	}
	require.NoError(t, json.Unmarshal(raw, &id))
	return id, true
}

func shortened(text string) string {
	if r := []rune(text); len(r) > 255 {
		return string(r[:252]) + "..."
	}
	return text
}

// migrate brings one message over. It says whether that could be done.
func (c carrier) migrate(t *testing.T, m altinn2.Record, live bool) (id string, ok bool) {
	t.Helper()
	published := slices.ContainsFunc(m.Events, func(e altinn2.Event) bool { return e.Type == altinn2.EventPublished })
	if m.Deletion == altinn2.DeletionPurged || m.Recipient.Deceased || !published {
		return "", false
	}
	files := []string{}
	for _, a := range m.Attachments {
		id, ok := c.upload(t, m, a)
		if !ok {
			return "", false
		}
		files = append(files, id)
	}
	var reply struct {
		ID string `json:"correspondenceId"`
	}
	status := c.post(t, correspondence.PathMigrate, migrateBody(m, files, live), &reply)
	require.Equal(t, http.StatusOK, status, m.ID)
	return reply.ID, true
}

func migrateBody(m altinn2.Record, files []string, live bool) map[string]any {
	recipients := map[string]string{
		altinn2.KindOrganisation: "urn:altinn:organization:identifier-no:" + m.Recipient.OrgNumber,
		altinn2.KindPerson:       "urn:altinn:person:identifier-no:" + m.Recipient.PersonNumber, altinn2.KindSelfIdentified: "urn:altinn:party:uuid:" + m.Recipient.PartyUUID.String(),
	}
	language := strings.ToLower(*m.Content.Language)
	if !slices.Contains([]string{"nb", "nn", "en"}, language) {
		language = "nb"
	}
	summary := ""
	if m.Content.Summary != nil {
		summary = shortened(*m.Content.Summary)
	}
	reference := shortened(m.SendersReference)
	if strings.TrimSpace(reference) == "" {
		reference = *m.ArchiveUnit
	}
	properties, seen := map[string]string{}, map[string]bool{}
	for key, value := range m.Properties {
		if !seen[strings.ToLower(value)] {
			properties[key] = value
		}
		seen[strings.ToLower(value)] = true
	}
	replies := []map[string]any{}
	for _, r := range m.ReplyOptions {
		if strings.HasPrefix(r.URL, "https:") {
			replies = append(replies, map[string]any{"linkURL": r.URL, "linkText": r.Text})
		}
	}
	notifications, forwardings := []map[string]any{}, []map[string]any{}
	for _, n := range m.Notifications {
		notifications = append(notifications, notificationBody(n))
	}
	for _, f := range m.Forwardings {
		forwardings = append(forwardings, forwardingBody(f))
	}
	return map[string]any{
		"correspondenceData": map[string]any{
			"correspondence": map[string]any{
				"resourceId": m.ResourceID, "sender": "urn:altinn:organization:identifier-no:" + m.Sender.OrgNumber, "sendersReference": reference,
				"messageSender": m.MessageSender, "requestedPublishTime": m.VisibleFrom, "dueDateTime": m.DueAt, "propertyList": properties,
				"content":      map[string]any{"language": language, "messageTitle": shortened(*m.Content.Title), "messageSummary": summary, "messageBody": m.Content.Body},
				"replyOptions": replies, "ignoreReservation": m.IgnoreReservation, "isConfirmationNeeded": m.ConfirmationRequired,
			},
			"recipients": []string{recipients[m.Recipient.Kind]}, "existingAttachments": files,
		},
		"altinn2CorrespondenceId": m.ID, "eventHistory": eventBodies(m.Events), "notificationHistory": notifications,
		"forwardingHistory": forwardings, "IsMigrating": true, "created": m.Created, "partyId": m.Recipient.PartyID, "makeAvailable": live,
	}
}

func eventBodies(events []altinn2.Event) []map[string]any {
	numbers := map[string]int{
		altinn2.EventCreated: 0, altinn2.EventPublished: 2, altinn2.EventRead: 4, altinn2.EventConfirmed: 6, altinn2.EventArchived: 9,
		altinn2.EventSoftDeleted: 13, altinn2.EventRestored: 14, altinn2.EventPurged: 7, altinn2.EventPurgedByOwner: 8,
	}
	out := []map[string]any{}
	for _, e := range events {
		out = append(out, map[string]any{
			"status": numbers[e.Type], "statusText": "Correspondence Published in Altinn 2", "statusChanged": e.At, "eventUserUuid": e.UserUUID,
			"eventUserPartyUuid": e.PartyUUID,
		})
	}
	return out
}

func notificationBody(n altinn2.Notification) map[string]any {
	return map[string]any{
		"notificationChannel": map[string]int{"email": 0, "sms": 1}[n.Channel], "notificationSent": n.SentAt, "altinn2NotificationId": n.ID,
		"notificationAddress": n.Address, "isReminder": n.Reminder,
	}
}

func forwardingBody(f altinn2.Forwarding) map[string]any {
	var supplier *string
	if f.MailboxSupplier != nil {
		urn := "urn:altinn:organization:identifier-no:" + *f.MailboxSupplier
		supplier = &urn
	}
	return map[string]any{
		"forwardedOnDate": f.At, "forwardedByPartyUuid": f.ByPartyUUID, "forwardedByUserId": f.ByUserID, "forwardedByUserUuid": f.ByUserUUID,
		"forwardedToUserId": f.ToUserID, "forwardedToUserUuid": f.ToUserUUID, "forwardingText": f.Text, "forwardedToEmail": f.ToEmail,
		"mailboxSupplier": supplier,
	}
}

// follow sends everything that happened to a message; what is known is dropped on the other side.
func (c carrier) follow(t *testing.T, m altinn2.Record, id string) {
	t.Helper()
	notifications, forwardings := []map[string]any{}, []map[string]any{}
	for _, n := range m.Notifications {
		notifications = append(notifications, notificationBody(n))
	}
	for _, f := range m.Forwardings {
		forwardings = append(forwardings, forwardingBody(f))
	}
	for path, list := range map[string][]map[string]any{
		correspondence.PathStatus: eventBodies(m.Events), correspondence.PathNotified: notifications, correspondence.PathForwarding: forwardings,
	} {
		name := map[string]string{
			correspondence.PathStatus: "syncedStatusEvents", correspondence.PathNotified: "syncedNotificationEvents",
			correspondence.PathForwarding: "syncedForwardingEvents",
		}[path]
		if len(list) > 0 {
			require.Equal(t, http.StatusOK, c.post(t, path, map[string]any{"correspondenceId": id, name: list}, nil))
		}
	}
}

// page is what the export's walks answer.
type page struct {
	Items      []altinn2.Record `json:"items"`
	NextCursor *string          `json:"nextCursor"`
	HasMore    bool             `json:"hasMore"`
	AsOf       time.Time        `json:"asOf"`
}

// history walks the export from the newest message to the oldest.
func (c carrier) history(t *testing.T, limit int, each func(altinn2.Record)) {
	t.Helper()
	cursor := ""
	for {
		var p page
		c.do(t, http.MethodGet, fmt.Sprintf("/a2/v1/correspondences/history?createdBefore=2100-01-01T00:00:00Z&limit=%d&cursor=%s", limit, cursor), "").into(t, &p)
		for _, m := range p.Items {
			each(m)
		}
		if p.NextCursor == nil {
			return
		}
		cursor = *p.NextCursor
	}
}

func messagesOnly(n int) altinnsim.GenerateOptions {
	options := altinnsim.DefaultOptions()
	messages := altinn2.DefaultOptions()
	messages.Messages = n
	messages.Odd, messages.Broken, messages.LargestFile, messages.Attached = 0.2, 0.05, 100_000, 0.8
	options.Messages = &messages
	return options
}

func TestMessagesThatAreBroughtOverCompareEqual(t *testing.T) {
	t.Parallel()
	c := carrier{setup(t, altinnsim.Options{Seed: 7, CorrespondencePauses: []time.Duration{}})}
	t.Cleanup(c.Close)
	totals, err := c.Generate(messagesOnly(600))
	require.NoError(t, err)
	require.Equal(t, 600, totals.Messages.Messages)
	require.Positive(t, totals.Messages.Purged)

	before, err := c.Diff(t.Context())
	require.NoError(t, err)
	require.Equal(t, 600, before.Messages.Messages)
	require.False(t, before.Clean())
	assert.Equal(t, before.Messages.Differing, before.Messages.Counts[diff.Missing])

	ids := map[int32]string{}
	seen := 0
	c.history(t, 97, func(m altinn2.Record) {
		seen++
		id, ok := c.migrate(t, m, m.ID%2 == 0)
		if !ok {
			return
		}
		ids[m.ID] = id
	})
	require.Equal(t, 600, seen)
	require.NoError(t, c.Correspondence.Idle(t.Context()))
	for _, id := range ids {
		require.Equal(t, http.StatusOK, c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil))
	}
	after, err := c.Diff(t.Context())
	require.NoError(t, err)
	require.True(t, after.Clean(), "%+v", after.Messages)
	assert.Positive(t, after.Messages.Held["noPublishedEvent"])
	assert.Positive(t, after.Messages.Held["unknownActor"])
	assert.Positive(t, after.Messages.Held["badAttachment"])

	// Messages live on, and are followed.
	var cursor string
	for {
		var p page
		c.do(t, http.MethodGet, "/a2/v1/correspondences/changes?limit=500&cursor="+cursor, "").into(t, &p)
		cursor = *p.NextCursor
		if !p.HasMore {
			break
		}
	}
	for range 400 {
		_, _ = c.Altinn2.Live.Step() // what cannot happen does not
	}
	drifted, err := c.Diff(t.Context())
	require.NoError(t, err)
	require.False(t, drifted.Clean())
	for {
		var p page
		c.do(t, http.MethodGet, "/a2/v1/correspondences/changes?limit=100&cursor="+cursor, "").into(t, &p)
		cursor = *p.NextCursor
		for _, m := range p.Items {
			if id, ok := ids[m.ID]; ok {
				c.follow(t, m, id)
			} else {
				c.migrate(t, m, true)
			}
		}
		if !p.HasMore {
			break
		}
	}
	require.NoError(t, c.Correspondence.Idle(t.Context()))
	followed, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, followed.Clean(), "%+v", followed.Messages)
	assert.Empty(t, c.Correspondence.DeadLetters())
}

func TestDiffTellsWhatIsWrongWithMessages(t *testing.T) {
	t.Parallel()
	c := carrier{setup(t, altinnsim.Options{Seed: 7, CorrespondencePauses: []time.Duration{}})}
	t.Cleanup(c.Close)
	options := messagesOnly(40)
	options.Messages.Odd, options.Messages.Broken, options.Messages.Purged, options.Messages.Deceased = 0, 0, 0, 0
	_, err := c.Generate(options)
	require.NoError(t, err)
	var all []altinn2.Record
	c.history(t, 500, func(m altinn2.Record) { all = append(all, m) })
	for _, m := range all[1:] {
		id, ok := c.migrate(t, m, false)
		require.True(t, ok)
		if m.ID != all[1].ID {
			require.Equal(t, http.StatusOK, c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil))
		}
	}
	dialogOf := func(m altinn2.Record) string {
		item, ok := c.Correspondence.Item(m.ID)
		require.True(t, ok)
		id, ok := item.DialogID()
		require.True(t, ok)
		return id
	}
	const dialogs = "/api/v1/serviceowner/dialogs/"
	patch := func(m altinn2.Record, body string) {
		require.Equal(t, http.StatusNoContent, c.do(t, http.MethodPatch, dialogs+dialogOf(m), body).status)
	}
	require.Equal(t, http.StatusNoContent, c.do(t, http.MethodDelete, dialogs+dialogOf(all[2]), "").status)
	require.Equal(t, http.StatusNoContent, c.do(t, http.MethodPost, dialogs+dialogOf(all[3])+"/actions/purge", "").status)
	patch(all[4], `[{"op":"replace","path":"/status","value":"Completed"}]`)
	require.NoError(t, c.Altinn2.ChangePurge(all[5].ID, true))
	require.NoError(t, c.Altinn2.ChangeRead(all[6].ID, all[6].Recipient.PartyUUID))
	require.NoError(t, c.Altinn2.Change(all[7].ID, func(m *altinn2.Record) error {
		m.Created = m.Created.Add(-time.Hour)
		return nil
	}))

	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	counts := report.Messages.Counts
	for _, kind := range []diff.Kind{diff.Missing, diff.Hidden, diff.Deleted, diff.NoDialog, diff.WrongStatus, diff.UnpurgedItem, diff.WrongEvents, diff.WrongDate} {
		assert.Equal(t, 1, counts[kind], "%s: %+v", kind, report.Messages)
	}
	assert.Equal(t, 8, report.Messages.Differing)
}

func TestStoryOfAMessage(t *testing.T) {
	t.Parallel()
	c := carrier{setup(t, altinnsim.Options{Seed: 1, CorrespondencePauses: []time.Duration{}})}
	t.Cleanup(c.Close)
	options := messagesOnly(5)
	options.Messages.Attached, options.Messages.Odd, options.Messages.Broken, options.Messages.Purged, options.Messages.Deceased = 1, 0, 0, 0, 0
	_, err := c.Generate(options)
	require.NoError(t, err)
	var m altinn2.Record
	c.history(t, 1, func(r altinn2.Record) { m = r })
	_, ok := c.migrate(t, m, true)
	require.True(t, ok)
	require.NoError(t, c.Correspondence.Idle(t.Context()))

	var services []string
	for _, e := range c.Story(strconv.Itoa(int(m.ID))) {
		services = append(services, e.Service+" "+e.Method)
		assert.NotContains(t, e.Headers, "Authorization")
		if e.Path == correspondence.PathAttachment {
			assert.Empty(t, e.Body)
		}
	}
	for _, wanted := range []string{"altinn2 GET", "correspondence POST", "sblbridge POST", "dialogporten POST"} {
		assert.Contains(t, services, wanted)
	}
	var sight struct {
		State    map[string]any   `json:"state"`
		Message  map[string]any   `json:"message"`
		Dialog   map[string]any   `json:"dialog"`
		Requests []map[string]any `json:"requests"`
	}
	c.do(t, http.MethodGet, fmt.Sprintf("/_sim/items/%d", m.ID), "").into(t, &sight)
	assert.Equal(t, false, sight.State["isMigrating"])
	assert.InDelta(t, float64(m.ID), sight.Message["altinn2CorrespondenceId"], 0)
	assert.NotEmpty(t, sight.Dialog)
	assert.Len(t, sight.Requests, len(services))
	require.Len(t, c.Altinn2.Bridge.CallBacks(), 1)
	assert.Equal(t, m.Recipient.PartyID, c.Altinn2.Bridge.CallBacks()[0].PartyID)
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodGet, "/_sim/items/1", "").status)

	c.Reset()
	assert.Zero(t, c.Altinn2.Len()+c.Correspondence.Len())
	assert.Empty(t, c.Altinn2.Bridge.CallBacks())
}

func TestMessagesWithTokens(t *testing.T) {
	t.Parallel()
	for _, mode := range []auth.Mode{auth.Decode, auth.Verify} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			c := carrier{setup(t, altinnsim.Options{Auth: mode, CorrespondencePauses: []time.Duration{}})}
			t.Cleanup(c.Close)
			token := func(scope string) string {
				signed, err := c.Maskinporten.Signer().Sign(map[string]any{
					"scope": scope, "exp": time.Now().Add(time.Hour).Unix(), "consumer": map[string]string{"ID": "0192:991825827"},
				})
				require.NoError(t, err)
				return "Bearer " + signed
			}
			ask := func(path, authorization string) int {
				return c.do(t, http.MethodPost, path, `{}`, "Authorization", authorization).status
			}
			assert.Equal(t, http.StatusUnauthorized, c.do(t, http.MethodPost, correspondence.PathAvailable, `{}`).status)
			assert.Equal(t, http.StatusForbidden, ask(correspondence.PathAvailable, token("altinn:correspondence.read")))
			assert.Equal(t, http.StatusOK, ask(correspondence.PathAvailable, token(correspondence.ScopeMigrate)))
			assert.Equal(t, http.StatusForbidden, ask("/correspondence/api/v1/maintenance/cleanup-orphaned-dialogs", token(correspondence.ScopeMigrate)))
			assert.Equal(t, http.StatusOK, ask("/correspondence/api/v1/maintenance/cleanup-orphaned-dialogs", token(correspondence.ScopeMaintenance)))
			assert.Equal(t, http.StatusUnauthorized, c.do(t, http.MethodGet, "/a2/v1/correspondences/changes", "").status)

			// What the service asks of others, it asks with a token of its own.
			require.NoError(t, c.Correspondence.Put([]json.RawMessage{json.RawMessage(hiddenItem)}))
			a := c.do(t, http.MethodPost, correspondence.PathAvailable, `{"correspondenceId":"019ba6eb-587b-7abc-8def-0123456789ab"}`,
				"Authorization", token(correspondence.ScopeMigrate))
			assert.Contains(t, a.body, `"ok":true`)
			assert.Contains(t, a.body, "019ba6eb-587b-76f0-ae66-835e195fa496")
		})
	}
}

const hiddenItem = `{"correspondenceId":"019ba6eb-587b-7abc-8def-0123456789ab","altinn2CorrespondenceId":30088189,
	"resourceId":"skd-migratedcorrespondence-3476-130314","sender":"urn:altinn:organization:identifier-no:974761076",
	"recipient":"urn:altinn:organization:identifier-no:313414450","title":"Tittel","isMigrating":true,
	"statuses":[{"status":"Published","at":"2025-06-30T10:06:09.487Z","partyUuid":"6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2002"}]}`

func TestControlOfMessages(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{CorrespondencePauses: []time.Duration{}})
	t.Cleanup(r.Close)
	assert.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/correspondences", "["+hiddenItem+"]").status)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/correspondences", `[{"statuses":[{"status":"Nothing"}]}]`).status)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/messages", `[{"altinn2CorrespondenceId":0}]`).status)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/messages/live", `{"rate":-1}`).status)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodPost, "/_sim/generate", `{"messages":{"messages":3,"odd":0,"broken":0}}`).status)
	assert.Equal(t, 3, r.Altinn2.Len())
	a := r.do(t, http.MethodPost, "/_sim/messages/30000000/changes", `{"event":"archived","partyUuid":"`+uuid.NewString()+`"}`)
	assert.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, `"archived"`)
	require.NoError(t, r.Faults.Set([]faults.Rule{{Service: altinnsim.ServiceAltinn2, Effect: faults.EffectThrottle}}))
	a = r.do(t, http.MethodGet, "/a2/v1/correspondences/changes", "")
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.Contains(t, r.do(t, http.MethodGet, "/_sim/stats", "").body, `"correspondences":1`)
}
