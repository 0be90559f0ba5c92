package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// reading is all that was read of an item before anything is written.
type reading struct {
	item     Item
	readAt   time.Time
	dialogID uuid.UUID
	// dialog is nil when there is none; instance when it is gone for certain; app when Storage does not have it.
	dialog   *dialogporten.Dialog
	instance *altinn.Instance
	app      *altinn.Application
	// refused is set when a dialog id that the application supplied must not be used: nothing is written at all.
	refused string
}

// itemID is the ledger's key of the item.
func (r *reading) itemID() uuid.UUID { return dialogid.V7(r.item.ID.GUID, r.item.Created) }

// read reads an item's dialog, and then its source (Invariant 3).
func (d *Deliverer) read(ctx context.Context, item Item) (reading, error) {
	r := reading{item: item}
	var err error
	if r.readAt, err = d.ReadClock(ctx); err != nil {
		return r, fmt.Errorf("read the database's clock: %w", err)
	}
	if r.item.Created.IsZero() {
		if r.item.Created, err = d.findCreated(ctx, item); err != nil {
			return r, err
		}
	}
	r.dialogID = r.itemID()
	if r.dialog, err = d.Dialogs.Get(ctx, r.dialogID); err != nil {
		return r, err
	}
	if r.instance, err = d.readInstance(ctx, item.ID); err != nil {
		return r, err
	}
	appID := item.AppID
	if r.instance != nil {
		appID = r.instance.AppID
	}
	r.item.Source = item.source(appID)
	if appID != "" {
		if r.app, err = d.Catalog.Application(ctx, appID); err != nil {
			return r, fmt.Errorf("read application: %w", err)
		}
	}
	if r.app.SyncSettings().EnableUserSuppliedDialogID {
		return d.readUserSupplied(ctx, r)
	}
	return r, nil
}

// readInstance gives nil when Storage says in so many words that the instance is gone (Invariant 11).
func (d *Deliverer) readInstance(ctx context.Context, id altinn.InstanceID) (*altinn.Instance, error) {
	instance, err := d.Storage.GetInstance(ctx, id)
	if errors.Is(err, storage.ErrInstanceGone) {
		return nil, nil //nolint:nilnil // Gone is an answer here, not an error.
	}
	if err != nil {
		return nil, err
	}
	return instance, nil
}

// findCreated learns when an instance was created, which the id of its dialog is made from, if the orderer could not tell:
// from the instance, or when that is gone from the dialog that carries its label.
func (d *Deliverer) findCreated(ctx context.Context, item Item) (time.Time, error) {
	instance, err := d.readInstance(ctx, item.ID)
	if err != nil {
		return time.Time{}, err
	}
	if instance != nil {
		if instance.Created == nil {
			return time.Time{}, &Error{Reason: ReasonCreatedMissing, Detail: "Storage's instance has no creation time"}
		}
		return instance.Created.Time, nil
	}
	labelled, err := d.labelled(ctx, item.ID)
	if err != nil {
		return time.Time{}, err
	}
	if len(labelled) != 1 {
		return time.Time{}, &Error{
			Reason: ReasonCreatedUnknown,
			Detail: fmt.Sprintf("the instance is gone and %d dialogs carry its label: name its creation time with --created", len(labelled)),
		}
	}
	return dialogid.Time(labelled[0]), nil
}

// labelled finds the dialogs that carry an instance's label, by id. Two are enough to know that it is not one.
func (d *Deliverer) labelled(ctx context.Context, id altinn.InstanceID) ([]uuid.UUID, error) {
	page, err := d.Dialogs.SearchByLabel(ctx, mapping.StorageLabel(id.String()))
	if err != nil {
		return nil, fmt.Errorf("search dialogs by label: %w", err)
	}
	ids := make([]uuid.UUID, 0, len(page.Items))
	for i := range page.Items {
		ids = append(ids, page.Items[i].ID)
	}
	return ids, nil
}

// readUserSupplied replaces the derived dialog by the one whose id the application chose (mapping rules 2.3). Its id is
// known from the instance only, so the instance is read once more behind the dialog (Invariant 3).
func (d *Deliverer) readUserSupplied(ctx context.Context, r reading) (reading, error) {
	if r.instance == nil {
		return d.readUserSuppliedOfGone(ctx, r)
	}
	value, found := r.instance.DataValues[dialogIDKey]
	if !found {
		return r, &Error{
			Reason: ReasonUserSuppliedMissing, Retryable: true,
			Detail: "the application supplies dialog ids, and the instance has none yet in its data value dialog.id",
		}
	}
	id, valid := mapping.UserSuppliedDialogID(value, d.Now())
	if !valid {
		r.refused = ReasonInvalidDialogID
		return r, nil
	}
	var err error
	if r.dialog, err = d.Dialogs.Get(ctx, id); err != nil {
		return r, fmt.Errorf("read dialog of user-supplied id: %w", err)
	}
	r.dialogID = id
	if r.dialog != nil && carriesForeignLabel(r.dialog, r.instance.ID) {
		r.refused = ReasonForeignDialog
		return r, nil
	}
	again, err := d.readInstance(ctx, r.item.ID)
	if err != nil {
		return r, err
	}
	if again == nil || again.DataValues[dialogIDKey] != value {
		return r, &Error{Reason: ReasonDialogIDChanged, Retryable: true, Detail: "the instance's dialog id changed while it was read"}
	}
	r.instance = again
	return r, nil
}

// readUserSuppliedOfGone finds the dialog of an instance that is gone by its label. The dialog found is the one to purge,
// under its own id (mapping rules, weakness 21.5).
func (d *Deliverer) readUserSuppliedOfGone(ctx context.Context, r reading) (reading, error) {
	labelled, err := d.labelled(ctx, r.item.ID)
	if err != nil {
		return r, err
	}
	if len(labelled) != 1 {
		r.refused = ReasonNoSingleDialog
		return r, nil
	}
	r.dialogID = labelled[0]
	if r.dialog, err = d.Dialogs.Get(ctx, r.dialogID); err != nil {
		return r, fmt.Errorf("read dialog found by label: %w", err)
	}
	return r, nil
}

// carriesForeignLabel tells whether a dialog is labelled as another instance's.
func carriesForeignLabel(dialog *dialogporten.Dialog, instanceID string) bool {
	own := strings.ToLower(mapping.StorageLabel(instanceID))
	for _, label := range dialog.ServiceOwnerContext.ServiceOwnerLabels {
		if strings.HasPrefix(label.Value, mapping.StorageLabelPrefix) && label.Value != own {
			return true
		}
	}
	return false
}

// refusal is the result of a reading that must not lead to a write.
func (r *reading) refusal() Result {
	result := r.result(ledger.Skipped, stateOf(r.dialog))
	result.Reason = r.refused
	return result
}

// result fills in what is the same for every outcome.
func (r *reading) result(outcome ledger.Outcome, state ledger.DialogState) Result {
	result := Result{Source: r.item.Source, Outcome: outcome, ItemID: r.itemID(), DialogID: r.dialogID, State: state, ReadAt: r.readAt}
	if r.instance != nil && r.instance.LastChanged != nil {
		result.SourceChanged = r.instance.LastChanged.UTC().Truncate(time.Microsecond)
	}
	return result
}
