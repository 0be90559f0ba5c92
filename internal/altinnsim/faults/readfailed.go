package faults

import (
	"net/http"
	"strings"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// readFailed is Storage's 404 for an instance that is there but could not be read, which begins like that of one that is
// gone (Storage reference, chapter 4).
func readFailed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/storage/api/v1/instances/")
		answer.Text(w, http.StatusNotFound, "Unable to find instance "+key+": Exception while reading from stream")
	})
}
