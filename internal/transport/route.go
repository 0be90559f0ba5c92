package transport

import "strings"

// RouteTemplate gives a request path with ids, codes and languages replaced by names, so that it can be a metric's
// label: `/storage/api/v1/instances/{id}/{guid}/events`.
func RouteTemplate(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		switch {
		case segment == "":
		case isGUID(segment):
			segments[i] = "{guid}"
		case isNumber(segment):
			segments[i] = "{id}"
		}
	}
	nameAfter(segments, "applications", "{org}", "{app}")
	nameAfter(segments, "texts", "{lang}")
	nameAfter(segments, "labels", "{label}")
	nameAfter(segments, "attachments", "{attachment}")
	return strings.Join(segments, "/")
}

// nameAfter replaces the segments that follow the first one called anchor.
func nameAfter(segments []string, anchor string, names ...string) {
	for i, segment := range segments {
		if segment != anchor {
			continue
		}
		for j, name := range names {
			if k := i + 1 + j; k < len(segments) && segments[k] != "" {
				segments[k] = name
			}
		}
		return
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isGUID(s string) bool {
	const length, dashes = 36, 4
	return len(s) == length && strings.Count(s, "-") == dashes && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
