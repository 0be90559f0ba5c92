package correspondence_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

func TestItemAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replies := list{}
	for range 4 {
		replies = append(replies, object{"linkURL": "https://example.no", "linkText": "Svar"})
	}
	b.put(object{"replyOptions": replies, "body": `<p>Hei <a href="/x">her</a></p>`, "language": "nn"})
	const items = correspondence.Prefix + "/correspondence"
	const query = items + "?resourceId=skd-migratedcorrespondence-3476-130314&altinn2CorrespondenceId=30088189&role=Recipient"
	for _, path := range []string{"", "/details", "/content"} {
		assert.InDelta(t, 1001, b.get(items + "/" + itemID + path).is(404).object()["errorCode"], 0, "hidden")
	}
	assert.Equal(t, list{}, b.get(query).is(200).object()["ids"])

	b.available(object{"correspondenceId": itemID})
	assert.Equal(t, list{itemID}, b.get(query).is(200).object()["ids"])
	assert.Equal(t, list{itemID}, b.get(items + "?RESOURCEID=skd-migratedcorrespondence-3476-130314").is(200).object()["ids"])
	b.get(items).is(400)
	// Paths may have any case, and end with a slash.
	for _, path := range []string{"/Correspondence/", "/CORRESPONDENCE/" + strings.ToUpper(itemID) + "/Details", "/correspondence/" + itemID + "/CONTENT/"} {
		b.get(correspondence.Prefix + path + "?resourceId=skd-migratedcorrespondence-3476-130314").is(200)
	}
	overview := b.get(items + "/" + itemID).is(200).object()
	assert.InDelta(t, number, overview["altinn2CorrespondenceId"], 0)
	assert.Equal(t, "Published", overview["status"])
	due, there := overview["dueDateTime"]
	assert.True(t, there && due == nil, "null is written out")
	assert.Len(t, b.get(items + "/" + itemID + "/details").is(200).object()["statusHistory"], 1)
	assert.Equal(t, "Hei [her](https://altinn.no/x)\n\nSvarval:\n\nSvar https://example.no\n\nSvar https://example.no\n\nSvar https://example.no\n\n"+
		"Svar https://example.no", string(b.get(items+"/"+itemID+"/content").is(200).body))

	// An archived and then purged item looks archived by its highest status; it is gone all the same.
	b.sync(event(9, eight, kari), event(7, nine, kari)).is(200)
	b.get(items + "/" + itemID).is(404)
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(object{"isConfirmationNeeded": true})
	const upkeep = correspondence.Prefix + "/maintenance/"
	// The confirmation arrives while Dialogporten refuses patches; the clean-up does it afterwards.
	b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Method: http.MethodPatch, Effect: faults.EffectStatus, Status: 400})
	b.sync(event(6, eight, kari)).is(200)
	b.fault()
	b.post(upkeep+"cleanup-confirmed-migrated-correspondences", "{}").is(200)
	b.idle()
	assert.Equal(t, []string{"GET dialog", "PATCH dialog", "GET dialog", "PATCH dialog"}, b.since(1))

	// A refused forwarding has an id and is never tried again; one whose target was not known then is.
	b.post(correspondence.PathForwarding, object{
		"correspondenceId": itemID, "syncedForwardingEvents": list{forwarding(object{"forwardedToUserUuid": stranger})},
	}).is(200)
	b.idle()
	n := len(b.calls(altinnsim.ServiceDialogporten))
	b.post(upkeep+"sync-forwarding-events-batch/10", "").is(200)
	b.idle()
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), n)
	b.Register.Reset()
	require.NoError(t, b.Register.Put(registered(t)))
	b.post(upkeep+"sync-forwarding-events-batch/10", "").is(200)
	b.idle()
	b.idle()
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), n+1)

	for _, job := range []string{"cleanup-orphaned-dialogs", "cleanup-perishing-dialogs", "cleanup-markdown-and-html-in-summary"} {
		assert.Equal(t, "Cleanup job has been Enqueued", b.post(upkeep+job, "").is(200).object()["message"])
	}
	assert.Equal(t, "Restore job has been Enqueued", b.post(upkeep+"restore-soft-deleted-dialogs", "").is(200).object()["message"])
	for query, body := range map[string]string{"": `{"windowSize":99}`, "?WindowSize=99": "", "?windowSize=many": ""} {
		problem := b.post(upkeep+"restore-soft-deleted-dialogs"+query, body).is(400).object()
		assert.NotNil(t, walk(problem, "errors.WindowSize"), problem)
	}
	b.post(correspondence.Prefix+"/Maintenance/Restore-Soft-Deleted-Dialogs/?windowSize=100", `{"windowSize":100}`).is(200)
	b.idle()
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), n+1, "they leave out what came from Altinn 2")
	b.post(upkeep+"nothing", "").is(404)
	b.post(upkeep+"sync-forwarding-events-batch/x", "").is(400)
}
