package correspondence

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// visible is the item of a path. Hidden and purged ones are not found (8.2).
func (s *Service) visible(r *http.Request) (Item, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		var faults modelFaults
		faults.add("correspondenceId", "The value '"+r.PathValue("id")+"' is not valid.")
		return Item{}, invalidModel(faults)
	}
	item, ok := s.ByID(id)
	if !ok || item.Hidden || item.Purged() {
		return Item{}, errUnknownItem
	}
	return item, nil
}

// find answers the ids of visible items (8.3).
func (s *Service) find(c *call) error {
	p := readParameters(c.r.URL.Query())
	resource := p.get("resourceId")
	if resource == nil {
		var faults modelFaults
		faults.add("resourceId", "The resourceId field is required.")
		return invalidModel(faults)
	}
	ids := []uuid.UUID{}
	take := func(item Item) bool {
		if !item.Hidden && !item.Purged() && item.ResourceID == strings.TrimPrefix(*resource, resourcePrefix) {
			ids = append(ids, item.ID)
		}
		return true
	}
	if text := p.get("altinn2CorrespondenceId"); text != nil {
		number, err := strconv.ParseInt(*text, 10, 32)
		if err != nil {
			var faults modelFaults
			faults.add("altinn2CorrespondenceId", "The value '"+*text+"' is not valid.")
			return invalidModel(faults)
		}
		if item, ok := s.Item(int32(number)); ok {
			take(item)
		}
	} else {
		s.Each(take)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
	answer.JSON(c.w, http.StatusOK, map[string]any{"ids": ids})
	return nil
}

// highest is the greatest number among the statuses other than Fetched. An archived and then purged item looks archived
// (8.1).
func highest(item Item) (out Status) {
	for _, s := range item.Statuses {
		if s.Kind != Fetched && s.Kind >= out.Kind {
			out = s
		}
	}
	return out
}

func (s *Service) overview(c *call) error {
	item, err := s.visible(c.r)
	if err != nil {
		return err
	}
	answer.JSON(c.w, http.StatusOK, s.overviewOf(item))
	return nil
}

func (s *Service) details(c *call) error {
	item, err := s.visible(c.r)
	if err != nil {
		return err
	}
	out := s.overviewOf(item)
	history := []map[string]any{}
	for _, status := range item.Statuses {
		history = append(history, map[string]any{
			"status": status.Kind.String(), "statusText": status.Text, "statusChanged": instant(status.At),
		})
	}
	out["statusHistory"] = history
	answer.JSON(c.w, http.StatusOK, out)
	return nil
}

func (s *Service) overviewOf(item Item) map[string]any {
	status := highest(item)
	attachments := []map[string]any{}
	for _, id := range item.Attachments {
		f := s.files.get(id)
		attachments = append(attachments, map[string]any{
			"id": id, "fileName": f.fileName, "displayName": f.displayName, "checksum": f.checksum, "status": Published.String(),
		})
	}
	properties := map[string]string{}
	for _, p := range item.Properties {
		properties[p.Key] = p.Value
	}
	var published any
	if !item.PublishedColumn.IsZero() {
		published = instant(item.PublishedColumn)
	}
	return map[string]any{
		"correspondenceId": item.ID, "altinn2CorrespondenceId": numberOrNull(item.Altinn2ID, item.Native), "resourceId": item.ResourceID,
		"sender": item.Sender, "recipient": item.Recipient, "sendersReference": item.SendersReference,
		"messageSender": item.MessageSender, "created": instant(item.Created), "published": published,
		"requestedPublishTime": instant(item.RequestedPublishTime), "dueDateTime": optionalInstant(item.Due),
		"content": map[string]any{
			"language": item.Language, "messageTitle": item.Title, "messageSummary": item.Summary, "messageBody": item.Body,
			"attachments": attachments,
		},
		"externalReferences": shownReferences(item.References), "propertyList": properties, "replyOptions": shownReplies(item.Replies),
		"notifications": []any{}, "ignoreReservation": item.IgnoreReservation, "isConfirmationNeeded": item.ConfirmationNeeded,
		"isConfidential": false, "markedUnread": false,
		"status": status.Kind.String(), "statusText": status.Text, "statusChanged": instant(status.At),
	}
}

func numberOrNull(n int32, null bool) *int32 {
	if null {
		return nil
	}
	return &n
}

func optionalInstant(t *time.Time) *instant {
	if t == nil {
		return nil
	}
	i := instant(*t)
	return &i
}

type shownReference struct {
	Value string `json:"referenceValue"`
	Type  string `json:"referenceType"`
}

func shownReferences(list []Reference) []shownReference {
	out := []shownReference{}
	for _, r := range list {
		out = append(out, shownReference{r.Value, r.Kind.String()})
	}
	return out
}

type shownReply struct {
	URL  string  `json:"linkURL"`
	Text *string `json:"linkText"`
}

func shownReplies(list []ReplyOption) []shownReply {
	out := []shownReply{}
	for _, r := range list {
		out = append(out, shownReply(r))
	}
	return out
}

// content is what the dialog embeds: Markdown (8.3).
func (s *Service) content(c *call) error {
	item, err := s.visible(c.r)
	if err != nil {
		return err
	}
	text := item.Body
	if !item.Native {
		text = toMarkdown(text)
		if len(item.Replies) > mostReplies {
			text = strings.TrimRight(text, "\n") + "\n\n" + repliesBelow(item)
		}
	}
	writeJSON(c.w, http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	return nil
}

// repliesBelow lists reply options that are too many for buttons.
func repliesBelow(item Item) string {
	heading := map[string]string{"nb": "Svarvalg:", "nn": "Svarval:", "en": "Reply options:"}[strings.ToLower(item.Language)]
	lines := []string{heading}
	for _, r := range item.Replies {
		lines = append(lines, strings.TrimSpace(deref(r.Text)+" "+r.URL))
	}
	return strings.Join(lines, "\n\n")
}
