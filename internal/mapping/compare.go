package mapping

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// changesNothing tells whether Dialogporten would find nothing to change in an update (invariant 2). It forgives what
// Dialogporten does to values by itself: it orders lists, cuts times to microseconds, fills in defaults, respells URIs
// and language codes, and leaves out what is empty.
func changesNothing(body dialogporten.UpdateDialog, existing *dialogporten.Dialog) bool {
	if len(body.Activities) > 0 || len(body.Transmissions) > 0 {
		return false
	}
	stored := asUpdate(existing)
	return sameScalars(&body, &stored) &&
		sameContent(body.Content, stored.Content) &&
		sameTags(body.SearchTags, stored.SearchTags) &&
		sameEntries(body.Attachments, stored.Attachments, func(a *dialogporten.Attachment) uuid.UUID { return a.ID }, sameAttachment) &&
		sameEntries(body.GUIActions, stored.GUIActions, func(a *dialogporten.GUIAction) uuid.UUID { return a.ID }, sameGUIAction) &&
		sameEntries(body.APIActions, stored.APIActions, func(a *dialogporten.APIAction) uuid.UUID { return a.ID }, sameAPIAction) &&
		sameUnknown(body.Unknown, stored.Unknown)
}

func sameScalars(a, b *dialogporten.UpdateDialog) bool {
	return sameNumber(a.Progress, b.Progress) &&
		sameText(a.ExtendedStatus, b.ExtendedStatus) &&
		sameText(a.ExternalReference, b.ExternalReference) &&
		sameTime(a.DueAt, b.DueAt) &&
		sameTime(a.ExpiresAt, b.ExpiresAt) &&
		sameText(a.Process, b.Process) &&
		sameText(a.PrecedingProcess, b.PrecedingProcess) &&
		a.IsAPIOnly == b.IsAPIOnly &&
		a.Status == b.Status
}

func sameContent(a, b *dialogporten.Content) bool {
	if a == nil {
		a = &dialogporten.Content{}
	}
	if b == nil {
		b = &dialogporten.Content{}
	}
	return sameValue(a.Title, b.Title) &&
		sameValue(a.NonSensitiveTitle, b.NonSensitiveTitle) &&
		sameValue(a.Summary, b.Summary) &&
		sameValue(a.NonSensitiveSummary, b.NonSensitiveSummary) &&
		sameValue(a.SenderName, b.SenderName) &&
		sameValue(a.AdditionalInfo, b.AdditionalInfo) &&
		sameValue(a.ExtendedStatus, b.ExtendedStatus) &&
		sameValue(a.MainContentReference, b.MainContentReference) &&
		sameUnknown(a.Unknown, b.Unknown)
}

func sameValue(a, b *dialogporten.ContentValue) bool {
	if a == nil || b == nil {
		return a == b
	}
	return withDefault(a.MediaType, dialogporten.MediaTypePlain) == withDefault(b.MediaType, dialogporten.MediaTypePlain) &&
		sameTexts(a.Value, b.Value) && sameUnknown(a.Unknown, b.Unknown)
}

func sameAttachment(a, b *dialogporten.Attachment) bool {
	return sameText(a.Name, b.Name) &&
		sameTexts(a.DisplayName, b.DisplayName) &&
		sameTime(a.ExpiresAt, b.ExpiresAt) &&
		sameURLs(a.URLs, b.URLs) &&
		sameUnknown(a.Unknown, b.Unknown)
}

// sameURLs compares in order when there is one, which is the rule, and by id otherwise. The id of an only URL does not
// count: nobody sees it, and it may have been minted by the server.
func sameURLs(a, b []dialogporten.AttachmentURL) bool {
	if len(a) == 1 && len(b) == 1 {
		return sameURL(&a[0], &b[0])
	}
	return sameEntries(a, b, func(u *dialogporten.AttachmentURL) uuid.UUID { return u.ID }, sameURL)
}

func sameURL(a, b *dialogporten.AttachmentURL) bool {
	return sameURI(a.URL, b.URL) && sameText(a.MediaType, b.MediaType) && a.ConsumerType == b.ConsumerType &&
		sameUnknown(a.Unknown, b.Unknown)
}

func sameGUIAction(a, b *dialogporten.GUIAction) bool {
	return a.Action == b.Action &&
		sameURI(a.URL, b.URL) &&
		sameText(a.AuthorizationAttribute, b.AuthorizationAttribute) &&
		a.IsDeleteDialogAction == b.IsDeleteDialogAction &&
		withDefault(a.HTTPMethod, dialogporten.VerbGet) == withDefault(b.HTTPMethod, dialogporten.VerbGet) &&
		a.Priority == b.Priority &&
		sameTexts(a.Title, b.Title) &&
		sameTexts(a.Prompt, b.Prompt) &&
		sameUnknown(a.Unknown, b.Unknown)
}

func sameAPIAction(a, b *dialogporten.APIAction) bool {
	return a.Action == b.Action &&
		sameText(a.Name, b.Name) &&
		sameText(a.AuthorizationAttribute, b.AuthorizationAttribute) &&
		sameEntries(a.Endpoints, b.Endpoints, func(e *dialogporten.APIActionEndpoint) uuid.UUID { return e.ID }, sameEndpoint) &&
		sameUnknown(a.Unknown, b.Unknown)
}

func sameEndpoint(a, b *dialogporten.APIActionEndpoint) bool {
	return sameText(a.Version, b.Version) &&
		sameURI(a.URL, b.URL) &&
		a.HTTPMethod == b.HTTPMethod &&
		sameOptionalURI(a.DocumentationURL, b.DocumentationURL) &&
		sameOptionalURI(a.RequestSchema, b.RequestSchema) &&
		sameOptionalURI(a.ResponseSchema, b.ResponseSchema) &&
		a.Deprecated == b.Deprecated &&
		sameTime(a.SunsetAt, b.SunsetAt) &&
		sameUnknown(a.Unknown, b.Unknown)
}

// sameEntries compares two lists by id, whatever their order: the server merges by id and orders by itself.
func sameEntries[T any](a, b []T, idOf func(*T) uuid.UUID, same func(a, b *T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	stored := byID(b, idOf)
	if len(stored) != len(b) {
		return false
	}
	for i := range a {
		other, found := stored[idOf(&a[i])]
		if !found || !same(&a[i], other) {
			return false
		}
	}
	return true
}

// sameTags compares the tags as the server stores them: trimmed, in lower case, as a set.
func sameTags(a, b []dialogporten.SearchTag) bool {
	collect := func(tags []dialogporten.SearchTag) map[string]dialogporten.UnknownMembers {
		set := make(map[string]dialogporten.UnknownMembers, len(tags))
		for _, tag := range tags {
			set[strings.ToLower(strings.TrimSpace(tag.Value))] = tag.Unknown
		}
		return set
	}
	return maps.EqualFunc(collect(a), collect(b), sameUnknown)
}

// sameTexts compares texts by language: their order is the server's.
func sameTexts(a, b []dialogporten.Localization) bool {
	if len(a) != len(b) {
		return false
	}
	stored := make(map[string]string, len(b))
	for _, text := range b {
		stored[languageKey(text.LanguageCode)] = text.Value
	}
	for _, text := range a {
		if value, found := stored[languageKey(text.LanguageCode)]; !found || value != text.Value {
			return false
		}
	}
	return true
}

// languageKey respells a language code as the server does.
func languageKey(code string) string {
	code = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(code), "_", "-"))
	language, _, _ := strings.Cut(code, "-")
	return language
}

// sameText takes an absent text for an empty one.
func sameText(a, b *string) bool { return valueOf(a) == valueOf(b) }

func sameOptionalURI(a, b *string) bool { return sameURI(valueOf(a), valueOf(b)) }

func valueOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func sameNumber(a, b *int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// sameTime forgives what is lost below a microsecond.
func sameTime(a, b dialogporten.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() == b.IsZero()
	}
	return a.Sub(b.Time).Abs() < epsilon
}

func withDefault[T ~string](value, byDefault T) T {
	if value == "" {
		return byDefault
	}
	return value
}

func sameUnknown(a, b dialogporten.UnknownMembers) bool {
	return maps.EqualFunc(a, b, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}
