package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	require.NoError(t, check(t.Context(), server.URL+"/readyz"))
	require.ErrorContains(t, check(t.Context(), server.URL+"/other"), "503")
	server.Close()
	require.Error(t, check(t.Context(), server.URL+"/readyz"))
}
