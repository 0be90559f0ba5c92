package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
)

func TestMessagesAreMade(t *testing.T) {
	t.Parallel()
	messages := altinn2.DefaultOptions()
	messages.Messages = 30
	options := generator.Defaults()
	options.Seed, options.Orgs = 9, 2
	sim, err := altinnsim.New(altinnsim.Options{})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	var progress bytes.Buffer
	require.NoError(t, fill(sim, withMessages(options, messages), &progress))
	assert.Contains(t, progress.String(), "made 30 messages")
	assert.Equal(t, 30, sim.Altinn2.Len())
}
