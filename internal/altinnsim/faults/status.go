package faults

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// status answers with a status of the rule's choice.
func status(r Rule) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		setRetryAfter(w, time.Duration(r.RetryAfter), r.RetryAsDate)
		code := r.Status
		if code == 0 {
			code = http.StatusServiceUnavailable
		}
		if r.Body != "" {
			contentType := r.ContentType
			if contentType == "" {
				contentType = "text/plain; charset=utf-8"
			}
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(code)
		// The client is gone if this fails.
		_, _ = io.WriteString(w, r.Body)
	})
}

func setRetryAfter(w http.ResponseWriter, d time.Duration, asDate bool) {
	switch {
	case d <= 0:
	case asDate:
		w.Header().Set("Retry-After", time.Now().Add(d+time.Second-1).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
}
