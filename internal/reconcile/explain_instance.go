package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// olderPlatform matches app ids of forms that came from the two older platforms (Storage reference 12.1).
var olderPlatform = regexp.MustCompile(`^[^/]+/a([12])-`)

// Instance explains an app instance or an archived form. appID and created are what the operator knows of one that is gone; either
// may be zero. An error is one of the database; what else cannot be read is told in the explanation.
func (x *Explainer) Instance(ctx context.Context, id altinn.InstanceID, appID string, created time.Time) (*Explanation, error) {
	e, err := x.begin(ctx, id.String())
	if err != nil {
		return nil, err
	}
	item := delivery.Item{ID: id, AppID: appID, Created: created, Attempt: mapping.MaxPDFWaitAttempts + 1}
	instance := x.readInstance(ctx, e, &item)
	if err := x.readInstanceRecords(ctx, e, &item); err != nil {
		return nil, fmt.Errorf("explain %s: %w", e.Item, err)
	}
	x.readApplication(ctx, e, item.AppID, instance)
	x.readDialog(ctx, e, x.Instances.Dialogs)
	if err := x.readStreams(ctx, e, e.Origin.Org, e.Origin.Org, e.Origin.Changed); err != nil {
		return nil, fmt.Errorf("explain %s: %w", e.Item, err)
	}
	if e.Known() && e.Complete() {
		x.rehearseInstance(ctx, e, item)
	}
	e.Verdict = Judge(e)
	return e, nil
}

// readInstance reads the source, and completes what is known of the item; nil when there is nothing to be read.
func (x *Explainer) readInstance(ctx context.Context, e *Explanation, item *delivery.Item) *altinn.Instance {
	e.Origin.System = "Storage"
	instance, err := x.Instances.Storage.GetInstance(ctx, item.ID)
	switch {
	case errors.Is(err, storage.ErrInstanceGone):
		e.Origin.State = OriginGone
		return nil
	case err != nil:
		e.Origin.State, e.Origin.Problem = OriginUnreadable, telemetry.Redact(err.Error())
		return nil
	}
	o := &e.Origin
	o.State, o.AppID, o.Archived = OriginExists, instance.AppID, instance.IsArchived()
	o.Org, _, _ = cutApp(instance.AppID)
	if instance.Org != "" {
		o.Org = instance.Org
	}
	if instance.IsSoftDeleted() {
		o.State = OriginSoftDeleted
	}
	if instance.IsHardDeleted() {
		o.State = OriginPurged
	}
	if own, err := instance.InstanceID(); err == nil && own != item.ID {
		o.Key, item.ID = own.String(), own
	}
	if instance.Created != nil {
		o.Created = instance.Created.UTC()
		item.Created = instance.Created.Time
	}
	if instance.LastChanged != nil {
		o.Changed = instance.LastChanged.UTC().Truncate(time.Microsecond)
	}
	item.AppID = cmp.Or(instance.AppID, item.AppID)
	return instance
}

// readInstanceRecords reads what the database knows. Where Storage cannot tell the creation time, which ledger and dialog are keyed
// by, quarantine, inbox or the dialog's label may.
func (x *Explainer) readInstanceRecords(ctx context.Context, e *Explanation, item *delivery.Item) error {
	rows, err := x.readQuarantine(ctx, e, e.Item, item.ID.String())
	if err != nil {
		return err
	}
	for i := range rows {
		item.AppID = cmp.Or(item.AppID, orZero(rows[i].AppID))
		if item.Created.IsZero() {
			item.Created = orZero(rows[i].InstanceCreated)
		}
	}
	events, err := db.New(x.Pool).ExplainInbox(ctx, item.ID.GUID)
	if err != nil {
		return fmt.Errorf("look up the inbox: %w", err)
	}
	if events.Events > 0 {
		e.Inbox = &InboxFacts{
			Events: events.Events, Parked: events.Parked, Oldest: events.ReceivedAt.UTC(), DueAt: events.DueAt.UTC(),
			Attempts: events.Attempt, Failure: telemetry.Redact(events.Failure),
		}
		item.AppID = cmp.Or(item.AppID, events.AppID)
		if item.Created.IsZero() && events.Created.Year() > 1 {
			item.Created = events.Created
		}
	}
	if item.Created.IsZero() {
		x.readLabelled(ctx, e, item)
	}
	if !item.Created.IsZero() {
		e.ItemID = dialogid.V7(item.ID.GUID, item.Created)
		e.Dialog.ID = e.ItemID
	}
	if item.AppID != "" {
		e.Source = ledger.A3AppInstances
		e.Origin.MainVersion = 3
		if match := olderPlatform.FindStringSubmatch(item.AppID); match != nil {
			e.Source = ledger.A2ArchivedForms
			e.Origin.MainVersion = int(match[1][0] - '0')
		}
		if e.Origin.AppID == "" {
			e.Origin.AppID = item.AppID
			e.Origin.Org, _, _ = cutApp(item.AppID)
		}
	} else if len(e.Quarantine) > 0 {
		e.Source = e.Quarantine[0].Source
	}
	return x.readLedger(ctx, e)
}

// readLabelled learns the creation time from the one dialog that carries the instance's label.
func (x *Explainer) readLabelled(ctx context.Context, e *Explanation, item *delivery.Item) {
	page, err := x.Instances.Dialogs.SearchByLabel(ctx, mapping.StorageLabel(item.ID.String()))
	switch {
	case err != nil:
		e.Dialog.Problem = telemetry.Redact(err.Error())
	case len(page.Items) == 1:
		e.Dialog.ID = page.Items[0].ID
		if created := dialogid.Time(e.Dialog.ID); dialogid.V7(item.ID.GUID, created) == e.Dialog.ID {
			item.Created = created
		}
	}
}

// readApplication tells the application's switches, and the dialog that it chose itself.
func (x *Explainer) readApplication(ctx context.Context, e *Explanation, appID string, instance *altinn.Instance) {
	if appID == "" {
		return
	}
	app, err := x.Instances.Catalog.Application(ctx, appID)
	if err != nil || app == nil {
		return // the rehearsed delivery says what it lacks
	}
	settings := app.SyncSettings()
	for _, s := range []struct {
		on   bool
		name string
	}{
		{settings.DisableSync, "disableSync"},
		{settings.DisableCreate, "disableCreate"},
		{settings.DisableDelete, "disableDelete"},
		{settings.EnableUserSuppliedDialogID, "enableUserSuppliedDialogId"},
	} {
		if s.on {
			e.Origin.Switches = append(e.Origin.Switches, s.name)
		}
	}
	if settings.EnableUserSuppliedDialogID && instance != nil {
		e.Dialog.ID = uuid.Nil
		if id, valid := mapping.UserSuppliedDialogID(instance.DataValues["dialog.id"], x.Now()); valid {
			e.Dialog.ID = id
		}
	}
}

// rehearseInstance delivers by clients that send nothing that changes something.
func (x *Explainer) rehearseInstance(ctx context.Context, e *Explanation, item delivery.Item) {
	result, err := x.Instances.Deliver(ctx, item)
	if err == nil {
		e.would(result.Outcome, result.Reason, nil)
		return
	}
	failure := delivery.Describe(err)
	e.would("", "", &failure)
}

// cutApp takes an app id apart: `org/app`.
func cutApp(appID string) (org, app string, ok bool) { return strings.Cut(appID, "/") }
