package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// explanation is some of what `item explain -o json` prints.
type explanation struct {
	Source string `json:"source"`
	Origin struct {
		State string `json:"state"`
		AppID string `json:"appId"`
	} `json:"origin"`
	Quarantine []struct {
		Reason string `json:"reason"`
		Do     string `json:"do"`
	} `json:"quarantine"`
	Dialog struct {
		ID     string `json:"id"`
		Exists bool   `json:"exists"`
	} `json:"dialog"`
	Verdict struct {
		Code string `json:"code"`
		Text string `json:"text"`
		Next string `json:"next"`
	} `json:"verdict"`
}

// explain runs `item explain` and reads its answer, whatever its exit code.
func (r *rig) explain(t *testing.T, key string) (explanation, result) {
	t.Helper()
	got := r.run(t, "item", "explain", key, "-o", "json")
	var answer explanation
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer), got.both())
	return answer, got
}

func TestExplainedItem(t *testing.T) {
	t.Parallel()
	r := newWorld(t, missingParties)
	item := r.one(t)
	answer, got := r.explain(t, item.Row.Key())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "not_ordered", answer.Verdict.Code)
	assert.Equal(t, "a3-app-instances", answer.Source)
	assert.Equal(t, dialogID(item).String(), answer.Dialog.ID)

	// The command that it names does what it says.
	next := strings.Fields(strings.Replace(answer.Verdict.Next, "TEXT", "gap", 1))
	require.Equal(t, "dialogsync", next[0])
	r.ok(t, append(next[1:], "--yes", "--dry-run")...)

	before := r.tables(t)
	_, synced := r.sync(t, item.Row.Key(), "--migration")
	require.Equal(t, exitOK, synced.code)
	answer, got = r.explain(t, strings.ToUpper(item.Row.Key()))
	assert.Equal(t, exitOK, got.code)
	assert.Equal(t, "well", answer.Verdict.Code, answer.Verdict.Text)
	assert.True(t, answer.Dialog.Exists)
	table := r.ok(t, "item", "explain", item.Row.Key())
	last := lines(table)
	assert.Contains(t, last[len(last)-2], "all is well")
	assert.Contains(t, last[len(last)-1], "nothing to do")
	assert.NotContains(t, table, "0001-01-01")
	after := r.tables(t)
	after["ledger"]--
	after["operator_action"]--
	assert.Equal(t, before, after, "to explain changes nothing")
}

func TestExplainUsage(t *testing.T) {
	t.Parallel()
	r, key := newMessages(t)
	for _, args := range [][]string{{"abc"}, {key, "--source", "x"}, {"50001337/abc"}, {"1/" + uuid.NewString(), "--created", "yesterday"}} {
		got := r.run(t, append([]string{"item", "explain"}, args...)...)
		assert.Equal(t, exitUsage, got.code, "%v: %s", args, got.both())
	}
	answer, got := r.explain(t, "1/"+uuid.NewString())
	assert.Equal(t, exitNotFound, got.code)
	assert.Equal(t, "unknown", answer.Verdict.Code)
	answer, got = r.explain(t, "4711")
	assert.Equal(t, exitNotFound, got.code)
	assert.Equal(t, "unknown", answer.Verdict.Code)
}

func TestExplainedMessage(t *testing.T) {
	t.Parallel()
	r, key := newMessages(t)
	answer, got := r.explain(t, key)
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "not_ordered", answer.Verdict.Code)
	assert.Contains(t, answer.Verdict.Next, "backfill create --source a2-correspondence")
	_, synced := r.sync(t, key, "--migration")
	require.Equal(t, exitOK, synced.code)
	answer, _ = r.explain(t, key)
	assert.Equal(t, "well", answer.Verdict.Code, answer.Verdict.Text)
	table := r.ok(t, "item", "explain", key)
	assert.Contains(t, table, "published")
	assert.Contains(t, table, "Transfer")
}

// A system that is down hides nothing that others know.
func TestExplainWhileStorageIsDown(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	_, synced := r.sync(t, item.Row.Key())
	require.Equal(t, exitOK, synced.code)
	require.NoError(t, r.sim.Faults.Set([]faults.Rule{{Service: "storage", Effect: faults.EffectStatus, Status: http.StatusBadRequest}}))
	answer, got := r.explain(t, item.Row.Key())
	assert.Equal(t, exitPartly, got.code)
	assert.Equal(t, "unreadable", answer.Verdict.Code)
	assert.True(t, answer.Dialog.Exists, "found by its label")
}

func TestQuarantineCommands(t *testing.T) {
	t.Parallel()
	r := newWorld(t, missingParties)
	persons := r.persons(t)
	orphan := r.instances(t, func(item storage.Item) bool {
		_, known := r.sim.Register.ByPartyID(item.Row.Party)
		return !known && item.Row.Version == 3 && !item.Row.Flags.Has(storage.SoftDeleted)
	})[0]
	_, synced := r.sync(t, orphan.Row.Key())
	require.Equal(t, exitPartly, synced.code)

	answer, got := r.explain(t, orphan.Row.Key())
	assert.Equal(t, exitOK, got.code)
	assert.Equal(t, "quarantined", answer.Verdict.Code)
	require.Len(t, answer.Quarantine, 1)
	assert.Equal(t, "party_not_found", answer.Quarantine[0].Reason)

	var page struct {
		Items []struct {
			Item string `json:"item"`
			Do   string `json:"do"`
		} `json:"items"`
	}
	r.readJSON(t, &page, "quarantine", "list", "--source", "a3-app-instances", "--reason", "party_not_found")
	require.Len(t, page.Items, 1)
	assert.Equal(t, orphan.Row.Key(), page.Items[0].Item)
	assert.Equal(t, answer.Quarantine[0].Do, page.Items[0].Do)
	shown := r.ok(t, "quarantine", "show", strings.ToUpper(orphan.Row.Key()))
	assert.Contains(t, shown, page.Items[0].Do)
	r.readJSON(t, &page, "quarantine", "list", "--reason", "http_400")
	assert.Empty(t, page.Items)
	for _, form := range []string{"table", "wide", "json", "yaml"} {
		for _, args := range [][]string{{"quarantine", "list"}, {"quarantine", "show", orphan.Row.Key()}, {"item", "explain", orphan.Row.Key()}} {
			assertNobody(t, persons, r.run(t, append(args, "-o", form)...).both())
		}
	}

	assert.Equal(t, exitNotFound, r.run(t, "quarantine", "show", "1/"+uuid.NewString()).code)
	for _, args := range [][]string{{"--limit", "0"}, {"--source", "x"}, {"--after", "x"}} {
		got := r.run(t, append([]string{"quarantine", "list"}, args...)...)
		assert.Equal(t, exitUsage, got.code, "%v: %s", args, got.both())
	}
}

// The shape of what is printed is for others to build on.
func TestExplanationHasItsMembers(t *testing.T) {
	t.Parallel()
	r := richRig(t)
	var key string
	require.NoError(t, r.pool.QueryRow(t.Context(), "select item_key from quarantine where source = 'a3-app-instances' order by item_key limit 1").Scan(&key))
	_, guid, _ := strings.Cut(key, "/")
	_, synced := r.sync(t, key)
	require.Equal(t, exitPartly, synced.code)
	r.exec(t, `insert into poll (source, reach, since) values ('a3-app-instances', 'catch-up', '2025-01-01')
		on conflict (source, reach) do update set since = excluded.since`)
	r.exec(t, `insert into inbox (instance_guid, party_id, source, migration, intake, app_id, failure) values ($1, 1, 'a3-app-instances', false, 'bus', '', 'x')`,
		uuid.MustParse(guid))
	out := r.ok(t, "item", "explain", key, "-o", "json")
	var value any
	require.NoError(t, json.Unmarshal([]byte(out), &value))
	assertTimes(t, "explain", value)
	compareGolden(t, "item-explain", members(value))
	table := r.ok(t, "item", "explain", key)
	for _, line := range lines(table) {
		for _, bad := range []string{"\t", "%!", "<nil>", "0001-01-01"} {
			assert.NotContains(t, line, bad)
		}
	}
}
