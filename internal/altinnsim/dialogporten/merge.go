package dialogporten

import "slices"

// mergeByID updates stored elements in place by those of the same id, adds those of an unknown id or of none behind
// them, and drops the rest (Chapter 8).
func mergeByID[T any](stored, sent []T, id func(*T) *optionalID, update func(before *T, after T) T, create func([]T)) []T {
	merged := make([]T, 0, len(sent))
	for i := range stored {
		at := slices.IndexFunc(sent, func(e T) bool { return *id(&e) == *id(&stored[i]) })
		if at >= 0 {
			merged = append(merged, update(&stored[i], sent[at]))
		}
	}
	var fresh []T
	for i := range sent {
		mine := *id(&sent[i])
		if !mine.given || !slices.ContainsFunc(stored, func(e T) bool { return *id(&e) == mine }) {
			fresh = append(fresh, sent[i])
		}
	}
	create(fresh)
	return append(merged, fresh...)
}

func (n *normalizer) mergeAttachments(stored, sent []attachment) []attachment {
	return mergeByID(stored, sent, func(a *attachment) *optionalID { return &a.id }, n.mergeAttachment, n.attachments)
}

func (n *normalizer) mergeAttachment(before *attachment, after attachment) attachment {
	sortLocalizations(after.displayName)
	after.urls = mergeByID(before.urls, after.urls, func(u *attachmentURL) *optionalID { return &u.id },
		func(_ *attachmentURL, after attachmentURL) attachmentURL { return after }, n.urls)
	return after
}

func (n *normalizer) mergeAPIAction(before *apiAction, after apiAction) apiAction {
	after.endpoints = mergeByID(before.endpoints, after.endpoints, func(e *apiEndpoint) *optionalID { return &e.id },
		func(_ *apiEndpoint, after apiEndpoint) apiEndpoint { return after }, n.endpoints)
	return after
}

// mergeTags keeps the stored tags that are still wanted where they are and adds the new ones behind them.
func mergeTags(stored, sent []optional) []optional {
	merged := make([]optional, 0, len(sent))
	for _, tag := range stored {
		if slices.Contains(sent, tag) {
			merged = append(merged, tag)
		}
	}
	for _, tag := range sent {
		if !slices.Contains(merged, tag) {
			merged = append(merged, tag)
		}
	}
	return merged
}
