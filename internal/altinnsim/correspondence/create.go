package correspondence

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// outcome of making an item available.
type outcome struct {
	dialogID string // "": Dialogporten refused
}

var errNotFound = errors.New("not found")

// createDialog is what happens to one item (6.1). Its dialog id is empty when Dialogporten refused: that is no error, and
// the item stays hidden.
func (s *Service) createDialog(ctx context.Context, id uuid.UUID, silent bool) (outcome, error) {
	e := s.items.get(id)
	if e == nil {
		return outcome{}, fmt.Errorf("correspondence %s: %w", id, errNotFound)
	}
	if err := s.step(ctx, "create-dialog", id); err != nil {
		return outcome{}, err
	}
	item := e.snapshot()
	if dialog, ok := item.DialogID(); ok {
		return outcome{dialog}, nil
	}
	if item.Purged() {
		return outcome{}, fmt.Errorf("correspondence %s is purged and cannot be made available", id)
	}
	body, err := s.mapDialog(ctx, e, item)
	if err != nil {
		return outcome{}, err
	}
	query := ""
	if silent {
		query = "IsSilentUpdate=true"
	}
	r, err := s.send(ctx, item, http.MethodPost, dialogsPath, query, body, typeJSON)
	switch {
	case err != nil:
		return outcome{}, err
	case r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity:
		// Even when the dialog is there already: this path takes that for a refusal too.
		return outcome{}, nil
	case !r.ok():
		return outcome{}, refusal{http.MethodPost, dialogsPath, r}
	}
	if err := s.step(ctx, "keep-reference", id); err != nil {
		return outcome{}, err
	}
	dialog := strings.ToLower(strings.Trim(string(r.body), "\" \n"))
	e.change(func(i *Item) {
		if _, ok := i.DialogID(); !ok {
			i.withReference(Reference{ReferenceDialog, dialog})
		}
		i.Hidden = false
	})
	return outcome{dialog}, nil
}

// mapDialog makes ids for what has fixed ones, looks parties up, and maps.
func (s *Service) mapDialog(ctx context.Context, e *entry, item Item) (dialogBody, error) {
	now := s.now()
	fixed := s.makeFixedIDs(e, &item, now)
	owner, err := s.dialogParty(ctx, item)
	if err != nil {
		return dialogBody{}, err
	}
	m := mapped{item: item, now: now, root: itemRoot(s.config.Base, item.ID), party: owner, mint: s.mint}
	for _, id := range item.Attachments {
		m.files = append(m.files, s.files.get(id))
	}
	if !item.Native {
		if m.activities, err = s.history(ctx, e, item, fixed); err != nil {
			return dialogBody{}, err
		}
	}
	return m.dialog(), nil
}

// makeFixedIDs adds a set of activity ids. Every attempt adds one, and nothing forbids two (chapter 12).
func (s *Service) makeFixedIDs(e *entry, item *Item, now time.Time) []FixedID {
	set := []FixedID{{Action: Fetched, ID: s.mint.v7(now)}}
	if item.ConfirmationNeeded {
		set = append(set, FixedID{Action: Confirmed, ID: s.mint.v7(now)})
	}
	for _, file := range item.Attachments {
		set = append(set, FixedID{Action: AttachmentsDownloaded, Attachment: file, ID: s.mint.v7(now)})
	}
	e.change(func(i *Item) { i.FixedIDs = append(slices.Clip(i.FixedIDs), set...) })
	return set
}

func fixedID(set []FixedID, action StatusKind) (uuid.UUID, bool) {
	for _, f := range set {
		if f.Action == action {
			return f.ID, true
		}
	}
	return uuid.Nil, false
}

// fixedID is the id of an item's activity; the first that was kept counts, and one is made when there is none.
func (s *Service) fixedID(e *entry, action StatusKind) uuid.UUID {
	var id uuid.UUID
	now := s.now()
	e.change(func(i *Item) {
		var ok bool
		if id, ok = fixedID(i.FixedIDs, action); !ok {
			id = s.mint.v7(now)
			i.FixedIDs = append(slices.Clip(i.FixedIDs), FixedID{Action: action, ID: id})
		}
	})
	return id
}

// history are the activities of a new dialog (9.10).
func (s *Service) history(ctx context.Context, e *entry, item Item, fixed []FixedID) ([]activityBody, error) {
	var out []activityBody
	for _, event := range [...]struct {
		kind, action StatusKind
		activity     string
		wanted       bool
	}{
		{Read, Fetched, "CorrespondenceOpened", true},
		{Confirmed, Confirmed, "CorrespondenceConfirmed", item.ConfirmationNeeded},
	} {
		first, ok := item.earliest(event.kind)
		if !ok || !event.wanted {
			continue
		}
		urn, err := s.actor(ctx, item, first.Party)
		if err != nil {
			return nil, err
		}
		if urn == "" {
			return nil, fmt.Errorf("the party %s of the status %s of correspondence %s has no URN in the register", first.Party, event.kind, item.ID)
		}
		id, _ := fixedID(fixed, event.action)
		out = append(out, personActivity(event.activity, id, first.At, urn))
	}
	for _, n := range item.Notifications {
		if !n.Native {
			out = append(out, notificationActivity(s.mint.v7(s.now()), n))
		}
	}
	for n := range item.Forwardings {
		a, ok, err := s.forwardingActivity(ctx, e, item, n)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b activityBody) int {
		return time.Time(a.CreatedAt).Compare(time.Time(b.CreatedAt))
	})
	return out, nil
}

// forwardingActivity words the nth forwarding, and keeps its activity's id before anything is sent. ok is false when it is
// left out.
func (s *Service) forwardingActivity(ctx context.Context, e *entry, item Item, n int) (a activityBody, ok bool, err error) {
	f := item.Forwardings[n]
	urn, err := s.actor(ctx, item, f.ByParty)
	if err != nil || urn == "" {
		return a, false, err
	}
	name, err := s.targetName(ctx, item, f)
	if err != nil || name == "" {
		return a, false, err
	}
	if f.Activity == uuid.Nil {
		f.Activity = s.mint.v7(s.now())
		e.change(func(i *Item) {
			i.Forwardings = slices.Clone(i.Forwardings)
			i.Forwardings[n].Activity = f.Activity
		})
	}
	return forwardingActivity(f, item.Title, urn, name), true, nil
}

// targetName is whom a forwarding went to; the first target that is set counts. "" when that is nobody known.
func (s *Service) targetName(ctx context.Context, item Item, f Forwarding) (string, error) {
	switch {
	case f.ToUser != nil:
		p, _, err := s.lookUp(ctx, item, urnParty+f.ToUser.String())
		return titled(p.name), err
	case deref(f.ToEmail) != "":
		return *f.ToEmail, nil
	case f.MailboxSupplier != nil:
		name, _ := mailboxName(*f.MailboxSupplier)
		return name, nil
	}
	return "", nil
}

// publishLater schedules the publishing that follows a live creation (5.7).
func (s *Service) publishLater(id uuid.UUID) *job {
	return &job{queue: queueLive, name: "schedule-publish", item: id, run: func(context.Context) error {
		e := s.items.get(id)
		if e == nil {
			return nil
		}
		item := e.snapshot()
		s.jobs.add(&job{
			queue: queueDefault, name: "publish", item: id, after: max(item.RequestedPublishTime.Sub(s.now()), 0),
			run: func(ctx context.Context) error { return s.publish(ctx, e) },
		})
		return nil
	}}
}

// publish is the publish handler: it does nothing for a message that was published in Altinn 2 (5.7).
func (s *Service) publish(ctx context.Context, e *entry) error {
	item := e.snapshot()
	if item.has(Published) {
		return nil
	}
	if err := s.step(ctx, "publish", item.ID); err != nil {
		return err
	}
	reason, err := s.unpublishable(ctx, item)
	if err != nil {
		return err
	}
	if reason != "" {
		return s.failPublishing(ctx, e, item, reason)
	}
	now := s.now()
	e.change(func(i *Item) {
		i.Statuses = append(slices.Clip(i.Statuses), Status{Kind: Published, At: now, Text: Published.String()})
		i.PublishedColumn = now
	})
	s.event(ctx, item, "correspondencepublished", item.Sender)
	s.event(ctx, item, "correspondencepublished", item.Recipient)
	return nil
}

// unpublishable tells why an item cannot be published.
func (s *Service) unpublishable(ctx context.Context, item Item) (string, error) {
	for name, who := range map[string]string{"Sender": item.Sender, "Recipient": item.Recipient} {
		urn, _ := eventSubject(who)
		_, ok, err := s.lookUp(ctx, item, urn)
		if err != nil {
			return "", err
		}
		if !ok {
			return name + " of the correspondence was not found in the register", nil
		}
	}
	if _, ok := item.DialogID(); !ok {
		return "The correspondence has no dialog", nil
	}
	person := strings.TrimPrefix(item.Recipient, urnPerson)
	if !deref(item.IgnoreReservation) && s.reserved.has(person) {
		return "Recipient is reserved against digital communication", nil
	}
	return "", nil
}

func (s *Service) failPublishing(ctx context.Context, e *entry, item Item, reason string) error {
	now := s.now()
	e.change(func(i *Item) {
		i.Statuses = append(slices.Clip(i.Statuses), Status{Kind: Failed, At: now, Text: reason})
	})
	s.event(ctx, item, "correspondencepublishfailed", item.Sender)
	dialog, ok := item.DialogID()
	if !ok {
		return nil
	}
	r, err := s.dialog(ctx, item, http.MethodPost, dialog, "/actions/purge", silently, nil)
	if err != nil {
		return err
	}
	if !r.ok() && r.status != http.StatusNotFound {
		return refusal{http.MethodPost, "actions/purge", r}
	}
	e.change(func(i *Item) { i.withoutReference(ReferenceDialog) })
	return nil
}
