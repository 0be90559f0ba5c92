package outbox_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// One message that is refused for ever holds nobody up, and goes when the forwarder does.
func TestForwarderGoesOnPastARefusal(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == "text/plain" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		taken.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	f, err := outbox.NewForwarder(server.URL, "", server.Client())
	require.NoError(t, err)
	require.NoError(t, f.Publish(t.Context(), outbox.Message{ContentType: "text/plain"}))
	for range 200 {
		require.NoError(t, f.Publish(t.Context(), outbox.Message{ContentType: "application/json"}))
	}
	require.Eventually(t, func() bool { return f.Counts().Delivered == 200 }, time.Minute, time.Millisecond)
	assert.Equal(t, int64(200), taken.Load())
	assert.Equal(t, 1, f.Counts().Waiting)
	f.Reset()
	assert.Zero(t, f.Counts().Waiting)
	f.Close()
	require.ErrorIs(t, f.Publish(t.Context(), outbox.Message{}), outbox.ErrClosed)
	for _, bad := range []string{"", "localhost:8080", "ftp://x/y", "://"} {
		_, err := outbox.NewForwarder(bad, "", nil)
		assert.Error(t, err, bad)
	}
}
