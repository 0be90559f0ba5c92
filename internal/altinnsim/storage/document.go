package storage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Names of members and data values that the service itself reads.
const (
	DialogIDKey     = "dialog.id"
	a1ReferenceKey  = "A1ArchRef"
	a2ReferenceKey  = "A2ArchRef"
	memberData      = "data"
	memberValues    = "dataValues"
	memberSelfLinks = "selfLinks"
	memberStatus    = "status"
	memberProcess   = "process"
	memberTexts     = "presentationTexts"
	memberConfirmed = "completeConfirmations"
	memberChanged   = "lastChanged"
	memberChangedBy = "lastChangedBy"
)

// document is an instance that was put in place: its members as they were written, in their order.
type document struct {
	members []member
	links   []byte // selfLinks as the service makes them
}

type member struct {
	name string
	raw  json.RawMessage
}

// shape is what is read of a document.
type shape struct {
	ID            string `json:"id"`
	InstanceOwner struct {
		PartyID string `json:"partyId"`
	} `json:"instanceOwner"`
	AppID        string `json:"appId"`
	Org          string `json:"org"`
	VisibleAfter string `json:"visibleAfter"`
	DueBefore    string `json:"dueBefore"`
	Process      *struct {
		Ended       string `json:"ended"`
		CurrentTask *struct {
			ElementID string `json:"elementId"`
			TaskType  string `json:"altinnTaskType"`
		} `json:"currentTask"`
	} `json:"process"`
	Status *struct {
		IsArchived    bool   `json:"isArchived"`
		Archived      string `json:"archived"`
		IsSoftDeleted bool   `json:"isSoftDeleted"`
		SoftDeleted   string `json:"softDeleted"`
		IsHardDeleted bool   `json:"isHardDeleted"`
		HardDeleted   string `json:"hardDeleted"`
	} `json:"status"`
	CompleteConfirmations []struct {
		StakeholderID string `json:"stakeholderId"`
	} `json:"completeConfirmations"`
	Data              []json.RawMessage `json:"data"`
	PresentationTexts map[string]string `json:"presentationTexts"`
	DataValues        map[string]string `json:"dataValues"`
	Created           string            `json:"created"`
	LastChanged       string            `json:"lastChanged"`
}

// parseDocument reads an instance. An id, an app and a creation time are all that it must have.
func parseDocument(raw []byte, host string) (*document, Row, shape, error) {
	var in shape
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, Row{}, in, fmt.Errorf("read instance: %w", err)
	}
	members, err := parseMembers(raw)
	if err != nil {
		return nil, Row{}, in, err
	}
	row, err := in.row()
	if err != nil {
		return nil, Row{}, in, err
	}
	d := &document{members: members, links: appendSelfLinks(nil, host, row.Party, row.GUID)}
	d.set("id", appendJSON(nil, row.Key()))
	if sorted, ok := sortElements(in.Data); ok {
		d.set(memberData, sorted)
	}
	return d, row, in, nil
}

// row is what a document's row holds. The app is not numbered yet.
func (in shape) row() (Row, error) {
	party, guid := in.InstanceOwner.PartyID, in.ID
	if p, g, ok := strings.Cut(in.ID, "/"); ok {
		party, guid = p, g
	}
	id, err := uuid.Parse(guid)
	if err != nil {
		return Row{}, fmt.Errorf("instance id %q: %w", in.ID, err)
	}
	partyID, err := strconv.ParseInt(party, 10, 32)
	if err != nil {
		return Row{}, fmt.Errorf("instance %s: party id: %w", id, err)
	}
	if in.AppID == "" {
		return Row{}, fmt.Errorf("instance %s: no appId", id)
	}
	row := Row{GUID: id, Party: int32(partyID), Version: in.version(), author: documents}
	var ok bool
	if row.Created, ok = ParseTime(in.Created); !ok {
		return Row{}, fmt.Errorf("instance %s: created %q is not a time", id, in.Created)
	}
	switch row.LastChanged, ok = ParseTime(in.LastChanged); {
	case in.LastChanged == "":
		row.LastChanged, row.Flags = row.Created, NoLastChanged
	case !ok:
		return Row{}, fmt.Errorf("instance %s: lastChanged %q is not a time", id, in.LastChanged)
	}
	row.Settled = row.LastChanged
	row.Flags |= in.flags()
	return row, nil
}

// version tells A1 and A2 forms as consumers do, by data values, else by the app id (12.1).
func (in shape) version() uint8 {
	_, a1 := in.DataValues[a1ReferenceKey]
	_, a2 := in.DataValues[a2ReferenceKey]
	switch {
	case a1 || strings.Contains(in.AppID, "/a1-"):
		return 1
	case a2 || strings.Contains(in.AppID, "/a2-"):
		return 2
	}
	return 3
}

func (in shape) flags() Flags {
	var flags Flags
	set := func(flag Flags, on bool) {
		if on {
			flags |= flag
		}
	}
	set(NoStatus, in.Status == nil)
	if in.Status != nil {
		set(Archived, in.Status.IsArchived)
		set(SoftDeleted, in.Status.IsSoftDeleted)
		set(HardDeleted, in.Status.IsHardDeleted)
	}
	set(Ended, in.Process != nil && in.Process.Ended != "")
	for _, c := range in.CompleteConfirmations {
		set(Confirmed, c.StakeholderID == orgOf(in.AppID))
	}
	return flags
}

func (d *document) shape() shape {
	var in shape
	// What is held was read before, and changed only by this package.
	_ = json.Unmarshal(d.append(nil, View{Elements: true}), &in)
	return in
}

func (d *document) facts() Facts {
	in := d.shape()
	facts := Facts{VisibleAfter: in.VisibleAfter, DueBefore: in.DueBefore}
	if in.Process != nil {
		facts.ProcessEnded = in.Process.Ended
		if task := in.Process.CurrentTask; task != nil {
			facts.Task, facts.TaskType = task.ElementID, task.TaskType
		}
	}
	for _, c := range in.CompleteConfirmations {
		facts.Confirmations = append(facts.Confirmations, c.StakeholderID)
	}
	for _, text := range in.PresentationTexts {
		facts.PresentationTexts = append(facts.PresentationTexts, text)
	}
	for key, value := range in.DataValues {
		facts.Values = append(facts.Values, Value{Key: key, Value: value})
	}
	return facts
}

// append writes the instance with its members in their order.
func (d *document) append(dst []byte, v View) []byte {
	dst = append(dst, '{')
	first := true
	write := func(name string, raw []byte) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSON(dst, name), ':')
		dst = append(dst, raw...)
	}
	linked := false
	for _, m := range d.members {
		switch {
		case m.name == memberSelfLinks:
			linked = true
			if v.SelfLinks {
				write(m.name, d.links)
			}
		case m.name == memberData && !v.Elements:
			write(m.name, []byte("[]"))
		default:
			write(m.name, m.raw)
		}
	}
	if v.SelfLinks && !linked {
		write(memberSelfLinks, d.links)
	}
	return append(dst, '}')
}

// set replaces a member or adds it at the end.
func (d *document) set(name string, raw []byte) {
	for i := range d.members {
		if d.members[i].name == name {
			d.members[i].raw = raw
			return
		}
	}
	d.members = append(d.members, member{name: name, raw: raw})
}

func (d *document) get(name string) json.RawMessage {
	for _, m := range d.members {
		if m.name == name {
			return m.raw
		}
	}
	return nil
}

// remove takes a member away.
func (d *document) remove(name string) {
	d.members = slices.DeleteFunc(d.members, func(m member) bool { return m.name == name })
}

// edit changes the members of a member that is an object, or adds it.
func (d *document) edit(name string, change func(object *document)) {
	object, err := parseObject(d.get(name))
	if err != nil {
		object = &document{} // missing or null
	}
	change(object)
	d.set(name, object.bytes())
}

// bytes is an object that is not a whole instance.
func (d *document) bytes() []byte {
	return d.append(nil, View{Elements: true, SelfLinks: d.links != nil})
}

// parseObject reads an object that is not a whole instance.
func parseObject(raw []byte) (*document, error) {
	members, err := parseMembers(raw)
	if err != nil {
		return nil, err
	}
	d := &document{members: members}
	d.links = d.get(memberSelfLinks)
	return d, nil
}

// parseMembers splits an object into its members, in order.
func parseMembers(raw []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	if token != json.Delim('{') {
		return nil, errors.New("read object: not an object")
	}
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read member: %w", err)
		}
		m := member{name: fmt.Sprint(name)}
		if err := decoder.Decode(&m.raw); err != nil {
			return nil, fmt.Errorf("read member %s: %w", m.name, err)
		}
		members = append(members, m)
	}
	return members, nil
}

// sortElements puts data elements in the order of their creation, as single reads have them (4).
func sortElements(elements []json.RawMessage) ([]byte, bool) {
	if len(elements) == 0 {
		return nil, false
	}
	created := func(raw json.RawMessage) int64 {
		var e struct {
			Created string `json:"created"`
		}
		_ = json.Unmarshal(raw, &e)
		t, _ := ParseTime(e.Created)
		return t
	}
	slices.SortStableFunc(elements, func(a, b json.RawMessage) int { return cmp.Compare(created(a), created(b)) })
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']'), true
}

func appendSelfLinks(dst []byte, host string, party int32, guid uuid.UUID) []byte {
	dst = append(dst, `{"platform":"https://platform.`...)
	dst = append(dst, host...)
	dst = append(dst, instancesPath...)
	dst = append(dst, '/')
	dst = appendKey(dst, party, guid)
	return append(dst, `"}`...)
}

// appendJSON appends a string as JSON.
func appendJSON(dst []byte, text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return append(dst, "null"...) // does not happen: strings can always be written
	}
	return append(dst, bytes.TrimRight(buffer.Bytes(), "\n")...)
}
