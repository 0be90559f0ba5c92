package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// retitle changes the title of a dialog behind everybody's back.
func (r *rig) retitle(t *testing.T, item storage.Item) {
	t.Helper()
	raw, found := r.sim.Dialogporten.Dialog(dialogID(item))
	require.True(t, found)
	var dialog map[string]any
	require.NoError(t, json.Unmarshal(raw, &dialog))
	dialog["content"].(map[string]any)["title"].(map[string]any)["value"].([]any)[0].(map[string]any)["value"] = "something else"
	raw, err := json.Marshal(dialog)
	require.NoError(t, err)
	require.NoError(t, r.sim.Dialogporten.Put([]json.RawMessage{raw}))
}

func TestRedo(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	r.worker(t)
	require.Equal(t, "complete", r.walked(t, r.create(t)))
	r.retitle(t, item)
	answer, _ := r.explain(t, item.Row.Key())
	assert.Equal(t, "out_of_date", answer.Verdict.Code, answer.Verdict.Text)

	before := r.tables(t)
	assert.Contains(t, r.ok(t, order("--redo", "--dry-run")...), "Would create a redo from 2025-03-03 back to 2025-03-01")
	assert.Equal(t, before, r.tables(t))
	id := r.create(t, "--redo")
	require.Equal(t, "complete", r.walked(t, id))
	var shown struct {
		Redo      bool           `json:"redo"`
		Corrected map[string]int `json:"corrected"`
	}
	r.readJSON(t, &shown, "backfill", "show", id)
	assert.True(t, shown.Redo)
	assert.Equal(t, map[string]int{"updated": 1}, shown.Corrected)
	table := r.ok(t, "backfill", "show", id)
	assert.Contains(t, table, "1 = 1 updated; --corrected lists them")
	var listed struct {
		Items []struct {
			Item       string `json:"item"`
			Outcome    string `json:"outcome"`
			RecordedAt string `json:"recordedAt"`
		} `json:"items"`
	}
	r.readJSON(t, &listed, "backfill", "show", id, "--corrected")
	require.Len(t, listed.Items, 1)
	assert.Equal(t, item.Row.Key(), listed.Items[0].Item)
	assert.Equal(t, "updated", listed.Items[0].Outcome)
	assert.Contains(t, r.ok(t, "backfill", "show", id, "--corrected"), item.Row.Key())

	id = r.create(t, "--redo", "--older-than-mapping", "1")
	require.Equal(t, "complete", r.walked(t, id))
	table = r.ok(t, "backfill", "show", id)
	assert.Contains(t, table, "nothing: all that was looked at is as it should be")
	assert.Contains(t, table, "older than mapping version 1")
	for _, args := range [][]string{
		order("--older-than-mapping", "1"),
		order("--redo", "--older-than-mapping", "999"),
		{"backfill", "show", id, "--corrected", "--limit", "0"},
	} {
		assert.Equal(t, exitUsage, r.run(t, args...).code, args)
	}
	assert.Equal(t, exitNotFound, r.run(t, "backfill", "show", "99", "--corrected").code)
}

// What a redo could not deliver is not as it should be.
func TestCorrectedWord(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, correctedWord(nil, 0), "quarantine")
	assert.Contains(t, correctedWord(nil, 2), "those in quarantine aside")
}
