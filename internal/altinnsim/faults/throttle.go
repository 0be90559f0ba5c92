package faults

import (
	"net/http"
	"time"
)

// throttle answers as a gateway that has had enough.
func throttle(r Rule) http.Handler {
	if r.RetryAfter == 0 {
		r.RetryAfter = Duration(time.Second)
	}
	r.Status = http.StatusTooManyRequests
	return status(r)
}
