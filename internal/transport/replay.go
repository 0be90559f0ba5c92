package transport

import (
	"fmt"
	"io"
	"net/http"
)

// drainLimit is how much of an unwanted answer is read so that its connection can be used again, in bytes.
const drainLimit = 256 << 10

// isReplayable tells whether the request can be sent a second time.
func isReplayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// replay gives the request with its body from the start.
func replay(r *http.Request) (*http.Request, error) {
	clone := r.Clone(r.Context())
	if r.GetBody == nil {
		return clone, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, fmt.Errorf("replay request body: %w", err)
	}
	clone.Body = body
	return clone, nil
}

// closeBody upholds the contract of http.RoundTripper for a request that is not sent on.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// discard gives up an answer and keeps its connection.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, drainLimit)
	_ = response.Body.Close()
}

// closing runs done once when an answer's body is closed.
type closing struct {
	io.ReadCloser
	done func()
}

func (c *closing) Close() error {
	err := c.ReadCloser.Close()
	c.done()
	return err //nolint:wrapcheck // A layer of the stack hands errors on as they are.
}
