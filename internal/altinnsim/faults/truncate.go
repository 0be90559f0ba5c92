package faults

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
)

// truncate promises the whole body, sends half of it and hangs up.
func truncate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := keep(next, r)
		maps.Copy(w.Header(), whole.header)
		w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
		w.WriteHeader(whole.status)
		// The client is gone if this fails.
		_, _ = w.Write(whole.body.Bytes()[:whole.body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// kept holds an answer back.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header    { return k.header }
func (k *kept) WriteHeader(status int) { k.status = status }

func (k *kept) Write(b []byte) (int, error) {
	return k.body.Write(b) //nolint:wrapcheck // a buffer takes everything
}
