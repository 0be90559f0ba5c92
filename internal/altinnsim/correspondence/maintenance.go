package correspondence

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// upkeepJobs are the jobs of chapter 15.
func upkeepJobs() []string {
	return []string{
		"cleanup-orphaned-dialogs", "cleanup-perishing-dialogs", "cleanup-markdown-and-html-in-summary",
		"update-old-correspondences-with-download-all", "manual-retry-not-published-correspondences",
		"enqueue-missing-notification-sent-checks", "cleanup-bulk-fetch-statuses", "restore-soft-deleted-dialogs",
		"cleanup-confirmed-migrated-correspondences", "sync-forwarding-event", "sync-forwarding-events-batch",
	}
}

// maintain is chapter 15. Jobs start in the background. Those that leave out every item with an Altinn 2 id find nothing
// here, since nobody sends messages from Altinn 3 to the simulator.
func (s *Service) maintain(c *call) error {
	name, argument := c.r.PathValue("job"), c.r.PathValue("argument")
	if err := checkWindow(c.r, name); err != nil {
		return err
	}
	message := "Cleanup job has been Enqueued"
	id := s.mint.v4()
	work := &job{queue: queueDefault, name: name, item: id, once: true}
	switch name {
	case "cleanup-orphaned-dialogs", "cleanup-perishing-dialogs", "cleanup-markdown-and-html-in-summary",
		"update-old-correspondences-with-download-all", "manual-retry-not-published-correspondences",
		"enqueue-missing-notification-sent-checks", "cleanup-bulk-fetch-statuses":
		work.run = func(context.Context) error { return nil }
	case "restore-soft-deleted-dialogs":
		message = "Restore job has been Enqueued"
		work.run = func(context.Context) error { return nil }
	case "cleanup-confirmed-migrated-correspondences":
		work.run = s.cleanUpConfirmed
	case "sync-forwarding-event":
		work.run = func(ctx context.Context) error { return s.tellForwardingNumber(ctx, argument) }
	case "sync-forwarding-events-batch":
		count, err := strconv.Atoi(argument)
		if err != nil || count < 1 {
			return statusError(http.StatusBadRequest)
		}
		work.run = func(context.Context) error { s.fillForwardings(count); return nil }
	default:
		return statusError(http.StatusNotFound)
	}
	c.enqueue(work)
	answer.JSON(c.w, http.StatusOK, map[string]string{"jobId": id.String(), "message": message})
	return nil
}

// smallestWindow is the least that a window of a walk by created may be.
const smallestWindow = 100

// checkWindow refuses a window that is too small, in the body or in the query: the reference does not say where it stands.
// The simulator has no use for it otherwise.
func checkWindow(r *http.Request, name string) error {
	switch name {
	case "cleanup-orphaned-dialogs", "cleanup-perishing-dialogs", "cleanup-markdown-and-html-in-summary", "restore-soft-deleted-dialogs":
	default:
		return nil
	}
	const tooSmall = "The field WindowSize must be between 100 and 2147483647."
	var faults modelFaults
	if text := readParameters(r.URL.Query()).get("windowSize"); text != nil {
		if size, err := strconv.ParseInt(*text, 10, 32); err != nil {
			faults.add("WindowSize", "The value '"+*text+"' is not valid for WindowSize.")
		} else if size < smallestWindow {
			faults.add("WindowSize", tooSmall)
		}
	}
	if faults.any() {
		return invalidModel(faults)
	}
	if r.ContentLength == 0 || !answer.IsJSON(r) {
		return nil
	}
	return bindBody(r, func(o object) {
		if size := o.optionalNumber("windowSize"); size != nil && *size < smallestWindow {
			o.fail("windowSize", tooSmall)
		}
	})
}

// cleanUpConfirmed patches the dialogs of confirmed items that were migrated (P7), id descending.
func (s *Service) cleanUpConfirmed(ctx context.Context) error {
	items := s.items.all()
	slices.SortFunc(items, func(a, b *entry) int {
		x, y := a.snapshot().ID, b.snapshot().ID
		return -bytes.Compare(x[:], y[:])
	})
	for _, e := range items {
		item := e.snapshot()
		dialog, ok := item.DialogID()
		if item.Native || item.Hidden || !item.has(Confirmed) || !ok {
			continue
		}
		if err := s.patchConfirmed(ctx, item, dialog); err != nil {
			return err
		}
	}
	return nil
}

// forwardingID names a forwarding for the maintenance API: the simulator keeps no ids of rows.
func forwardingID(item uuid.UUID, number int) string {
	return item.String() + "-" + strconv.Itoa(number)
}

func (s *Service) tellForwardingNumber(ctx context.Context, id string) error {
	for _, e := range s.items.all() {
		item := e.snapshot()
		for n, f := range item.Forwardings {
			if forwardingID(item.ID, n) == id {
				return s.tellForwarding(ctx, e, f)
			}
		}
	}
	return nil
}

// fillForwardings writes the activities of forwardings that have none yet, newest first.
func (s *Service) fillForwardings(count int) {
	type missing struct {
		entry *entry
		item  Item
		at    Forwarding
	}
	var list []missing
	for _, e := range s.items.all() {
		item := e.snapshot()
		if item.Hidden {
			continue
		}
		for _, f := range item.Forwardings {
			if f.Activity == uuid.Nil {
				list = append(list, missing{e, item, f})
			}
		}
	}
	slices.SortFunc(list, func(a, b missing) int { return b.at.At.Compare(a.at.At) })
	for _, m := range list[:min(count, len(list))] {
		s.jobs.add(&job{queue: queueMigration, name: "forwarding", item: m.item.ID, run: func(ctx context.Context) error {
			return s.tellForwarding(ctx, m.entry, m.at)
		}})
	}
}
