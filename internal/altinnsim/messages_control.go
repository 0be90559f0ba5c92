package altinnsim

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
)

func (s *Sim) putMessages(r *http.Request) (any, error) {
	var in []json.RawMessage
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Altinn2.Put(in); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

func (s *Sim) putCorrespondences(r *http.Request) (any, error) {
	var in []json.RawMessage
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Correspondence.Put(in); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

func (s *Sim) putLiveMessages(r *http.Request) (any, error) {
	var in altinn2.LiveSettings
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Altinn2.Live.Set(in); err != nil {
		return nil, badInput(err)
	}
	return s.Altinn2.Live.Report(), nil
}

// changeBody is a change of a message: an event, a notification or a forwarding.
type changeBody struct {
	Event        string                `json:"event"` // one of the types of events
	PartyUUID    uuid.UUID             `json:"partyUuid"`
	Notification *altinn2.Notification `json:"notification"`
	Forwarding   *altinn2.Forwarding   `json:"forwarding"`
}

// changeMessage lets something happen to a message now.
func (s *Sim) changeMessage(r *http.Request) (any, error) {
	id, ok := messageNumber(r.PathValue("id"))
	if !ok {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	var in changeBody
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	var err error
	switch {
	case in.Notification != nil:
		err = s.Altinn2.ChangeNotify(id, *in.Notification)
	case in.Forwarding != nil:
		err = s.Altinn2.ChangeForward(id, *in.Forwarding)
	default:
		err = s.Altinn2.ChangeEvent(id, in.Event, in.PartyUUID)
	}
	if err != nil {
		return nil, badInput(err)
	}
	record, _ := s.Altinn2.Message(id)
	return s.Altinn2.Answered(record), nil
}

// actBody is something that somebody does to an item in Altinn 3.
type actBody struct {
	Act       correspondence.Act `json:"act"` // read, confirm, delete
	PartyUUID uuid.UUID          `json:"partyUuid"`
	PartyID   int32              `json:"partyId"`
}

func (s *Sim) actOnCorrespondence(r *http.Request) (any, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	var in actBody
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Correspondence.ActOn(r.Context(), id, in.Act, in.PartyUUID, in.PartyID); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

// messageSight is what the simulator shows of a message.
type messageSight struct {
	State    *correspondence.Shown `json:"state"` // of the item; null: there is none
	Message  *altinn2.Record       `json:"message"`
	Dialog   json.RawMessage       `json:"dialog,omitempty"`
	Requests any                   `json:"requests"`
}

func (s *Sim) getMessage(id int32) (any, error) {
	out := messageSight{Requests: s.messageStory(id)}
	item, stored := s.Correspondence.Item(id)
	if stored {
		shown := s.Correspondence.Show(item)
		out.State = &shown
		if text, ok := item.DialogID(); ok {
			if dialog, err := uuid.Parse(text); err == nil {
				out.Dialog, _ = s.Dialogporten.Dialog(dialog)
			}
		}
	}
	record, known := s.Altinn2.Message(id)
	if known {
		record = s.Altinn2.Answered(record)
		out.Message = &record
	}
	if !stored && !known {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	return out, nil
}

// messageStats are what GET /_sim/stats tells of messages.
func (s *Sim) messageStats() map[string]any {
	return map[string]any{
		"messages": s.Altinn2.Len(), "correspondences": s.Correspondence.Len(), "jobs": s.Correspondence.Jobs(),
		"deadLetters": s.Correspondence.DeadLetters(), "callBacks": len(s.Altinn2.Bridge.CallBacks()), "live": s.Altinn2.Live.Report(),
	}
}
