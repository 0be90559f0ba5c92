package e2e

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
)

// patience is how long a condition may take on a busy machine before a test gives up.
const patience = 90 * time.Second

// rig is all that takes part in a test.
type rig struct {
	platform *platform
	database string
	pool     *pgxpool.Pool
	logs     string
	environ  []string
	// items is how many instances the world has, of both sources together; strangers have an owner whom Register does not know.
	items, strangers int
}

// The days that made-up worlds lie in.
const (
	newestDay = "2025-03-04"
	oldestDay = "2025-02-27"
)

// newRig gives a platform with so many instances beside a migrated database.
func newRig(t *testing.T, items int) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes and kills them: not in short mode")
	}
	return newRigOn(t, items, dbtest.URL(t))
}

func newRigOn(t *testing.T, items int, database string) *rig {
	t.Helper()
	r := newRigBefore(t, database, altinnsim.Options{})
	end := time.Date(2025, time.March, 5, 0, 0, 0, 0, time.UTC)
	options := worldOf(items)
	options.To, options.End, options.MissingParties, options.SoftDeleted, options.HardDeleted = end, end, 0.002, 0.03, 0.02
	r.generate(t, options)
	return r
}

// worldOf are six days of three service owners.
func worldOf(items int) altinnsim.GenerateOptions {
	options := altinnsim.DefaultOptions()
	options.Instances, options.Orgs, options.AppsPerOrg, options.Days, options.PeakDays, options.FlatWeek = items, 3, 3, 6, 0, true
	return options
}

func (r *rig) generate(t *testing.T, options altinnsim.GenerateOptions) {
	t.Helper()
	totals, err := r.platform.Generate(options)
	require.NoError(t, err)
	r.items, r.strangers = totals.Instances, totals.MissingParties
}

// newRigBefore gives a platform without a world beside a migrated database.
func newRigBefore(t *testing.T, database string, options altinnsim.Options) *rig {
	t.Helper()
	// Before anything that needs time, so that the program is built by then.
	dialogsync(t)
	r := &rig{platform: newPlatform(t, options), database: database, logs: t.TempDir()}
	var err error
	r.pool, err = db.Open(t.Context(), database, 4)
	require.NoError(t, err)
	t.Cleanup(r.pool.Close)
	r.environ = []string{
		"PATH=" + os.Getenv("PATH"), "USER=tester", "DIALOGSYNC_ENVIRONMENT=local", "DIALOGSYNC_DATABASE_URL=" + database,
		"DIALOGSYNC_PLATFORM_URL=" + r.platform.url(), "DIALOGSYNC_DIALOGPORTEN_URL=" + r.platform.url(),
		"DIALOGSYNC_ALTINN_HOST=tt02.altinn.no", "DIALOGSYNC_ADAPTER_URL=https://platform.tt02.altinn.no/storage/dialogporten",
		"DIALOGSYNC_HTTP_ADDR=127.0.0.1:0",
	}
	return r
}

// order orders the whole world, both sources: backfills 1 and 2.
func (r *rig) order(t *testing.T, more ...string) {
	t.Helper()
	for _, source := range []string{"a3-app-instances", "a2-archived-forms"} {
		r.ok(t, append([]string{
			"backfill", "create", "--source", source, "--from", newestDay, "--to", oldestDay, "--reason", "e2e", "--yes",
		}, more...)...)
	}
}

// count asks the database for a number.
func (r *rig) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, r.pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

func (r *rig) texts(t *testing.T, query string, args ...any) []string {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), query, args...)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

// recorded is how many items are accounted for so far.
func (r *rig) recorded(t *testing.T) int {
	t.Helper()
	return r.count(t, "select coalesce(sum(seen), 0) from backfill_window")
}

// over tells whether no backfill has anything left to do.
func (r *rig) over(t *testing.T) bool {
	t.Helper()
	return r.count(t, "select count(*) from backfill where state in ('running', 'paused')") == 0
}

// completed waits until both backfills are walked.
func (r *rig) completed(t *testing.T, workers ...*process) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			for _, w := range workers {
				t.Log(w.tail())
			}
		}
	})
	await(t, "the backfills to end", func() bool { return r.over(t) })
	assert.Equal(t, []string{"complete"}, r.texts(t, "select distinct state from backfill"))
}

// await looks until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			require.FailNow(t, "waited in vain for "+what)
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		}
	}
}

// prove holds what was done to the ground truth: the simulator's comparison, the accounts, the ledger, and the story of every dialog.
func (r *rig) prove(t *testing.T) {
	t.Helper()
	report, err := r.platform.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)
	assert.Zero(t, report.Differing)
	assert.Equal(t, r.items, report.Instances)
	r.proveAccounts(t)
	r.proveLedger(t)
	r.proveStories(t)
	r.proveNobodyIsTold(t, r.allLogs(t))
}

func (r *rig) proveAccounts(t *testing.T) {
	t.Helper()
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where state <> 'closed'"), "windows that are not closed")
	assert.Zero(t, r.count(t, `select count(*) from backfill_window
		where seen <> created + updated + unchanged + deleted + purged + restored + skipped + quarantined`), "windows whose accounts do not balance")
	assert.Equal(t, r.items, r.recorded(t), "every item is seen once")
	assert.Equal(t, r.strangers, r.count(t, "select coalesce(sum(quarantined), 0) from backfill_window"))
	assert.Equal(t, r.strangers, r.count(t, "select count(*) from quarantine"), r.texts(t, "select q::text from quarantine q limit 5"))
	// What the accounts say was made is what is there.
	assert.Equal(t, r.count(t, "select count(*) from ledger where dialog_state <> 'absent'"), r.count(t, "select sum(created + updated + unchanged + restored + deleted) from backfill_window"))
}

func (r *rig) proveLedger(t *testing.T) {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), "select item_id from ledger")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	known := map[uuid.UUID]bool{}
	for _, id := range ids {
		assert.False(t, known[id], "the ledger has %s twice", id)
		known[id] = true
	}
	assert.Len(t, known, r.items)
	r.each(func(item storage.Item) {
		assert.True(t, known[dialogID(item)], "the ledger lacks %s", item.Row.Key())
	})
}

// proveStories reads in every dialog's story that it was made once at most, and that history was silent.
func (r *rig) proveStories(t *testing.T) {
	t.Helper()
	r.each(func(item storage.Item) {
		made := 0
		for _, entry := range r.platform.Story(dialogID(item).String()) {
			if entry.Service != altinnsim.ServiceDialogporten || entry.Method == http.MethodGet {
				continue
			}
			assert.Equal(t, "true", entry.Query["isSilentUpdate"], "%s %s of %s", entry.Method, entry.Path, item.Row.Key())
			if entry.Method == http.MethodPost && entry.Status == http.StatusCreated {
				made++
			}
		}
		assert.LessOrEqual(t, made, 1, "the dialog of %s was made %d times", item.Row.Key(), made)
	})
}

// each goes over all instances of the world.
func (r *rig) each(do func(storage.Item)) {
	r.platform.Storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		do(item)
		return true
	})
}

// dialogID is the dialog that belongs to an instance.
func dialogID(item storage.Item) uuid.UUID { return storage.DialogID(item.Row.GUID, item.Row.Created) }

// proveNobodyIsTold looks for the names, numbers and addresses of the world's persons.
func (r *rig) proveNobodyIsTold(t *testing.T, text string) {
	t.Helper()
	var persons []string
	r.each(func(item storage.Item) {
		party, _ := r.platform.Register.ByPartyID(item.Row.Party)
		persons = append(persons, party.Person, party.DisplayName, party.Email(), party.Username)
	})
	slices.Sort(persons)
	for _, personal := range slices.Compact(persons) {
		if personal != "" && strings.Contains(text, personal) {
			assert.Fail(t, "a person is told of")
		}
	}
}
