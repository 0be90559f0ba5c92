package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lettersOrder is an order of messages, as typed.
func lettersOrder(more ...string) []string {
	return append([]string{
		"backfill", "create", "--source", "a2-correspondence", "--from", "2025-03-04", "--to", "2025-03-01", "--reason", "messages", "--yes",
	}, more...)
}

// Stages are ordered apart or together; what they make is shown by stream, and each is paused for itself.
func TestMessagesAreOrderedInStages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.run(t, lettersOrder("--stage", "publish")...)
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "2025-03-01 to 2025-03-05 is neither transferred nor ordered to be: order both with --stage both")
	got = r.run(t, lettersOrder("--org", "skd")...)
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "--org is not for messages")
	got = r.run(t, lettersOrder("--stage", "all")...)
	assert.Equal(t, exitUsage, got.code)

	var made struct {
		ID      int64
		IDs     []int64
		Windows int
		Streams []string
	}
	r.readJSON(t, &made, lettersOrder()...)
	assert.Equal(t, []int64{made.ID, made.ID + 1}, made.IDs)
	assert.Equal(t, []string{"transfer", "publish"}, made.Streams)
	assert.Equal(t, 8, made.Windows)
	got = r.run(t, lettersOrder("--stage", "transfer")...)
	assert.Equal(t, exitConflict, got.code)

	table := lines(r.ok(t, "backfill", "list"))
	require.Len(t, table, 3)
	assert.Regexp(t, `^1 +a2-correspondence +transfer +running`, table[1])
	assert.Regexp(t, `^2 +a2-correspondence +publish +running`, table[2])
	assert.Contains(t, r.ok(t, "backfill", "show", "2"), "for transfer: a day is published once its transfer is closed")
	r.ok(t, "stream", "pause", "a2-correspondence/publish", "--reason", "gently", "--yes")
	states := r.streams(t)
	assert.Equal(t, "paused", states["a2-correspondence/publish"].State)
	assert.Equal(t, "running", states["a2-correspondence/transfer"].State)
	got = r.run(t, "stream", "pause", "a2-correspondence/history", "--reason", "x", "--yes")
	assert.Contains(t, got.err, "a2-correspondence/transfer and a2-correspondence/publish")
}
