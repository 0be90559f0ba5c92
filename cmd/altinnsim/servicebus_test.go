package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
)

// What is printed is what a worker is configured with.
func TestServiceBus(t *testing.T) {
	t.Parallel()
	flags := bus{address: "127.0.0.1:0", queue: "commands", key: "geheim", lock: time.Minute}
	sim, err := altinnsim.New(altinnsim.Options{ServiceBus: flags.options(1)})
	require.NoError(t, err)
	defer sim.Close()
	var progress bytes.Buffer
	require.NoError(t, flags.listen(t.Context(), sim, &progress))
	assert.Contains(t, progress.String(), "SharedAccessKey=geheim;UseDevelopmentEmulator=true'")
	assert.Contains(t, progress.String(), "DIALOGSYNC_SERVICEBUS_QUEUE='commands'")

	off := bus{}
	require.NoError(t, off.listen(t.Context(), sim, nil))

	command := newCommand()
	command.SetArgs([]string{"--servicebus-lock", "6m"})
	require.ErrorContains(t, command.ExecuteContext(t.Context()), "lock duration")
	command = newCommand()
	command.SetArgs([]string{"--servicebus-addr", "nowhere"})
	require.ErrorContains(t, command.ExecuteContext(t.Context()), "nowhere")
}
