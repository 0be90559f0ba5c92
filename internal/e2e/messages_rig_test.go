package e2e

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// The calls of the migration API that tests wait for.
const (
	migration   = "/correspondence/api/v1/migration/"
	callMigrate = migration + "correspondence"
	callPublish = migration + "makemigratedcorrespondenceavailable"
)

const (
	// messageDays is how far back made-up messages go.
	messageDays = 4
	// quietFor is for how long nothing has happened to what is made up: live sync finds nothing that history has to bring over.
	quietFor = 2 * time.Hour
)

// messageRig is a platform with messages of Altinn 2.
type messageRig struct {
	*rig

	messages int
	seed     uint64
	// inserter asks for batches out of their turn.
	inserter *river.Client[pgx.Tx]
}

// newMessageRig gives messages of the last days beside a migrated database. A few of them cannot be brought over as they are.
func newMessageRig(t *testing.T, messages int, alter ...func(*altinn2.Options)) *messageRig {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes and kills them: not in short mode")
	}
	r := &messageRig{seed: uint64(time.Now().UnixNano())}
	t.Logf("seed %d", r.seed)
	r.rig = newRigBefore(t, dbtest.URL(t), altinnsim.Options{Seed: r.seed})
	r.environ = append(r.environ, "DIALOGSYNC_ALTINN2_URL="+r.platform.url())
	options := altinn2.DefaultOptions()
	options.Seed, options.Messages, options.Days, options.Orgs, options.Services = r.seed, messages, messageDays, 3, 2
	options.LargestFile, options.Broken, options.Purged, options.Deceased = 20_000, 0.02, 0.02, 0.01
	options.End = time.Now().Add(-quietFor)
	for _, change := range alter {
		change(&options)
	}
	_, err := r.platform.Generate(altinnsim.GenerateOptions{Seed: r.seed, Messages: &options})
	require.NoError(t, err)
	r.messages = messages
	r.inserter, err = jobs.NewInserter(r.pool)
	require.NoError(t, err)
	return r
}

// orderMessages orders both stages of everything up to now: backfills 1 and 2.
func (r *messageRig) orderMessages(t *testing.T) {
	t.Helper()
	now := time.Now().UTC()
	r.ok(t, "backfill", "create", "--source", "a2-correspondence", "--stage", "both", "--from", now.Format(time.DateOnly),
		"--to", now.AddDate(0, 0, -messageDays).Format(time.DateOnly), "--reason", "e2e", "--yes")
}

// ring has a reach of messages begun now, as its tick would.
func (r *messageRig) ring(t *testing.T, reach string) {
	t.Helper()
	_, err := r.inserter.Insert(t.Context(), jobs.Poll{Source: string(ledger.A2Correspondence), Reach: reach}, &river.InsertOpts{Queue: jobs.QueuePoll})
	require.NoError(t, err)
}

// batch waits until live sync of messages has passed this moment.
func (r *messageRig) batch(t *testing.T) {
	t.Helper()
	now := time.Now()
	r.awaitReaches(t, "live sync to have passed "+now.Format(time.TimeOnly), func() bool {
		return r.count(t, `select count(*) from stream where source = 'a2-correspondence' and stream = 'live' and watermark > $1`, now) == 1
	})
}

// tenMinutesLater has all messages looked at again that are to be looked at when their dialogs must be there.
func (r *messageRig) tenMinutesLater(t *testing.T) {
	t.Helper()
	_, err := r.pool.Exec(t.Context(), "update message set due_at = now() where due_at > now()")
	require.NoError(t, err)
	r.awaitReaches(t, "messages to be looked at again", func() bool {
		return r.count(t, `select (select count(*) from message_retry where not quarantined) + (select count(*) from message m
			where due_at is not null and not exists (select from message_retry r where r.altinn2_id = m.altinn2_id))`) == 0
	})
	assert.Zero(t, r.count(t, `select count(*) from message m where stage = 'transferred'
		and not exists (select from quarantine q where q.item_key = m.altinn2_id::text)`), "hidden, and nobody knows why")
}

// awaitReaches waits while live sync of messages looks every second, and tries again what failed without the pauses: those grow to
// minutes before a person is shown what fails each time.
func (r *messageRig) awaitReaches(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	look := func() {
		_, err := r.pool.Exec(t.Context(), "update message_retry set due_at = now() where due_at > now() and not quarantined")
		require.NoError(t, err)
		for _, reach := range []string{live.ReachBatch, live.ReachDue} {
			r.ring(t, reach) // the one before may have met a dead worker's lease
		}
	}
	look()
	await(t, what, func() bool {
		select {
		case <-ticker.C:
			look()
		default:
		}
		return holds()
	})
}

// afterEither waits until so many more calls of the migration API were made, whatever they were.
func (r *messageRig) afterEither(t *testing.T, n int) {
	t.Helper()
	all := func() (calls int) {
		for _, path := range []string{callMigrate, callPublish, callMigrate + "/syncStatusEvent", callMigrate + "/syncNotificationEvent"} {
			calls += r.calls(path)
		}
		return calls
	}
	target := all() + n
	await(t, "more calls", func() bool { return all() >= target })
}

// calls is how often a call of the migration API was made, whatever became of it.
func (r *messageRig) calls(path string) int {
	return r.platform.Requests.Count(altinnsim.ServiceCorrespondence, http.MethodPost, path)
}

// afterCalls waits until a call was made so many more times: a page is half done then.
func (r *messageRig) afterCalls(t *testing.T, path string, n int) {
	t.Helper()
	target := r.calls(path) + n
	await(t, "more calls", func() bool { return r.calls(path) >= target || r.over(t) })
}

// each goes over all messages of Altinn 2.
func (r *messageRig) eachMessage(do func(altinn2.Record)) {
	r.platform.Altinn2.Each(func(m altinn2.Record) bool {
		do(m)
		return true
	})
}

// proveMessages holds what was done to the ground truth: the simulator's comparison, and that nothing was doubled.
func (r *messageRig) proveMessages(t *testing.T) *diff.MessageReport {
	t.Helper()
	require.NoError(t, r.platform.Correspondence.Idle(t.Context()))
	report, err := r.platform.Diff(t.Context())
	require.NoError(t, err)
	m := report.Messages
	require.NotNil(t, m)
	t.Logf("%d messages, %d items, %d equal, skipped %v, held %v", m.Messages, m.Items, m.Equal, m.Skipped, m.Held)
	// A person is asked about those that may have been stored by somebody who died, and were purged before the next came by.
	inDoubt := r.texts(t, "select item_key from quarantine where reason = 'purged_in_doubt'")
	// Where Correspondence is left while it makes a dialog it keeps the item hidden; the dialog is there, and that is on record (P22).
	halfDone := r.texts(t, "select altinn2_id::text from message where reason = 'half_done' and stage = 'published'")
	for _, d := range m.Differences {
		if d.Kind == diff.UnpurgedItem && slices.Contains(inDoubt, d.Item) || d.Kind == diff.Hidden && slices.Contains(halfDone, d.Item) {
			m.Differing--
			continue
		}
		assert.Fail(t, d.Sentence, "%+v", d)
		t.Log(d.Item, d.Kind, r.texts(t, "select to_jsonb(m)::text from message m where altinn2_id = $1::integer", d.Item),
			r.texts(t, "select to_jsonb(q)::text from quarantine q where item_key = $1", d.Item),
			r.texts(t, "select to_jsonb(q)::text from message_retry q where altinn2_id = $1::integer", d.Item))
		for _, e := range r.platform.Story(d.Item) {
			t.Log("  ", e.At.Format("05.000"), e.Service, e.Method, e.Path, e.Status, e.Fault)
		}
	}
	assert.Zero(t, m.Differing)
	held := 0
	for _, n := range m.Held {
		held += n
	}
	assert.Equal(t, held, r.count(t, "select count(*) from quarantine where reason <> 'purged_in_doubt'"),
		r.texts(t, "select concat_ws(' ', item_key, reason, detail) from quarantine limit 5"))
	r.proveNothingDoubled(t)
	r.proveNoMessageIsTold(t)
	return m
}

// proveNothingDoubled reads in every message's story that its dialog was made once, and in its item that everything that happened to it
// is there once.
func (r *messageRig) proveNothingDoubled(t *testing.T) {
	t.Helper()
	migrates, repeated := 0, 0
	r.eachMessage(func(m altinn2.Record) {
		made, stored := 0, 0
		for _, entry := range r.platform.Story(strconv.Itoa(int(m.ID))) {
			switch {
			case entry.Service == altinnsim.ServiceDialogporten && entry.Method == http.MethodPost && entry.Status == http.StatusCreated &&
				strings.HasSuffix(entry.Path, "/dialogs"):
				made++
			case entry.Path == callMigrate && entry.Status == http.StatusOK:
				stored++
			}
		}
		migrates += stored
		repeated += max(stored-1, 0)
		assert.LessOrEqual(t, made, 1, "the dialog of message %d was made %d times", m.ID, made)
		item, found := r.platform.Correspondence.Item(m.ID)
		if !found {
			return
		}
		assert.Empty(t, twice(item.Statuses, func(s correspondence.Status) any { return [...]any{s.Kind, s.At.Unix(), s.Party} }), m.ID)
		assert.Empty(t, twice(item.DeleteEvents, func(e correspondence.DeleteEvent) any { return [...]any{e.Kind, e.At.Unix(), e.Party} }), m.ID)
		assert.Empty(t, twice(item.Notifications, func(n correspondence.Notification) any {
			return [...]any{n.Altinn2ID, n.SentAt.Unix(), n.Channel, n.Address}
		}), m.ID)
	})
	t.Logf("%d calls stored a message, %d of them one that was stored before", migrates, repeated)
}

// twice are the elements that a list has more than once.
func twice[T any](list []T, key func(T) any) (doubled []T) {
	seen := map[any]bool{}
	for _, element := range list {
		if k := key(element); seen[k] {
			doubled = append(doubled, element)
		} else {
			seen[k] = true
		}
	}
	return doubled
}

// proveNoMessageIsTold looks for recipients and titles in all logs and in the quarantine.
func (r *messageRig) proveNoMessageIsTold(t *testing.T) {
	t.Helper()
	text := r.allLogs(t) + strings.Join(r.texts(t, "select q::text from quarantine q"), "\n")
	var personal []string
	r.eachMessage(func(m altinn2.Record) {
		personal = append(personal, m.Recipient.PersonNumber)
		if title := m.Content.Title; title != nil {
			personal = append(personal, *title)
		}
	})
	slices.Sort(personal)
	for _, what := range slices.Compact(personal) {
		if what != "" && strings.Contains(text, what) {
			assert.Fail(t, "a recipient or a title is told of")
		}
	}
}

// proveStages holds the accounts of both stages to one another and to the source.
func (r *messageRig) proveStages(t *testing.T, report *diff.MessageReport) {
	t.Helper()
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where state <> 'closed'"), "windows that are not closed")
	assert.Zero(t, r.count(t, `select count(*) from backfill_window
		where seen <> created + updated + unchanged + deleted + purged + restored + skipped + quarantined`), "windows whose accounts do not balance")
	seen := func(stream string) int {
		return r.count(t, `select coalesce(sum(w.seen), 0) from backfill_window w join backfill b on b.id = w.backfill_id where b.stream = $1`, stream)
	}
	assert.Equal(t, r.messages, seen("transfer"), "every message is seen once")
	stored := r.count(t, "select count(*) from message where correspondence_id is not null")
	assert.Equal(t, report.Items, stored, "what is stored is on record")
	assert.Equal(t, stored, seen("publish"), "everything stored is met once")
	assert.Zero(t, r.count(t, `select count(*) from message m where stage = 'transferred'
		and not exists (select from quarantine q where q.item_key = m.altinn2_id::text)`), "hidden, and nobody knows why")
	// Both watermarks stand at the end of the order.
	oldest := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -messageDays)
	assert.Equal(t, 2, r.count(t, `select count(*) from coverage, unnest(closed) as r
		where source = 'a2-correspondence' and stream in ('transfer', 'publish') and lower(r) <= $1 and upper(r) > now() - interval '1 day'`, oldest))
}
