package altinnsim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Names that fault rules have for what Correspondence does. Rules for a service itself strike whoever asks it.
const (
	// ServiceCorrespondenceOut is what Correspondence asks of others: Dialogporten, Register, Events, Altinn 2.
	ServiceCorrespondenceOut = "correspondence-out"
	// ServiceCorrespondenceJobs are the steps of its work: POST /jobs/{create-dialog,keep-reference,publish}/{item id}. A
	// reset is a process that dies there, a status an error.
	ServiceCorrespondenceJobs = "correspondence-jobs"
	// ServiceBridge is where Correspondence calls Altinn 2 back.
	ServiceBridge = "sblbridge"
)

// setUpMessages makes the services of messages. Their outgoing calls find their way when routes are there.
func (s *Sim) setUpMessages() {
	s.Altinn2 = altinn2.New(altinn2.Config{Now: s.clock(ServiceAltinn2), Caller: s.altinn2Reader().Caller})
	s.Correspondence = correspondence.New(correspondence.Config{
		Now: s.clock(ServiceCorrespondence), Seed: s.options.Seed, Compact: s.options.Compact,
		Caller:   s.maskinportenReader(ServiceCorrespondence).Caller,
		Outgoing: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.outgoing.ServeHTTP(w, r) }),
		Steps:    s.Faults.Wrap(ServiceCorrespondenceJobs, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		Pauses:   s.options.CorrespondencePauses,
	})
	s.closers = append(s.closers, s.Correspondence.Close, s.Altinn2.Close)
}

// altinn2Reader reads callers of the export, whose contract names no issuer.
func (s *Sim) altinn2Reader() auth.Reader {
	reader := s.dialogportenReader()
	reader.Skew = 0
	return reader
}

// routeOutgoing serves what Correspondence asks of others: the same services, behind the same recorder and faults, and
// behind the faults of its own calls.
func (s *Sim) routeOutgoing() http.Handler {
	mux := http.NewServeMux()
	mount := func(name, pattern string, service http.Handler) {
		mux.Handle(pattern, s.recorded(name, s.Faults.Wrap(ServiceCorrespondenceOut, s.Faults.Wrap(name, service))))
	}
	mount(ServiceDialogporten, "/api/v1/", s.Dialogporten)
	mount(ServiceRegister, register.Prefix+"/", s.Register)
	mount(ServiceEvents, events.Prefix+"/", s.Events)
	mount(ServiceBridge, altinn2.BridgePrefix+"/", s.Altinn2.Bridge)
	token := &ownToken{sim: s}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.options.Auth != auth.Off {
			r.Header.Set("Authorization", "Bearer "+token.text())
		}
		mux.ServeHTTP(w, r)
	})
}

// ownToken is the Altinn token that Correspondence works with.
type ownToken struct {
	sim *Sim

	mu     sync.Mutex
	signed string
	until  time.Time
}

// text is a token that is good now: an expired or revoked one is replaced.
func (t *ownToken) text() string {
	const lifetime = 30 * time.Minute
	t.mu.Lock()
	defer t.mu.Unlock()
	signer, now := t.sim.Authentication.Signer(), t.sim.Now()
	left := t.until.Sub(now)
	if _, err := signer.Verify(t.signed); err == nil && left > time.Minute && left <= lifetime {
		return t.signed
	}
	owner := operators()[codeDigdir]
	t.until = now.Add(lifetime)
	signed, err := signer.Sign(map[string]any{
		"scope": strings.Join(correspondence.OutgoingScopes(), " "), "exp": t.until.Unix(), "nbf": now.Add(-time.Minute).Unix(),
		"urn:altinn:org": owner.Code, "urn:altinn:orgNumber": owner.Number, "consumer": map[string]string{"ID": "0192:" + owner.Number},
	})
	if err != nil {
		return "" // there is no key: nobody's tokens are good
	}
	t.signed = signed
	return signed
}

// migratedResource is the form of the resources of migrated message services.
var migratedResource = regexp.MustCompile(`^([a-z0-9]+)-migratedcorrespondence-[0-9]+-[0-9]+$`)

// messageResource is a migrated message service that the registry was not told of: it belongs to whom its id names.
func messageResource(id string) (dialogporten.Resource, bool) {
	match := migratedResource.FindStringSubmatch(id)
	if match == nil {
		return dialogporten.Resource{}, false
	}
	owner := world.Organisation{Code: match[1], Number: operators()[codeDigdir].Number}
	known := world.Organisations(12)
	if i := slices.IndexFunc(known, func(o world.Organisation) bool { return o.Code == match[1] }); i >= 0 {
		owner = known[i]
	}
	return dialogporten.Resource{ID: id, OrgNumber: owner.Number, Org: owner.Code, Type: "CorrespondenceService"}, true
}

// generateMessages makes messages up.
func (s *Sim) generateMessages(options generator.Options) (*altinn2.Totals, error) {
	m := options.Messages
	if m == nil || m.Messages == 0 {
		return nil, nil //nolint:nilnil // none were asked for
	}
	wanted := *m
	if wanted.Seed == 0 {
		wanted.Seed = options.Seed
	}
	if wanted.From.IsZero() && wanted.To.IsZero() {
		wanted.From, wanted.To = options.From, options.To
	}
	totals, needed, err := s.Altinn2.Generate(wanted)
	if err != nil {
		return nil, err
	}
	s.Orgs.Put(needed.Organisations...)
	s.Orgs.PutResources(needed.Resources...)
	if err := s.Register.Put(senderRecords(needed.Organisations)); err != nil {
		return nil, fmt.Errorf("register senders: %w", err)
	}
	return &totals, nil
}

// senderRecords are service owners as Register answers them.
func senderRecords(organisations []world.Organisation) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(organisations))
	for _, o := range organisations {
		out = append(out, answer.Marshal(map[string]any{
			"partyUuid": altinn2.SenderUUID(o), "partyType": world.TypeOrganisation, "displayName": strings.ToUpper(o.Name.NB),
			"externalUrn": world.URNOrganisation + o.Number, "organizationIdentifier": o.Number,
		}))
	}
	return out
}

// Keys of stories.
func messageKey(id int32) story.Key {
	key := story.Key{Kind: 'm'}
	binary.BigEndian.PutUint32(key.ID[12:], uint32(id)) //nolint:gosec // ids are positive
	return key
}

func attachmentKey(id string) story.Key {
	return story.Key{Kind: 'a', ID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(id))}
}

// unread says whether a request's body is too large to be told: it streams past.
func unread(r *http.Request) bool {
	return strings.EqualFold(r.URL.Path, correspondence.PathAttachment)
}

// messageKeys are the story keys of a request that is about messages.
func (s *Sim) messageKeys(r *http.Request, body []byte) []story.Key {
	if id, ok := correspondence.Subject(r.Context()); ok {
		return []story.Key{messageKey(id)}
	}
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, altinn2.Prefix+"/correspondences/"); ok {
		text, _, _ := strings.Cut(rest, "/")
		if id, err := strconv.ParseInt(text, 10, 32); err == nil {
			return []story.Key{messageKey(int32(id))}
		}
		return nil
	}
	rest, ok := strings.CutPrefix(path, correspondence.Prefix+"/")
	switch {
	case !ok:
		return nil
	case unread(r):
		return []story.Key{attachmentKey(r.URL.Query().Get("altinn2AttachmentId"))}
	case r.Method == http.MethodGet:
		id, err := uuid.Parse(strings.Split(strings.TrimPrefix(rest, "correspondence/"), "/")[0])
		if err != nil {
			return nil
		}
		return s.itemKeys(id)
	}
	var named struct {
		Altinn2ID int32       `json:"altinn2CorrespondenceId"`
		ID        uuid.UUID   `json:"correspondenceId"`
		IDs       []uuid.UUID `json:"correspondenceIds"`
	}
	if json.Unmarshal(body, &named) != nil {
		return nil
	}
	if named.Altinn2ID != 0 {
		return []story.Key{messageKey(named.Altinn2ID)}
	}
	return s.itemKeys(append(named.IDs, named.ID)...)
}

// itemKeys are the keys of messages by the ids of their items.
func (s *Sim) itemKeys(ids ...uuid.UUID) []story.Key {
	var keys []story.Key
	for _, id := range ids {
		if item, ok := s.Correspondence.ByID(id); ok {
			keys = append(keys, messageKey(item.Altinn2ID))
		}
	}
	return keys
}

// messageStory is every request that touched a message: those to the export and to Correspondence, what Correspondence
// sent on, the uploads of its attachments, and whatever touched its dialog.
func (s *Sim) messageStory(id int32) []story.Entry {
	keys := []story.Key{messageKey(id)}
	if record, ok := s.Altinn2.Message(id); ok {
		for _, a := range record.Attachments {
			keys = append(keys, attachmentKey(a.ID))
		}
	}
	if item, ok := s.Correspondence.Item(id); ok {
		if dialog, ok := item.DialogID(); ok {
			keys = append(keys, keysOf(dialogKey, dialog)...)
		}
	}
	return s.book.Of(keys...)
}

// messageNumber is the Altinn 2 id that a key of an item stands for.
func messageNumber(key string) (int32, bool) {
	id, err := strconv.ParseInt(key, 10, 32)
	return int32(id), err == nil
}
