package faults

import "net/http"

// after does what is asked, drops the answer, and lets another handler answer: what was written is written, and the
// caller does not know.
func after(next, instead http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&discard{header: http.Header{}}, r)
		instead.ServeHTTP(w, r)
	})
}

// discard takes an answer that nobody gets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
