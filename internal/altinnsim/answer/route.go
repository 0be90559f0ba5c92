package answer

import "net/http"

// Route lets a mux serve a request. An unknown route is answered without a body, as the real services do: the mux writes
// texts of its own.
func Route(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	handler, pattern := mux.Handler(r)
	if pattern != "" {
		mux.ServeHTTP(w, r) // the handler alone would find no path values
		return
	}
	status := &statusOnly{header: http.Header{}}
	handler.ServeHTTP(status, r)
	if allow := status.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	Empty(w, status.status)
}

// statusOnly takes the status of an answer and drops the rest.
type statusOnly struct {
	header http.Header
	status int
}

func (w *statusOnly) Header() http.Header         { return w.header }
func (w *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusOnly) WriteHeader(status int)      { w.status = status }
