package storage

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// Element is a new data element. What it does not tell is made up.
type Element struct {
	ID          uuid.UUID
	DataType    string
	Filename    string // "" none
	ContentType string
	Size        int64
	Task        string // it was generated from this task; "" from none
}

// AddElement adds a data element: lastChanged takes its time.
func (s *Service) AddElement(guid uuid.UUID, e Element, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, byOrg := s.moment(options)
		d := s.materialize(at)
		by := s.changer(at, byOrg)
		d.setElements(append(d.elements(), s.element(at, e, now, by)))
		s.touch(at, now, byOrg)
		s.tell(at, happening{kind: eventCreated, at: now, data: e.ID, byOrg: byOrg, process: true})
		return nil
	})
}

// UpdateElement changes the content of a data element: lastChanged takes its time.
func (s *Service) UpdateElement(guid, id uuid.UUID, size int64, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, byOrg := s.moment(options)
		return s.editElement(at, id, happening{kind: eventSaved, at: now, data: id, byOrg: byOrg, process: true}, func(e *document) bool {
			e.set("size", answer.Marshal(size))
			e.set(memberChanged, appendJSON(nil, FormatTime(now)))
			e.set(memberChangedBy, appendJSON(nil, s.changer(at, byOrg)))
			return true
		})
	})
}

// DeleteElement deletes a data element. Delayed, the element stays to be seen, marked as hard-deleted.
func (s *Service) DeleteElement(guid, id uuid.UUID, delayed bool, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, byOrg := s.moment(options)
		return s.editElement(at, id, happening{kind: eventDeleted, at: now, data: id, byOrg: byOrg, process: true}, func(e *document) bool {
			if !delayed {
				return false
			}
			e.edit("deleteStatus", func(status *document) {
				status.set("isHardDeleted", []byte("true"))
				status.set("hardDeleted", appendJSON(nil, FormatTime(now)))
			})
			e.set(memberChanged, appendJSON(nil, FormatTime(now)))
			e.set(memberChangedBy, appendJSON(nil, s.changer(at, byOrg)))
			return true
		})
	})
}

// editElement changes an element, or takes it away when edit returns false, and tells of it. The caller holds the lock.
func (s *Service) editElement(at slot, id uuid.UUID, h happening, edit func(*document) bool) error {
	d := s.materialize(at)
	elements := d.elements()
	for i, raw := range elements {
		if elementOf(raw).ID != id {
			continue
		}
		e, err := parseObject(raw)
		if err != nil {
			return fmt.Errorf("data element %s: %w", id, err)
		}
		if edit(e) {
			elements[i] = e.bytes()
		} else {
			elements = append(elements[:i], elements[i+1:]...)
		}
		d.setElements(elements)
		s.touch(at, h.at, h.byOrg)
		s.tell(at, h)
		return nil
	}
	return fmt.Errorf("data element %s of instance %s: %w", id, s.row(at).GUID, ErrNotFound)
}

// ElementRef is a data element by name.
type ElementRef struct {
	ID       uuid.UUID `json:"id"`
	DataType string    `json:"dataType"`
	Created  string    `json:"created"`
	Changed  string    `json:"lastChanged"`
	Status   struct {
		HardDeleted bool `json:"isHardDeleted"`
	} `json:"deleteStatus"`
}

func elementOf(raw json.RawMessage) ElementRef {
	var e ElementRef
	_ = json.Unmarshal(raw, &e) // an element that cannot be read has no id
	return e
}

// ElementsOf are the data elements of an instance, in the order of their creation.
func (s *Service) ElementsOf(guid uuid.UUID) []ElementRef {
	raw, ok := s.Instance(guid)
	if !ok {
		return nil
	}
	var in struct {
		Data []ElementRef `json:"data"`
	}
	_ = json.Unmarshal(raw, &in) // written here
	return in.Data
}

// element writes a data element (11.2).
func (s *Service) element(at slot, e Element, now int64, by string) json.RawMessage {
	row := s.row(at)
	key, id := row.Key(), e.ID.String()
	type text = map[string]string
	scan := "NotApplicable"
	if e.Filename != "" {
		scan = "Clean"
	}
	element := struct {
		ID          string   `json:"id"`
		Instance    string   `json:"instanceGuid"`
		DataType    string   `json:"dataType"`
		Filename    string   `json:"filename,omitempty"`
		ContentType string   `json:"contentType"`
		Path        string   `json:"blobStoragePath"`
		SelfLinks   text     `json:"selfLinks"`
		Size        int64    `json:"size"`
		Locked      bool     `json:"locked"`
		IsRead      bool     `json:"isRead"`
		Tags        []string `json:"tags"`
		References  []text   `json:"references,omitempty"`
		Scan        string   `json:"fileScanResult"`
		Created     string   `json:"created"`
		CreatedBy   string   `json:"createdBy"`
		Changed     string   `json:"lastChanged"`
		ChangedBy   string   `json:"lastChangedBy"`
	}{
		ID: id, Instance: row.GUID.String(), DataType: e.DataType, Filename: e.Filename, ContentType: e.ContentType,
		Path:      s.apps[row.App] + "/" + row.GUID.String() + "/data/" + id,
		SelfLinks: text{"platform": "https://platform." + s.host + instancesPath + "/" + key + "/data/" + id},
		Size:      e.Size, IsRead: true, Tags: []string{}, Scan: scan,
		Created: FormatTime(now), CreatedBy: by, Changed: FormatTime(now), ChangedBy: by,
	}
	if e.Task != "" {
		element.References = []text{{"value": e.Task, "relation": "GeneratedFrom", "valueType": "Task"}}
	}
	return answer.Marshal(element)
}

func (d *document) elements() []json.RawMessage {
	var elements []json.RawMessage
	_ = json.Unmarshal(d.get(memberData), &elements) // missing or null: none
	return elements
}

// setElements writes the elements in the order of their creation.
func (d *document) setElements(elements []json.RawMessage) {
	sorted, ok := sortElements(elements)
	if !ok {
		sorted = []byte("[]")
	}
	d.set(memberData, sorted)
}

// Is says whether the element has that data type and is not deleted.
func (e ElementRef) Is(dataType string) bool {
	return strings.EqualFold(e.DataType, dataType) && !e.Status.HardDeleted
}
