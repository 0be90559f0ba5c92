package message

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// publishChunk is how many items are made available with one call. They are made one after the other over there, so a call lasts as
// long as they do together.
const publishChunk = 50

// failedCalls is how many calls may fail one after the other before the others of a page are left for later.
const failedCalls = 5

// publish makes the items available that wait for it. What fails of one is its task's error; the error is one of the database.
func (d *Deliverer) publish(ctx context.Context, held lease, tasks []*task, h hooks) error {
	waiting := slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return !t.publish })
	size := publishChunk
	if h.last {
		size = 1 // one that fails the whole call must not fail its neighbours for ever
	}
	failed := h.failedCalls
	if failed == nil {
		failed = new(int)
	}
	for chunk := range slices.Chunk(waiting, size) {
		if *failed == failedCalls {
			for _, t := range chunk {
				t.fail(errNotBegun)
			}
			continue
		}
		begun, release := admitted(ctx, chunk, h)
		if len(begun) == 0 {
			continue
		}
		answers, err := d.makeAvailable(ctx, begun)
		release()
		if *failed++; err == nil {
			*failed = 0
		}
		for i, t := range begun {
			if err != nil {
				t.fail(err)
			} else {
				d.published(ctx, t, answers[i])
			}
			h.ended(t)
		}
	}
	return d.publishAnew(ctx, held, waiting)
}

// admitted are the messages of a chunk that may be begun: one call under way, whose messages count one by one for the rate.
func admitted(ctx context.Context, chunk []*task, h hooks) (begun []*task, release func()) {
	for i, t := range chunk {
		ok := i > 0 && h.also(ctx, t)
		if i == 0 {
			release, ok = h.begin(ctx, t)
		}
		if !ok {
			for _, left := range chunk[i+1:] {
				left.fail(errNotBegun)
			}
			return chunk[:i], release
		}
	}
	return chunk, release
}

// makeAvailable makes the call for one item or for several. Where most of them have their dialogs it is quicker than where none has, and
// the first item of a call takes longer than the others.
func (d *Deliverer) makeAvailable(ctx context.Context, chunk []*task) ([]correspondence.Availability, error) {
	const few = 10
	load := transport.Load{Kind: "many", Items: len(chunk)}
	switch {
	case len(chunk) == 1:
		load.Kind = "one"
	case len(chunk) < few:
		load.Kind = "few"
	}
	if slices.ContainsFunc(chunk, (*task).mayBeVisible) {
		load.Kind += ", visible"
	}
	ctx = transport.WithLoad(ctx, load)
	if len(chunk) == 1 {
		answer, err := d.Correspondence.MakeAvailable(ctx, chunk[0].row.correspondenceID)
		return []correspondence.Availability{answer}, err
	}
	ids := make([]uuid.UUID, len(chunk))
	for i, t := range chunk {
		ids[i] = t.row.correspondenceID
	}
	return d.Correspondence.MakeAvailableAll(ctx, ids)
}

// published judges what came of one item (17.4).
func (d *Deliverer) published(ctx context.Context, t *task, answer correspondence.Availability) {
	verdict, dialog := mapping.Judge(answer)
	switch verdict {
	case mapping.Published:
		if t.verify {
			d.verified(ctx, t, dialog)
			return
		}
		t.visible(dialog, "")
	case mapping.Refused:
		d.refused(ctx, t)
	case mapping.PurgedThere:
		t.publish, t.outcome, t.reason = false, ledger.Skipped, mapping.ReasonPurged
		t.row.stage, t.row.outcome, t.row.reason, t.row.dueAt = purged, ledger.Skipped, mapping.ReasonPurged, t.heldBack
	case mapping.UnknownThere: // publishAnew goes on
	case mapping.Later:
		t.fail(&Error{
			Reason: ReasonDialogFailed, Retryable: true, Detail: "Correspondence could not make the dialog: an actor may be unknown to the " +
				"register, or a service behind it may be down; see its log",
		})
	}
}

// visible ends a task whose message has its dialog.
func (t *task) visible(dialog uuid.UUID, reason string) {
	t.outcome, t.reason = ledger.Created, reason
	t.row.outcome, t.row.reason, t.row.dueAt = ledger.Created, reason, t.heldBack
	t.show(dialog)
}

// refused looks whether a dialog that was refused is there all the same: an earlier attempt may have died between making it and
// keeping its id, and the id is one that only this item's dialog can have (P22).
func (d *Deliverer) refused(ctx context.Context, t *task) {
	if d.Dialogs != nil {
		id := t.row.dialog(t.now)
		dialog, err := d.Dialogs.Get(ctx, id)
		if err != nil {
			t.fail(fmt.Errorf("look for a refused dialog: %w", err))
			return
		}
		if dialog != nil && t.verify {
			d.verified(ctx, t, id)
			return
		}
		if dialog != nil && !dialog.IsDeleted() {
			t.visible(id, ReasonHalfDone)
			return
		}
	}
	if t.verify {
		t.row.stage = transferred // the dialog has gone, and there will be no other
	}
	t.row.outcome, t.row.reason, t.row.dueAt = ledger.Failed, ReasonDialogRefused, t.heldBack
	t.fail(errRefused)
}

// publishAnew migrates those again that Correspondence does not know, once (17.4).
func (d *Deliverer) publishAnew(ctx context.Context, held lease, tasks []*task) error {
	for _, t := range tasks {
		if !t.publish {
			continue
		}
		if t.anew {
			t.fail(errItemLost)
			continue
		}
		if err := d.readOnce(ctx, t); err != nil {
			t.fail(err)
			continue
		}
		if d.leavesDialog(ctx, t) {
			continue
		}
		t.publish = false
		if err := d.anew(ctx, held, t, Order{Lane: History}); err != nil {
			return err
		}
		if !t.publish {
			continue
		}
		answers, err := d.makeAvailable(ctx, []*task{t})
		if err != nil {
			t.fail(err)
			continue
		}
		d.published(ctx, t, answers[0])
		if t.publish {
			t.fail(errItemLost)
		}
	}
	return nil
}
