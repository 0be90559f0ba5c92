package mapping_test

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// normalizeAsServer does to a dialog what Dialogporten does by itself between a write and a read: microseconds, lower-case
// party and labels, its own order of lists and languages, respelt URIs, ids for what had none.
func normalizeAsServer(d *dialogporten.Dialog) {
	d.Revision = uuid.MustParse("a312cb9c-7632-43c2-aa38-69b06aed56ca")
	d.Party = strings.ToLower(d.Party)
	for _, at := range []*dialogporten.Time{&d.CreatedAt, &d.UpdatedAt, &d.DueAt, &d.VisibleFrom, &d.ExpiresAt} {
		cutTime(at)
	}
	if d.Content != nil {
		for _, value := range contentValues(d.Content) {
			if *value != nil {
				normalizeTexts((*value).Value)
			}
		}
	}
	normalizeAttachments(d.Attachments)
	for i := range d.Transmissions {
		cutTime(&d.Transmissions[i].CreatedAt)
		normalizeAttachments(d.Transmissions[i].Attachments)
	}
	for i := range d.Activities {
		cutTime(&d.Activities[i].CreatedAt)
	}
	for i := range d.GUIActions {
		d.GUIActions[i].URL = displayURI(d.GUIActions[i].URL)
		normalizeTexts(d.GUIActions[i].Title)
		if d.GUIActions[i].HTTPMethod == "" {
			d.GUIActions[i].HTTPMethod = dialogporten.VerbGet
		}
	}
	for i := range d.APIActions {
		for j := range d.APIActions[i].Endpoints {
			d.APIActions[i].Endpoints[j].URL = displayURI(d.APIActions[i].Endpoints[j].URL)
		}
	}
	byIDOrder(d.GUIActions, func(a dialogporten.GUIAction) uuid.UUID { return a.ID })
	byIDOrder(d.APIActions, func(a dialogporten.APIAction) uuid.UUID { return a.ID })
	byIDOrder(d.Attachments, func(a dialogporten.Attachment) uuid.UUID { return a.ID })
	slices.SortStableFunc(d.Activities, func(a, b dialogporten.Activity) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt.Time), slices.Compare(a.ID[:], b.ID[:]))
	})
}

func contentValues(c *dialogporten.Content) []**dialogporten.ContentValue {
	return []**dialogporten.ContentValue{
		&c.Title, &c.NonSensitiveTitle, &c.Summary, &c.NonSensitiveSummary,
		&c.SenderName, &c.AdditionalInfo, &c.ExtendedStatus, &c.MainContentReference,
	}
}

func normalizeAttachments(attachments []dialogporten.Attachment) {
	for i := range attachments {
		normalizeTexts(attachments[i].DisplayName)
		for j := range attachments[i].URLs {
			attachments[i].URLs[j].URL = displayURI(attachments[i].URLs[j].URL)
			if attachments[i].URLs[j].ID == uuid.Nil {
				attachments[i].URLs[j].ID = uuid.MustParse("0197823f-0000-7000-8000-00000000aaaa")
			}
		}
	}
}

func normalizeTexts(list []dialogporten.Localization) {
	for i := range list {
		list[i].LanguageCode = strings.ToLower(list[i].LanguageCode)
	}
	slices.SortFunc(list, func(a, b dialogporten.Localization) int { return strings.Compare(a.LanguageCode, b.LanguageCode) })
}

func byIDOrder[T any](list []T, idOf func(T) uuid.UUID) {
	slices.SortStableFunc(list, func(a, b T) int {
		x, y := idOf(a), idOf(b)
		return slices.Compare(x[:], y[:])
	})
}

func cutTime(at *dialogporten.Time) { at.Time = at.Truncate(time.Microsecond) }

// displayURI spells a URI as .NET shows it, as far as our links need it: a slash for an empty path, and decoded spaces
// and letters.
func displayURI(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return text
	}
	if parsed.Path == "" {
		text = strings.Replace(text, parsed.Host, strings.ToLower(parsed.Host)+"/", 1)
	}
	for _, letter := range []string{" ", "æ", "ø", "å", "Å", "-", "_"} {
		text = strings.ReplaceAll(text, escapeAll(letter), letter)
	}
	return text
}

func escapeAll(text string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		out.WriteByte('%')
		out.WriteByte(digits[text[i]>>4])
		out.WriteByte(digits[text[i]&15])
	}
	return out.String()
}
