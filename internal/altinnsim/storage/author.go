package storage

import "github.com/google/uuid"

// Author writes the instances whose rows it made. The same row must always give the same bytes. Authors are used
// concurrently.
type Author interface {
	// AppendInstance appends the instance as JSON.
	AppendInstance(dst []byte, view View) []byte
	// Events are the instance's events, as stored, in the order they happened.
	Events(row Row, id RowID) []Event
	// Facts is what lists filter by and comparisons need, without the JSON.
	Facts(row Row, id RowID) Facts
}

// View is an instance together with how it is to be shown.
type View struct {
	Row       Row
	ID        RowID
	Values    []Value // further data values, in order
	SelfLinks bool    // false: without (8)
	Elements  bool    // false: data is empty (3.2)
}

// Value is a data value.
type Value struct{ Key, Value string }

// Event is an instance event (5).
type Event struct {
	ID      uuid.UUID
	Created string // as stored: order is by this text
	Type    string
	JSON    []byte
}

// Facts are properties of an instance that its row does not hold.
type Facts struct {
	ProcessEnded      string // as stored; "" none
	Task              string // element id of the current task; "" none
	TaskType          string // altinnTaskType of the current task
	VisibleAfter      string
	DueBefore         string
	PresentationTexts []string
	Confirmations     []string // stakeholders that have confirmed
	Values            []Value  // data values that the author writes, without those of the View
	Feedback          bool     // an event tells that the process has been in a feedback task
	FirstByOrg        bool     // the first event, as delivered, was made by an organisation
}
