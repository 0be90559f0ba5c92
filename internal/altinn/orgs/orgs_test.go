package orgs

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/internal/transport/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const list = `{"orgs":{
	"ttd":{"name":{"nb":"Testdepartementet","en":"Test Ministry"},"orgnr":"405003309","environments":["tt02","production"]},
	"tad":{"name":{"nb":"Samme nummer"},"orgnr":"405003309"},
	"none":{"name":{}}}}`

func TestGet(t *testing.T) {
	t.Parallel()
	var body atomic.Value
	body.Store(list)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(body.Load().(string)))
	}))
	t.Cleanup(server.Close)
	wire := transport.Wire(1)
	t.Cleanup(wire.CloseIdleConnections)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newClient(server.URL+"/orgs/altinn-orgs.json", &http.Client{Transport: wire}, cache.Config{Now: func() time.Time { return now }})

	orgs, err := c.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, Org{
		Code: "ttd", Name: map[string]string{"nb": "Testdepartementet", "en": "Test Ministry"}, Number: "405003309",
		Environments: []string{"tt02", "production"},
	}, orgs["ttd"])
	code, ok := orgs.ByNumber("405003309")
	require.True(t, ok)
	require.Equal(t, "tad", code)
	_, ok = orgs.ByNumber("")
	require.False(t, ok, "a missing number is nobody's")

	now = now.Add(time.Hour - 1)
	_, err = c.Get(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, asked.Load())

	for _, broken := range []string{"", "<html>", `{"orgs":{}}`} {
		body.Store(broken)
		now = now.AddDate(0, 1, 0)
		orgs, err = c.Get(t.Context())
		require.NoError(t, err)
		require.Contains(t, orgs, "ttd", "the last good copy stays")
	}
	require.EqualValues(t, 4, asked.Load())
}
