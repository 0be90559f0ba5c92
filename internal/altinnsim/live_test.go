package altinnsim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// listener remembers the commands that it is given.
type listener struct {
	mu       sync.Mutex
	commands []outbox.Command
}

func (l *listener) Publish(_ context.Context, message outbox.Message) error {
	var c outbox.Command
	if err := json.Unmarshal(message.Body, &c); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commands = append(l.commands, c)
	return nil
}

func (l *listener) taken() []outbox.Command {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commands
}

// sync brings one item over from scratch, as a command tells: not as one should, but with the right outcome.
func (c *consumer) sync(t *testing.T, key string, guid uuid.UUID, created time.Time) {
	t.Helper()
	a := c.do(t, http.MethodGet, "/storage/api/v1/instances/"+key, "")
	c.do(t, http.MethodPost, "/api/v1/serviceowner/dialogs/"+stamped(guid, created)+"/actions/purge?isSilentUpdate=true", "")
	if a.status == http.StatusNotFound {
		return
	}
	require.Equal(t, http.StatusOK, a.status)
	var s source
	a.into(t, &s)
	c.deliver(t, s)
}

func (c *consumer) obey(t *testing.T, commands []outbox.Command) {
	t.Helper()
	done := map[string]bool{}
	for _, command := range commands {
		// A command says only that something has happened: one look is enough for all of an instance's.
		if done[command.InstanceID] {
			continue
		}
		done[command.InstanceID] = true
		created, err := time.Parse(time.RFC3339Nano, command.CreatedAt)
		require.NoError(t, err)
		c.sync(t, command.PartyID+"/"+command.InstanceID, uuid.MustParse(command.InstanceID), created)
	}
}

// movingWorld is a world that has been brought over, and what is told of it from now on.
func movingWorld(t *testing.T, n int, settings *outbox.Settings) (*consumer, *listener) {
	t.Helper()
	told := &listener{}
	c := &consumer{rig: setup(t, altinnsim.Options{Outbox: settings, Buses: []outbox.Bus{told}}), urns: map[string]string{}}
	t.Cleanup(c.Close)
	_, err := c.Generate(small(n))
	require.NoError(t, err)
	for _, org := range []string{"skd", "nav"} {
		for _, s := range c.list(t, org) {
			c.deliver(t, s)
		}
	}
	return c, told
}

// Whoever obeys every command ends with the right dialogs, whatever has happened.
func TestCommandsTellOfAllThatHappens(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 150, nil)
	settings := live.Defaults()
	settings.RemoveAfter = 0
	settings.LateShare, settings.SkewShare = 0.2, 0.2
	settings.Skew = faults.Duration(time.Second)
	for _, rare := range []live.Action{live.Remigrate, live.Remove, live.Move, live.Sign, live.Answer} {
		settings.Shares[rare] = 0.1
	}
	require.NoError(t, c.Live.Set(settings))
	require.NoError(t, c.Live.Do(t.Context(), 700))
	c.Live.Settle(t.Context())
	require.NoError(t, c.Outbox.Flush(t.Context()))

	report := c.Live.Report()
	assert.Empty(t, report.Failed, report.LastError)
	for action := range settings.Shares {
		assert.Positive(t, report.Actions[action], "%s never happened", action)
	}
	assert.Positive(t, report.Late)
	assert.Positive(t, report.Skewed)
	assert.Zero(t, report.Pending)
	assert.Empty(t, c.Storage.Migrations(true), "all forms are complete")

	before, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Positive(t, before.Counts[diff.Superseded], "forms that were migrated again have two dialogs")
	assert.Positive(t, before.Counts[diff.Missing])

	c.obey(t, told.taken())
	after, err := c.DiffIn(t.Context(), diff.Scope{First: 5})
	require.NoError(t, err)
	assert.Empty(t, after.Differences)
	assert.Zero(t, after.Unknowable)

	var seen struct {
		Settled bool `json:"settled"`
		Total   int  `json:"total"`
	}
	c.get(t, "/_sim/live", &seen)
	assert.True(t, seen.Settled)
	assert.Equal(t, report.Total, seen.Total)
	assert.Positive(t, c.Events.Counts().Published)
}

// What goes away without a word is counted apart: no consumer can know of it.
func TestSilentRemovalIsNoDifference(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 80, nil)
	settings := live.Defaults()
	settings.Shares = map[live.Action]float64{live.Vanish: 1, live.DeleteForm: 1}
	require.NoError(t, c.Live.Set(settings))
	require.NoError(t, c.Live.Do(t.Context(), 40))
	require.NoError(t, c.Outbox.Flush(t.Context()))
	assert.Empty(t, told.taken())
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean())
	assert.Positive(t, report.Unknowable)
}

// Of what the outbox loses, a look at all that has changed lately finds everything that can be known.
func TestCatchUpFindsWhatWasLost(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 60, &outbox.Settings{Enabled: true, Lose: 0.3})
	settings := live.Defaults()
	settings.Shares[live.Remigrate] = 0.2
	require.NoError(t, c.Live.Set(settings))
	require.NoError(t, c.Live.Do(t.Context(), 200))
	c.Live.Settle(t.Context())
	require.NoError(t, c.Outbox.Flush(t.Context()))
	c.obey(t, told.taken())
	lossy, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Positive(t, lossy.Differing)
	assert.Positive(t, lossy.Unknowable, "forms of which nobody has been told that they are gone")
	assert.Zero(t, lossy.Counts[diff.Superseded])
	for _, org := range []string{"skd", "nav"} {
		for _, s := range c.list(t, org) {
			c.sync(t, s.ID, s.guid(), s.Created)
		}
	}
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)
}

// Live mode runs over HTTP, ends by itself, and says when nothing is under way any more.
func TestLiveModeComesToRest(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 40, &outbox.Settings{Enabled: true})
	a := c.do(t, http.MethodPut, "/_sim/live", `{"rate":1000,"for":"200ms","after":"10ms","removeAfter":"0s","lateShare":0.1,"late":"10ms",
		"shares":{"read":0,"texts":0},"forms":{"years":1}}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	var seen struct {
		Settled bool           `json:"settled"`
		Actions map[string]int `json:"actions"`
		Total   int            `json:"total"`
	}
	require.Eventually(t, func() bool {
		c.get(t, "/_sim/live", &seen)
		return seen.Settled
	}, time.Minute, 10*time.Millisecond)
	assert.Positive(t, seen.Actions["create"])
	assert.Zero(t, seen.Actions["read"])
	assert.LessOrEqual(t, seen.Total, 200)
	c.obey(t, told.taken())
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)

	a = c.do(t, http.MethodPut, "/_sim/live", `{"rate":-1,"shares":{"dance":1},"forms":{"centuries":1},"lateShare":2,"skew":"-1s"}`)
	assert.Equal(t, http.StatusBadRequest, a.status)
	for _, name := range []string{"rate", "dance", "centuries", "lateShare", "duration"} {
		assert.Contains(t, a.body, name)
	}
	require.Equal(t, http.StatusNoContent, c.do(t, http.MethodPost, "/_sim/reset", "").status)
	c.get(t, "/_sim/live", &seen)
	assert.Zero(t, seen.Total)
}

// The outbox goes wrong on command, and counts what it does.
func TestOutboxOverHTTP(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	consumer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		var command outbox.Command
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&command))
		if _, again := asked.LoadOrStore(command.InstanceID, true); !again {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(consumer.Close)
	r := setup(t, altinnsim.Options{SyncCommandURL: consumer.URL, SyncCommandToken: "secret"})
	t.Cleanup(r.Close)
	_, err := r.Generate(small(20))
	require.NoError(t, err)
	var items []storage.Item
	r.Storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		if item.Row.Deleted == 0 {
			items = append(items, item)
		}
		return true
	})
	change := func(n int, action string) {
		a := r.do(t, http.MethodPost, "/_sim/changes", `{"item":"`+items[n].Row.Key()+`","action":"`+action+`","byServiceOwner":true}`)
		require.Equal(t, http.StatusNoContent, a.status, a.body)
	}
	change(0, "save")
	change(0, "softDelete")
	change(1, "save")
	var seen struct {
		outbox.Report

		Forwarded outbox.Forwarded `json:"forwarded"`
	}
	r.do(t, http.MethodPost, "/_sim/outbox/flush", "").into(t, &seen)
	assert.Zero(t, seen.Waiting)
	assert.Equal(t, 3, seen.Changes)
	assert.LessOrEqual(t, seen.Sent, 3)
	require.Eventually(t, func() bool {
		r.get(t, "/_sim/outbox", &seen)
		return seen.Forwarded.Waiting == 0
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, seen.Sent, seen.Forwarded.Delivered)
	assert.Equal(t, 2, seen.Forwarded.Failed, "each instance is refused once")

	r.do(t, http.MethodPut, "/_sim/outbox", `{"lose":1}`).into(t, &seen)
	assert.InDelta(t, 1, seen.Settings.DelayScale, 0, "what is not named stays")
	sent := seen.Sent
	change(2, "hardDelete")
	r.do(t, http.MethodPost, "/_sim/outbox/flush", "")
	r.get(t, "/_sim/outbox", &seen)
	assert.Equal(t, sent, seen.Sent)
	assert.Equal(t, 1, seen.Lost)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/outbox", `{"double":2}`).status)
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodPost, "/_sim/changes", `{"item":"`+uuid.NewString()+`","action":"save"}`).status)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPost, "/_sim/changes", `{"item":"`+items[0].Row.Key()+`","action":"dance"}`).status)
}

// A form arrives with Altinn 2's times; migrated again, it has one dialog, not two.
func TestFormsArriveOverHTTP(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 50, nil)
	var first, second storage.Migration
	body := `{"lastChanged":"2019-11-04T12:01:17Z","created":"2019-11-04T11:40:02Z","reference":"812345678","stop":"instance"}`
	c.do(t, http.MethodPost, "/_sim/forms", body).into(t, &first)
	assert.True(t, first.Completed.IsZero())
	guid := first.Instance.String()
	var got source
	c.get(t, "/storage/api/v1/instances/1/"+guid, &got)
	assert.Empty(t, got.Data, "there it is, but it is not complete")
	assert.Equal(t, "812345678", got.DataValues["A2ArchRef"])
	assert.Empty(t, c.Storage.Events(first.Instance))
	assert.Zero(t, c.Outbox.Waiting())
	assert.Contains(t, c.do(t, http.MethodGet, "/_sim/forms?incomplete=true", "").body, guid)

	require.Equal(t, http.StatusOK, c.do(t, http.MethodPost, "/_sim/forms/"+guid+"/complete", "").status)
	c.get(t, "/storage/api/v1/instances/1/"+guid, &got)
	assert.NotEmpty(t, got.Data)
	assert.Equal(t, time.Date(2019, 11, 4, 12, 1, 17, 0, time.UTC), got.LastChanged)
	assert.NotEmpty(t, c.Storage.Events(first.Instance))
	require.NoError(t, c.Outbox.Flush(t.Context()))
	require.Len(t, told.taken(), 1)
	assert.Equal(t, outbox.Command{
		AppID: got.AppID, PartyID: got.InstanceOwner.PartyID, InstanceID: guid, CreatedAt: "2019-11-04T11:40:02Z", IsMigration: true, EventType: 1,
	}, told.taken()[0])
	c.obey(t, told.taken())

	c.do(t, http.MethodPost, "/_sim/forms", strings.Replace(body, "instance", "elements", 1)).into(t, &second)
	assert.Equal(t, first.Instance, second.Replaced)
	assert.NotEqual(t, first.Instance, second.Instance)
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodGet, "/storage/api/v1/instances/1/"+guid, "").status)
	require.Equal(t, http.StatusOK, c.do(t, http.MethodPost, "/_sim/forms/"+second.Instance.String()+"/complete", "").status)
	require.NoError(t, c.Outbox.Flush(t.Context()))
	require.Len(t, told.taken(), 3)
	assert.Equal(t, guid, told.taken()[1].InstanceID)
	assert.Equal(t, 4, told.taken()[1].EventType)
	assert.True(t, told.taken()[1].IsMigration)
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[diff.Kind]int{diff.Missing: 1, diff.Superseded: 1}, report.Counts)
	c.obey(t, told.taken()[1:])
	report, err = c.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), report.Differences)
	assert.NotContains(t, c.do(t, http.MethodGet, "/_sim/items/1/"+guid, "").body, `"dialog":`)

	require.Equal(t, http.StatusNoContent, c.do(t, http.MethodDelete, "/_sim/forms/"+second.Instance.String(), "").status)
	require.NoError(t, c.Outbox.Flush(t.Context()))
	assert.Len(t, told.taken(), 3, "no message tells of it")
	report, err = c.Diff(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, report.Unknowable)
	for _, bad := range []string{`{"stop":"there"}`, `{"appId":"skd/none"}`, `{"reference":"x"}`, `{"instance":{"id":"1/x"}}`, `{"mainVersion":3}`} {
		assert.Equal(t, http.StatusBadRequest, c.do(t, http.MethodPost, "/_sim/forms", bad).status, bad)
	}
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodPost, "/_sim/forms/"+guid+"/complete", "").status)
}

// A form of the generated history can be migrated again as well.
func TestGeneratedFormsAreFoundByTheirReferences(t *testing.T) {
	t.Parallel()
	c, told := movingWorld(t, 60, nil)
	var old storage.Row
	c.Storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		if item.Row.Version == 2 && item.Row.Deleted == 0 && c.urns["urn:altinn:party:id:"+item.Row.Key()[:8]] != "" {
			old = item.Row
		}
		return old.GUID == uuid.Nil
	})
	_, reference, ok := c.Storage.FormReference(old.GUID)
	require.True(t, ok)
	var again storage.Migration
	c.do(t, http.MethodPost, "/_sim/forms", `{"reference":"`+reference+`","partyId":`+old.Key()[:8]+`}`).into(t, &again)
	assert.Equal(t, old.GUID, again.Replaced)
	require.NoError(t, c.Outbox.Flush(t.Context()))
	require.Len(t, told.taken(), 2)
	c.obey(t, told.taken())
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), report.Differences)
}

// What was made up on demand stays as it was, word for word, when something happens to the instance for the first time.
func TestFirstChangeKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Now: func() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }})
	t.Cleanup(r.Close)
	options := small(300)
	options.MissingParties = 0
	_, err := r.Generate(options)
	require.NoError(t, err)
	var guids []uuid.UUID
	facts := map[uuid.UUID]storage.Facts{}
	r.Storage.Each(r.Now().UnixMicro(), func(item storage.Item) bool {
		guids = append(guids, item.Row.GUID)
		facts[item.Row.GUID] = item.Facts()
		return true
	})
	for i, guid := range guids {
		if i%2 == 0 {
			row, _, _ := r.Storage.Row(guid)
			require.NoError(t, r.Storage.SetValue(guid, storage.DialogIDKey, storage.DialogID(guid, row.Created).String()))
		}
		before, _ := r.Storage.Instance(guid)
		events := r.Storage.Events(guid)
		require.NoError(t, r.Storage.PostEvent(guid, "app.own"))
		after, _ := r.Storage.Instance(guid)
		require.Equal(t, string(before), string(after))
		require.Equal(t, events, r.Storage.Events(guid)[:len(events)])
		require.True(t, r.Storage.Look(guid, func(item storage.Item) bool {
			got := item.Facts()
			want := facts[guid]
			assert.Equal(t, want.Task, got.Task)
			assert.Equal(t, want.TaskType, got.TaskType)
			assert.Equal(t, want.Confirmations, got.Confirmations)
			assert.Equal(t, want.Feedback, got.Feedback)
			assert.Equal(t, want.FirstByOrg, got.FirstByOrg)
			assert.Equal(t, want.ProcessEnded, got.ProcessEnded)
			return true
		}))
	}
}
