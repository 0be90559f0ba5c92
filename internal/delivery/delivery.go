package delivery

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Item is what is to be delivered, as the sync command names it (mapping rules, chapter 1).
type Item struct {
	// Source is told by the app id when empty.
	Source ledger.Source
	ID     altinn.InstanceID
	// AppID is `org/app`; empty when the orderer does not know it. It is needed only for an instance that is gone.
	AppID string
	// Created is the instance's creation time, a part of the dialog's identity; zero when the orderer does not know it.
	Created time.Time
	// Migration: written silently, as history is (Invariant 10).
	Migration bool
	// madeToDelete remembers, over the tries of one delivery, that the dialog is made only to be deleted: then the delete is
	// silent too, also when the answer to the create was lost (mapping rules, weakness 21.6).
	madeToDelete *bool
	// Attempt counts from 1. Beyond the third, a submission is no longer held back for its PDF (mapping rules 9.3).
	Attempt int
}

// archivedForm matches app ids of forms that came from the two older platforms (Storage reference 12.1).
var archivedForm = regexp.MustCompile(`^[^/]+/a[12]-`)

// source is the item's, told by the app id where the orderer did not say.
func (i Item) source(appID string) ledger.Source {
	switch {
	case i.Source != "":
		return i.Source
	case archivedForm.MatchString(appID):
		return ledger.A2ArchivedForms
	}
	return ledger.A3AppInstances
}

// Result is what came of a delivery.
type Result struct {
	Source ledger.Source
	// Instance is the instance's own id: the party may differ from the one it was asked for with (Storage reference 4).
	Instance altinn.InstanceID
	Outcome  ledger.Outcome
	// Reason is the code of a skip.
	Reason string
	// ItemID is the item's key; DialogID differs from it only where the application chose it.
	ItemID, DialogID uuid.UUID
	State            ledger.DialogState
	// Unseen: the dialog was not looked at, so State and DialogID tell nothing.
	Unseen bool
	// SourceChanged is the lastChanged that was delivered; zero when the instance is gone.
	SourceChanged time.Time
	// A1Ref and A2Ref are the form's archive reference in the older platforms; 0: none.
	A1Ref, A2Ref int32
	// ReadAt is the database's time before the reading began.
	ReadAt time.Time
	// WaitingForPDF: all was written, but the PDF of a submission just added is not made yet.
	WaitingForPDF bool
	// Withheld is how many submissions still lack their transmission for want of a PDF: the item is to be delivered again
	// with a higher Attempt, also when nothing was changed this time (mapping rules, weakness 21.4).
	Withheld int
}

// Deliverer brings items over. It is safe for concurrent use.
type Deliverer struct {
	Storage  *storage.Client
	Catalog  *storage.Catalog
	Register *register.Client
	Dialogs  *dialogporten.Client
	Settings mapping.Settings
	// Now is the wall clock, for what a dialog may say of past and future.
	Now func() time.Time
	// ReadClock is the database's clock, which readings are dated by.
	ReadClock func(context.Context) (time.Time, error)
}

// How often an item is read again when somebody else writes its dialog, and how long between.
const (
	maxConflicts   = 5
	firstConflict  = 50 * time.Millisecond
	longestBetween = 2 * time.Second
)

// Deliver brings an item over by Invariant 3: the dialog is read first, then the source, and what is written carries the
// revision read. Where somebody else wrote in between, both are read again. With an error the result tells only the source
// and the instance, as far as they are known.
func (d *Deliverer) Deliver(ctx context.Context, item Item) (Result, error) {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstConflict), backoff.WithMaxInterval(longestBetween))
	item.madeToDelete = new(bool)
	var result Result
	attempt := func() error {
		var err error
		result, err = d.deliverOnce(ctx, item)
		if err != nil && !readAgain(err) {
			return backoff.Permanent(err)
		}
		return err
	}
	err := backoff.Retry(attempt, backoff.WithContext(backoff.WithMaxRetries(policy, maxConflicts-1), ctx))
	if err != nil {
		return result, fmt.Errorf("deliver %s: %w", item.ID, err)
	}
	return result, nil
}

// readAgain tells whether an error means that what was read is out of date: another writer was faster, or our own earlier
// write had arrived after all (Invariant 2).
func readAgain(err error) bool {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Reason == ReasonDialogIDChanged
	}
	class := transport.Classify(err)
	if class != transport.Conflict && class != transport.Gone && class != transport.NotFound {
		return false
	}
	_, fromDialogporten := errors.AsType[*dialogporten.Error](err)
	return fromDialogporten
}

// FromListing brings over an item whose instance stands in a listing, taken at listedAt by the database's clock. The
// listing is good for a create alone (Invariant 4): anything else goes the way of Deliver.
func (d *Deliverer) FromListing(ctx context.Context, item Item, listed *altinn.Instance, listedAt time.Time) (Result, error) {
	app, err := d.Catalog.Application(ctx, listed.AppID)
	if err != nil {
		return Result{}, fmt.Errorf("deliver %s: read application: %w", item.ID, err)
	}
	if app == nil || !creatable(item, listed, app) {
		return d.Deliver(ctx, item)
	}
	listing := reading{
		item: item, readAt: listedAt, app: app, appID: listed.AppID, instance: listed,
		dialogID: dialogid.V7(item.ID.GUID, item.Created),
	}
	result, err := d.act(ctx, listing)
	if err == nil {
		return result, nil
	}
	if readAgain(err) {
		return d.Deliver(ctx, item)
	}
	return Result{}, fmt.Errorf("deliver %s: %w", item.ID, err)
}

// creatable tells whether a listed instance most likely has no dialog and needs nothing but a create.
func creatable(item Item, listed *altinn.Instance, app *altinn.Application) bool {
	settings := app.SyncSettings()
	return !listed.IsSoftDeleted() && !listed.IsHardDeleted() &&
		!settings.EnableUserSuppliedDialogID && !settings.DisableSync && !settings.DisableCreate &&
		!listed.HasDataValue(dialogIDKey) && !item.Created.IsZero()
}

// deliverOnce reads everything and acts once.
func (d *Deliverer) deliverOnce(ctx context.Context, item Item) (Result, error) {
	if app, cached := d.Catalog.Cached(item.AppID); cached && !item.Created.IsZero() && app.SyncSettings().DisableSync {
		return d.skippedUnread(ctx, item)
	}
	reading, err := d.read(ctx, item)
	if err == nil {
		var result Result
		if result, err = d.act(ctx, reading); err == nil {
			return result, nil
		}
	}
	// What is known of the item, for whoever records that it failed.
	return Result{Source: reading.item.Source, Instance: reading.item.ID}, err
}

// skippedUnread is step 1: the application is known and switched off, so nothing is read.
func (d *Deliverer) skippedUnread(ctx context.Context, item Item) (Result, error) {
	readAt, err := d.ReadClock(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("read the database's clock: %w", err)
	}
	id := dialogid.V7(item.ID.GUID, item.Created)
	return Result{
		Source: item.source(item.AppID), Instance: item.ID, Unseen: true, Outcome: ledger.Skipped,
		Reason: ReasonSyncDisabled, ItemID: id, DialogID: id,
		State: ledger.DialogAbsent, ReadAt: readAt,
	}, nil
}
