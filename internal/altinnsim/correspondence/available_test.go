package correspondence_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

func TestAvailable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(nil)
	want := object{"correspondenceId": itemID, "dialogId": dialogID, "error": nil, "ok": true}
	// One comes before several; createEvents and asyncProcessing count in batch mode alone.
	status := b.available(object{
		"correspondenceId": itemID, "correspondenceIds": list{stranger}, "batchSize": 1, "createEvents": true, "asyncProcessing": true,
	})
	assert.Equal(t, []object{want}, status)
	creation := b.calls(altinnsim.ServiceDialogporten)[0]
	assert.Equal(t, object{"IsSilentUpdate": "true"}, creation.Query)
	assert.False(t, b.item().Hidden)
	assert.Equal(t, []correspondence.Reference{{Kind: correspondence.ReferenceDialog, Value: dialogID}}, b.item().References)
	// Again: known, without a call.
	assert.Equal(t, []object{want}, b.available(object{"correspondenceIds": list{itemID}, "batchSize": 5}))
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), 1)
	assert.Empty(t, b.available(object{}))
	assert.Empty(t, b.available(object{"correspondenceIds": list{}, "batchSize": 0}))
	b.post(correspondence.PathAvailable, `{"correspondenceId":"x"}`).is(400)
}

func TestAvailableFails(t *testing.T) {
	t.Parallel()
	read := func(party string) list {
		return list{object{"status": "Read", "at": "2025-07-01T08:00:00Z", "partyUuid": party}}
	}
	rule := func(status int) []faults.Rule {
		return []faults.Rule{{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectStatus, Status: status}}
	}
	for name, test := range map[string]struct {
		changes object
		rules   []faults.Rule
		error   string // "": ok with an empty dialog id
		calls   int
	}{
		"refused with 400":      {rules: rule(400), calls: 1},
		"refused with 422":      {rules: rule(422), calls: 1},
		"refused by the rules":  {changes: object{"sendersReference": strings.Repeat("r", 256)}, calls: 1},
		"tags of two cases":     {changes: object{"propertyList": object{"a": "Haster", "b": "HASTER"}}, calls: 1},
		"http reply":            {changes: object{"replyOptions": list{object{"linkURL": "http://example.no"}}}, calls: 1},
		"empty reply text":      {changes: object{"replyOptions": list{object{"linkURL": "https://example.no", "linkText": ""}}}, calls: 1},
		"event ahead":           {changes: object{"statuses": list{object{"status": "Read", "at": "2026-01-15T13:00:00Z", "partyUuid": kari}}}, calls: 1},
		"process that is none":  {changes: object{"externalReferences": list{reference(4, "no uri")}}, calls: 1},
		"unknown resource":      {changes: object{"resourceId": "who-knows"}, calls: 1},
		"forbidden":             {rules: rule(403), error: "403", calls: 1},
		"down, tried four time": {rules: rule(503), error: "503", calls: 4},
		"throttled":             {rules: rule(429), error: "429", calls: 4},
		"unknown reader":        {changes: object{"statuses": read(stranger)}, error: stranger},
		"reader without a URN":  {changes: object{"statuses": read(robot)}, error: robot},
		"recipient unknown":     {changes: object{"recipient": "urn:altinn:party:uuid:" + stranger}, error: "user name"},
		"recipient, no user":    {changes: object{"recipient": "urn:altinn:party:uuid:" + kari}, error: "user name"},
		"purged": {
			changes: object{"statuses": list{object{"status": 7, "at": "2025-07-01T08:00:00Z", "partyUuid": kari}}},
			error:   "is purged and cannot be made available",
		},
		"register down": {
			changes: object{"statuses": read(kari)}, error: "502",
			rules: []faults.Rule{{Service: "register", Effect: faults.EffectStatus, Status: 502}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.fault(test.rules...)
			b.put(test.changes)
			status := b.available(object{"correspondenceId": itemID})[0]
			assert.Equal(t, test.error == "", status["ok"], status)
			if test.error == "" {
				assert.Empty(t, status["dialogId"])
				assert.NotNil(t, status["dialogId"])
				assert.Nil(t, status["error"])
			} else {
				assert.Nil(t, status["dialogId"])
				assert.Contains(t, status["error"], test.error)
			}
			assert.True(t, b.item().Hidden)
			assert.Len(t, b.calls(altinnsim.ServiceDialogporten), test.calls)
		})
	}
	b := newBench(t)
	statuses := b.available(object{"correspondenceIds": list{stranger, kari}})
	require.Len(t, statuses, 2)
	assert.Contains(t, statuses[1]["error"], "not found")
}

// An existing reference is answered, and a hidden item stays hidden for good.
func TestReferenceHides(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	item := b.migrate(object{"correspondence.externalReferences": list{reference("DialogportenDialogId", dialogID)}})
	status := b.available(object{"correspondenceId": item.ID})[0]
	assert.Equal(t, dialogID, status["dialogId"])
	assert.True(t, b.item().Hidden)
	assert.Empty(t, b.calls(altinnsim.ServiceDialogporten))
}

// A process that dies between dialog and reference leaves an item that looks refused ever after.
func TestHalfDone(t *testing.T) {
	t.Parallel()
	t.Run("within the call", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.put(nil)
		b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceJobs, Path: "keep-reference", Effect: faults.EffectReset})
		_, err := b.send(http.MethodPost, correspondence.PathAvailable, "application/json", strings.NewReader(`{"correspondenceId":"`+itemID+`"}`))
		require.Error(t, err)
		b.fault()
		status := b.available(object{"correspondenceId": itemID})[0]
		assert.Equal(t, true, status["ok"])
		assert.Empty(t, status["dialogId"])
		assert.True(t, b.item().Hidden)
		_, there := b.Dialogporten.Dialog(correspondence.DialogID(b.item().ID, b.item().Created, now()))
		assert.True(t, there)
	})
	t.Run("in the job", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceJobs, Path: "keep-reference", Effect: faults.EffectReset, Count: 1})
		b.migrate(object{"makeAvailable": true})
		b.idle()
		assert.True(t, b.item().Hidden)
		assert.Equal(t, []string{"POST dialogs", "POST dialogs"}, b.told())
		assert.Empty(t, b.Correspondence.DeadLetters())
	})
	t.Run("a lost answer", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.put(nil)
		b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectResetAfter, Count: 1})
		status := b.available(object{"correspondenceId": itemID})[0]
		assert.Equal(t, true, status["ok"])
		assert.Empty(t, status["dialogId"], "the HTTP layer repeats, and is told that the dialog is there")
	})
}

// putMany puts hidden items in place; created is minutes after now()-1h.
func (b *bench) putMany(created ...int) []string {
	b.t.Helper()
	var ids []string
	var raws []json.RawMessage
	for n, minutes := range created {
		id := fmt.Sprintf("019ba6eb-587b-7abc-8def-%012d", n+1)
		ids = append(ids, id)
		raws = append(raws, raw(b.t, object{
			"correspondenceId": id, "altinn2CorrespondenceId": 100 + n, "resourceId": "skd-migratedcorrespondence-3476-130314", "title": "T",
			"sender": senderURN, "recipient": companyURN, "isMigrating": true, "created": now().Add(-time.Hour + time.Duration(minutes)*time.Minute),
		}))
	}
	require.NoError(b.t, b.Correspondence.Put(raws))
	return ids
}

func idsOf(statuses []object) []string {
	var out []string
	for _, s := range statuses {
		out = append(out, fmt.Sprint(s["correspondenceId"]))
	}
	return out
}

func TestBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.putMany(5, 7, 7, 3, 9, 7)
	at := func(minutes int) string {
		return now().Add(-time.Hour + time.Duration(minutes)*time.Minute).Format(time.RFC3339)
	}
	b.post(correspondence.PathAvailable, object{"batchSize": 1}).is(500)
	b.post(correspondence.PathAvailable, object{"batchSize": 1, "asyncProcessing": true}).is(500)
	// Newest first, then ids ascending; from is included and to is not.
	first := b.available(object{"batchSize": 3, "createdFrom": at(3), "createdTo": at(9), "createEvents": true})
	assert.Equal(t, []string{ids[1], ids[2], ids[5]}, idsOf(first))
	rest := b.available(object{"batchSize": 9, "createdFrom": at(3), "createdTo": at(9)})
	assert.Equal(t, []string{ids[0], ids[3]}, idsOf(rest), "what was done is not hidden any more")
	assert.Equal(t, []string{ids[4]}, idsOf(b.available(object{"batchSize": 9, "createdTo": at(10)})))
	silent := func(key string) any {
		for _, e := range b.Story(key) {
			if e.Service == altinnsim.ServiceDialogporten {
				return e.Query["IsSilentUpdate"]
			}
		}
		return "no call"
	}
	assert.Nil(t, silent("101"), "createEvents counts in batch mode")
	assert.Equal(t, "true", silent("100"))
}

func TestAsynchronousBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := make([]int, 2100)
	for i := range created {
		created[i] = i % 7
	}
	b.putMany(created...)
	b.Correspondence.Hold()
	assert.Empty(t, b.available(object{"batchSize": 2050, "createdTo": now(), "asyncProcessing": true}))
	counts := b.Correspondence.Jobs()
	assert.Equal(t, 999, counts.Queued["migration"], "the first chunk is queued within the call")
	assert.Equal(t, 1, counts.Queued["live-migration"])
	b.Correspondence.Release()
	b.idle()
	done := 0
	b.Correspondence.Each(func(i correspondence.Item) bool {
		if !i.Hidden {
			done++
		}
		return true
	})
	assert.Equal(t, 2050, done)
	// Refused and purged ones are not walked into twice, and an empty window is no fault.
	assert.Empty(t, b.available(object{"batchSize": 5, "createdTo": now().Add(-48 * time.Hour), "asyncProcessing": true}))
}

func TestJobsAreRepeatedAndGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectStatus, Status: 503})
	b.migrate(object{"makeAvailable": true})
	b.idle()
	for range 10 {
		require.Equal(t, 1, b.Correspondence.RunScheduled())
		b.idle()
	}
	assert.Zero(t, b.Correspondence.RunScheduled())
	dead := b.Correspondence.DeadLetters()
	require.Len(t, dead, 1)
	assert.Equal(t, "create-dialog", dead[0].Name)
	assert.Contains(t, dead[0].Error, "503")
	assert.True(t, b.item().Hidden)
}
