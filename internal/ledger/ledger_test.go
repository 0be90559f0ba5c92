package ledger_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func entry(created time.Time, readAt time.Time) ledger.Entry {
	guid := uuid.New()
	id := dialogid.V7(guid, created)
	return ledger.Entry{
		ItemID: id, DialogID: id, Instance: altinn.InstanceID{PartyID: 50001337, GUID: guid}, Source: ledger.A3AppInstances,
		SourceChanged: created.Add(time.Hour), ReadAt: readAt, Outcome: ledger.Created, State: ledger.DialogAlive, MappingVersion: 1,
	}
}

func TestRecordedItemsAreFoundAsTheyWere(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	now, err := q.DatabaseNow(t.Context())
	require.NoError(t, err)
	// Creation times before, within and after the partitions.
	var entries []ledger.Entry
	for _, created := range []time.Time{
		time.Date(1000, 1, 1, 1, 1, 1, 0, time.UTC), time.Date(2002, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(2003, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2019, 11, 4, 11, 40, 2, 0, time.UTC), time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		e := entry(created, now)
		e.WindowID = 7
		entries = append(entries, e)
	}
	entries[1].DialogID = uuid.Must(uuid.NewV7())
	entries[2].Outcome, entries[2].Reason, entries[2].State = ledger.Skipped, "sync_disabled", ledger.DialogAbsent
	entries[3].SourceChanged = time.Time{}

	overtaken, err := ledger.Record(t.Context(), q, entries)
	require.NoError(t, err)
	assert.Empty(t, overtaken)

	ids := []uuid.UUID{uuid.New()} // never met
	for i := range entries {
		ids = append(ids, entries[i].ItemID)
	}
	found, err := ledger.Lookup(t.Context(), q, ids)
	require.NoError(t, err)
	require.Len(t, found, len(entries))
	for i := range entries {
		got := found[entries[i].ItemID]
		assert.False(t, got.RecordedAt.Before(now))
		got.RecordedAt, got.Instance, got.ReadAt = time.Time{}, entries[i].Instance, entries[i].ReadAt
		assert.Equal(t, entries[i], got)
	}
}

// Invariant 4: whoever read first must not have the last word, in whichever order the two record.
func TestItemRecordedSinceItsReadingBeganIsOvertaken(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	listedAt, err := q.DatabaseNow(t.Context())
	require.NoError(t, err)
	listed := entry(time.Now(), listedAt)

	deleted := listed
	deleted.Outcome, deleted.State = ledger.Purged, ledger.DialogAbsent
	deleted.ReadAt, err = q.DatabaseNow(t.Context())
	require.NoError(t, err)
	overtaken, err := ledger.Record(t.Context(), q, []ledger.Entry{deleted})
	require.NoError(t, err)
	require.Empty(t, overtaken)

	other := entry(time.Now(), listedAt)
	overtaken, err = ledger.Record(t.Context(), q, []ledger.Entry{listed, other})
	require.NoError(t, err)
	assert.Equal(t, []uuid.UUID{listed.ItemID}, overtaken, "the listing is older than the deletion")

	found, err := ledger.Lookup(t.Context(), q, []uuid.UUID{listed.ItemID})
	require.NoError(t, err)
	assert.Equal(t, ledger.DialogAbsent, found[listed.ItemID].State, "the tombstone stays")

	// A reader that began between the two, and records last, must look again too: its dialog was read before theirs was written.
	between := listed
	between.ReadAt = deleted.ReadAt
	overtaken, err = ledger.Record(t.Context(), q, []ledger.Entry{between})
	require.NoError(t, err)
	assert.Len(t, overtaken, 1)

	listed.ReadAt, err = q.DatabaseNow(t.Context())
	require.NoError(t, err)
	overtaken, err = ledger.Record(t.Context(), q, []ledger.Entry{listed})
	require.NoError(t, err)
	assert.Empty(t, overtaken, "read again, it stands")
}

func TestFailedDeliveryKeepsWhatIsKnownOfTheDialogAndTheWindow(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	e := entry(time.Now(), time.Now().Add(-time.Hour))
	e.WindowID = 12
	_, err := ledger.Record(t.Context(), q, []ledger.Entry{e})
	require.NoError(t, err)

	e.ReadAt, err = q.DatabaseNow(t.Context())
	require.NoError(t, err)
	e.DialogID = uuid.Must(uuid.NewV7())
	e.WindowID, e.Outcome, e.State, e.SourceChanged, e.Unseen = 0, ledger.Failed, ledger.DialogAbsent, time.Time{}, true
	_, err = ledger.Record(t.Context(), q, []ledger.Entry{e})
	require.NoError(t, err)

	found, err := ledger.Lookup(t.Context(), q, []uuid.UUID{e.ItemID})
	require.NoError(t, err)
	got := found[e.ItemID]
	assert.Equal(t, ledger.Failed, got.Outcome)
	assert.Equal(t, ledger.DialogAlive, got.State)
	assert.Equal(t, e.ItemID, got.DialogID)
	assert.EqualValues(t, 12, got.WindowID)
	assert.False(t, got.SourceChanged.IsZero())
}

// What was withheld is still to come: a change that is on record from a failure must not make the item pass for done.
func TestItemRecordedAsOpenHasNoChange(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	e := entry(time.Now(), time.Now().Add(-time.Hour))
	e.Outcome = ledger.Failed
	never := entry(time.Now(), e.ReadAt)
	never.Open = true
	_, err := ledger.Record(t.Context(), q, []ledger.Entry{e, never})
	require.NoError(t, err)

	e.ReadAt, err = q.DatabaseNow(t.Context())
	require.NoError(t, err)
	e.Outcome, e.Open = ledger.Created, true
	_, err = ledger.Record(t.Context(), q, []ledger.Entry{e})
	require.NoError(t, err)

	found, err := ledger.Lookup(t.Context(), q, []uuid.UUID{e.ItemID, never.ItemID})
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Zero(t, found[e.ItemID].SourceChanged)
	assert.Zero(t, found[never.ItemID].SourceChanged)
}

func TestQuarantineCountsAttemptsAndReleases(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	item := ledger.Quarantined{
		Source: ledger.A3AppInstances, ItemKey: "malformed:00ff", Class: "permanent", Reason: "malformed_instance", Detail: "no slash", Attempts: 1, WindowID: 3,
	}
	for range 2 {
		require.NoError(t, ledger.Quarantine(t.Context(), q, []ledger.Quarantined{item}))
	}
	rows, err := q.QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.EqualValues(t, 2, rows[0].Attempts)

	byWindow, err := ledger.QuarantinedBy(t.Context(), q, ledger.A3AppInstances, []string{item.ItemKey, "another"})
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{item.ItemKey: 3}, byWindow)

	count, err := q.QuarantineSince(t.Context(), db.QuarantineSinceParams{Source: ledger.A3AppInstances, BackTo: new(time.Now())})
	require.NoError(t, err)
	assert.EqualValues(t, 1, count, "an item without a position always stands beside the watermark")

	released, err := ledger.Release(t.Context(), q, ledger.A3AppInstances, []string{item.ItemKey, "another"})
	require.NoError(t, err)
	assert.EqualValues(t, 1, released)
}

// Invariant 6: an event that knows less of an item must not take it away from the watermark that it stands beside.
func TestQuarantineKeepsWhatALaterFailureDoesNotKnow(t *testing.T) {
	t.Parallel()
	q := db.New(dbtest.New(t))
	created := time.Date(2019, 11, 4, 11, 40, 2, 0, time.UTC)
	guid := uuid.New()
	byHistory := ledger.Quarantined{
		Source: ledger.A3AppInstances, ItemKey: "50001337/" + guid.String(), ItemID: dialogid.V7(guid, created), Org: "ttd", AppID: "ttd/app",
		Position: created.AddDate(5, 0, 0), InstanceCreated: created, Class: "permanent", Reason: "party_not_found", Attempts: 1, WindowID: 7,
	}
	byEvent := byHistory // it has not read the instance: the creation is the nearest known time
	byEvent.Org, byEvent.Position, byEvent.WindowID = "", created, 0
	byWebhook := byEvent // it does not tell that either
	byWebhook.ItemID, byWebhook.Position, byWebhook.InstanceCreated = uuid.Nil, time.Time{}, time.Time{}
	for _, item := range []ledger.Quarantined{byHistory, byEvent, byWebhook} {
		require.NoError(t, ledger.Quarantine(t.Context(), q, []ledger.Quarantined{item}))
	}
	rows, err := q.QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NotNil(t, rows[0].ItemID)
	assert.Equal(t, byHistory.ItemID, *rows[0].ItemID)
	require.NotNil(t, rows[0].Position)
	assert.True(t, byHistory.Position.Equal(*rows[0].Position), "%s", rows[0].Position)
	assert.EqualValues(t, 3, rows[0].Attempts)

	backTo := created.AddDate(4, 0, 0)
	count, err := q.QuarantineSince(t.Context(), db.QuarantineSinceParams{Source: ledger.A3AppInstances, BackTo: &backTo})
	require.NoError(t, err)
	assert.EqualValues(t, 1, count, "it stands beside history's watermark still")

	later := byEvent // changed since then
	later.Position = created.AddDate(6, 0, 0)
	require.NoError(t, ledger.Quarantine(t.Context(), q, []ledger.Quarantined{later}))
	rows, err = q.QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 10})
	require.NoError(t, err)
	assert.True(t, later.Position.Equal(*rows[0].Position), "%s", rows[0].Position)
}
