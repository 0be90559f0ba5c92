package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// sent is what a bus has got, and when.
type sent struct {
	at      time.Duration // since the test began
	command outbox.Command
	message outbox.Message
}

// bus remembers messages, and does something with each before it has it.
type bus struct {
	mu    sync.Mutex
	began time.Time
	sent  []sent
	meet  func(outbox.Command) error
}

func (b *bus) Publish(_ context.Context, message outbox.Message) error {
	var command outbox.Command
	if err := json.Unmarshal(message.Body, &command); err != nil {
		return err
	}
	if b.meet != nil {
		if err := b.meet(command); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, sent{at: time.Since(b.began), command: command, message: message})
	return nil
}

func (b *bus) all() []sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

// bubble is a test with a time of its own.
type bubble struct {
	*testing.T

	box *outbox.Box
	bus *bus
}

// run runs a test with an outbox in a time of its own.
func run(t *testing.T, settings outbox.Settings, test func(t bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bus{began: time.Now()}
		box, err := outbox.New(outbox.Config{Seed: 7, Settings: &settings, Buses: []outbox.Bus{b}})
		require.NoError(t, err)
		defer box.Close()
		test(bubble{T: t, box: box, bus: b})
	})
}

// pass lets the bubble's time pass, and everybody do what is to be done then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func guid(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("6f3da581-76f9-412c-ba01-%012d", n)) }

func change(n int, eventType string) outbox.Change {
	return outbox.Change{
		Instance: guid(n), AppID: "ttd/demo-skjema", PartyID: 50001337, Created: time.Date(2026, 3, 2, 8, 14, 2, 110412000, time.UTC),
		EventType: eventType,
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	data := change(1, "Created")
	data.Data = true
	form := change(1, "Saved")
	form.Migration = true
	for _, test := range []struct {
		change outbox.Change
		want   time.Duration
	}{
		{change(1, "Created"), 0},
		{change(1, "Deleted"), 0},
		{form, 0},
		{data, 5 * time.Second},
		{change(1, "Submited"), 5 * time.Second},
		{change(1, "Undeleted"), 5 * time.Second},
		{change(1, "ConfirmedComplete"), 5 * time.Second},
		{change(1, "Signed"), 5 * time.Second},
		{change(1, "SentToSign"), 5 * time.Second},
		{change(1, "None"), 5 * time.Second},
		{change(1, "MessageRead"), 5 * time.Second},
		{change(1, "Saved"), time.Minute},
		{change(1, "SubstatusUpdated"), time.Minute},
		{change(1, "process_EndTask"), time.Minute},
		{change(1, "process_AbandonTask"), time.Minute},
	} {
		assert.Equal(t, test.want, test.change.Delay(), test.change.EventType)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	run(t, outbox.Defaults(), func(t bubble) {
		t.box.Put(change(1, "Created"))
		synctest.Wait()
		require.Len(t, t.bus.all(), 1)
		m := t.bus.all()[0].message
		assert.JSONEq(t, `{"appId":"ttd/demo-skjema","partyId":"50001337","instanceId":"6f3da581-76f9-412c-ba01-000000000001",`+
			`"instanceCreatedAt":"2026-03-02T08:14:02.110412Z","isMigration":false,"eventType":1}`, string(m.Body))
		assert.Equal(t, "Altinn.DialogportenAdapter.SyncInstanceCommand", m.Subject)
		assert.Equal(t, "application/json", m.ContentType)
		assert.Equal(t, uuid.Version(4), uuid.MustParse(m.MessageID).Version())
		assert.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{6} Z$`, m.Properties["sent-at"])
		assert.Equal(t, "Altinn.Platform.Storage", m.Properties["source"])
		assert.Zero(t, t.box.Waiting())
	})
}

// Of a row that waits already only the time changes, and only to an earlier one.
func TestWaitingRowsKeepTheirTypes(t *testing.T) {
	t.Parallel()
	run(t, outbox.Defaults(), func(t bubble) {
		t.box.Put(change(1, "Saved"))
		pass(2 * time.Second)
		row, ok := t.box.Row(guid(1))
		require.True(t, ok)
		form := change(1, "Deleted")
		form.Migration = true
		t.box.Put(change(1, "SubstatusUpdated"))
		later, _ := t.box.Row(guid(1))
		assert.Equal(t, row, later)
		t.box.Put(form)
		pass(2 * time.Second)
		require.Len(t, t.bus.all(), 1)
		assert.Equal(t, 2, t.bus.all()[0].command.EventType, "the first change's")
		assert.False(t, t.bus.all()[0].command.IsMigration, "likewise")
		assert.Less(t, t.bus.all()[0].at, 4*time.Second)
		assert.Equal(t, 2, t.box.Report().Merged)
	})
}

func TestDelaysScale(t *testing.T) {
	t.Parallel()
	for scale, want := range map[float64]time.Duration{1: time.Minute, 0.1: 6 * time.Second, 0: 0} {
		run(t, outbox.Settings{Enabled: true, DelayScale: scale}, func(t bubble) {
			t.box.Put(change(1, "Saved"))
			pass(2 * time.Minute)
			require.Len(t, t.bus.all(), 1)
			assert.GreaterOrEqual(t, t.bus.all()[0].at, want)
			assert.LessOrEqual(t, t.bus.all()[0].at, want+time.Second, "the sender looks every second")
		})
	}
}

func TestOldestFirstInBatches(t *testing.T) {
	t.Parallel()
	run(t, outbox.Defaults(), func(t bubble) {
		require.NoError(t, t.box.Set(outbox.Settings{Enabled: true, DelayScale: 1, LeaseGap: faults.Duration(time.Minute)}))
		for n := range 250 {
			t.box.Put(change(n, "Created"))
			pass(time.Millisecond)
		}
		pass(58 * time.Second)
		assert.Empty(t, t.bus.all(), "nobody has the lease")
		assert.NotEmpty(t, t.box.Report().Leaderless)
		pass(2 * time.Second)
		require.Len(t, t.bus.all(), 250, "and then there is a burst")
		for n, s := range t.bus.all() {
			assert.Equal(t, guid(n).String(), s.command.InstanceID)
		}
	})
}

func TestShuffledAndDoubled(t *testing.T) {
	t.Parallel()
	run(t, outbox.Settings{Enabled: true, Shuffle: true, Double: 0.5}, func(t bubble) {
		require.NoError(t, t.box.Set(outbox.Settings{Enabled: true, Shuffle: true, Double: 0.5, LeaseGap: faults.Duration(time.Second)}))
		for n := range 50 {
			t.box.Put(change(n, "Created"))
		}
		pass(2 * time.Second)
		ids, sorted := map[string]bool{}, true
		var last string
		for _, s := range t.bus.all() {
			ids[s.message.MessageID] = true
			sorted = sorted && last <= s.command.InstanceID
			last = s.command.InstanceID
		}
		report := t.box.Report()
		assert.False(t, sorted)
		assert.Positive(t, report.Doubled)
		assert.Len(t, t.bus.all(), 50+report.Doubled)
		assert.Len(t, ids, 50+report.Doubled, "every message has an id of its own")
	})
}

// A change between publishing and deleting finds the row, leaves it as it is, and goes with it.
func TestLostUpdate(t *testing.T) {
	t.Parallel()
	run(t, outbox.Settings{Enabled: true}, func(t bubble) {
		t.bus.meet = func(outbox.Command) error {
			t.box.Put(change(1, "Deleted"))
			return nil
		}
		t.box.Put(change(1, "Created"))
		pass(time.Hour)
		assert.Len(t, t.bus.all(), 1)
		assert.Zero(t, t.box.Waiting())
		assert.Equal(t, 1, t.box.Report().Overtaken)
	})
	run(t, outbox.Settings{Enabled: true, Gap: faults.Duration(time.Minute)}, func(t bubble) {
		t.box.Put(change(1, "Created"))
		pass(30 * time.Second)
		t.box.Put(change(1, "Deleted"))
		pass(time.Hour)
		assert.Len(t, t.bus.all(), 1)
		assert.Equal(t, 1, t.box.Report().Overtaken)
	})
	run(t, outbox.Settings{Enabled: true, Lose: 1}, func(t bubble) {
		t.box.Put(change(1, "Created"))
		pass(time.Hour)
		assert.Empty(t, t.bus.all())
		assert.Zero(t, t.box.Waiting())
		assert.Equal(t, 1, t.box.Report().Lost)
	})
}

// A message that was not taken comes again.
func TestAtLeastOnce(t *testing.T) {
	t.Parallel()
	run(t, outbox.Defaults(), func(t bubble) {
		refused := false
		t.bus.meet = func(outbox.Command) error {
			if refused {
				return nil
			}
			refused = true
			return errors.New("no link")
		}
		t.box.Put(change(1, "Created"))
		pass(9 * time.Second)
		assert.Empty(t, t.bus.all())
		assert.Contains(t, t.box.Report().LastError, "no link")
		pass(2 * time.Second)
		assert.Len(t, t.bus.all(), 1, "ten seconds after the failure")
	})
}

func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	run(t, outbox.Settings{}, func(t bubble) {
		t.box.Put(change(1, "Created"))
		pass(time.Hour)
		assert.Empty(t, t.bus.all())
		assert.Zero(t, t.box.Report().Changes, "no row is written")
	})
}

func TestResetAndClose(t *testing.T) {
	t.Parallel()
	run(t, outbox.Defaults(), func(t bubble) {
		t.box.Put(change(1, "Saved"))
		require.NoError(t, t.box.Set(outbox.Settings{}))
		t.box.Reset()
		assert.Equal(t, outbox.Defaults(), t.box.Settings())
		pass(time.Hour)
		assert.Empty(t, t.bus.all())
		t.box.Put(change(2, "Saved"))
		require.NoError(t, t.box.Flush(t.Context()))
		assert.Len(t, t.bus.all(), 1, "without waiting")
		t.box.Put(change(3, "Saved"))
		t.box.Close()
		t.box.Put(change(4, "Created"))
		assert.Equal(t, 1, t.box.Waiting())
	})
	_, err := outbox.New(outbox.Config{Settings: &outbox.Settings{Lose: 2, DelayScale: -1}})
	assert.Error(t, err)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for number, name := range map[int]string{0: "None", 3: "Submited", 4: "Deleted", 11: "process_EndTask", 13: "Signed", 22: "MessageRead"} {
		assert.Equal(t, number, outbox.NumberOf(name))
		assert.Equal(t, name, outbox.NameOf(number))
	}
	assert.Zero(t, outbox.NumberOf("app.own"))
}
