package live_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// The event that tells of the old instance's end is lost; the new one's came at once, so that polls find nothing to do.
func TestMigratedAnewAndToldOfByTheNewOneAlone(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms)) // begins it
	const reference = 4711
	var forms []thing
	for range 2 {
		p.pass(20 * time.Second)
		form := p.form(t, 5*time.Second, reference)
		p.accept(t, form.command())
		p.deliver(t)
		require.True(t, p.has(form))
		forms = append(forms, form)
	}
	p.age(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
	assert.False(t, p.has(forms[0]), "one form has one dialog")
	assert.True(t, p.has(forms[1]))
}
