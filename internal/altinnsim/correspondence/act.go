package correspondence

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Act is something that somebody does to an item in Altinn 3, which Altinn 2 is told of (7.6).
type Act string

// The acts.
const (
	ActRead    Act = "read"
	ActConfirm Act = "confirm"
	ActDelete  Act = "delete"
)

// ActOn lets somebody do something to an item in Altinn 3: it is stored and goes to the dialog, to the sender and to Altinn
// 2. Altinn 2 sends it back through sync, where it is dropped as known, since second and party match.
func (s *Service) ActOn(ctx context.Context, id uuid.UUID, act Act, party uuid.UUID, partyID int32) error {
	e := s.items.get(id)
	if e == nil {
		return errUnknownItem
	}
	kinds := map[Act]StatusKind{ActRead: Read, ActConfirm: Confirmed, ActDelete: PurgedByRecipient}
	kind, ok := kinds[act]
	if !ok {
		return fmt.Errorf("unknown act %q", act)
	}
	item := e.snapshot()
	if item.Hidden || item.Purged() {
		return errUnknownItem
	}
	urn, err := s.actor(ctx, item, party)
	if err != nil {
		return err
	}
	status := Status{Kind: kind, At: s.now().Truncate(time.Microsecond), Party: party, Text: kind.String()}
	if kind.purges() {
		s.addPurge(e, status, DeleteEvent{Kind: DeleteHardByRecipient, At: status.At, Party: party})
	} else {
		s.transact(e, func(i *Item) []*job {
			i.Statuses = append(slices.Clip(i.Statuses), status)
			return append(s.announcement(*i, kind), s.statusJob(queueDefault, e, *i, status, urn))
		})
	}
	if !item.Native {
		s.jobs.add(&job{queue: queueDefault, name: "tell-altinn2", item: id, run: func(ctx context.Context) error {
			return s.tellAltinn2(ctx, item, act, status.At, partyID)
		}})
	}
	return nil
}

func (s *Service) tellAltinn2(ctx context.Context, item Item, act Act, at time.Time, partyID int32) error {
	const path = "/storage/api/v1/sblbridge/synccorrespondenceevent"
	r, err := s.send(ctx, item, http.MethodPost, path, "", map[string]any{
		"correspondenceId": item.Altinn2ID, "partyId": partyID, "eventTimestamp": formatInstant(at), "eventType": act,
	}, typeJSON)
	if err != nil {
		return err
	}
	if !r.ok() {
		return refusal{http.MethodPost, path, r}
	}
	return nil
}
