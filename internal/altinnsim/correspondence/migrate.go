package correspondence

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// The event text that makes a message count as published when it comes live (5.7). It must be exactly this.
const publishedText = "Correspondence Published in Altinn 2"

type fileStatus struct {
	ID     uuid.UUID `json:"attachmentId"`
	Status string    `json:"status"`
}

type migrated struct {
	Altinn2ID int32        `json:"altinn2CorrespondenceId"`
	ID        uuid.UUID    `json:"correspondenceId"`
	Files     []fileStatus `json:"attachmentStatuses"`
	DialogID  *string      `json:"dialogId"`
}

// migrate is chapter 5.
func (s *Service) migrate(c *call) error {
	var m migration
	if err := bindBody(c.r, m.read); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	m.statuses, m.notifications = distinctStatuses(m.statuses), distinctNotifications(m.notifications)
	m.forwardings = distinctForwardings(m.forwardings)
	clash, err := s.complete(&m)
	if err != nil {
		return err
	}
	var e *entry
	if !clash {
		e, _ = s.items.insert(m.item)
	}
	if e == nil {
		return s.remigrate(c, &m)
	}
	for _, event := range m.statuses {
		if kind, ok := event.kind.deleteKind(); ok {
			e.change(func(i *Item) { addDeleteEvent(i, DeleteEvent{Kind: kind, At: event.at, Party: event.party}) })
		}
	}
	out := migrated{Altinn2ID: m.item.Altinn2ID, ID: m.item.ID, Files: []fileStatus{}}
	for _, file := range m.item.Attachments {
		// Whatever its state is.
		out.Files = append(out.Files, fileStatus{file, Initialized.String()})
	}
	if m.makeAvailable {
		notYet := ""
		out.DialogID = &notYet
		s.makeAvailableLater(c, e)
	}
	answer.JSON(c.w, http.StatusOK, out)
	return nil
}

// check is 5.7, 1.
func (m *migration) check() error {
	switch {
	case !m.hasContent:
		return errNoContent
	case strings.TrimSpace(m.item.Title) == "":
		return errNoTitle
	case m.language == nil:
		return databaseError("content.language")
	}
	switch strings.ToLower(*m.language) {
	case "nb", "nn", "en":
		return nil
	}
	return errUnknownLanguage
}

// complete fills the item in as the database would take it. clash tells of two rows that break a unique index: the service
// takes that for a message that was migrated already.
func (s *Service) complete(m *migration) (clash bool, err error) {
	switch {
	case m.sender == nil:
		return false, databaseError("sender")
	case len(m.recipients) == 0:
		return false, databaseError("recipients")
	case m.summary == nil:
		return false, databaseError("content.messageSummary")
	case m.publish == nil:
		return false, databaseError("requestedPublishTime")
	}
	for _, file := range m.files {
		if !s.files.has(file) {
			return false, databaseError("attachment %s", file)
		}
	}
	i := &m.item
	i.ID, i.Sender, i.Recipient = s.mint.v7(s.now()), *m.sender, strings.ToLower(m.recipients[0])
	i.Language, i.Summary, i.RequestedPublishTime, i.Attachments = *m.language, *m.summary, *m.publish, slices.Clone(m.files)
	if s.config.Compact {
		i.Body = ""
	}
	for _, event := range m.statuses {
		if _, isDelete := event.kind.deleteKind(); isDelete {
			continue
		}
		if event.kind == Published && i.PublishedColumn.IsZero() {
			i.PublishedColumn = event.at // the first in the list, not by time
		}
		i.Statuses = append(i.Statuses, Status{Kind: event.kind, At: event.at, Party: event.party, Text: event.text})
	}
	for _, n := range m.notifications {
		clash = clash || !addNotification(i, n)
	}
	for _, f := range m.forwardings {
		clash = clash || !addForwarding(i, f)
	}
	return clash, nil
}

// makeAvailableLater queues what a live message leads to (5.7, 4).
func (s *Service) makeAvailableLater(c *call, e *entry) {
	item := e.snapshot()
	c.enqueue(&job{
		queue: queueMigration, name: "create-dialog", item: item.ID,
		run: func(ctx context.Context) error {
			// A refusal is a job that succeeded.
			_, err := s.createDialog(ctx, item.ID, false)
			return err
		},
		then: func() *job { return s.publishLater(item.ID) },
	})
	for _, status := range item.Statuses {
		if status.Kind != Published || status.Text != publishedText {
			continue
		}
		e.change(func(i *Item) { i.PublishedColumn = status.At })
		if s.registered.add(item.PartyID) {
			c.enqueue(&job{queue: queueDefault, name: "register-recipient", item: item.ID, run: func(ctx context.Context) error {
				return s.registerRecipient(ctx, item)
			}})
		}
		break
	}
}

// remigrate is 5.8.
func (s *Service) remigrate(c *call, m *migration) error {
	e := s.items.byAltinn2(m.item.Altinn2ID)
	if e == nil {
		// The clash was not that of the Altinn 2 id.
		return databaseError("correspondence %d", m.item.Altinn2ID)
	}
	item := e.snapshot()
	added := additions{verb: "Remigrate", statuses: m.statuses, notifications: m.notifications, forwardings: m.forwardings}
	if err := s.merge(c.r.Context(), e, added); err != nil {
		return err
	}
	answer.JSON(c.w, http.StatusOK, migrated{Altinn2ID: m.item.Altinn2ID, ID: item.ID})
	return nil
}

// Instants are compared after cutting to whole seconds in UTC, not by distance (5.6).
func second(t time.Time) int64 { return t.UTC().Unix() }

// distinct keeps the first of equal elements.
func distinct[T any, K comparable](list []T, key func(T) K) []T {
	seen := map[K]bool{}
	out := make([]T, 0, len(list))
	for _, element := range list {
		k := key(element)
		if !seen[k] {
			seen[k] = true
			out = append(out, element)
		}
	}
	return out
}

type statusKey struct {
	kind   int
	second int64
	party  uuid.UUID
}

func distinctStatuses(list []statusEvent) []statusEvent {
	return distinct(list, func(e statusEvent) statusKey { return statusKey{int(e.kind), second(e.at), e.party} })
}

func distinctNotifications(list []Notification) []Notification {
	type key struct {
		second   int64
		channel  Channel
		id       int32
		address  string
		reminder bool
	}
	return distinct(list, func(n Notification) key { return key{second(n.SentAt), n.Channel, n.Altinn2ID, n.Address, n.Reminder} })
}

func distinctForwardings(list []Forwarding) []Forwarding {
	type key struct {
		second int64
		by     uuid.UUID
		toID   int32
		hasID  bool
		to     uuid.UUID
		hasTo  bool
	}
	return distinct(list, func(f Forwarding) key {
		return key{second(f.At), f.ByParty, deref(f.ToUserID), f.ToUserID != nil, deref(f.ToUser), f.ToUser != nil}
	})
}

// The unique indexes of the database compare exact instants (7.1). What they refuse is not added.

func addStatus(i *Item, added Status) bool {
	if slices.ContainsFunc(i.Statuses, func(s Status) bool { return s.Kind == added.Kind && s.At.Equal(added.At) && s.Party == added.Party }) {
		return false
	}
	i.Statuses = append(slices.Clip(i.Statuses), added)
	return true
}

func addDeleteEvent(i *Item, added DeleteEvent) bool {
	if slices.ContainsFunc(i.DeleteEvents, func(e DeleteEvent) bool {
		return e.Kind == added.Kind && e.At.Equal(added.At) && e.Party == added.Party
	}) {
		return false
	}
	i.DeleteEvents = append(slices.Clip(i.DeleteEvents), added)
	return true
}

func addNotification(i *Item, added Notification) bool {
	if slices.ContainsFunc(i.Notifications, func(n Notification) bool {
		return n.sameID(added) && n.Address == added.Address && n.Channel == added.Channel && n.SentAt.Equal(added.SentAt)
	}) {
		return false
	}
	i.Notifications = append(slices.Clip(i.Notifications), added)
	return true
}

func addForwarding(i *Item, added Forwarding) bool {
	if slices.ContainsFunc(i.Forwardings, func(f Forwarding) bool { return f.ByParty == added.ByParty && f.At.Equal(added.At) }) {
		return false
	}
	i.Forwardings = append(slices.Clip(i.Forwardings), added)
	return true
}
