package correspondence

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The dialog as it is sent (chapter 9). Members without a value are sent as null.
type dialogBody struct {
	ID                  uuid.UUID       `json:"id"`
	ServiceResource     string          `json:"serviceResource"`
	Party               string          `json:"party"`
	CreatedAt           instant         `json:"createdAt"`
	UpdatedAt           *instant        `json:"updatedAt"`
	VisibleFrom         *instant        `json:"visibleFrom"`
	DueAt               *instant        `json:"dueAt"`
	ExpiresAt           *instant        `json:"expiresAt"`
	Process             *string         `json:"process"`
	PrecedingProcess    *string         `json:"precedingProcess"`
	Progress            *int            `json:"progress"`
	ExtendedStatus      *string         `json:"extendedStatus"`
	ExternalReference   string          `json:"externalReference"`
	Status              string          `json:"status"`
	SystemLabel         string          `json:"systemLabel"`
	Content             contentBody     `json:"content"`
	SearchTags          []tagBody       `json:"searchTags"`
	Attachments         []fileBody      `json:"attachments"`
	APIActions          []apiActionBody `json:"apiActions"`
	GUIActions          []guiActionBody `json:"guiActions"`
	Activities          []activityBody  `json:"activities"`
	Transmissions       []struct{}      `json:"transmissions"`
	ServiceOwnerContext ownerBody       `json:"serviceOwnerContext"`
}

type contentBody struct {
	Title                *valueBody `json:"title"`
	Summary              *valueBody `json:"summary"`
	SenderName           *valueBody `json:"senderName"`
	AdditionalInfo       *valueBody `json:"additionalInfo"`
	ExtendedStatus       *valueBody `json:"extendedStatus"`
	MainContentReference *valueBody `json:"mainContentReference"`
}

type valueBody struct {
	MediaType string     `json:"mediaType"`
	Value     []textBody `json:"value"`
}

type textBody struct {
	Value        string `json:"value"`
	LanguageCode string `json:"languageCode"`
	MediaType    string `json:"mediaType,omitempty"`
}

type tagBody struct {
	Value string `json:"value"`
}

type fileBody struct {
	ID          uuid.UUID  `json:"id"`
	DisplayName []textBody `json:"displayName"`
	URLs        []urlBody  `json:"urls"`
}

type urlBody struct {
	ConsumerType string  `json:"consumerType"`
	URL          string  `json:"url"`
	MediaType    *string `json:"mediaType,omitempty"` // left out, not null, when the extension is not known (9.7)
}

type apiActionBody struct {
	ID                     *uuid.UUID     `json:"id"`
	Action                 string         `json:"action"`
	AuthorizationAttribute *string        `json:"authorizationAttribute"`
	Name                   string         `json:"name"`
	Endpoints              []endpointBody `json:"endpoints"`
}

type endpointBody struct {
	ID               *uuid.UUID `json:"id"`
	Version          *string    `json:"version"`
	URL              string     `json:"url"`
	HTTPMethod       string     `json:"httpMethod"`
	DocumentationURL *string    `json:"documentationUrl"`
	RequestSchema    *string    `json:"requestSchema"`
	ResponseSchema   *string    `json:"responseSchema"`
	Deprecated       bool       `json:"deprecated"`
	SunsetAt         *instant   `json:"sunsetAt"`
}

type guiActionBody struct {
	ID                     *uuid.UUID `json:"id"`
	Action                 string     `json:"action"`
	URL                    string     `json:"url"`
	AuthorizationAttribute *string    `json:"authorizationAttribute"`
	IsDeleteAction         bool       `json:"isDeleteDialogAction"`
	HTTPMethod             string     `json:"httpMethod"`
	Priority               string     `json:"priority"`
	Title                  []textBody `json:"title"`
	Prompt                 []textBody `json:"prompt"` // never, as null
}

type activityBody struct {
	ID           uuid.UUID  `json:"id"`
	CreatedAt    instant    `json:"createdAt"`
	ExtendedType *string    `json:"extendedType"`
	Type         string     `json:"type"`
	Related      *uuid.UUID `json:"relatedActivityId"`
	Transmission *uuid.UUID `json:"transmissionId"`
	PerformedBy  actorBody  `json:"performedBy"`
	Description  []textBody `json:"description"`
}

type actorBody struct {
	ActorType string  `json:"actorType"`
	ActorName *string `json:"actorName"`
	ActorID   *string `json:"actorId"`
}

type ownerBody struct {
	Labels []tagBody `json:"serviceOwnerLabels"`
}

// instant is a time as the service writes it.
type instant time.Time

// MarshalJSON writes UTC with what fractions there are.
func (i instant) MarshalJSON() ([]byte, error) {
	return []byte(`"` + formatInstant(time.Time(i)) + `"`), nil
}

func formatInstant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z07:00") }

const (
	resourcePrefix = "urn:altinn:resource:"
	labelPrefix    = "urn:altinn:correspondence-id:"
	typePlain      = "text/plain"
	typeEmbed      = "application/vnd.dialogporten.frontchannelembed+json;type=markdown"

	partyActor = "PartyRepresentative"
	ownerActor = "ServiceOwner"

	activityInformation = "Information"

	statusNotApplicable = "NotApplicable"
	statusAttention     = "RequiresAttention"
)

// visibleAhead is how far ahead a time of publishing must lie to be sent (9.4).
const visibleAhead = time.Minute

// mapped is what the mapping needs besides the item.
type mapped struct {
	item       Item
	now        time.Time
	root       string
	party      string
	files      []file
	activities []activityBody
	mint       *mint
}

// dialog is chapter 9.
func (m *mapped) dialog() dialogBody {
	i := &m.item
	d := dialogBody{
		ID: DialogID(i.ID, i.Created, m.now), ServiceResource: resourcePrefix + i.ResourceID, Party: m.party,
		CreatedAt: instant(i.Created), ExternalReference: i.SendersReference, Status: statusNotApplicable, SystemLabel: i.label(),
		Content: m.content(), SearchTags: searchTags(i.Properties), Attachments: m.attachments(), APIActions: m.apiActions(),
		GUIActions: m.guiActions(), Activities: m.activities, Transmissions: []struct{}{},
		ServiceOwnerContext: ownerBody{[]tagBody{{labelPrefix + i.ID.String()}}},
	}
	if d.Activities == nil {
		d.Activities = []activityBody{}
	}
	m.dates(&d)
	for _, r := range i.References {
		if r.Kind == ReferenceProcess {
			d.Process = &r.Value
			break
		}
	}
	if i.ConfirmationNeeded && !i.has(Confirmed) {
		d.Status = statusAttention
	}
	return d
}

// dates are 9.4.
func (m *mapped) dates(d *dialogBody) {
	if published, ok := m.item.earliest(Published); ok {
		at := published.At
		if m.item.Created.After(at) {
			d.CreatedAt = instant(at)
		}
		if at.After(m.now) {
			at = m.now
		}
		updated := instant(at)
		d.UpdatedAt = &updated
	}
	if visible := m.item.RequestedPublishTime; !visible.Before(m.now.Add(visibleAhead)) {
		at := instant(visible)
		d.VisibleFrom = &at
	}
	// Native items keep a due date that is past.
	if due := m.item.Due; due != nil && (m.item.Native || !due.Before(m.now)) {
		at := instant(*due)
		d.DueAt = &at
	}
}

// content is 9.5.
func (m *mapped) content() contentBody {
	i := &m.item
	value := func(mediaType, text string) *valueBody {
		return &valueBody{mediaType, []textBody{{Value: text, LanguageCode: i.Language}}}
	}
	c := contentBody{Title: value(typePlain, i.Title), MainContentReference: value(typeEmbed, m.root+"/content")}
	if summary := cleaned(i.Summary); summary != "" {
		c.Summary = value(typePlain, summary)
	}
	if sender := deref(i.MessageSender); strings.TrimSpace(sender) != "" {
		c.SenderName = value(typePlain, sender)
	}
	return c
}

// Bounds of a search tag, in UTF-16 units.
const (
	shortestTag = 3
	longestTag  = 63
)

// searchTags are 9.6.
func searchTags(properties []Property) []tagBody {
	out := []tagBody{}
	for _, p := range properties {
		text := strings.TrimSpace(p.Value)
		if units(text) < shortestTag {
			continue
		}
		tag := tagBody{cut(text, longestTag)}
		if !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// cut is the beginning of a text, at most so many UTF-16 units long. A character of two units is not split: half of one
// cannot be sent.
func cut(text string, limit int) string {
	const outside = 0x10000
	n := 0
	for i, r := range text {
		width := 1
		if r >= outside {
			width = 2
		}
		if n+width > limit {
			return text[:i]
		}
		n += width
	}
	return text
}

// zipBelow is the size from which all attachments are no longer offered as one (9.7).
const zipBelow = 2_000_000_000

// attachments are 9.7.
func (m *mapped) attachments() []fileBody {
	out := []fileBody{}
	var total int64
	for _, f := range m.files {
		total += f.size
	}
	if len(m.files) > 1 && total < zipBelow {
		zip := "application/zip"
		out = append(out, fileBody{
			ID: m.mint.v7(m.now), DisplayName: localized("Alle vedlegg", "Alle vedlegg", "All attachments", ""),
			URLs: []urlBody{{"Gui", m.root + "/attachments/downloadall", &zip}},
		})
	}
	for n, f := range m.files {
		name := deref(f.fileName)
		if f.displayName != nil {
			name = *f.displayName
		}
		out = append(out, fileBody{
			ID:          m.mint.v7(m.now.Add(time.Duration(n+1) * time.Millisecond)),
			DisplayName: []textBody{{Value: name, LanguageCode: m.item.Language}},
			URLs:        []urlBody{{"Gui", m.root + "/attachment/" + f.id.String() + "/download", mediaType(deref(f.fileName))}},
		})
	}
	return out
}

// mediaType follows from a file's extension; nil when it is not known.
func mediaType(name string) *string {
	types := map[string]string{
		".pdf": "application/pdf", ".xml": "application/xml", ".html": "text/html", ".json": "application/json", ".jpg": "image/jpeg",
		".jpeg": "image/jpeg", ".png": "image/png", ".csv": "text/csv", ".txt": typePlain, ".zip": "application/zip",
		".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		".ppt": "PPT", ".pps": "PPS", ".gif": "GIF", ".bmp": "BMP", ".dcm": "DCM", ".dicom": "DICOM",
	}
	found, ok := types[strings.ToLower(path.Ext(name))]
	if !ok {
		return nil
	}
	return &found
}

// apiActions are the first table of 9.8.
func (m *mapped) apiActions() []apiActionBody {
	action := func(kind, name, method, address string) apiActionBody {
		return apiActionBody{Action: kind, Name: name, Endpoints: []endpointBody{{HTTPMethod: method, URL: address}}}
	}
	out := []apiActionBody{
		action("read", "getCorrespondence", "GET", m.root), action("write", "purgeCorrespondence", "DELETE", m.root+"/purge"),
	}
	if m.item.ConfirmationNeeded {
		out = append(out, action("write", "confirmCorrespondence", "POST", m.root+"/confirm"))
	}
	for _, f := range m.files {
		out = append(out, action("read", "downloadCorrespondenceAttachment", "GET", m.root+"/attachment/"+f.id.String()+"/download"))
	}
	return out
}

// mostReplies is how many reply options may be shown as buttons; more of them show none (9.8).
const mostReplies = 3

// guiActions are the second table of 9.8.
func (m *mapped) guiActions() []guiActionBody {
	const tertiary = "Tertiary"
	out := []guiActionBody{}
	if len(m.item.Replies) <= mostReplies {
		for _, r := range m.item.Replies {
			title := localized("Gå til tjeneste", "Gå til teneste", "Go to service", typePlain)
			if r.Text != nil {
				title = localized(*r.Text, *r.Text, *r.Text, typePlain)
			}
			out = append(out, guiActionBody{Action: "read", URL: r.URL, HTTPMethod: "GET", Priority: tertiary, Title: title})
		}
	}
	if m.item.ConfirmationNeeded && !m.item.has(Confirmed) {
		out = append(out, guiActionBody{
			Action: "read", URL: m.root + "/confirm", HTTPMethod: "POST", Priority: "Primary",
			Title: localized("Bekreft", "Bekreft", "Confirm", typePlain),
		})
	}
	return append(out, guiActionBody{
		Action: "read", URL: m.root + "/purge", HTTPMethod: "DELETE", Priority: tertiary, IsDeleteAction: true,
		Title: localized("Slett", "Slett", "Purge", typePlain),
	})
}

// localized is a text in the three languages.
func localized(nb, nn, en, mediaType string) []textBody {
	return []textBody{
		{Value: nb, LanguageCode: "nb", MediaType: mediaType},
		{Value: nn, LanguageCode: "nn", MediaType: mediaType},
		{Value: en, LanguageCode: "en", MediaType: mediaType},
	}
}

// personActivity is one that a party did.
func personActivity(kind string, id uuid.UUID, at time.Time, urn string) activityBody {
	return activityBody{
		ID: id, CreatedAt: instant(at), Type: kind, PerformedBy: actorBody{ActorType: partyActor, ActorID: &urn}, Description: []textBody{},
	}
}

// notificationActivity words a notification (9.10).
func notificationActivity(id uuid.UUID, n Notification) activityBody {
	norwegian, english, word, englishWord := "Varsel", "Notification", "SMS", "SMS"
	if n.Reminder {
		norwegian, english = "Revarsel", "Reminder notification"
	}
	if n.Channel == ChannelEmail {
		word, englishWord = "e-post", "Email"
	}
	nb := norwegian + " om mottatt melding sendt til " + n.Address + " på " + word + "."
	en := english + " about received message sent to " + n.Address + " on " + englishWord + "."
	return activityBody{
		ID: id, CreatedAt: instant(n.SentAt), Type: activityInformation, PerformedBy: actorBody{ActorType: ownerActor},
		Description: localized(nb, nb, en, ""),
	}
}

// forwardingActivity words a forwarding whose target has a name (9.10).
func forwardingActivity(f Forwarding, title, urn, name string) activityBody {
	nb, en := `sendte "`+title+`" til `+name, `sent "`+title+`" to `+name
	switch {
	case f.ToUser != nil:
		nb, en = `delte "`+title+`" med `+name, `shared "`+title+`" with `+name
	case deref(f.ToEmail) != "":
		nb, en = `videresendte "`+title+`" til `+name, `forwarded "`+title+`" to `+name
	}
	if note := deref(f.Text); strings.TrimSpace(note) != "" {
		nb += ` og skrev: "` + note + `"`
		en += ` with note: "` + note + `"`
	}
	a := personActivity(activityInformation, f.Activity, f.At, urn)
	a.Description = localized(nb, nb, en, "")
	return a
}

// mailboxName is the name of a supplier of digital mailboxes. The form with the country code is accepted on the way in and
// known to nobody here.
func mailboxName(supplier string) (string, bool) {
	switch strings.ToLower(supplier) {
	case urnOrganisation + "984661185":
		return "Digipost", true
	case urnOrganisation + "922020175", urnOrganisation + "996460320":
		return "e-Boks", true
	}
	return "", false
}
