package servicebus_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
)

func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	control := servicebus.NewControl(b.broker)
	control.Serve(b.server)
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		w := httptest.NewRecorder()
		control.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, servicebus.ControlPath+path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	b.publish(t, 3)
	receiver := b.receiver(t, nil)
	got := receive(t, receiver, 2)
	reason := "bad"
	require.NoError(t, receiver.DeadLetterMessage(t.Context(), got[0], deadLetter(reason)))

	status, _ := ask(http.MethodPut, "", `[{"effect":"lock-lost","count":1},{"effect":"slow","latencyMs":1}]`)
	require.Equal(t, http.StatusNoContent, status)
	require.Error(t, receiver.CompleteMessage(t.Context(), got[1], nil))
	status, state := ask(http.MethodGet, "", "")
	require.Equal(t, http.StatusOK, status)
	for _, part := range []string{
		`"name":"altinn.test"`, `"deadLettered":1`, `"locksLost":1`, `"reason":"bad"`, `"body":"{\"n\":0}"`, `"effect":"lock-lost"`, `"struck":1`, `"connections":1`, b.server.Addr(),
	} {
		assert.Contains(t, state, part)
	}

	for _, bad := range []string{`[{"effect":"storm"}]`, `[{"effect":"cut","probability":2}]`, `[{"effect":"cut","count":-1}]`, `{`} {
		status, _ := ask(http.MethodPut, "", bad)
		assert.Equal(t, http.StatusBadRequest, status, bad)
	}
	status, _ = ask(http.MethodPost, "/lose-locks", "")
	assert.Equal(t, http.StatusNoContent, status)
	status, said := ask(http.MethodPost, "/detach", "")
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"connections":1}`, said)
	_, said = ask(http.MethodPost, "/cut", "")
	assert.JSONEq(t, `{"connections":1}`, said)
	require.Eventually(t, func() bool { return b.server.Connections() == 0 || b.queue.Counts().Active == 2 }, patience, moment)
	status, _ = ask(http.MethodDelete, "", "")
	assert.Equal(t, http.StatusNotFound, status)

	b.broker.Reset()
	assert.Equal(t, servicebus.Counts{}, b.queue.Counts())
	assert.Empty(t, b.broker.Faults())
}

func TestBrokerOptions(t *testing.T) {
	t.Parallel()
	for _, bad := range []servicebus.QueueOptions{{}, {Name: "a b"}, {Name: "q", LockDuration: servicebus.MaxLockDuration + 1}, {Name: "q", LockDuration: -1}} {
		_, err := servicebus.New(servicebus.Options{Queues: []servicebus.QueueOptions{bad}})
		require.Error(t, err)
	}
	broker, err := servicebus.New(servicebus.Options{})
	require.NoError(t, err)
	assert.NotNil(t, broker.Queue(strings.ToUpper(servicebus.DefaultQueue)), "names have no case")
	assert.Nil(t, broker.Queue("another"))
}
