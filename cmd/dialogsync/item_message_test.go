package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
)

// newMessages gives a rig with messages, and the number of one with an attachment of 5 MB.
func newMessages(t *testing.T) (r *rig, key string) {
	t.Helper()
	r = newRig(t)
	r.environ = append(r.environ, "DIALOGSYNC_ALTINN2_URL="+r.platform)
	t.Cleanup(r.sim.Close)
	options := altinn2.DefaultOptions()
	options.Messages, options.Odd, options.Broken, options.Deceased, options.Purged = 20, 0, 0, 0, 0
	options.To = time.Now().Add(-24 * time.Hour)
	options.End = options.To
	_, err := r.sim.Generate(generator.Options{Seed: 1, Messages: &options})
	require.NoError(t, err)
	var m altinn2.Record
	r.sim.Altinn2.Each(func(record altinn2.Record) bool { m = record; return false })
	m.ID += 1000
	m.Attachments = []altinn2.Attachment{{ID: "SS1", Size: 5 << 20, Created: m.Created}}
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	return r, strconv.Itoa(int(m.ID))
}

func TestMessageIsDelivered(t *testing.T) {
	t.Parallel()
	r, key := newMessages(t)
	answer, got := r.sync(t, key, "--source", "a2-correspondence", "--migration")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "created", answer.Outcome)
	item, found := r.sim.Correspondence.Item(number(t, key))
	require.True(t, found)
	assert.False(t, item.Hidden)
	assert.Len(t, item.Attachments, 1)
	assert.Equal(t, []string{"kari: item sync " + key + ": citizen asked"}, r.actions(t))
	assert.Equal(t, 1, r.tables(t)["ledger"])

	calls := r.sim.Requests.Count(altinnsim.ServiceCorrespondence, "", "")
	answer, got = r.sync(t, key) // a bare number is a message's
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "unchanged", answer.Outcome)
	assert.NotEmpty(t, answer.DialogID)
	assert.Equal(t, calls, r.sim.Requests.Count(altinnsim.ServiceCorrespondence, "", ""), "nothing new, no call (17.9)")
}

func number(t *testing.T, key string) int32 {
	t.Helper()
	n, err := strconv.ParseInt(key, 10, 32)
	require.NoError(t, err)
	return int32(n)
}

func TestMessageDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	r, key := newMessages(t)
	before := r.tables(t)
	got := r.run(t, "item", "sync", key, "--source", "a2-correspondence", "--migration", "--dry-run", "-o", "json")
	require.Equal(t, exitOK, got.code, got.both())
	var answer struct {
		itemAnswer

		Requests []struct {
			Path    string          `json:"path"`
			Body    json.RawMessage `json:"body"`
			Omitted *struct {
				ContentType string `json:"contentType"`
				Bytes       int64  `json:"bytes"`
			} `json:"omittedBody"`
		} `json:"requests"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	assert.Equal(t, "created", answer.Outcome)
	assert.Empty(t, answer.DialogID, "it follows from an id that is not given yet")
	require.Len(t, answer.Requests, 3)
	assert.True(t, strings.HasSuffix(answer.Requests[0].Path, "/migration/attachment"))
	require.NotNil(t, answer.Requests[0].Omitted)
	assert.EqualValues(t, 5<<20, answer.Requests[0].Omitted.Bytes)
	assert.Contains(t, string(answer.Requests[1].Body), `"IsMigrating": true`)
	assert.True(t, strings.HasSuffix(answer.Requests[2].Path, "/makemigratedcorrespondenceavailable"))
	assert.Equal(t, before, r.tables(t))
	assert.Zero(t, r.sim.Correspondence.Len())
}

func TestMessageUsage(t *testing.T) {
	t.Parallel()
	r, key := newMessages(t)
	for _, args := range [][]string{
		{"abc", "--source", "a2-correspondence", "--reason", "x"},
		{key, "--app-id", "a/b", "--reason", "x"},
		{key},
		{key, "--now", "yesterday", "--reason", "x"},
	} {
		got := r.run(t, append([]string{"item", "sync"}, args...)...)
		assert.Equal(t, exitUsage, got.code, "%v: %s", args, got.both())
	}
	got := r.run(t, "item", "sync", "4711", "--reason", "x", "--yes")
	assert.Equal(t, exitPartly, got.code, got.both())
	assert.Contains(t, got.both(), "message_unknown")
	assert.Zero(t, r.tables(t)["quarantine"])
}
