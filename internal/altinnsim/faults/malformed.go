package faults

import (
	"maps"
	"net/http"
	"strconv"
)

// malformed sends a whole answer that cannot be read: its length is right, its body is not.
func malformed(kind Kind, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := keep(next, r)
		if whole.bodiless() {
			whole.send(w)
			return
		}
		body := whole.body.Bytes()
		switch kind {
		case KindCut:
			body = body[:len(body)/2]
		case KindHTML:
			body = []byte(gatewayPage)
			whole.header.Set("Content-Type", "text/html; charset=utf-8")
		default:
			body = []byte("upstream request timeout")
		}
		whole.replace(body)
		whole.send(w)
	})
}

// keep lets a handler answer, and holds the answer back.
func keep(next http.Handler, r *http.Request) *kept {
	whole := &kept{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(whole, r)
	return whole
}

// bodiless says whether the status allows no body.
func (k *kept) bodiless() bool {
	return k.status == http.StatusNoContent || k.status == http.StatusNotModified
}

func (k *kept) replace(body []byte) {
	k.body.Reset()
	_, _ = k.body.Write(append([]byte(nil), body...)) // a buffer takes everything
}

// send sends what was held back, as it is by now.
func (k *kept) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), k.header)
	if !k.bodiless() {
		w.Header().Set("Content-Length", strconv.Itoa(k.body.Len()))
	}
	w.WriteHeader(k.status)
	// The client is gone if this fails.
	_, _ = w.Write(k.body.Bytes())
}
