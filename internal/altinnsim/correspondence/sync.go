package correspondence

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

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
	if err := s.merge(c.r.Context(), e, added()); err != nil {
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
func (s *Service) merge(ctx context.Context, e *entry, a additions) error {
	before := e.snapshot()
	for _, event := range newEvents(before, a.statuses) {
		if err := s.addEvent(ctx, e, a.verb, event); err != nil {
			return err
		}
	}
	for _, n := range a.notifications {
		if slices.ContainsFunc(before.Notifications, func(old Notification) bool {
			return old.Address == n.Address && old.Channel == n.Channel && second(old.SentAt) == second(n.SentAt) && old.sameID(n)
		}) {
			continue
		}
		n.Synced = s.now()
		s.addIf(e, func(i *Item) bool { return addNotification(i, n) }, func(item Item) []*job {
			return []*job{{queue: queueLive, name: "notification", item: item.ID, run: func(ctx context.Context) error {
				return s.tellNotification(ctx, e.snapshot(), n)
			}}}
		})
	}
	for _, f := range a.forwardings {
		if slices.ContainsFunc(before.Forwardings, func(old Forwarding) bool {
			return second(old.At) == second(f.At) && old.ByParty == f.ByParty
		}) {
			continue
		}
		f.Synced = s.now()
		s.addIf(e, func(i *Item) bool { return addForwarding(i, f) }, func(item Item) []*job {
			return []*job{{queue: queueLive, name: "forwarding", item: item.ID, run: func(ctx context.Context) error {
				return s.tellForwarding(ctx, e, f)
			}}}
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

// transact changes an item and queues what follows from that in one step (7.3): jobs come in the order of what is stored,
// and do not wait for what else a call brings.
func (s *Service) transact(e *entry, how func(*Item) []*job) {
	e.change(func(i *Item) { s.jobs.add(how(i)...) })
}

// addIf adds something and, when it was new and the item is visible, queues what follows from it.
func (s *Service) addIf(e *entry, add func(*Item) bool, follow func(Item) []*job) {
	s.transact(e, func(i *Item) []*job {
		if !add(i) || i.Hidden {
			return nil
		}
		return follow(*i)
	})
}

// addEvent is one transaction, which also queues what follows.
func (s *Service) addEvent(ctx context.Context, e *entry, verb string, event merged) error {
	// Acting parties are looked up in any case, hidden or not.
	urn, err := s.actor(ctx, e.snapshot(), event.party)
	if err != nil {
		return fmt.Errorf("look up who acted: %w", err)
	}
	status := Status{
		Kind: event.kind, At: event.at, Party: event.party, Text: verb + " event " + event.kind.String() + " from Altinn 2", Synced: s.now(),
	}
	if !event.isDelete {
		s.addIf(e, func(i *Item) bool { return addStatus(i, status) }, func(item Item) []*job {
			return append([]*job{s.statusJob(queueLive, e, item, status, urn)}, s.announcement(item, event.kind)...)
		})
		return nil
	}
	deletion := DeleteEvent{Kind: event.deleteKind, At: event.at, Party: event.party, Synced: s.now()}
	if event.kind.purges() {
		s.addPurge(e, status, deletion)
		return nil
	}
	// After a purge it is stored, and the dialog left alone.
	s.addIf(e, func(i *Item) bool { return addDeleteEvent(i, deletion) && !i.Purged() }, func(item Item) []*job {
		return []*job{{queue: queueLive, name: event.kind.String(), item: item.ID, run: func(ctx context.Context) error {
			return s.tellTrash(ctx, e.snapshot(), event.deleteKind, urn)
		}}}
	})
	return nil
}

// statusJob brings a status to the dialog of an item, which is as the status left it. Whether a confirmation is a second
// one is settled here: were the job to count, a confirmation right behind the first would silence both.
func (s *Service) statusJob(in queue, e *entry, item Item, status Status, urn string) *job {
	second := status.Kind == Confirmed && item.count(Confirmed) > 1
	return &job{queue: in, name: status.Kind.String(), item: item.ID, run: func(ctx context.Context) error {
		return s.tellStatus(ctx, e, status, urn, second)
	}}
}

// announcement tells the sender of a read or a confirmation.
func (s *Service) announcement(item Item, kind StatusKind) []*job {
	name := map[StatusKind]string{Read: "correspondencereceiverread", Confirmed: "correspondencereceiverconfirmed"}[kind]
	if name == "" {
		return nil
	}
	return []*job{{queue: queueLive, name: name, item: item.ID, once: true, run: func(ctx context.Context) error {
		s.event(ctx, item, name, item.Sender)
		return nil
	}}}
}

// addPurge purges an item. That of a purged one is ignored entirely; two at once are one, since the check and the purge
// are one step.
func (s *Service) addPurge(e *entry, status Status, deletion DeleteEvent) {
	var before Item
	done := false
	s.transact(e, func(i *Item) []*job {
		if i.Purged() {
			return nil
		}
		before, done = *i, true
		addStatus(i, status)
		addDeleteEvent(i, deletion)
		return s.purgeJobs(e, before, status)
	})
	if done {
		s.purgeFiles(before)
	}
}

// purgeJobs are what follows from the purge of an item.
func (s *Service) purgeJobs(e *entry, before Item, status Status) []*job {
	var out []*job
	if !before.Hidden {
		out = append(out, &job{queue: queueLive, name: "correspondencepurged", item: before.ID, once: true, run: func(ctx context.Context) error {
			s.event(ctx, before, "correspondencepurged", before.Sender)
			return nil
		}})
	}
	if _, hasDialog := before.DialogID(); !before.Hidden || hasDialog {
		out = append(out, &job{queue: queueLive, name: status.Kind.String(), item: before.ID, run: func(ctx context.Context) error {
			return s.tellPurge(ctx, e, e.snapshot(), status)
		}})
	}
	return out
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
func (s *Service) tellStatus(ctx context.Context, e *entry, status Status, urn string, second bool) error {
	item := e.snapshot()
	switch status.Kind { //nolint:exhaustive // the others leave no trace in the dialog
	case Read:
		return s.tellRead(ctx, e, item, status.At, urn)
	case Confirmed:
		return s.tellConfirmed(ctx, e, item, status.At, urn, second)
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

func (s *Service) tellConfirmed(ctx context.Context, e *entry, item Item, at time.Time, urn string, second bool) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip {
		return err
	}
	if err := s.patchConfirmed(ctx, item, dialog); err != nil {
		return err
	}
	if urn == "" || second {
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
