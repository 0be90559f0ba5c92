package diff

import "time"

// Kind is what is wrong with an item.
type Kind string

// The kinds of differences.
const (
	Missing     Kind = "missing"         // the instance is alive and has no dialog
	Deleted     Kind = "deleted"         // the instance is alive and its dialog is deleted
	Undeleted   Kind = "undeleted"       // the instance is soft-deleted and its dialog is alive
	Unpurged    Kind = "unpurged"        // the instance is hard-deleted and has a dialog
	Unexpected  Kind = "unexpected"      // an instance whose party nobody knows has a dialog
	WrongParty  Kind = "party"           // the dialog lies in another inbox
	WrongRes    Kind = "serviceResource" // the dialog belongs to another resource
	WrongDate   Kind = "createdAt"       // the dialog has another date of creation
	WrongStatus Kind = "status"          // the dialog tells another state
	WrongLabel  Kind = "label"           // the dialog does not have the instance's storage label, or others too
	Orphan      Kind = "orphan"          // a dialog with a storage label, and no instance that it belongs to
	Superseded  Kind = "superseded"      // the dialog of a form that was migrated again and has a new one
)

// Difference is one thing that is wrong.
type Difference struct {
	Kind     Kind   `json:"kind"`
	Item     string `json:"item,omitempty"` // {partyId}/{guid}; "" for an orphan without a readable label
	Dialog   string `json:"dialog,omitempty"`
	Sentence string `json:"sentence"`
}

// Report is the outcome of a comparison.
type Report struct {
	Instances   int            `json:"instances"`  // in scope
	Dialogs     int            `json:"dialogs"`    // all, soft-deleted ones included
	Foreign     int            `json:"foreign"`    // dialogs without a storage label, which belong to somebody else
	Equal       int            `json:"equal"`      // instances with nothing to complain of
	NotSynced   int            `json:"notSynced"`  // instances that are to be left alone
	NoParty     int            `json:"noParty"`    // instances whose party nobody knows: no dialog is right
	Unknowable  int            `json:"unknowable"` // dialogs of instances that went away without a word: no consumer can know
	Differing   int            `json:"differing"`  // instances with something to complain of, and orphans
	Counts      map[Kind]int   `json:"counts"`
	Differences []Difference   `json:"differences"` // the first ones, in no particular order
	States      map[string]int `json:"states"`      // instances by what is expected of their dialogs
	TookMs      int64          `json:"tookMs"`
	// Messages is the comparison of messages, nil when there are none.
	Messages *MessageReport `json:"messages,omitempty"`
}

// Clean says whether nothing differs.
func (r Report) Clean() bool {
	return r.Differing == 0 && (r.Messages == nil || r.Messages.Differing == 0)
}

// Scope restricts a comparison. The zero value compares everything.
type Scope struct {
	Org         string    `json:"org,omitempty"`
	From        time.Time `json:"from"`                  // of lastChanged, included; zero: from the beginning
	To          time.Time `json:"to"`                    // of lastChanged, excluded; zero: to the end
	MainVersion int       `json:"mainVersion,omitempty"` // 0: all
	// First is how many differences are told. Default 20.
	First int `json:"first,omitempty"`
}

const defaultFirst = 20

// restricted says whether dialogs may belong to instances out of scope.
func (s Scope) restricted() bool {
	return s.Org != "" || !s.From.IsZero() || !s.To.IsZero() || s.MainVersion != 0
}
