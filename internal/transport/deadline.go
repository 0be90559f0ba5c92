package transport

import (
	"context"
	"net/http"
	"time"
)

// deadline bounds one attempt, reading its answer included.
type deadline struct {
	next    http.RoundTripper
	timeout time.Duration
}

func (d deadline) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), d.timeout)
	response, err := d.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &closing{ReadCloser: response.Body, done: cancel}
	return response, nil
}
