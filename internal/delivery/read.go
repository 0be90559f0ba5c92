package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
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
	// appID is what the instance calls its application, or else the orderer.
	appID string
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
	if err := d.readApplication(ctx, &r); err != nil {
		return r, err
	}
	if r.app.SyncSettings().EnableUserSuppliedDialogID {
		return d.readUserSupplied(ctx, r)
	}
	return r, nil
}

// readApplication reads the application, whose switches say what may be done. That of an instance which is gone is named by
// the orderer or, failing that, by the dialog: a purge must not happen because nobody asked (Invariant 11).
func (d *Deliverer) readApplication(ctx context.Context, r *reading) error {
	appID := r.item.AppID
	switch {
	case r.instance != nil:
		appID = cmp.Or(r.instance.AppID, appID)
		own, err := r.instance.InstanceID()
		if err != nil {
			return err
		}
		r.item.ID = own
	case appID == "" && r.dialog != nil:
		if appID = appOfResource(r.dialog.ServiceResource); appID == "" {
			return &Error{
				Reason: ReasonAppUnknown,
				Detail: "the instance is gone and nobody says which application it was of: name it with --app-id",
			}
		}
	case appID == "":
		return d.readUnnamed(ctx, r)
	}
	r.appID = appID
	told := Item{}.source(appID)
	if r.item.Source != "" && r.item.Source != told {
		return &Error{Reason: ReasonOtherSource, Detail: fmt.Sprintf("it is an item of %s, not of %s", told, r.item.Source)}
	}
	r.item.Source = told
	var err error
	if r.app, err = d.Catalog.Application(ctx, appID); err != nil {
		return fmt.Errorf("read application: %w", err)
	}
	return nil
}

// readUnnamed is for an instance that is gone and has no dialog of its derived id, of an application that nobody names: there is
// nothing to decide, unless a dialog whose id the application chose carries its label.
func (d *Deliverer) readUnnamed(ctx context.Context, r *reading) error {
	r.item.Source = r.item.source("")
	labelled, err := d.labelled(ctx, r.item.ID)
	if err != nil {
		return err
	}
	if len(labelled) > 0 {
		return &Error{
			Reason: ReasonAppUnknown, Detail: "the instance is gone, but a dialog carries its label: name its application with --app-id",
		}
	}
	return nil
}

// appOfResource is the app id `org/app` of a service resource `urn:altinn:resource:app_{org}_{app}`; empty for another kind.
// Codes of organisations hold no underscore.
func appOfResource(resource string) string {
	rest, isApp := strings.CutPrefix(resource, "urn:altinn:resource:app_")
	org, app, found := strings.Cut(rest, "_")
	if !isApp || !found || org == "" || app == "" {
		return ""
	}
	return org + "/" + app
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
			Reason: ReasonCreatedUnknown, NothingThere: len(labelled) == 0,
			Detail: fmt.Sprintf("the instance is gone and %d dialogs carry its label: name its creation time with --created", len(labelled)),
		}
	}
	created := dialogid.Time(labelled[0])
	if dialogid.V7(item.ID.GUID, created) != labelled[0] {
		return time.Time{}, &Error{
			Reason: ReasonCreatedUnknown,
			Detail: "the instance is gone and its dialog's id was chosen by the application: name its creation time with --created",
		}
	}
	return created, nil
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

// refusal is the result of a reading that must not lead to a write. A dialog that belongs to another instance, or to nobody
// that can be told, is not the item's.
func (r *reading) refusal() Result {
	result := r.result(ledger.Skipped, ledger.DialogAbsent)
	result.Reason, result.DialogID = r.refused, r.itemID()
	if r.dialog != nil && r.dialog.ID == r.itemID() {
		result.State = stateOf(r.dialog)
	}
	return result
}

// result fills in what is the same for every outcome.
func (r *reading) result(outcome ledger.Outcome, state ledger.DialogState) Result {
	result := Result{
		Source: r.item.Source, Instance: r.item.ID, Outcome: outcome, ItemID: r.itemID(), DialogID: r.dialogID, State: state, ReadAt: r.readAt,
	}
	if r.instance != nil && r.instance.LastChanged != nil {
		result.SourceChanged = r.instance.LastChanged.UTC().Truncate(time.Microsecond)
	}
	if r.instance != nil {
		result.A1Ref, result.A2Ref = ArchiveRefs(r.instance)
	}
	return result
}

// ArchiveRefs are a form's numbers in the archives of Altinn 1 and Altinn 2; 0: it has none.
func ArchiveRefs(instance *altinn.Instance) (a1, a2 int32) {
	return archiveRef(instance, "A1ArchRef"), archiveRef(instance, "A2ArchRef")
}

// archiveRef is a form's number in the archive of an older platform, kept as text (Storage reference 12.1); 0 when it has none.
func archiveRef(instance *altinn.Instance, key string) int32 {
	n, err := strconv.ParseInt(strings.TrimSpace(instance.DataValues[key]), 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}
