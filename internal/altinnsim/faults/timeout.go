package faults

import (
	"net/http"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// defaultTimeout is the database driver's (Storage reference, 3.8).
const defaultTimeout = 30 * time.Second

// statementTime is how long a query takes by the rule, and whether the database gives up on it first.
func statementTime(r Rule, tail bool) (took time.Duration, gaveUp bool) {
	limit := time.Duration(r.Timeout)
	if limit == 0 {
		limit = defaultTimeout
	}
	took = time.Duration(r.Latency)
	if took == 0 {
		took = limit
	}
	if tail {
		took += time.Duration(r.Tail)
	}
	return min(took, limit), took >= limit
}

// timedOut is Storage's answer when the database has given up: 500, in older deployments 400, with the same text.
func timedOut(r Rule) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		code := r.Status
		if code == 0 {
			code = http.StatusInternalServerError
		}
		answer.Text(w, code, "Exception while reading from stream")
	})
}
