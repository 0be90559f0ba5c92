package altinn2

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// BridgePrefix is what the paths of the call-backs begin with.
const BridgePrefix = "/storage/api/v1/sblbridge"

const scopeBridge = "altinn:correspondence.sblbridge"

// CallBack is something that Correspondence told Altinn 2 (5.7, 7.6).
type CallBack struct {
	At             time.Time `json:"at"`
	Kind           string    `json:"kind"` // correspondencerecipient, synccorrespondenceevent
	Correspondence int32     `json:"correspondenceId,omitempty"`
	PartyID        int32     `json:"partyId"`
	EventAt        time.Time `json:"eventTimestamp"`
	EventType      string    `json:"eventType,omitempty"` // read, confirm, delete
}

// Bridge takes the call-backs of Correspondence. It is safe for concurrent use.
type Bridge struct {
	store  *Store
	caller func(*http.Request) (auth.Caller, error)
	mux    *http.ServeMux

	mu        sync.Mutex
	callBacks []CallBack
}

func newBridge(store *Store, caller func(*http.Request) (auth.Caller, error)) *Bridge {
	b := &Bridge{store: store, caller: caller, mux: http.NewServeMux()}
	b.mux.HandleFunc("POST "+BridgePrefix+"/correspondencerecipient", b.authorized(b.recipient))
	b.mux.HandleFunc("POST "+BridgePrefix+"/synccorrespondenceevent", b.authorized(b.event))
	return b
}

// ServeHTTP answers what lies under BridgePrefix.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer.Route(b.mux, w, r) }

// Reset forgets what was told.
func (b *Bridge) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.callBacks = nil
}

// CallBacks are what was told, in order.
func (b *Bridge) CallBacks() []CallBack {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.callBacks)
}

func (b *Bridge) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := b.caller(r)
		switch {
		case err != nil || caller.Anonymous:
			answer.Unauthorized(w)
		case !caller.Has(scopeBridge):
			answer.Empty(w, http.StatusForbidden)
		default:
			next(w, r)
		}
	}
}

func (b *Bridge) note(c CallBack) {
	c.At = b.store.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.callBacks = append(b.callBacks, c)
}

func (b *Bridge) recipient(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.URL.Query().Get("partyId"), 10, 32)
	if err != nil {
		answer.Empty(w, http.StatusBadRequest)
		return
	}
	b.note(CallBack{Kind: "correspondencerecipient", PartyID: int32(id)})
	answer.Empty(w, http.StatusOK)
}

// event does in Altinn 2 what was done in Altinn 3. The instant survives, so that the event that comes back through sync is
// known there.
func (b *Bridge) event(w http.ResponseWriter, r *http.Request) {
	var in CallBack
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer.Empty(w, http.StatusBadRequest)
		return
	}
	in.Kind = "synccorrespondenceevent"
	b.note(in)
	kinds := map[string]string{"read": EventRead, "confirm": EventConfirmed, "delete": EventPurged}
	kind, ok := kinds[in.EventType]
	if !ok {
		answer.Empty(w, http.StatusBadRequest)
		return
	}
	err := b.store.Change(in.Correspondence, func(m *Record) error {
		party := m.Recipient.PartyUUID
		if found, ok := people().ByID(in.PartyID); ok {
			party = found.UUID
		}
		return m.happened(kind, in.EventAt.UTC(), party)
	})
	if err != nil {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	answer.Empty(w, http.StatusOK)
}
