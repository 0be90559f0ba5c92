package faults

import (
	"net/http"
	"time"
)

// latency waits before it goes on. A caller that hangs up is not waited for.
func latency(r Rule, tail bool, next http.Handler) http.Handler {
	wait := time.Duration(r.Latency)
	if tail {
		wait += time.Duration(r.Tail)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			next.ServeHTTP(w, request)
		case <-request.Context().Done():
			panic(http.ErrAbortHandler)
		}
	})
}
