package altinnsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinnsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whoever shares a simulator may reset it under the others: whatever they were doing ends or goes on, nothing breaks, and
// after the last reset nothing of theirs is left.
func TestResetInTheMiddleOfEverything(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Seed: 5})
	const rounds = 6
	ask := func(method, path, body string, allowed ...int) error {
		a, err := r.try(t, method, path, body)
		if err != nil {
			return err
		}
		if slices.Contains(append(allowed, http.StatusOK, http.StatusNoContent), a.status) {
			return nil
		}
		return fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
	}
	steps := map[string]func(round int) error{
		"generate": func(round int) error {
			return ask(http.MethodPost, "/_sim/generate", fmt.Sprintf(`{"seed":%d,"instances":150,"orgs":2,"messages":{"messages":60}}`, round+1),
				http.StatusBadRequest)
		},
		"live":     func(int) error { return ask(http.MethodPut, "/_sim/live", `{"rate":2000}`) },
		"messages": func(int) error { return ask(http.MethodPut, "/_sim/messages/live", `{"rate":500}`) },
		"do":       func(int) error { return r.Live.Do(t.Context(), 40) },
		"outbox":   func(int) error { return ask(http.MethodPut, "/_sim/outbox", `{"delayScale":0}`) },
		"diff":     func(int) error { return ask(http.MethodGet, "/_sim/diff?first=3", "") },
		"stats":    func(int) error { return ask(http.MethodGet, "/_sim/stats?busiest=3", "") },
		"faults": func(round int) error {
			return ask(http.MethodPut, "/_sim/faults?profile="+[]string{"gentle", "rough"}[round%2], "")
		},
		"clock": func(int) error { return ask(http.MethodPut, "/_sim/clock", `{"now":null}`) },
		"walk": func(int) error {
			_, err := r.try(t, http.MethodGet, "/storage/api/v1/instances?org=skd&mainVersionExclude=0&order=desc:lastChanged&size=50", "")
			if err != nil && r.Faults.Rules() == nil {
				return err
			}
			return nil // the faults may have cut it
		},
		"reset": func(int) error { return ask(http.MethodPost, "/_sim/reset", "") },
	}
	var group errgroup.Group
	for name, step := range steps {
		group.Go(func() error {
			for round := range rounds {
				if err := step(round); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, ask(http.MethodPost, "/_sim/reset", ""))
	assert.Zero(t, r.Storage.Len())
	report, err := r.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean())
	assert.Zero(t, report.Instances)
	assert.Zero(t, report.Dialogs)
	assert.Zero(t, r.Altinn2.Len())
}
