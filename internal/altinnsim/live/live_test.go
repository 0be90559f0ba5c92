package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// scene is a Storage with a history, and a driver.
type scene struct {
	*live.Driver

	storage *storage.Service
	changes []outbox.Change
	events  []live.AppEvent
	refuse  bool
}

func setUp(t testing.TB, instances int) *scene {
	t.Helper()
	s := &scene{}
	s.storage = storage.New(storage.Config{
		UserOf:   generator.ActorOf,
		Announce: func(c outbox.Change) bool { s.changes = append(s.changes, c); return true },
	})
	options := generator.Defaults()
	options.Instances = instances
	world, err := generator.New(options, time.Now(), storage.DefaultHost, s.storage.App)
	require.NoError(t, err)
	for _, raw := range world.Applications() {
		require.NoError(t, s.storage.PutApplication(raw))
	}
	var totals generator.Totals
	require.NoError(t, s.storage.Load(world, world.Rows(&totals)))
	s.Driver = live.New(live.Config{
		Seed: 5, Storage: s.storage, Generator: func() (*generator.Generator, error) { return world, nil },
		Announce: func(_ context.Context, e live.AppEvent) error {
			s.events = append(s.events, e)
			if s.refuse {
				return errors.New("nobody is there")
			}
			return nil
		},
	})
	t.Cleanup(s.Close)
	return s
}

// only lets one kind of action happen.
func only(actions ...live.Action) live.Settings {
	settings := live.Defaults()
	settings.Shares = map[live.Action]float64{}
	for _, action := range actions {
		settings.Shares[action] = 1
	}
	return settings
}

// pass lets the bubble's time pass, and everybody do what is to be done then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, 0)
		defer s.Close()
		settings := only(live.Create)
		settings.Rate, settings.For = 40, faults.Duration(10*time.Second)
		require.NoError(t, s.Set(settings))
		pass(5 * time.Second)
		assert.InDelta(t, 200, s.Report().Total, 2)
		assert.True(t, s.Report().Running)
		pass(time.Hour)
		assert.Equal(t, 400, s.Report().Total)
		assert.False(t, s.Report().Running)

		settings.For = 0
		require.NoError(t, s.Set(settings))
		pass(time.Second)
		s.Stop()
		stopped := s.Report().Total
		assert.InDelta(t, 440, stopped, 2)
		pass(time.Hour)
		assert.Equal(t, stopped, s.Report().Total)
		assert.Equal(t, stopped, s.storage.Len())
		assert.Len(t, s.events, stopped)
		assert.Equal(t, live.EventCreated, s.events[0].Type)
	})
}

// A change that is committed late is not to be seen before, and appears behind its lastChanged.
func TestLateCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, 200)
		defer s.Close()
		settings := only(live.SoftDelete)
		settings.LateShare, settings.Late = 1, faults.Duration(10*time.Second)
		require.NoError(t, s.Set(settings))
		require.NoError(t, s.Do(t.Context(), 20))
		began := time.Now()
		assert.Empty(t, s.changes, "nothing is committed")
		assert.Equal(t, 20, s.Report().Pending)
		pass(11 * time.Second)
		assert.Len(t, s.changes, 20)
		assert.Zero(t, s.Report().Pending)
		for _, change := range s.changes {
			row, _, _ := s.storage.Row(change.Instance)
			assert.Equal(t, began.UnixMicro(), row.LastChanged)
			assert.True(t, row.Flags.Has(storage.SoftDeleted))
		}
	})
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	s := setUp(t, 200)
	settings := only(live.Substatus)
	settings.SkewShare, settings.Skew = 1, faults.Duration(time.Hour)
	require.NoError(t, s.Set(settings))
	require.NoError(t, s.Do(t.Context(), 50))
	now := time.Now()
	ahead, behind := 0, 0
	for _, change := range s.changes {
		row, _, _ := s.storage.Row(change.Instance)
		assert.Greater(t, row.LastChanged, row.Created)
		if time.UnixMicro(row.LastChanged).After(now) {
			ahead++
		} else {
			behind++
		}
	}
	assert.Positive(t, ahead)
	assert.Positive(t, behind)
}

// A form is submitted, and its receipt comes afterwards; then it is confirmed.
func TestLifeOfAForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, 0)
		defer s.Close()
		require.NoError(t, s.Set(only(live.Create)))
		require.NoError(t, s.Do(t.Context(), 30))
		require.NoError(t, s.Set(only(live.Archive)))
		require.NoError(t, s.Do(t.Context(), 1))
		last := s.changes[len(s.changes)-1]
		assert.Equal(t, "process_EndTask", last.EventType)
		elements := s.storage.ElementsOf(last.Instance)
		pass(time.Minute)
		assert.Len(t, s.storage.ElementsOf(last.Instance), len(elements)+1)
		assert.Equal(t, live.EventCompleted, s.events[len(s.events)-1].Type)
		require.NoError(t, s.Set(only(live.Confirm)))
		require.NoError(t, s.Do(t.Context(), 2))
		row, _, _ := s.storage.Row(last.Instance)
		assert.True(t, row.Flags.Has(storage.Archived|storage.Confirmed))
		assert.Equal(t, 1, s.Report().Skipped[live.Confirm], "there was only one")
	})
}

func TestFormsArriveOld(t *testing.T) {
	t.Parallel()
	s := setUp(t, 0)
	settings := only(live.Form)
	settings.Forms = map[live.Age]float64{live.Years: 1}
	settings.Incomplete = 1
	require.NoError(t, s.Set(settings))
	require.NoError(t, s.Do(t.Context(), 20))
	assert.Len(t, s.storage.Migrations(true), 20)
	assert.Empty(t, s.changes)
	s.Settle(t.Context())
	assert.Empty(t, s.storage.Migrations(true))
	assert.Len(t, s.changes, 20)
	assert.Empty(t, s.events, "apps of Altinn 2 announce nothing")
	for _, change := range s.changes {
		row, _, _ := s.storage.Row(change.Instance)
		assert.Less(t, row.LastChanged, time.Now().AddDate(-1, 0, 1).UnixMicro())
	}
	require.NoError(t, s.Set(only(live.Remigrate)))
	require.NoError(t, s.Do(t.Context(), 10))
	s.Settle(t.Context())
	assert.Equal(t, 20, s.storage.Len())
}

// The same seed makes the same things happen to the same world.
func TestRepeatable(t *testing.T) {
	t.Parallel()
	run := func() []outbox.Change {
		var changes []outbox.Change
		synctest.Test(t, func(t *testing.T) {
			s := setUp(t, 100)
			defer s.Close()
			require.NoError(t, s.Do(t.Context(), 200))
			s.Settle(t.Context())
			changes = s.changes
		})
		return changes
	}
	first, second := run(), run()
	require.NotEmpty(t, first)
	assert.Equal(t, first, second)
}

func TestRefusedAppEventsAreForgotten(t *testing.T) {
	t.Parallel()
	s := setUp(t, 0)
	s.refuse = true
	require.NoError(t, s.Set(only(live.Create)))
	require.NoError(t, s.Do(t.Context(), 3))
	assert.Equal(t, 3, s.Report().Unposted)
	assert.Equal(t, 3, s.Report().Actions[live.Create])
}

// A change whose instance has gone meanwhile fails, and harms nothing else.
func TestInstancesMayGoAway(t *testing.T) {
	t.Parallel()
	s := setUp(t, 50)
	settings := only(live.Confirm)
	settings.LateShare = 1
	require.NoError(t, s.Set(settings))
	require.NoError(t, s.Do(t.Context(), 1))
	var all []uuid.UUID
	s.storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		all = append(all, item.Row.GUID)
		return true
	})
	for _, guid := range all {
		require.NoError(t, s.storage.Remove(guid))
	}
	s.Settle(t.Context())
	assert.Equal(t, 1, s.Report().Failed[live.Confirm])
	assert.NotEmpty(t, s.Report().LastError)
}

func TestSettingsAsJSON(t *testing.T) {
	t.Parallel()
	settings := live.Defaults()
	require.NoError(t, json.Unmarshal([]byte(`{"rate":3,"shares":{"create":9},"late":"1m"}`), &settings))
	require.NoError(t, settings.Validate())
	assert.InDelta(t, 9, settings.Shares[live.Create], 0)
	assert.Positive(t, settings.Shares[live.Save], "what is not named stays")
}

func BenchmarkActions(b *testing.B) {
	s := setUp(b, 20_000)
	require.NoError(b, s.Do(b.Context(), 1000))
	for b.Loop() {
		require.NoError(b, s.Do(b.Context(), 1))
	}
}
