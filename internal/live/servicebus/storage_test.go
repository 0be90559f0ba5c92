package servicebus_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	bus "github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/live/servicebus"
)

// Every change in Storage arrives as a command, deletions and archived forms included.
func TestChangesInStorage(t *testing.T) {
	t.Parallel()
	settings := outbox.Defaults()
	settings.DelayScale = 0
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1, Outbox: &settings, ServiceBus: bus.Options{Queues: []bus.QueueOptions{{Name: queueName}}}})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	http := httptest.NewServer(sim.Handler())
	t.Cleanup(http.Close)
	server, err := sim.ListenServiceBus(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	options := altinnsim.DefaultOptions()
	options.Instances, options.Orgs, options.SoftDeleted, options.HardDeleted = 30, 2, 0, 0
	_, err = sim.Generate(options)
	require.NoError(t, err)

	written := newBook()
	start(t, servicebus.Config{Connection: server.ConnectionString(), Queue: queueName, Accepter: written})
	var guids []uuid.UUID
	sim.Storage.Each(sim.Now().UnixMicro(), func(item storage.Item) bool {
		guids = append(guids, item.Row.GUID)
		return true
	})
	require.Len(t, guids, 30)
	for i, guid := range guids {
		change := [...]func(uuid.UUID, ...storage.Option) error{sim.Storage.Save, sim.Storage.SoftDelete, sim.Storage.HardDelete}[i%3]
		require.NoError(t, change(guid))
	}
	eventually(t, func() bool { return written.len() == len(guids) })
	for _, guid := range guids {
		require.Equal(t, 1, written.times(guid))
	}
}
