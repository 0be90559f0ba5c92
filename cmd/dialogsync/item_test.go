package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// itemAnswer is what `item sync -o json` prints.
type itemAnswer struct {
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	DialogID string `json:"dialogId"`
	Requests []struct {
		Method  string                     `json:"method"`
		Path    string                     `json:"path"`
		Query   map[string]json.RawMessage `json:"query"`
		Headers map[string]string          `json:"headers"`
		Body    json.RawMessage            `json:"body"`
	} `json:"requests"`
}

// sync runs `item sync` and reads its answer, whatever its exit code.
func (r *rig) sync(t *testing.T, key string, more ...string) (itemAnswer, result) {
	t.Helper()
	got := r.run(t, append([]string{"item", "sync", key, "-o", "json", "--yes", "--reason", "citizen asked"}, more...)...)
	var answer itemAnswer
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer), got.both())
	return answer, got
}

func timeOf(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }

func TestItemIsDelivered(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	answer, got := r.sync(t, item.Row.Key())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, itemAnswer{Outcome: "created", DialogID: dialogID(item).String(), Requests: answer.Requests}, answer)
	assert.NotNil(t, answer.Requests)
	assert.Empty(t, answer.Requests, "nothing was rehearsed")
	_, exists := r.sim.Dialogporten.Dialog(dialogID(item))
	assert.True(t, exists)
	assert.Equal(t, []string{"kari: item sync " + item.Row.Key() + ": citizen asked"}, r.actions(t))
	assert.Equal(t, 1, r.tables(t)["ledger"])

	answer, got = r.sync(t, strings.ToUpper(item.Row.Key()))
	assert.Equal(t, exitOK, got.code)
	assert.Equal(t, "unchanged", answer.Outcome)

	require.NoError(t, r.sim.Storage.SoftDelete(item.Row.GUID))
	answer, _ = r.sync(t, item.Row.Key())
	assert.Equal(t, "deleted", answer.Outcome)
	require.NoError(t, r.sim.Storage.Undelete(item.Row.GUID))
	answer, _ = r.sync(t, item.Row.Key())
	assert.Equal(t, "restored", answer.Outcome)
	require.NoError(t, r.sim.Storage.HardDelete(item.Row.GUID))
	answer, _ = r.sync(t, item.Row.Key())
	assert.Equal(t, "purged", answer.Outcome)
	answer, got = r.sync(t, item.Row.Key())
	assert.Equal(t, "skipped", answer.Outcome)
	assert.Equal(t, "hard_deleted", answer.Reason)
	assert.Equal(t, exitOK, got.code, "to skip is an outcome")
	assert.Equal(t, 1, r.tables(t)["ledger"], "one row an item")

	text := r.ok(t, "item", "sync", item.Row.Key(), "--yes", "--reason", "again")
	assert.Equal(t, []string{"skipped", "hard_deleted", dialogID(item).String()}, strings.Fields(text))
}

func TestDryRunOfAnItemSendsNothing(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	before := r.tables(t)
	got := r.run(t, "item", "sync", item.Row.Key(), "--dry-run", "-o", "json")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Empty(t, got.err)
	decoder := json.NewDecoder(strings.NewReader(got.out))
	decoder.DisallowUnknownFields()
	var answer itemAnswer
	require.NoError(t, decoder.Decode(&answer), got.out)
	assert.Equal(t, "created", answer.Outcome)
	assert.Empty(t, answer.Reason)
	assert.Equal(t, dialogID(item).String(), answer.DialogID)
	last := answer.Requests[len(answer.Requests)-1]
	assert.Equal(t, http.MethodPost, last.Method)
	assert.Equal(t, "/api/v1/serviceowner/dialogs", last.Path)
	assert.Contains(t, string(last.Body), answer.DialogID)
	assert.NotNil(t, last.Query)
	assert.NotNil(t, last.Headers)

	assert.Equal(t, before, r.tables(t))
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
		assert.Zero(t, r.sim.Requests.Count("", method, ""))
	}
	assert.Zero(t, r.sim.Requests.Count("dialogporten", http.MethodPost, ""))
	_, exists := r.sim.Dialogporten.Dialog(dialogID(item))
	assert.False(t, exists)

	text := r.ok(t, "item", "sync", item.Row.Key(), "--dry-run")
	assert.Contains(t, text, "would send  POST /api/v1/serviceowner/dialogs")

	_, got = r.sync(t, item.Row.Key())
	require.Equal(t, exitOK, got.code)
	answer, _ = r.sync(t, item.Row.Key(), "--dry-run")
	assert.Equal(t, "unchanged", answer.Outcome)
	assert.Empty(t, answer.Requests)
	assert.Contains(t, r.run(t, "item", "sync", item.Row.Key(), "--dry-run", "-o", "json").out, `"requests": []`)
}

func TestItemWithAnOwnerNobodyKnows(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	r.sim.Register.Withhold(item.Row.Party)
	for range 2 {
		answer, got := r.sync(t, item.Row.Key())
		assert.Equal(t, exitPartly, got.code)
		assert.Equal(t, itemAnswer{Outcome: "failed", Reason: "party_not_found", Requests: answer.Requests}, answer)
		assert.Len(t, lines(got.err), 1)
		assert.Contains(t, got.err, "error: ")
		assert.Equal(t, 1, r.tables(t)["quarantine"])
	}
	answer, got := r.sync(t, item.Row.Key(), "--dry-run")
	assert.Equal(t, exitPartly, got.code)
	assert.Equal(t, "party_not_found", answer.Reason)

	r.sim.Register.Reveal(item.Row.Party)
	answer, got = r.sync(t, item.Row.Key())
	assert.Equal(t, exitOK, got.code)
	assert.Equal(t, "created", answer.Outcome)
	assert.Zero(t, r.tables(t)["quarantine"], "what is delivered leaves quarantine")
}

func TestItemThatIsGone(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	_, got := r.sync(t, item.Row.Key())
	require.Equal(t, exitOK, got.code)
	require.NoError(t, r.sim.Storage.Remove(item.Row.GUID))

	// Its dialog carries its label: that tells when it was created.
	answer, got := r.sync(t, item.Row.Key())
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "purged", answer.Outcome)

	// Now nothing tells.
	answer, got = r.sync(t, item.Row.Key())
	assert.Equal(t, exitPartly, got.code)
	assert.Equal(t, "failed", answer.Outcome)
	assert.Equal(t, "created_unknown", answer.Reason)
	assert.Contains(t, got.err, "--created")
	assert.Zero(t, r.tables(t)["quarantine"], "a slip of the operator's is no item")

	answer, got = r.sync(t, item.Row.Key(), "--created", timeOf(item.Row.Created), "--app-id", item.AppID)
	assert.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, "skipped", answer.Outcome)
	assert.Equal(t, "gone", answer.Reason)
	assert.Equal(t, dialogID(item).String(), answer.DialogID)
}

func TestItemThatNeverWas(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	_, got := r.sync(t, "50001337/"+uuid.NewString())
	assert.Equal(t, exitPartly, got.code)
	assert.Zero(t, r.tables(t)["quarantine"])
}

func TestItemIsNotBlamedForASystem(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	for _, fault := range []faults.Rule{
		{Service: "dialogporten", Effect: faults.EffectOutage, Status: 503},
		{Service: "storage", Effect: faults.EffectStatus, Status: 401},
		{Service: "register", Effect: faults.EffectReset},
	} {
		require.NoError(t, r.sim.Faults.Set([]faults.Rule{fault}))
		answer, got := r.sync(t, item.Row.Key())
		assert.Equal(t, exitPartly, got.code)
		assert.Equal(t, "failed", answer.Outcome)
		assert.NotEmpty(t, answer.Reason)
		assert.Contains(t, got.err, fault.Service)
	}
	after := r.tables(t)
	assert.Zero(t, after["quarantine"])
	assert.Zero(t, after["ledger"])
}

func TestItemAsTyped(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	key := r.one(t).Row.Key()
	before := r.tables(t)
	for name, args := range map[string][]string{
		"no slash":          {"50001337"},
		"no GUID":           {"50001337/x"},
		"GUID in braces":    {"50001337/{" + key[9:] + "}"},
		"no reason":         {key, "--yes"},
		"nobody to ask":     {key, "--reason", "x"},
		"unknown source":    {key, "--yes", "--reason", "x", "--source", "a4"},
		"source not synced": {key, "--yes", "--reason", "x", "--source", "a3-correspondence"},
		"created is a day":  {key, "--yes", "--reason", "x", "--created", "yesterday"},
		"now is no time":    {key, "--dry-run", "--now", "noon"},
		"blank reason":      {key, "--yes", "--reason", "  "},
	} {
		got := r.run(t, append([]string{"item", "sync"}, args...)...)
		assert.Equal(t, exitUsage, got.code, "%s: %s", name, got.both())
		assert.Empty(t, got.out, name)
		assert.Len(t, lines(got.err), 1, name)
	}
	assert.Equal(t, before, r.tables(t))
}

func TestClockAndAttemptAreForTestsAlone(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	item := r.one(t)
	_, got := r.sync(t, item.Row.Key(), "--dry-run", "--now", "2025-06-18T08:54:53Z", "--attempt", "4")
	assert.Equal(t, exitOK, got.code, got.err)

	elsewhere := append(without(r.environ, "DIALOGSYNC_ENVIRONMENT"), "DIALOGSYNC_ENVIRONMENT=tt02",
		"DIALOGSYNC_MASKINPORTEN_CLIENT_ID=x", "DIALOGSYNC_MASKINPORTEN_JWK=e30=")
	for _, flag := range [][]string{{"--now", "2025-06-18T08:54:53Z"}, {"--attempt", "2"}} {
		got := runWith(t.Context(), elsewhere, append([]string{"item", "sync", item.Row.Key(), "--dry-run"}, flag...)...)
		assert.Equal(t, exitUsage, got.code, got.both())
		assert.Contains(t, got.err, flag[0])
	}
}

// TestDocumentedExample runs an item with the settings that docs/configuration.md gives for use beside the simulator.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	_, example, found := strings.Cut(string(text), "Beside the simulator:")
	require.True(t, found)
	_, example, _ = strings.Cut(example, "```sh\n")
	example, _, _ = strings.Cut(example, "```")
	var environ []string
	for _, line := range lines(example) {
		setting := strings.TrimPrefix(line, "export ")
		setting = strings.ReplaceAll(setting, "http://127.0.0.1:8090", r.platform)
		if strings.HasPrefix(setting, "DIALOGSYNC_DATABASE_URL=") {
			setting = "DIALOGSYNC_DATABASE_URL=" + r.database
		}
		environ = append(environ, setting)
	}
	got := runWith(t.Context(), environ, "item", "sync", r.one(t).Row.Key(), "--yes", "--reason", "as documented")
	assert.Equal(t, exitOK, got.code, got.both())
	assert.Contains(t, got.out, "created")
}

func TestGivenItemsAreDelivered(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	alive := r.instances(t, func(item storage.Item) bool { return item.Row.Version == 3 })
	var args []string
	for _, item := range alive[:10] {
		args = append(args, "--item", item.Row.Key())
	}
	args = append(args, "--item", "50001337/"+uuid.NewString())
	r.worker(t)
	r.ok(t, append([]string{"backfill", "create", "--source", "a3-app-instances", "--reason", "citizens asked", "--yes"}, args...)...)
	assert.Equal(t, "complete", r.walked(t, "1"))
	var shown struct {
		Accounts map[string]int64
		Items    bool
	}
	r.readJSON(t, &shown, "backfill", "show", "1")
	assert.True(t, shown.Items)
	assert.EqualValues(t, 11, shown.Accounts["seen"])
	assert.EqualValues(t, 1, shown.Accounts["quarantined"], "the one that nobody knows")
	assert.Equal(t, exitPartly, r.run(t, "backfill", "watch", "1").code)
	assert.Zero(t, r.tables(t)["coverage"], "given items close no range")
}
