package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "faults.json")
	require.NoError(t, os.WriteFile(rules, []byte(`[{"effect":"status","path":"^/orgs/","status":502}]`), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var progress bytes.Buffer
	command := newCommand()
	command.SetArgs([]string{"--instances", "20", "--days", "2", "--faults", rules, "--latency", "1ms", "--now", "2026-03-10T12:00:00Z"})
	command.SetOut(printed)
	command.SetErr(&progress)
	done := make(chan error, 1)
	go func() { done <- command.ExecuteContext(ctx) }()

	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	base := strings.TrimSpace(strings.TrimPrefix(line, "altinnsim listening on "))
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	status, _ := get("/healthz")
	assert.Equal(t, http.StatusOK, status)
	_, stats := get("/_sim/stats")
	assert.Contains(t, stats, `"instances":20`)
	assert.Contains(t, stats, `"now":"2026-03-10T12:00:00Z"`)
	status, _ = get("/orgs/altinn-orgs.json")
	assert.Equal(t, http.StatusBadGateway, status)

	stop()
	require.NoError(t, <-done)
	assert.Contains(t, progress.String(), "made 20 instances")
}

func TestBadFlagsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	command := newCommand()
	command.SetArgs([]string{
		"--auth", "none", "--clients", "/nowhere", "--maskinporten-url", "maskinporten", "--token-lifetime", "1ms", "--events-lose", "2",
		"--record", "some", "--from", "yesterday", "--monster", "skd", "--fault-profile", "hurricane", "--faults", "/nowhere",
	})
	err := command.ExecuteContext(t.Context())
	for _, flag := range []string{"--auth", "--clients", "--maskinporten-url", "--token-lifetime", "--events", "--record", "--from", "--monster", "--fault-profile", "--faults"} {
		require.ErrorContains(t, err, flag)
	}
	command = newCommand()
	command.SetArgs([]string{"--instances", "1", "--a2", "2"})
	assert.ErrorContains(t, command.ExecuteContext(t.Context()), "not a share")
}

func TestMonster(t *testing.T) {
	t.Parallel()
	m, err := parseMonster("skd:2026-03-01:2000000")
	require.NoError(t, err)
	assert.Equal(t, 2_000_000, m.Count)
	assert.Equal(t, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), m.Day)
	for _, bad := range []string{"skd", "skd:x:1", "skd:2026-03-01:x"} {
		_, err := parseMonster(bad)
		assert.Error(t, err)
	}
}

func TestLiveFlags(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var progress bytes.Buffer
	command := newCommand()
	command.SetArgs([]string{
		"--instances", "20", "--live-rate", "500", "--live-for", "100ms", "--live-shares", "create=1,vanish=0.1", "--live-forms", "days=1",
		"--outbox-delay-scale", "0", "--sync-command-url", "http://127.0.0.1:1/syncDialog",
	})
	command.SetOut(printed)
	command.SetErr(&progress)
	done := make(chan error, 1)
	go func() { done <- command.ExecuteContext(ctx) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	base := strings.TrimSpace(strings.TrimPrefix(line, "altinnsim listening on "))
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/_sim/live", nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		var seen struct {
			Total           int `json:"total"`
			CommandsWaiting int `json:"commandsWaiting"`
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&seen))
		return seen.Total > 0 && seen.CommandsWaiting > 0
	}, time.Minute, 10*time.Millisecond, "nobody takes the commands")
	stop()
	require.NoError(t, <-done)
	assert.Contains(t, progress.String(), "500 things happen a second, for 100ms")

	for _, bad := range [][]string{
		{"--live-shares", "dance=1"},
		{"--live-shares", "create"},
		{"--live-forms", "centuries=1"},
		{"--live-rate", "-1"},
		{"--live-late-share", "2"},
		{"--outbox-delay-scale", "-1"},
		{"--sync-command-url", "localhost:8080"},
	} {
		command := newCommand()
		command.SetArgs(bad)
		assert.Error(t, command.ExecuteContext(t.Context()), bad)
	}
}
