package storage

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// errRefused is a request that has been answered 403.
var errRefused = errors.New("forbidden")

// errGeneric is a request that has been answered by the generic problem body (3.1).
var errGeneric = errors.New("bad request")

// list answers GET instances (3).
func (s *Service) list(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	q, err := parseList(r.URL.RawQuery)
	if err == nil {
		err = s.mayList(q, r, caller)
	}
	if err == nil {
		var known bool
		if known, err = s.ownerFromHeader(q, r); err == nil && !known {
			answer.JSON(w, http.StatusOK, emptyList{Instances: []any{}})
			return
		}
	}
	if err == nil {
		err = q.readDates()
	}
	var body []byte
	if err == nil {
		body, err = s.listBody(q, r)
	}
	if err != nil {
		writeListError(w, err)
		return
	}
	answer.Raw(w, http.StatusOK, body)
}

type emptyList struct {
	Count     int     `json:"count"`
	Self      *string `json:"self"`
	Next      *string `json:"next"`
	Instances []any   `json:"instances"`
}

func writeListError(w http.ResponseWriter, err error) {
	var fault faultError
	var bad badRequestError
	switch {
	case asParametersError(err) != nil:
		answer.WriteProblem(w, answer.Problem{
			Title:  "One or more validation errors occurred.",
			Status: http.StatusBadRequest, Errors: asParametersError(err),
		})
	case errors.As(err, &fault):
		answer.Text(w, http.StatusInternalServerError, string(fault))
	case errors.As(err, &bad):
		answer.Text(w, http.StatusBadRequest, string(bad))
	case errors.Is(err, errRefused):
		answer.Empty(w, http.StatusForbidden)
	default:
		answer.WriteProblem(w, answer.Problem{Status: http.StatusBadRequest})
	}
}

const ownerHeader = "X-Ai-InstanceOwnerIdentifier"

// mayList makes the checks of 3.1 in their order, and fills in the organisation.
func (s *Service) mayList(q *listQuery, r *http.Request, caller auth.Caller) error {
	if q.party != nil && r.Header.Get(ownerHeader) != "" {
		return badRequestError("Both InstanceOwner.PartyId and InstanceOwnerIdentifier cannot be present at the same time.")
	}
	switch {
	case caller.Org != "":
		return mayListAsOrg(q, caller)
	case caller.User:
		if q.party == nil && r.Header.Get(ownerHeader) == "" {
			return badRequestError("Either InstanceOwnerPartyId or InstanceOwnerIdentifier need to be defined.")
		}
		return nil
	}
	return errGeneric
}

func mayListAsOrg(q *listQuery, caller auth.Caller) error {
	adapter := caller.Has(auth.ScopeSyncAdapter)
	if !adapter && !caller.Has(auth.ScopeInstancesRead) {
		return errRefused
	}
	if q.org == "" && q.appID == "" {
		return badRequestError("Org or AppId must be defined.")
	}
	if q.org == "" {
		q.org = orgOf(q.appID)
	}
	if adapter || strings.EqualFold(q.org, caller.Org) {
		return nil
	}
	if q.appID == "" {
		return badRequestError("AppId must be defined.")
	}
	return errRefused // the policy decision of an app of somebody else
}

// ownerFromHeader turns the owner header into a party (3.1). known is false when there is no such party.
func (s *Service) ownerFromHeader(q *listQuery, r *http.Request) (known bool, err error) {
	header := strings.ToLower(strings.ReplaceAll(r.Header.Get(ownerHeader), " ", ""))
	if header == "" {
		return true, nil
	}
	kind, number, _ := strings.Cut(header, ":")
	var party int32
	switch {
	case kind != "person" && kind != "organisation" || number == "":
		return false, badRequestError("Invalid InstanceOwnerIdentifier.")
	case kind == "person" && !digits(number, 11):
		return false, badRequestError("Person number needs to be exactly 11 digits.")
	case kind == "organisation" && !digits(number, 9):
		return false, badRequestError("Organization number needs to be exactly 9 digits.")
	case kind == "person":
		party, known = s.partyOf(number, "")
	default:
		party, known = s.partyOf("", number)
	}
	q.party = &party
	return known, nil
}

func digits(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789") == ""
}

// bytesPerInstance is a guess of what an instance takes as JSON, to allot the answer at once.
const bytesPerInstance = 4096

// listBody writes a page with its envelope (3.7).
func (s *Service) listBody(q *listQuery, r *http.Request) ([]byte, error) {
	rawQuery, hidden := r.URL.RawQuery, s.hidden(r)
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, err := s.page(q, floorMicros(s.now()), hidden)
	if err != nil {
		return nil, err
	}
	base := "https://platform." + s.host + instancesPath
	self := base
	switch {
	case q.hasToken:
		self += "?" + q.rebuilt(escape(q.token))
	case rawQuery != "":
		self += "?" + rawQuery
	}
	dst := make([]byte, 0, 512+bytesPerInstance*len(p.rows))
	dst = append(dst, `{"count":`...)
	dst = strconv.AppendInt(dst, int64(len(p.rows)), 10)
	dst = append(appendJSON(append(dst, `,"self":`...), self), `,"next":`...)
	if p.full(q) && (q.size == 0 || p.last != nil) {
		dst = appendJSON(dst, base+"?"+q.rebuilt(s.tokenAfter(p)))
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"instances":[`...)
	for i, at := range p.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.appendInstance(dst, at, View{SelfLinks: true, Elements: q.elements})
	}
	return append(dst, "]}"...), nil
}

// tokenAfter is the token that a full page ends with. Its time is the JSON's: 0 where that has none (3.6).
func (s *Service) tokenAfter(p page) string {
	if p.last == nil {
		return token(0, 0)
	}
	id := idOf(p.rows[len(p.rows)-1])
	if p.last.Flags.Has(NoLastChanged) {
		return token(0, id)
	}
	return token(ticksOf(p.last.LastChanged), id)
}

// pathInstance reads an instance's path. ok is false when the route would not match: 404 without a body (4).
func pathInstance(r *http.Request) (party string, guid uuid.UUID, ok bool) {
	party = r.PathValue("partyId")
	if _, err := strconv.ParseInt(party, 10, 32); err != nil && party != "" {
		return "", uuid.Nil, false
	}
	guid, err := uuid.Parse(r.PathValue("guid"))
	return party, guid, err == nil
}

// getInstance answers one instance. The party id is not compared with the instance's (4).
func (s *Service) getInstance(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	_, guid, ok := pathInstance(r)
	if !ok {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	row, appID, known := s.visibleRow(guid)
	switch {
	case !known || s.hides(r, row):
		answer.Text(w, http.StatusNotFound, "Unable to find instance "+guid.String())
		return
	case !mayRead(caller, appID):
		answer.Empty(w, http.StatusForbidden)
		return
	}
	body, ok := s.Instance(row.GUID)
	if !ok {
		answer.Text(w, http.StatusNotFound, "Unable to find instance "+guid.String())
		return
	}
	answer.Raw(w, http.StatusOK, body)
}

// hides says whether the request must not see a row that is there.
func (s *Service) hides(r *http.Request, row Row) bool {
	hidden := s.hidden(r)
	if hidden == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, ok := s.byGUID[row.GUID]
	return ok && hidden(row, s.since(at), floorMicros(s.now()))
}

func (s *Service) visibleRow(guid uuid.UUID) (Row, string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, row, ok := s.find(guid, floorMicros(s.now()))
	if !ok {
		return Row{}, "", false
	}
	return *row, s.apps[row.App], true
}

// mayRead is the adapter's right to everything, and an owner's to its own apps.
func mayRead(caller auth.Caller, appID string) bool {
	return caller.Has(auth.ScopeSyncAdapter) || caller.Has(auth.ScopeInstancesRead) && strings.EqualFold(caller.Org, orgOf(appID))
}

// listEvents answers an instance's events: an empty list when there is no such instance (5).
func (s *Service) listEvents(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	_, guid, ok := pathInstance(r)
	if !ok {
		answer.WriteProblem(w, answer.Problem{
			Title: "One or more validation errors occurred.", Status: http.StatusBadRequest,
			Errors: map[string][]string{"instanceGuid": {"The value '" + r.PathValue("guid") + "' is not valid."}},
		})
		return
	}
	row, appID, known := s.visibleRow(guid)
	if known && !mayRead(caller, appID) {
		answer.Empty(w, http.StatusForbidden)
		return
	}
	known = known && !s.hides(r, row)
	q := listQuery{params: parseQuery(r.URL.RawQuery)}
	inside, err := eventSpan(q.first("from"), q.first("to"))
	if err != nil {
		answer.WriteProblem(w, answer.Problem{
			Title: "One or more validation errors occurred.", Status: http.StatusBadRequest,
			Errors: asParametersError(err),
		})
		return
	}
	types := q.values("eventTypes")
	body := []byte(`{"instanceEvents":[`)
	first := true
	for _, event := range s.Events(guid) {
		if !known || len(types) > 0 && !slices.Contains(types, event.Type) || !inside(event) {
			continue
		}
		if !first {
			body = append(body, ',')
		}
		first = false
		body = append(body, event.JSON...)
	}
	answer.Raw(w, http.StatusOK, append(body, "]}"...))
}

// eventSpan is the filter of from and to, which are used only when both are there (5).
func eventSpan(from, to string) (func(Event) bool, error) {
	bad := parametersError{}
	read := func(name, text string) int64 {
		t, ok := ParseTime(text)
		if text != "" && !ok {
			bad[name] = []string{"The value '" + text + "' is not valid."}
		}
		return t
	}
	inside := span{from: read("from", from), to: read("to", to)}
	if len(bad) > 0 {
		return nil, bad
	}
	if from == "" || to == "" {
		return func(Event) bool { return true }, nil
	}
	return func(e Event) bool {
		t, ok := ParseTime(e.Created)
		return ok && inside.holds(t)
	}, nil
}

func (s *Service) getEvent(w http.ResponseWriter, r *http.Request, _ auth.Caller) {
	_, guid, ok := pathInstance(r)
	id, err := uuid.Parse(r.PathValue("eventId"))
	if ok && err == nil {
		for _, event := range s.Events(guid) {
			if event.ID == id {
				answer.Raw(w, http.StatusOK, event.JSON)
				return
			}
		}
	}
	answer.Text(w, http.StatusNotFound, "Unable to find event "+r.PathValue("eventId"))
}

// putDataValues merges data values into an instance (8).
func (s *Service) putDataValues(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	_, guid, ok := pathInstance(r)
	if !ok {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	var body struct {
		Values map[string]*string `json:"values"`
	}
	if !answer.ReadJSON(w, r, &body) {
		return
	}
	if body.Values == nil {
		answer.Text(w, http.StatusBadRequest, "Missing parameter value: dataValues is misformed or empty")
		return
	}
	if _, appID, known := s.visibleRow(guid); known && !mayRead(caller, appID) {
		answer.Empty(w, http.StatusForbidden)
		return
	}
	values := make([]Value, 0, len(body.Values))
	for key, value := range body.Values {
		// An empty value is meant to remove the key, and removes nothing.
		if value != nil && *value != "" {
			values = append(values, Value{Key: key, Value: *value})
		}
	}
	slices.SortFunc(values, func(a, b Value) int { return strings.Compare(a.Key, b.Key) })
	written, ok := s.write(guid, values)
	if !ok {
		answer.Text(w, http.StatusInternalServerError, "Object reference not set to an instance of an object.")
		return
	}
	answer.Raw(w, http.StatusOK, written)
}

// write sets data values and is the instance afterwards, without self links.
func (s *Service) write(guid uuid.UUID, values []Value) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _, ok := s.find(guid, floorMicros(s.now()))
	if !ok {
		return nil, false
	}
	s.setValues(at, values)
	return s.appendInstance(nil, at, View{Elements: true}), true
}

// deleteInstance answers DELETE instances/...: the instance (9).
func (s *Service) deleteInstance(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	guid, ok := s.deleteAs(w, r, caller)
	if !ok {
		return
	}
	if body, ok := s.Instance(guid); ok {
		answer.Raw(w, http.StatusOK, body)
		return
	}
	answer.Empty(w, http.StatusNotFound)
}

// deleteSBL answers DELETE sbl/instances/...: true (9).
func (s *Service) deleteSBL(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	if _, ok := s.deleteAs(w, r, caller); ok {
		answer.JSON(w, http.StatusOK, true)
	}
}

// deleteAs deletes what the request names. It has answered when ok is false.
func (s *Service) deleteAs(w http.ResponseWriter, r *http.Request, caller auth.Caller) (uuid.UUID, bool) {
	party, guid, ok := pathInstance(r)
	if !ok {
		answer.Empty(w, http.StatusNotFound)
		return guid, false
	}
	q := listQuery{params: parseQuery(r.URL.RawQuery)}
	hard := strings.EqualFold(q.first("hard"), "true")
	row, appID, known := s.visibleRow(guid)
	switch {
	case !known:
		answer.Text(w, http.StatusNotFound, fmt.Sprintf("Didn't find the object that should be deleted with instanceId=%s/%s", party, guid))
		return guid, false
	case !mayRead(caller, appID):
		answer.Empty(w, http.StatusForbidden)
		return guid, false
	case s.prevented(row, appID):
		answer.Text(w, http.StatusForbidden, "Instance cannot be deleted yet due to application restrictions.")
		return guid, false
	}
	erase := s.SoftDelete
	if hard {
		erase = s.HardDelete
	}
	if err := erase(guid); err != nil { // the row went away in between
		answer.Text(w, http.StatusNotFound, fmt.Sprintf("Didn't find the object that should be deleted with instanceId=%s/%s", party, guid))
		return guid, false
	}
	return guid, true
}

// prevented says whether the app keeps its archived instances for a while (9).
func (s *Service) prevented(row Row, appID string) bool {
	days := s.applications.preventDays(appID)
	return days > 0 && row.Flags.Has(Archived) && s.now().Before(time.UnixMicro(row.Settled).AddDate(0, 0, days))
}

// undeleteSBL undoes a soft delete (9).
func (s *Service) undeleteSBL(w http.ResponseWriter, r *http.Request, caller auth.Caller) {
	party, guid, ok := pathInstance(r)
	if !ok {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	row, appID, known := s.visibleRow(guid)
	switch {
	case known && !mayRead(caller, appID):
		answer.Empty(w, http.StatusForbidden)
	case !known || row.Flags.Has(HardDeleted) || s.Undelete(guid) != nil:
		answer.Text(w, http.StatusNotFound, fmt.Sprintf("Didn't find the object that should be restored with instanceId=%s/%s", party, guid))
	default:
		answer.JSON(w, http.StatusOK, true)
	}
}
