package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/transport"
)

func TestEachFailureHasItsOwnPauses(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	tests := []struct {
		name    string
		failure delivery.Failure
		want    []time.Duration
	}{
		{
			"party not in Register",
			delivery.Failure{Class: transport.Transient, OfItem: true, Reason: "party_not_found"},
			[]time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m, 30 * m},
		},
		{
			"user not in Register",
			delivery.Failure{Class: transport.Transient, OfItem: true, Reason: "actor_unresolvable"},
			[]time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m, 30 * m},
		},
		{"nobody acted", delivery.Failure{Class: transport.Permanent, OfItem: true, Reason: "actor_unresolvable"}, nil},
		{
			"409 and 412",
			delivery.Failure{Class: transport.Conflict, Reason: "http_412"},
			[]time.Duration{1 * s, 3 * s, 5 * s, 30 * s, 2 * m, 10 * m},
		},
		{
			"dialog id changed",
			delivery.Failure{Class: transport.Transient, OfItem: true, Reason: delivery.ReasonDialogIDChanged},
			[]time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m},
		},
		{
			"422 that tells of a cache that is behind",
			delivery.Failure{Class: transport.Transient, Reason: "http_422"},
			[]time.Duration{1 * s, 3 * s, 5 * s, 10 * s, 30 * s, 1 * m, 5 * m, 5 * m, 10 * m},
		},
		{
			"422 of any other kind",
			delivery.Failure{Class: transport.Permanent, Reason: "http_422"},
			[]time.Duration{1 * s, 3 * s, 5 * s, 10 * s, 30 * s, 1 * m, 5 * m, 5 * m, 10 * m},
		},
		{
			"user-supplied id not there yet",
			delivery.Failure{Class: transport.Transient, OfItem: true, Reason: "user_supplied_dialog_id_missing"},
			[]time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 5 * m, 10 * m},
		},
		{"purge answered 404", delivery.Failure{Class: transport.NotFound, Reason: "http_404"}, []time.Duration{1 * m, 10 * m, 30 * m}},
		{"deleted meanwhile", delivery.Failure{Class: transport.Gone, Reason: "http_410"}, []time.Duration{1 * m, 10 * m, 30 * m}},
		{
			"events not there yet",
			delivery.Failure{Class: transport.Transient, OfItem: true, Reason: "events_missing"},
			[]time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m},
		},
		{
			"a service that stumbles, absence that proves nothing",
			delivery.Failure{Class: transport.Transient, Reason: "http_500"},
			[]time.Duration{10 * s, 20 * s, 30 * s, 1 * m, 2 * m, 2 * m, 5 * m, 10 * m, 30 * m, 30 * m},
		},
		{"400", delivery.Failure{Class: transport.Permanent, Reason: "http_400"}, nil},
		{"501", delivery.Failure{Class: transport.Permanent, Reason: "http_501"}, nil},
		{"no title", delivery.Failure{Class: transport.Permanent, OfItem: true, Reason: "title_missing"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			of := causeOf(test.failure)
			var got []time.Duration
			for attempt := 1; ; attempt++ {
				pause, again := retryIn(of, attempt, 1)
				if !again {
					break
				}
				got = append(got, pause)
			}
			assert.Equal(t, test.want, got)
		})
	}
	assert.Equal(t, []time.Duration{1 * s, 5 * s, 20 * s}, pauses(causePDF))
}

func TestJitterIsDrawnAnewEachTime(t *testing.T) {
	t.Parallel()
	drawn := map[float64]bool{}
	for range 100 {
		factor := drawJitter()
		assert.GreaterOrEqual(t, factor, 0.5)
		assert.Less(t, factor, 1.5)
		drawn[factor] = true
	}
	assert.Greater(t, len(drawn), 90)
	pause, _ := retryIn(causeConflict, 2, 0.5)
	assert.Equal(t, 1500*time.Millisecond, pause)
}
