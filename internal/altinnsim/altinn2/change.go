package altinn2

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// people are the parties of all simulated worlds.
func people() world.Population { return world.Population{} }

// ErrPurged is a change of a message that is gone.
var ErrPurged = errors.New("the message is purged")

// happened adds an event and changes the state that follows from it.
func (r *Record) happened(kind string, at time.Time, party uuid.UUID) error {
	if r.Deletion == DeletionPurged {
		return ErrPurged
	}
	switch kind {
	case EventSoftDeleted:
		r.Deletion = DeletionSoft
	case EventRestored:
		r.Deletion = DeletionNone
	case EventPurged, EventPurgedByOwner:
		r.Deletion = DeletionPurged
	}
	r.Events = append(r.Events, Event{Type: kind, At: at, UserUUID: userOf(party), PartyUUID: party})
	return nil
}

// userOf is the user that a party acts with.
func userOf(party uuid.UUID) uuid.UUID {
	if party == uuid.Nil {
		return uuid.Nil
	}
	return uuid.NewSHA1(party, []byte("user"))
}

// ChangeEvent lets something happen to a message now: one of the Event constants.
func (s *Store) ChangeEvent(id int32, kind string, party uuid.UUID) error {
	return s.Change(id, func(r *Record) error { return r.happened(kind, s.now(), party) })
}

// ChangeRead opens a message.
func (s *Store) ChangeRead(id int32, party uuid.UUID) error {
	return s.ChangeEvent(id, EventRead, party)
}

// ChangeConfirm confirms a message.
func (s *Store) ChangeConfirm(id int32, party uuid.UUID) error {
	return s.ChangeEvent(id, EventConfirmed, party)
}

// ChangeArchive archives a message.
func (s *Store) ChangeArchive(id int32, party uuid.UUID) error {
	return s.ChangeEvent(id, EventArchived, party)
}

// ChangeTrash moves a message to the trash.
func (s *Store) ChangeTrash(id int32, party uuid.UUID) error {
	return s.ChangeEvent(id, EventSoftDeleted, party)
}

// ChangeRestore takes a message out of the trash.
func (s *Store) ChangeRestore(id int32, party uuid.UUID) error {
	return s.ChangeEvent(id, EventRestored, party)
}

// ChangePurge deletes a message for good, by its recipient or by the service owner.
func (s *Store) ChangePurge(id int32, byOwner bool) error {
	return s.Change(id, func(r *Record) error {
		if byOwner {
			return r.happened(EventPurgedByOwner, s.now(), r.Sender.PartyUUID)
		}
		return r.happened(EventPurged, s.now(), r.Recipient.PartyUUID)
	})
}

// ChangeNotify adds a notification that was sent now; a SentAt that is set is kept.
func (s *Store) ChangeNotify(id int32, n Notification) error {
	return s.Change(id, func(r *Record) error {
		if n.SentAt.IsZero() {
			n.SentAt = s.now()
		}
		r.Notifications = append(r.Notifications, n)
		return nil
	})
}

// ChangeForward adds a forwarding that was made now; an At that is set is kept.
func (s *Store) ChangeForward(id int32, f Forwarding) error {
	return s.Change(id, func(r *Record) error {
		if f.At.IsZero() {
			f.At = s.now()
		}
		r.Forwardings = append(r.Forwardings, f)
		return nil
	})
}
