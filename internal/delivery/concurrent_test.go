package delivery_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
)

// overtaking is what happens to an instance while a slow worker delivers it.
type overtaking struct {
	change func(th *thing)
	state  ledger.DialogState
	text   string
}

// Invariant 3: at whichever point of a slow delivery the instance changes, and at whichever later point another worker
// delivers that change from beginning to end, the slow one does not leave what it knew before.
func TestSlowWorkerNeverBringsOldContentBack(t *testing.T) {
	t.Parallel()
	edit := func(th *thing) { th.text = "utgave 2" }
	derived := func() (thing, uuid.UUID) { th := newThing(); return th, th.dialogID() }
	remove := func(th *thing) { th.soft = true }
	undelete := overtaking{func(th *thing) { th.soft, th.text = false, "utgave 2" }, ledger.DialogAlive, "utgave 2"}
	type fresh = func() (thing, uuid.UUID)
	scenes := map[string]struct {
		fresh   fresh
		exists  bool // a dialog is there, and is to be updated
		settled overtaking
		first   func(*thing)
	}{
		"create, edited":             {derived, false, overtaking{edit, ledger.DialogAlive, "utgave 2"}, nil},
		"create, deleted":            {derived, false, overtaking{remove, ledger.DialogDeleted, ""}, nil},
		"update, edited":             {derived, true, overtaking{edit, ledger.DialogAlive, "utgave 2"}, nil},
		"update, deleted":            {derived, true, overtaking{remove, ledger.DialogDeleted, ""}, nil},
		"update, deleted for good":   {derived, true, overtaking{func(th *thing) { th.hard = true }, ledger.DialogAbsent, ""}, nil},
		"deletion, undeleted":        {derived, true, undelete, remove},
		"create to delete, undelete": {derived, false, undelete, remove},
		"chosen id, create, edited":  {chosen, false, overtaking{edit, ledger.DialogAlive, "utgave 2"}, nil},
		"chosen id, update, edited":  {chosen, true, overtaking{edit, ledger.DialogAlive, "utgave 2"}, nil},
		"chosen id, update, deleted": {chosen, true, overtaking{remove, ledger.DialogDeleted, ""}, nil},
	}
	const points = 8 // a delivery has no more requests, once it knows texts and people
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var settings []string
			if strings.HasPrefix(name, "chosen id") {
				settings = append(settings, userSupplied)
			}
			r := newRig(t, settings...)
			var request, changeAt, deliverAt int
			var change, deliver func()
			url := r.watched(t, func(*http.Request) {
				request++
				if request == changeAt {
					change()
				}
				if request == deliverAt {
					deliver()
				}
			})
			slow := r.worker(t, url, 1)
			warm, _ := scene.fresh()
			r.put(t, warm)
			_, err := slow.Deliver(t.Context(), warm.item()) // texts, application and people are known from here on
			require.NoError(t, err)

			for changeAt = 1; changeAt <= points; changeAt++ {
				for deliverAt = changeAt; deliverAt <= points; deliverAt++ {
					th, id := scene.fresh()
					if scene.exists {
						r.put(t, th)
						r.deliver(t, th.item())
						th.text = "utgave 1b" // something to update
					}
					if scene.first != nil {
						scene.first(&th)
					}
					r.put(t, th)
					changed, delivered := false, false
					change = func() { scene.settled.change(&th); r.put(t, th); changed = true }
					deliver = func() { r.deliver(t, th.item()); delivered = true }
					request = 0
					_, err := slow.Deliver(t.Context(), th.item())
					require.NoError(t, err)
					if !changed {
						change()
					}
					if !delivered {
						deliver()
					}
					at := fmt.Sprintf("changed before request %d, delivered before %d", changeAt, deliverAt)
					dialog := r.dialog(t, id)
					switch scene.settled.state {
					case ledger.DialogAbsent:
						require.Nil(t, dialog, at)
					default:
						require.NotNil(t, dialog, at)
						require.Equal(t, scene.settled.state == ledger.DialogDeleted, dialog.IsDeleted(), at)
						require.Contains(t, title(dialog), scene.settled.text, at)
					}
				}
			}
		})
	}
}

// The same with chance: many workers, a platform that answers when it likes, and an instance that changes before each
// delivery begins. The last delivery to begin knows the last change, so whatever the others do it must be there.
func TestConcurrentDeliveriesNeverLeaveOlderContent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := func(method string, share float64) faults.Rule {
		return faults.Rule{
			Service: "dialogporten", Method: method, Probability: new(share), Effect: faults.EffectLatency, Latency: faults.Duration(time.Millisecond),
			TailShare: 0.4, Tail: faults.Duration(6 * time.Millisecond),
		}
	}
	storageToo := slow(http.MethodGet, 0.6)
	storageToo.Service = "storage"
	workers := []*delivery.Deliverer{r.worker(t, r.url, 2), r.worker(t, r.url, 2), r.worker(t, r.url, 2)}
	r.fault(t, slow(http.MethodGet, 0.6), storageToo, slow(http.MethodPost, 0.5), slow(http.MethodPut, 0.5))

	const items, rounds = 8, 6
	var all sync.WaitGroup
	for range items {
		all.Go(func() {
			th := newThing()
			for round := range rounds {
				var deliveries sync.WaitGroup
				for i, worker := range workers {
					th.text = fmt.Sprintf("utgave %d-%d", round, i)
					r.put(t, th)
					item := th.item()
					deliveries.Go(func() {
						if _, err := worker.Deliver(t.Context(), item); err != nil {
							assert.Equal(t, "conflict", delivery.Describe(err).Class.String(), "%v", err)
						}
					})
				}
				deliveries.Wait()
				assert.Contains(t, title(r.dialog(t, th.dialogID())), th.text)
			}
		})
	}
	all.Wait()
}

func TestConcurrentPurgesEndWell(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	workers := []*delivery.Deliverer{r.worker(t, r.url, 1), r.worker(t, r.url, 1)}
	r.fault(t, faults.Rule{Path: "/actions/purge$", Effect: faults.EffectLatency, Latency: faults.Duration(10 * time.Millisecond)})
	for range 10 {
		th := r.put(t, newThing())
		r.deliver(t, th.item())
		require.NoError(t, r.sim.Storage.HardDelete(th.guid))
		var deliveries sync.WaitGroup
		for _, worker := range workers {
			deliveries.Go(func() {
				if result, err := worker.Deliver(t.Context(), th.item()); assert.NoError(t, err) {
					assert.Equal(t, ledger.DialogAbsent, result.State)
				}
			})
		}
		deliveries.Wait()
		assert.Nil(t, r.dialog(t, th.dialogID()))
	}
}
