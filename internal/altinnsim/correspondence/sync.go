package correspondence

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// additions are what came later from Altinn 2 (chapter 7).
type additions struct {
	verb          string // Sync or Remigrate
	statuses      []statusEvent
	notifications []Notification
	forwardings   []Forwarding
}

func (s *Service) syncStatuses(c *call) error {
	var list []statusEvent
	return s.sync(c, "syncedStatusEvents", "status", func(o object) { list = append(list, readStatus(o)) }, func() additions {
		// Others are dropped without a word (7.2).
		list = slices.DeleteFunc(list, func(e statusEvent) bool {
			_, isDelete := e.kind.deleteKind()
			return !isDelete && e.kind != Read && e.kind != Confirmed && e.kind != Archived
		})
		return additions{verb: "Sync", statuses: distinctStatuses(list)}
	})
}

func (s *Service) syncForwardings(c *call) error {
	var list []Forwarding
	return s.sync(c, "syncedForwardingEvents", "forwarding", func(o object) { list = append(list, readForwarding(o)) }, func() additions {
		return additions{verb: "Sync", forwardings: distinctForwardings(list)}
	})
}

func (s *Service) syncNotifications(c *call) error {
	var list []Notification
	each := func(o object) { list = append(list, readNotification(o)) }
	return s.sync(c, "syncedNotificationEvents", "notification", each, func() additions {
		return additions{verb: "Sync", notifications: distinctNotifications(list)}
	})
}

func (s *Service) sync(c *call, name, kind string, each func(object), added func() additions) error {
	var request synced
	if err := bindBody(c.r, func(o object) { request.read(o, name, kind, each) }); err != nil {
		return err
	}
	e := s.items.get(request.id)
	if e == nil {
		return errUnknownItem
	}
	if err := s.merge(c, e, added()); err != nil {
		return err
	}
	answer.JSON(c.w, http.StatusOK, request.id)
	return nil
}

// merged is a status or a delete event on its way in.
type merged struct {
	statusEvent

	deleteKind DeleteKind
	isDelete   bool
}

// merge adds what is new, oldest first, and queues what follows from each (7.1 to 7.4).
func (s *Service) merge(c *call, e *entry, a additions) error {
	before := e.snapshot()
	for _, event := range newEvents(before, a.statuses) {
		if err := s.addEvent(c, e, a.verb, event); err != nil {
			return err
		}
	}
	for _, n := range a.notifications {
		if slices.ContainsFunc(before.Notifications, func(old Notification) bool {
			return old.Address == n.Address && old.Channel == n.Channel && second(old.SentAt) == second(n.SentAt) && old.Altinn2ID == n.Altinn2ID
		}) {
			continue
		}
		n.Synced = s.now()
		s.addIf(c, e, func(i *Item) bool { return addNotification(i, n) }, "notification", func(ctx context.Context, item Item) error {
			return s.tellNotification(ctx, item, n)
		})
	}
	for _, f := range a.forwardings {
		if slices.ContainsFunc(before.Forwardings, func(old Forwarding) bool {
			return second(old.At) == second(f.At) && old.ByParty == f.ByParty
		}) {
			continue
		}
		f.Synced = s.now()
		s.addIf(c, e, func(i *Item) bool { return addForwarding(i, f) }, "forwarding", func(ctx context.Context, _ Item) error {
			return s.tellForwarding(ctx, e, f)
		})
	}
	return nil
}

// newEvents are those that are not stored, oldest first; of equal instants statuses come before delete events.
func newEvents(before Item, list []statusEvent) []merged {
	var out []merged
	for _, event := range list {
		m := merged{statusEvent: event}
		m.deleteKind, m.isDelete = event.kind.deleteKind()
		var known bool
		if m.isDelete {
			known = slices.ContainsFunc(before.DeleteEvents, func(old DeleteEvent) bool {
				return old.Kind == m.deleteKind && second(old.At) == second(event.at) && old.Party == event.party
			})
		} else {
			known = slices.ContainsFunc(before.Statuses, func(old Status) bool {
				return old.Kind == event.kind && second(old.At) == second(event.at) && old.Party == event.party
			})
		}
		if !known {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b merged) int {
		switch order := a.at.Compare(b.at); {
		case order != 0:
			return order
		case a.isDelete == b.isDelete:
			return 0
		case a.isDelete:
			return 1
		}
		return -1
	})
	return out
}

// addIf adds something and, when it was new and the item is visible, queues a job about it.
func (s *Service) addIf(c *call, e *entry, add func(*Item) bool, name string, run func(context.Context, Item) error) (added bool) {
	var visible bool
	var id uuid.UUID
	e.change(func(i *Item) {
		added, visible, id = add(i), !i.Hidden, i.ID
	})
	if added && visible {
		c.enqueue(&job{queue: queueLive, name: name, item: id, run: func(ctx context.Context) error { return run(ctx, e.snapshot()) }})
	}
	return added
}

// addEvent is one transaction, which also queues what follows.
func (s *Service) addEvent(c *call, e *entry, verb string, event merged) error {
	item := e.snapshot()
	// Acting parties are looked up in any case, hidden or not.
	urn, err := s.actor(c.r.Context(), item, event.party)
	if err != nil {
		return fmt.Errorf("look up who acted: %w", err)
	}
	status := Status{
		Kind: event.kind, At: event.at, Party: event.party, Text: verb + " event " + event.kind.String() + " from Altinn 2", Synced: s.now(),
	}
	if !event.isDelete {
		if s.addIf(c, e, func(i *Item) bool { return addStatus(i, status) }, event.kind.String(), func(ctx context.Context, item Item) error {
			return s.tellStatus(ctx, e, item, status, urn)
		}) {
			s.announce(c, item, event.kind)
		}
		return nil
	}
	deletion := DeleteEvent{Kind: event.deleteKind, At: event.at, Party: event.party, Synced: s.now()}
	if event.kind.purges() {
		s.addPurge(c, e, status, deletion)
		return nil
	}
	purged := item.Purged()
	s.addIf(c, e, func(i *Item) bool { return addDeleteEvent(i, deletion) && !purged }, event.kind.String(),
		func(ctx context.Context, item Item) error { return s.tellTrash(ctx, item, event.deleteKind, urn) })
	return nil
}

// announce tells the sender of a read or a confirmation.
func (s *Service) announce(c *call, item Item, kind StatusKind) {
	name := map[StatusKind]string{Read: "correspondencereceiverread", Confirmed: "correspondencereceiverconfirmed"}[kind]
	if name == "" || item.Hidden {
		return
	}
	c.enqueue(&job{queue: queueLive, name: name, item: item.ID, once: true, run: func(ctx context.Context) error {
		s.event(ctx, item, name, item.Sender)
		return nil
	}})
}

// addPurge purges an item. That of a purged one is ignored entirely; two at once are one, since the check and the purge
// are one step.
func (s *Service) addPurge(c *call, e *entry, status Status, deletion DeleteEvent) {
	var before Item
	done := false
	e.change(func(i *Item) {
		if i.Purged() {
			return
		}
		before, done = *i, true
		addStatus(i, status)
		addDeleteEvent(i, deletion)
	})
	if !done {
		return
	}
	s.purgeFiles(before)
	if !before.Hidden {
		c.enqueue(&job{queue: queueLive, name: "correspondencepurged", item: before.ID, once: true, run: func(ctx context.Context) error {
			s.event(ctx, before, "correspondencepurged", before.Sender)
			return nil
		}})
	}
	_, hasDialog := before.DialogID()
	if !before.Hidden || hasDialog {
		c.enqueue(&job{queue: queueLive, name: status.Kind.String(), item: before.ID, run: func(ctx context.Context) error {
			return s.tellPurge(ctx, e, e.snapshot(), status)
		}})
	}
}

// purgeFiles deletes the attachments that no other unpurged item has.
func (s *Service) purgeFiles(item Item) {
	for _, file := range item.Attachments {
		used := slices.ContainsFunc(s.items.having(file), func(other *entry) bool {
			o := other.snapshot()
			return o.ID != item.ID && !o.Purged()
		})
		if !used {
			s.files.purge(file)
		}
	}
}

// dialogOf is the dialog that a job is about. A hidden item without one has nothing to do; a visible one fails.
func dialogOf(item Item) (dialog string, skip bool, err error) {
	dialog, ok := item.DialogID()
	switch {
	case ok:
		return dialog, false, nil
	case item.Hidden:
		return "", true, nil
	}
	return "", false, fmt.Errorf("correspondence %s has no dialog", item.ID)
}

// tellStatus brings a status to the dialog.
func (s *Service) tellStatus(ctx context.Context, e *entry, item Item, status Status, urn string) error {
	switch status.Kind { //nolint:exhaustive // the others leave no trace in the dialog
	case Read:
		return s.tellRead(ctx, e, item, status.At, urn)
	case Confirmed:
		return s.tellConfirmed(ctx, e, item, status.At, urn)
	case Archived:
		return s.setLabels(ctx, item, urn, []int{labelArchive}, nil)
	}
	return nil
}

func (s *Service) tellRead(ctx context.Context, e *entry, item Item, at time.Time, urn string) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip || urn == "" {
		return err
	}
	// A second reader has the same id, which Dialogporten refuses as known: only the first is shown.
	return s.addActivity(ctx, item, dialog, personActivity("CorrespondenceOpened", s.fixedID(e, Fetched), at, urn), true)
}

func (s *Service) tellConfirmed(ctx context.Context, e *entry, item Item, at time.Time, urn string) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip {
		return err
	}
	if err := s.patchConfirmed(ctx, item, dialog); err != nil {
		return err
	}
	if urn == "" || item.count(Confirmed) > 1 {
		return nil
	}
	return s.addActivity(ctx, item, dialog, personActivity("CorrespondenceConfirmed", s.fixedID(e, Confirmed), at, urn), true)
}

// tellTrash moves the dialog to the bin or out of it.
func (s *Service) tellTrash(ctx context.Context, item Item, kind DeleteKind, urn string) error {
	switch {
	case kind == DeleteSoft:
		return s.setLabels(ctx, item, urn, []int{labelBin}, nil)
	case item.has(Archived):
		return s.setLabels(ctx, item, urn, []int{labelArchive}, nil)
	}
	return s.setLabels(ctx, item, urn, nil, []int{labelBin})
}

func (s *Service) tellNotification(ctx context.Context, item Item, n Notification) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip {
		return err
	}
	return s.addActivity(ctx, item, dialog, notificationActivity(s.mint.v7(s.now()), n), true)
}

// tellForwarding logs a forwarding. A refusal is only logged, so that it is never tried again.
func (s *Service) tellForwarding(ctx context.Context, e *entry, f Forwarding) error {
	item := e.snapshot()
	dialog, skip, err := dialogOf(item)
	if err != nil || skip {
		return err
	}
	n := slices.IndexFunc(item.Forwardings, func(stored Forwarding) bool { return stored.ByParty == f.ByParty && stored.At.Equal(f.At) })
	activity, ok, err := s.forwardingActivity(ctx, e, item, n)
	if err != nil || !ok {
		return err
	}
	_, err = s.dialog(ctx, item, http.MethodPost, dialog, "/activities", silently, activity)
	return err
}
