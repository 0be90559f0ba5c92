// Package httpanswer reads what error answers of the platform's services have in common.
package httpanswer

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads the Retry-After header in both its forms, seconds and HTTP date, as a wait from now. It is 0 when
// there is none, when it makes no sense, and when its time has passed.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// TraceID lets nothing of a problem document's traceId into an error's text but what such an id is made of; a text with
// anything else gives none.
func TraceID(text string) string {
	const longest = 64
	if len(text) > longest || strings.Trim(text, "0123456789abcdefABCDEF-:|.") != "" {
		return ""
	}
	return text
}
