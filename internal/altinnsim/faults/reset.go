package faults

import "net/http"

// reset hangs up without an answer.
func reset() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		// The way that net/http offers to end a connection in the middle.
		panic(http.ErrAbortHandler)
	})
}
