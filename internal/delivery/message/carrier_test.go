package message_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

const window = 4711

// owner is what a page is carried for.
type owner struct {
	*message.Carrier

	accounts batch.Accounts
	stop     chan struct{}
	stopOnce sync.Once
	admitted atomic.Int32
	refuse   error
}

func newOwner(r *rig) *owner {
	o := &owner{stop: make(chan struct{})}
	o.Carrier = &message.Carrier{
		Deliverer: r.Deliverer, Log: zap.NewNop(), Alike: &batch.Alike{}, MaxFailureShare: 0.5, WindowID: window, WindowTakes: true,
		FirstPause: time.Millisecond, Grace: 50 * time.Millisecond, Stop: o.stop,
		MustStop: func(context.Context) bool {
			select {
			case <-o.stop:
				return true
			default:
				return false
			}
		},
		Admit: func(context.Context) (func(), error) {
			o.admitted.Add(1)
			return func() { o.admitted.Add(-1) }, nil
		},
		Blame: func(*message.Row) bool { return false },
	}
	return o
}

func (o *owner) halt() { o.stopOnce.Do(func() { close(o.stop) }) }

// write books what was settled, or refuses.
func (o *owner) write(_ context.Context, _ *db.Queries, settled []*message.Row) error {
	if o.refuse != nil {
		return o.refuse
	}
	o.accounts.Merge(message.AccountsOf(settled))
	return nil
}

// listed is a page of everything there is.
func (r *rig) listed(t *testing.T) []message.Row {
	t.Helper()
	page, err := r.Source.History(t.Context(), altinn2.HistoryQuery{CreatedBefore: time.Now(), Limit: altinn2.MaxLimit})
	require.NoError(t, err)
	rows := make([]message.Row, len(page.Items))
	for i := range page.Items {
		rows[i] = message.NewRow(&page.Items[i])
	}
	return rows
}

var transferOnly = message.Order{Lane: message.History, TransferOnly: true}

func TestPageIsCarriedThroughBothStages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 120, func(o *simaltinn2.Options) { o.Odd, o.Broken, o.Deceased, o.Purged = 0.2, 0.1, 0.05, 0.05 })
	o := newOwner(r)
	o.MaxFailureShare = 1
	rows := r.listed(t)
	require.NoError(t, o.Recall(t.Context(), rows))

	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)

	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.Equal(t, len(rows), batch.SettledPrefix(rows))
	assert.EqualValues(t, len(rows), o.accounts.Seen)
	assert.True(t, o.accounts.Balanced())
	assert.Positive(t, o.accounts.Skipped)
	assert.EqualValues(t, o.accounts.Quarantined, r.count(t, "quarantine"))
	assert.Equal(t, len(rows), r.count(t, fmt.Sprintf("ledger where window_id = %d", window)))
	assert.Zero(t, o.admitted.Load())

	again := r.listed(t)
	require.NoError(t, o.Recall(t.Context(), again))
	assert.Equal(t, len(again), batch.SettledPrefix(again), "what the window recorded is not done again")
	assert.Zero(t, message.AccountsOf(batch.SettledRows(again)).Seen)

	p := newOwner(r)
	p.WindowID = window + 1
	var waiting []message.Row
	for i := range rows {
		if rows[i].Failure() == nil && rows[i].Result().Outcome != ledger.Skipped {
			waiting = append(waiting, message.GivenRow(rows[i].Number, rows[i].Created))
		}
	}
	require.NoError(t, p.Recall(t.Context(), waiting))
	ending, err = p.Publish(t.Context(), waiting, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, len(waiting), p.accounts.Seen)
	assert.True(t, p.accounts.Balanced())
	assert.Positive(t, p.accounts.Quarantined)
	assert.EqualValues(t, o.accounts.Quarantined+p.accounts.Quarantined, r.count(t, "quarantine"))
	assert.Equal(t, len(waiting), r.count(t, fmt.Sprintf("ledger where window_id = %d and source_changed is not null", window+1)))
	r.clean(t)
}

// 16.1: every change has its own number; two may share their time.
func TestChangeOfTheSameTimeIsAChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 6)
	o := newOwner(r)
	_, err := o.Bring(t.Context(), r.listed(t), message.Order{Lane: message.History}, o.write)
	require.NoError(t, err)
	for _, id := range []int64{window, window + 1} {
		o.WindowID = id
		again := r.listed(t)
		again[2].Message.ChangeSeq++
		require.NoError(t, o.Recall(t.Context(), again))
		for i := range again {
			met := id == window
			assert.Equal(t, met && i != 2, again[i].Repeated)
			assert.Equal(t, met && i == 2, again[i].Met)
			assert.Equal(t, !met && i != 2, again[i].LeaveUnchanged(1))
		}
	}
}

// Invariant 5: what cannot be recorded under the owner's epoch is not recorded at all.
func TestRefusedCheckpointUndoesThePage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 20, func(o *simaltinn2.Options) { o.Broken = 0.3 })
	o := newOwner(r)
	o.MaxFailureShare = 1
	o.refuse = errors.New("fenced")
	rows := r.listed(t)
	_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.ErrorIs(t, err, o.refuse)
	for _, table := range []string{"ledger", "quarantine", "message", "message_lease where until > clock_timestamp()"} {
		assert.Zero(t, r.count(t, table), table)
	}
}

// Invariant 8: a service that fails for all burns none.
func TestSystemThatRefusesStopsThePage(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"no token": http.StatusUnauthorized, "down": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, 60)
			o := newOwner(r)
			r.faults(func(_ int, request *http.Request) (int, string) {
				if strings.Contains(request.URL.Path, "/migration/") {
					return status, "{}"
				}
				return 0, ""
			}, nil)
			rows := r.listed(t)
			ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
			require.NoError(t, err)
			assert.NotEmpty(t, ending.Waiting)
			assert.Zero(t, r.count(t, "quarantine"))
			assert.Zero(t, o.accounts.Seen)
			assert.Less(t, len(r.made()), 30, "the others would only meet the same")

			r.faults(nil, nil)
			ending, err = o.Bring(t.Context(), rows, transferOnly, o.write)
			require.NoError(t, err)
			assert.Zero(t, ending)
			assert.EqualValues(t, 60, o.accounts.Seen)
		})
	}
}

// A destination that refuses every dialog is the one to blame: no message is given up for it, and all are made available later.
func TestAllDialogsRefusedStopsThePage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 40)
	o := newOwner(r)
	rows := r.listed(t)
	_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	given := func() (given []message.Row) {
		for i := range rows {
			if rows[i].Result().Outcome == ledger.Created {
				given = append(given, message.GivenRow(rows[i].Number, rows[i].Created))
			}
		}
		return given
	}
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		return http.StatusOK, r.refusal(t, request, everyID)
	}, nil)
	p := newOwner(r)
	p.WindowID = window + 1
	refused := given()
	ending, err := p.Publish(t.Context(), refused, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Contains(t, ending.Waiting, message.ReasonDialogRefused)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Zero(t, r.count(t, "message where reason is not null"))

	r.faults(nil, nil)
	p = newOwner(r)
	p.WindowID = window + 1
	ending, err = p.Publish(t.Context(), given(), message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	r.clean(t)
}

func everyID(uuid.UUID) bool { return true }

// refusal answers as Correspondence does when Dialogporten refused some dialogs of a call; the others are made.
func (r *rig) refusal(t *testing.T, request *http.Request, isRefused func(uuid.UUID) bool) string {
	t.Helper()
	var statuses []string
	for _, id := range idsOf(t, request) {
		if isRefused(id) {
			statuses = append(statuses, fmt.Sprintf(`{"correspondenceId":%q,"dialogId":"","error":null,"ok":true}`, id))
		} else {
			statuses = append(statuses, r.availableAt(t, id))
		}
	}
	return `{"statuses":[` + strings.Join(statuses, ",") + `]}`
}

// One item's failure in a bulk answer is that item's alone, also when the call says 200.
func TestOneFailureOfABulkAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 40)
	o := newOwner(r)
	rows := r.listed(t)
	_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	bad := rows[7].Result().CorrespondenceID
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		statuses := []string{}
		for _, id := range idsOf(t, request) {
			if id == bad {
				statuses = append(statuses, fmt.Sprintf(`{"correspondenceId":%q,"dialogId":null,"error":"System.Exception: no actor","ok":false}`, id))
			} else {
				statuses = append(statuses, r.availableAt(t, id))
			}
		}
		return http.StatusOK, `{"statuses":[` + strings.Join(statuses, ",") + `]}`
	}, nil)
	p := newOwner(r)
	p.WindowID = window + 1
	var given []message.Row
	for i := range rows {
		given = append(given, message.GivenRow(rows[i].Number, rows[i].Created))
	}
	ending, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, 39, p.accounts.Created)
	assert.EqualValues(t, 1, p.accounts.Quarantined)
	assert.Equal(t, 1, r.count(t, fmt.Sprintf("quarantine where item_key = '%d' and reason = 'dialog_failed'", rows[7].Number)))
}

// What fails for a moment is tried again within the page; what keeps failing holds its owner up, until that blames it.
func TestTransientFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 40)
	o := newOwner(r)
	rows := r.listed(t)
	var mu sync.Mutex
	tries := map[string]int{}
	always := fmt.Sprintf(`"altinn2CorrespondenceId":%d,`, rows[3].Number)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			return 0, ""
		}
		body := bodyOf(t, request)
		mu.Lock()
		defer mu.Unlock()
		tries[body]++
		if tries[body] == 1 || strings.Contains(body, always) {
			return http.StatusBadGateway, ""
		}
		return 0, ""
	}, nil)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Empty(t, ending.Waiting)
	assert.NotEmpty(t, ending.Failure)
	assert.EqualValues(t, 39, o.accounts.Created)
	assert.EqualValues(t, 39, o.accounts.Seen)
	assert.NotNil(t, rows[3].Pending())
	assert.Zero(t, r.count(t, "quarantine"))

	o.Blame = func(*message.Row) bool { return true }
	ending, err = o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, 1, o.accounts.Quarantined)

	r.faults(nil, nil)
	later := newOwner(r)
	ending, err = later.Bring(t.Context(), []message.Row{message.GivenRow(rows[3].Number, time.Time{})}, message.Order{}, later.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.Zero(t, r.count(t, "quarantine"))
}

// What is an item's own fault and may go away by itself is given up by who asks once, and kept by who asks again.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"once": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, 20)
			rows := r.listed(t)
			o := newOwner(r)
			_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
			require.NoError(t, err)
			bad := rows[2].Result().CorrespondenceID
			r.faults(func(_ int, request *http.Request) (int, string) {
				if !strings.HasSuffix(request.URL.Path, callAvailable) || !slices.Contains(idsOf(t, request), bad) {
					return 0, ""
				}
				statuses := []string{}
				for _, id := range idsOf(t, request) {
					if id == bad {
						statuses = append(statuses, fmt.Sprintf(`{"correspondenceId":%q,"dialogId":null,"error":"no actor","ok":false}`, id))
					} else {
						statuses = append(statuses, r.availableAt(t, id))
					}
				}
				return http.StatusOK, `{"statuses":[` + strings.Join(statuses, ",") + `]}`
			}, nil)
			p := newOwner(r)
			p.WindowID, p.Patient = window+1, patient
			given := make([]message.Row, len(rows))
			for i := range rows {
				given[i] = message.GivenRow(rows[i].Number, rows[i].Created)
			}
			ending, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
			require.NoError(t, err)
			assert.Empty(t, ending.Waiting)
			assert.Equal(t, patient, ending.Failure != "")
			assert.Equal(t, patient, given[2].Pending() != nil)
			assert.Equal(t, !patient, r.count(t, "quarantine") == 1)
		})
	}
}

// A pause ends the page soon; what was done is recorded, and the rest is left as it was.
func TestStoppedPageRecordsWhatWasDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 60)
	o := newOwner(r)
	rows := r.listed(t)
	var calls atomic.Int32
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) && calls.Add(1) == 20 {
			o.halt()
		}
		return 0, ""
	}, nil)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	settled := len(batch.SettledRows(rows))
	assert.GreaterOrEqual(t, settled, 19)
	assert.Less(t, settled, 60)
	assert.EqualValues(t, settled, o.accounts.Seen)
	assert.Equal(t, settled, r.count(t, "ledger"))
	assert.Zero(t, r.count(t, "message_lease"))
}

func TestMalformedRecordIsQuarantinedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := newOwner(r)
	listed := altinn2.Listed{ID: 17, Created: time.Now().Add(-time.Hour), Err: errors.New("read record of message 17: no content")}
	rows := []message.Row{message.NewRow(&listed)}
	require.NoError(t, o.Recall(t.Context(), rows))
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, 1, o.accounts.Quarantined)
	rows = []message.Row{message.NewRow(&listed)}
	require.NoError(t, o.Recall(t.Context(), rows))
	_, err = o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.EqualValues(t, 1, o.accounts.Quarantined)
	assert.Equal(t, 1, r.count(t, "quarantine where attempts = 1"))
}

// A message that somebody else works on is left for later, and is nobody's fault.
func TestBusyMessageIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 5)
	rows := r.listed(t)
	_, err := r.pool.Exec(t.Context(), "insert into message_lease values ($1, $2, now() + interval '1 hour')", rows[2].Number, uuid.New())
	require.NoError(t, err)
	o := newOwner(r)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.NotEmpty(t, ending.Failure)
	assert.Empty(t, ending.Waiting)
	assert.Equal(t, 2, batch.SettledPrefix(rows))
	assert.EqualValues(t, 4, o.accounts.Seen)
	assert.Zero(t, r.count(t, "quarantine"))
}
