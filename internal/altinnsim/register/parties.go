package register

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Parties are those that Register knows: the population, and those that were put in place, which come first.
type Parties struct {
	population world.Population
	now        func() time.Time

	mu       sync.RWMutex
	put      []*record
	byKey    map[string]*record  // by URN
	withheld map[int32]time.Time // parties that are not known before that time; zero: until they are revealed
	revealed map[int32]bool      // missing parties that have come to be known
}

// record is a party that was put in place, with the members it was put with.
type record struct {
	party   world.Party
	members map[string]json.RawMessage
}

func newParties(population world.Population, now func() time.Time) *Parties {
	p := &Parties{population: population, now: now}
	p.Reset()
	return p
}

// Reset forgets what was put, withheld and revealed.
func (p *Parties) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put, p.byKey = nil, map[string]*record{}
	p.withheld, p.revealed = map[int32]time.Time{}, map[int32]bool{}
}

// Withhold makes a party unknown until it is revealed: Register follows the old register with a delay.
func (p *Parties) Withhold(partyID int32) { p.WithholdUntil(partyID, time.Time{}) }

// WithholdUntil makes a party unknown until a time, by the simulator's clock; the zero time is Withhold's.
func (p *Parties) WithholdUntil(partyID int32, from time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.withheld[partyID] = from
	delete(p.revealed, partyID)
	if !from.IsZero() {
		p.revealed[partyID] = true // one that is missing for good is known from then on, too
	}
}

// isWithheld is called with the lock.
func (p *Parties) isWithheld(partyID int32) bool {
	from, ok := p.withheld[partyID]
	return ok && (from.IsZero() || p.now().Before(from))
}

// Reveal makes a party known that was missing or withheld.
func (p *Parties) Reveal(partyID int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revealed[partyID] = true
	delete(p.withheld, partyID)
}

// Put puts parties in place as Register answers them. What is put again under its uuid, or else under its party id, is
// replaced.
func (p *Parties) Put(raws []json.RawMessage) error {
	records := make([]*record, 0, len(raws))
	for i, raw := range raws {
		r, err := parseRecord(raw)
		if err != nil {
			return fmt.Errorf("party %d: %w", i, err)
		}
		records = append(records, r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		if i := slices.IndexFunc(p.put, r.same); i >= 0 {
			p.put[i] = r
		} else {
			p.put = append(p.put, r)
		}
	}
	p.byKey = map[string]*record{}
	for _, r := range p.put {
		for _, key := range keys(r.party) {
			p.byKey[key] = r
		}
	}
	return nil
}

func (r *record) same(other *record) bool {
	if r.party.UUID != uuid.Nil {
		return r.party.UUID == other.party.UUID
	}
	return r.party.ID != 0 && r.party.ID == other.party.ID
}

func parseRecord(raw json.RawMessage) (*record, error) {
	var in struct {
		PartyID      *int32          `json:"partyId"`
		PartyUUID    string          `json:"partyUuid"`
		PartyType    world.PartyType `json:"partyType"`
		Person       *string         `json:"personIdentifier"`
		Organisation *string         `json:"organizationIdentifier"`
		DisplayName  *string         `json:"displayName"`
		ExternalURN  *string         `json:"externalUrn"`
		User         *struct {
			UserID   *int64  `json:"userId"`
			UserIDs  []int64 `json:"userIds"`
			Username string  `json:"username"`
		} `json:"user"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("read party: %w", err)
	}
	r := &record{party: world.Party{Type: in.PartyType}}
	if err := json.Unmarshal(raw, &r.members); err != nil {
		return nil, fmt.Errorf("read party: %w", err)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	r.party.Person, r.party.Organisation = text(in.Person), text(in.Organisation)
	r.party.DisplayName, r.party.ExternalURN = text(in.DisplayName), text(in.ExternalURN)
	if in.PartyID != nil {
		r.party.ID = *in.PartyID
	}
	if in.PartyUUID != "" {
		id, err := uuid.Parse(in.PartyUUID)
		if err != nil {
			return nil, fmt.Errorf("partyUuid: %w", err)
		}
		r.party.UUID = id
	}
	if in.User != nil {
		r.party.Username, r.party.UserIDs = in.User.Username, in.User.UserIDs
		if in.User.UserID != nil && !slices.Contains(r.party.UserIDs, *in.User.UserID) {
			r.party.UserIDs = append([]int64{*in.User.UserID}, r.party.UserIDs...)
		}
	}
	return r, nil
}

// found is a party that a question found.
type found struct {
	party   world.Party
	members map[string]json.RawMessage // of a record; nil for the population
}

// find looks a party up by a URN that normal has brought into its one form.
func (p *Parties) find(urn string) (found, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if r, ok := p.byKey[urn]; ok {
		return found{party: r.party, members: r.members}, !p.isWithheld(r.party.ID) || r.party.ID == 0
	}
	party, ok := p.fromPopulation(urn)
	if !ok || p.isWithheld(party.ID) || world.IsMissing(party.ID) && !p.revealed[party.ID] {
		return found{}, false
	}
	return found{party: party}, true
}

func (p *Parties) fromPopulation(urn string) (world.Party, bool) {
	kind, value := splitURN(urn)
	switch kind {
	case world.URNPartyID:
		id, ok := parseID(value)
		if !ok {
			return world.Party{}, false
		}
		return p.population.ByID(int32(id)) //nolint:gosec // unknown ids are not found
	case world.URNUserID:
		id, ok := parseID(value)
		if !ok {
			return world.Party{}, false
		}
		return p.population.ByUserID(id)
	case world.URNPartyUUID:
		id, err := uuid.Parse(value)
		if err != nil {
			return world.Party{}, false
		}
		return p.population.ByUUID(id)
	case world.URNOrganisation:
		return p.population.ByOrganisation(value)
	case world.URNPerson:
		return p.population.ByPerson(value)
	case world.URNUsername:
		return p.population.ByUsername(value)
	case world.URNEmail:
		return p.population.ByUsername("epost:" + value)
	}
	return world.Party{}, false
}

// ByPartyID looks a party up, false when Register does not know it.
func (p *Parties) ByPartyID(id int32) (world.Party, bool) {
	f, ok := p.find(fmt.Sprintf("%s%d", world.URNPartyID, id))
	return f.party, ok
}

// ByURN looks up who Dialogporten knows by a URN: a person, an organisation, somebody who identified themselves.
func (p *Parties) ByURN(urn string) (world.Party, bool) {
	normal, ok := normalURN(urn)
	if !ok {
		return world.Party{}, false
	}
	f, ok := p.find(normal)
	return f.party, ok
}

// Name is a party's display name, for Dialogporten's look-ups of actors.
func (p *Parties) Name(urn string) (string, bool) {
	party, ok := p.ByURN(urn)
	return party.DisplayName, ok && party.DisplayName != ""
}

// Records are the parties that were put in place, as they were put.
func (p *Parties) Records() []map[string]json.RawMessage {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]map[string]json.RawMessage, 0, len(p.put))
	for _, r := range p.put {
		out = append(out, maps.Clone(r.members))
	}
	return out
}
