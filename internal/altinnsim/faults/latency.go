package faults

import (
	"net/http"
	"time"
)

// latency waits before it goes on. A caller that hangs up is not waited for.
func latency(wait time.Duration, next http.Handler) http.Handler {
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
