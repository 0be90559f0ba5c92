package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// tally is what became of the messages that Altinn 2 lists.
type tally struct {
	listed, published int
	// skipped and quarantined are by reason.
	skipped, quarantined map[string]int
}

// compareMessages lists all messages, newest first, and looks each up in the ledger, the record of messages and the quarantine.
func (d *demo) compareMessages(ctx context.Context, kept map[uuid.UUID]standing) (tally, error) {
	t := tally{skipped: map[string]int{}, quarantined: map[string]int{}}
	quarantine, err := d.quarantinedMessages(ctx)
	if err != nil {
		return t, err
	}
	client := altinn2.New(d.platform, http.DefaultClient, nil)
	query := altinn2.HistoryQuery{CreatedBefore: time.Now().Add(day), Limit: altinn2.MaxLimit}
	var wrong wrongs
	for more := true; more; {
		page, err := client.History(ctx, query)
		if err != nil {
			return t, fmt.Errorf("list messages: %w", err)
		}
		rows, err := d.messageRows(ctx, page.Items)
		if err != nil {
			return t, err
		}
		for i := range page.Items {
			item := &page.Items[i]
			t.listed++
			id := dialogid.Message(item.ID, item.Created)
			at, found := kept[id]
			delete(kept, id)
			problem := t.count(item, rows[item.ID], quarantine[item.ID], at, found)
			if problem != "" {
				wrong.tellf("message %d: %s", item.ID, problem)
			}
		}
		query.Cursor, more = page.NextCursor, page.NextCursor != ""
	}
	if int(wrong)+len(kept) > 0 {
		return t, fmt.Errorf("%d messages listed, %d wrong, %d that Altinn 2 does not list: %w", t.listed, wrong, len(kept), errDisagree)
	}
	factf("Altinn 2 and ledger", "%s messages are listed: %s published, %d left out, %d in quarantine", number(t.listed), number(t.published),
		sum(t.skipped), sum(t.quarantined))
	if len(t.skipped) > 0 {
		factf("", "left out: %s", reasons(t.skipped))
	}
	if len(t.quarantined) > 0 {
		factf("", "in quarantine: %s", reasons(t.quarantined))
	}
	return t, nil
}

// count takes a message into account, and says what is wrong with what is on record of it.
func (t *tally) count(item *altinn2.Listed, row *db.MessageRowsRow, quarantined string, at standing, found bool) string {
	gone := item.Message != nil && item.Message.Deletion == altinn2.Purged
	switch {
	case quarantined != "":
		t.quarantined[quarantined]++
		return ""
	case row == nil || !found:
		return "missing on record"
	case at.outcome == db.OutcomeSkipped:
		t.skipped[reasonOf(row)]++
		return ""
	case gone && at.state == db.DialogStateAlive:
		return "purged, but the ledger has its dialog alive"
	case gone:
		t.skipped["purged after it was brought over"]++
		return ""
	case at.outcome == db.OutcomeFailed:
		return "failed, and not in quarantine"
	case row.Stage == db.MessageStageUntransferred:
		return "not transferred, and not in quarantine"
	}
	// One that live sync has just transferred is looked at again in ten minutes. The simulator says whether it has its dialog.
	t.published++
	return ""
}

func reasonOf(row *db.MessageRowsRow) string {
	if row.Reason == nil {
		return "no reason"
	}
	return *row.Reason
}

func (d *demo) messageRows(ctx context.Context, items []altinn2.Listed) (map[int32]*db.MessageRowsRow, error) {
	numbers := make([]int32, len(items))
	for i := range items {
		numbers[i] = items[i].ID
	}
	rows, err := db.New(d.pool).MessageRows(ctx, numbers)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	byNumber := make(map[int32]*db.MessageRowsRow, len(rows))
	for i := range rows {
		byNumber[rows[i].Altinn2ID] = &rows[i]
	}
	return byNumber, nil
}

// quarantinedMessages are the reasons of messages in quarantine.
func (d *demo) quarantinedMessages(ctx context.Context) (map[int32]string, error) {
	source := ledger.A2Correspondence
	rows, err := db.New(d.pool).QuarantineList(ctx, db.QuarantineListParams{Source: &source, MaxRows: math.MaxInt32})
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", err)
	}
	reasons := map[int32]string{}
	for i := range rows {
		number, err := message.ParseKey(rows[i].ItemKey)
		if err != nil {
			return nil, fmt.Errorf("read quarantine: %w", err)
		}
		reasons[number] = rows[i].Reason
	}
	return reasons, nil
}

// brokenAs is what the simulator calls what we put messages in quarantine for.
func brokenAs(reason string) string {
	switch reason {
	case "not_published":
		return "noPublishedEvent"
	case message.ReasonAttachmentEmpty, message.ReasonAttachmentChecksum:
		return "badAttachment"
	case message.ReasonDialogFailed:
		return "unknownActor"
	case "recipient_unknown":
		return "unknownRecipient"
	}
	return reason
}

// compareHeld holds what is in quarantine to what the simulator knows to be broken.
func (t *tally) compareHeld(held map[string]int) error {
	ours := map[string]int{}
	for reason, n := range t.quarantined {
		ours[brokenAs(reason)] += n
	}
	if !maps.Equal(ours, held) {
		return fmt.Errorf("broken messages: %s; in quarantine: %s: %w", reasons(held), reasons(t.quarantined), errDisagree)
	}
	factf("broken on purpose", "%d messages (%s): those in quarantine, each for its reason", sum(held), reasons(held))
	return nil
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// reasons lists counts: "3 purged, 1 deceased".
func reasons(counts map[string]int) string {
	texts := make([]string, 0, len(counts))
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[reason], reason))
	}
	return strings.Join(texts, ", ")
}
