package delivery

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
)

// act decides and writes.
func (d *Deliverer) act(ctx context.Context, r reading) (Result, error) {
	if r.refused != "" {
		return r.refusal(), nil
	}
	p := decide(facts{
		source: r.item.Source, settings: r.app.SyncSettings(), instance: r.instance, dialog: r.dialog, dialogID: r.dialogID,
	})
	if p.writeID {
		// Before anything is done to the dialog, so that attempted deliveries can be found even if the rest fails.
		if err := d.Storage.WriteDialogID(ctx, r.item.ID, r.dialogID); err != nil {
			return Result{}, fmt.Errorf("write dialog id to instance: %w", err)
		}
	}
	switch p.action {
	case purge:
		if err := d.Dialogs.Purge(ctx, r.dialogID, r.dialog.Revision, r.item.Migration); err != nil {
			return Result{}, fmt.Errorf("purge dialog: %w", err)
		}
		return r.result(ledger.Purged, ledger.DialogAbsent), nil
	case softDelete:
		silent := r.item.Migration || r.item.madeToDelete != nil && *r.item.madeToDelete
		if err := d.Dialogs.Delete(ctx, r.dialogID, r.dialog.Revision, silent); err != nil {
			return Result{}, fmt.Errorf("delete dialog: %w", err)
		}
		return r.result(ledger.Deleted, ledger.DialogDeleted), nil
	case create:
		return d.create(ctx, r, p)
	case update:
		return d.update(ctx, r, p)
	case stop:
	}
	result := r.result(p.outcome, stateOf(r.dialog))
	result.Reason = p.reason
	return result, nil
}

func (d *Deliverer) create(ctx context.Context, r reading, p plan) (Result, error) {
	input, err := d.input(ctx, r, p)
	if err != nil {
		return Result{}, err
	}
	made, err := mapping.Create(input)
	if err != nil {
		return Result{}, fmt.Errorf("map: %w", err)
	}
	silent := r.item.Migration || p.forced
	if p.forced && r.item.madeToDelete != nil {
		*r.item.madeToDelete = true
	}
	revision, err := d.Dialogs.Create(ctx, made.Body, silent)
	if err != nil {
		return Result{}, fmt.Errorf("create dialog: %w", err)
	}
	if p.thenDelete {
		if err := d.Dialogs.Delete(ctx, r.dialogID, revision, true); err != nil {
			return Result{}, fmt.Errorf("delete dialog just created: %w", err)
		}
		return r.result(ledger.Created, ledger.DialogDeleted), nil
	}
	result := r.result(ledger.Created, ledger.DialogAlive)
	result.WaitingForPDF, result.Withheld = made.WaitForPDF, len(made.Withheld)
	return result, nil
}

func (d *Deliverer) update(ctx context.Context, r reading, p plan) (Result, error) {
	outcome, revision := ledger.Unchanged, r.dialog.Revision
	var err error
	if p.restore {
		// Before the dialog is mapped (step 12): what fails there leaves a living instance with a dialog, if an old one.
		if revision, err = d.Dialogs.Restore(ctx, r.dialogID, revision, r.item.Migration); err != nil {
			return Result{}, fmt.Errorf("restore dialog: %w", err)
		}
		outcome = ledger.Restored
	}
	input, err := d.input(ctx, r, p)
	if err != nil {
		return Result{}, err
	}
	change, err := mapping.Update(input)
	if err != nil {
		return Result{}, fmt.Errorf("map: %w", err)
	}
	if !change.BodyUnchanged {
		if revision, err = d.Dialogs.Update(ctx, r.dialogID, revision, change.Body, r.item.Migration); err != nil {
			return Result{}, fmt.Errorf("update dialog: %w", err)
		}
		if !p.restore {
			outcome = ledger.Updated
		}
	}
	for _, move := range change.Moves {
		if revision, err = d.Dialogs.UpdateFormSavedTime(ctx, r.dialogID, move.ActivityID, move.At, revision); err != nil {
			return Result{}, fmt.Errorf("move time of activity %s: %w", move.ActivityID, err)
		}
		if !p.restore {
			outcome = ledger.Updated
		}
	}
	result := r.result(outcome, ledger.DialogAlive)
	result.WaitingForPDF, result.Withheld = change.WaitForPDF, len(change.Withheld)
	return result, nil
}

// input reads what else a dialog is made from: events, texts, and the party and users from Register.
func (d *Deliverer) input(ctx context.Context, r reading, p plan) (mapping.Input, error) {
	if r.app == nil {
		return mapping.Input{}, &Error{
			Reason: string(mapping.ReasonApplicationMissing), Detail: "Storage has no application " + r.instance.AppID,
		}
	}
	events, err := d.events(ctx, r)
	if err != nil {
		return mapping.Input{}, err
	}
	input := mapping.Input{
		DialogID: r.dialogID, Instance: r.instance, Events: events, Application: r.app, Existing: r.dialog, Settings: d.Settings,
		Migration: r.item.Migration, DeleteAfterCreate: p.forced, Attempt: r.item.Attempt, Now: d.Now(),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		texts, err := d.Catalog.Texts(ctx, r.appID, r.app)
		if err != nil {
			// Never go on without: built-in texts would overwrite good ones (mapping rules 20.38).
			return fmt.Errorf("read texts: %w", err)
		}
		input.Texts = mapping.NewTexts(texts...)
		return nil
	})
	group.Go(func() error { return d.people(ctx, r.instance, events, &input) })
	if err := group.Wait(); err != nil {
		return mapping.Input{}, err
	}
	return input, nil
}

func (d *Deliverer) events(ctx context.Context, r reading) ([]altinn.InstanceEvent, error) {
	events, err := d.Storage.Events(ctx, r.item.ID)
	if err != nil {
		return nil, err
	}
	if events == nil {
		return nil, &Error{Reason: ReasonEventsMissing, Retryable: true, Detail: "Storage answered 404 for the events of an instance that exists"}
	}
	return events, nil
}

// people looks up the dialog's party and the users who acted, all at once.
func (d *Deliverer) people(ctx context.Context, instance *altinn.Instance, events []altinn.InstanceEvent, input *mapping.Input) error {
	if instance.InstanceOwner == nil || instance.InstanceOwner.PartyID == "" {
		return &Error{Reason: ReasonPartyMissing, Detail: "the instance has no instanceOwner.partyId"}
	}
	owner := partyIDURN + instance.InstanceOwner.PartyID
	users := mapping.UserIDs(events)
	urns := make([]string, 0, 1+len(users))
	urns = append(urns, owner)
	for _, user := range users {
		urns = append(urns, userURN(user))
	}
	records, err := d.Register.Lookup(ctx, urns)
	if err != nil {
		return fmt.Errorf("look up party and users: %w", err)
	}
	record, found := records[owner]
	if !found {
		// No fallback to the numbers of instanceOwner, ever (Invariant 12).
		return &Error{
			Reason: string(mapping.ReasonPartyNotFound), Retryable: true,
			Detail: fmt.Sprintf("Party with id %s not found in Register: it may be minutes behind, or the party is gone",
				instance.InstanceOwner.PartyID),
		}
	}
	if input.Party, err = mapping.PartyURN(record); err != nil {
		return fmt.Errorf("party of the dialog: %w", err)
	}
	input.Actors = make(map[int64]string, len(users))
	for _, user := range users {
		record, found := records[userURN(user)]
		if !found {
			continue // mapping says what it lacks
		}
		if input.Actors[user], err = mapping.PartyURN(record); err != nil {
			return fmt.Errorf("user who acted: %w", err)
		}
	}
	return nil
}

const partyIDURN = "urn:altinn:party:id:"

func userURN(id int64) string { return fmt.Sprintf("urn:altinn:user:id:%d", id) }
