package live

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// Action is something that happens to an instance.
type Action string

// The actions.
const (
	Create     Action = "create"     // somebody begins a form, or a service owner does for somebody
	Save       Action = "save"       // a form is saved, a file attached or deleted
	Move       Action = "move"       // the process goes to signing, payment, confirmation or feedback
	Sign       Action = "sign"       // it is signed, and archived a little later
	Answer     Action = "answer"     // the service owner asks for more, or rejects the form
	Archive    Action = "archive"    // the process ends; the receipt comes a little later
	Confirm    Action = "confirm"    // the service owner confirms
	Substatus  Action = "substatus"  // the service owner sets a substatus
	SoftDelete Action = "softDelete" // the owner deletes
	HardDelete Action = "hardDelete"
	Restore    Action = "restore"    // of what was deleted softly
	Remove     Action = "remove"     // the clean-up takes hard-deleted instances away
	Read       Action = "read"       // the read status changes, of which nothing tells
	Texts      Action = "texts"      // presentation texts change, of which nothing tells
	Form       Action = "form"       // an archived form arrives from Altinn 2
	Remigrate  Action = "remigrate"  // a form is migrated again, under another guid
	DeleteForm Action = "deleteForm" // a form is removed without a message; not by default
	Vanish     Action = "vanish"     // a living instance is removed without a word; not by default
)

func actions() []Action {
	return []Action{
		Create, Save, Move, Sign, Answer, Archive, Confirm, Substatus, SoftDelete, HardDelete, Restore, Remove, Read, Texts, Form,
		Remigrate, DeleteForm, Vanish,
	}
}

// Age is how old a form's last change is when it arrives (Storage reference, 12.3).
type Age string

// The ages.
const (
	Minutes Age = "minutes" // 1 to 15: picked up by the next batch
	Hours   Age = "hours"   // 1 to 24: after a pause
	Days    Age = "days"    // 1 to 30: after a backlog
	Years   Age = "years"   // 1 to 15: found late, or corrected
)

func ages() []Age { return []Age{Minutes, Hours, Days, Years} }

// Settings say what happens. Start from Defaults. Shares of actions and of ages are weights: they need not add up to 1.
type Settings struct {
	// Rate is actions a second; 0 stops.
	Rate float64 `json:"rate"`
	// For is how long actions go on from when this was set; 0: until they are stopped.
	For faults.Duration `json:"for"`

	Shares map[Action]float64 `json:"shares"`
	Forms  map[Age]float64    `json:"forms"`

	// Recent is the share of changes that are made to what live mode has touched lately; others may be made to any.
	Recent float64 `json:"recent"`
	// After is the longest that receipts, and what is missing of forms, come later.
	After faults.Duration `json:"after"`
	// Incomplete is the share of forms whose elements and events come later than themselves.
	Incomplete float64 `json:"incomplete"`
	// RemoveAfter is how long a hard-deleted instance stays at least.
	RemoveAfter faults.Duration `json:"removeAfter"`

	// LateShare is the share of changes that are committed, and seen, up to Late after their lastChanged.
	LateShare float64         `json:"lateShare"`
	Late      faults.Duration `json:"late"`
	// SkewShare is the share of changes whose server's clock is wrong by up to Skew, forwards or backwards.
	SkewShare float64         `json:"skewShare"`
	Skew      faults.Duration `json:"skew"`
}

// Defaults are a working day in small, without actions.
func Defaults() Settings {
	return Settings{
		Shares: map[Action]float64{
			Create: 0.22, Save: 0.27, Move: 0.05, Sign: 0.03, Answer: 0.02, Archive: 0.14, Confirm: 0.08, Substatus: 0.03,
			SoftDelete: 0.03, HardDelete: 0.015, Restore: 0.01, Remove: 0.01, Read: 0.02, Texts: 0.01, Form: 0.05, Remigrate: 0.015,
		},
		Forms:  map[Age]float64{Minutes: 0.9, Hours: 0.06, Days: 0.03, Years: 0.01},
		Recent: 0.7, After: faults.Duration(5 * time.Second), Incomplete: 0.1, RemoveAfter: faults.Duration(time.Minute),
		Late: faults.Duration(5 * time.Second), Skew: faults.Duration(3 * time.Second),
	}
}

// clone is a copy that shares nothing.
func (s Settings) clone() Settings {
	s.Shares, s.Forms = maps.Clone(s.Shares), maps.Clone(s.Forms)
	return s
}

// Validate says what is wrong with settings, all of it at once.
func (s Settings) Validate() error {
	var faulty []error
	if math.IsNaN(s.Rate) || s.Rate < 0 || s.Rate > maxRate {
		faulty = append(faulty, fmt.Errorf("rate: %g is not between 0 and %d", s.Rate, maxRate))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Shares)) {
		if !slices.Contains(actions(), name) || !(s.Shares[name] >= 0) {
			faulty = append(faulty, fmt.Errorf("shares: %s=%g: there are %s, and no share is negative", name, s.Shares[name], joined(actions())))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Forms)) {
		if !slices.Contains(ages(), name) || !(s.Forms[name] >= 0) {
			faulty = append(faulty, fmt.Errorf("forms: %s=%g: there are %s, and no share is negative", name, s.Forms[name], joined(ages())))
		}
	}
	for _, share := range []struct {
		name  string
		value float64
	}{{"recent", s.Recent}, {"incomplete", s.Incomplete}, {"lateShare", s.LateShare}, {"skewShare", s.SkewShare}} {
		if !(share.value >= 0 && share.value <= 1) {
			faulty = append(faulty, fmt.Errorf("%s: %g is not a share between 0 and 1", share.name, share.value))
		}
	}
	if min(s.For, s.After, s.RemoveAfter, s.Late, s.Skew) < 0 {
		faulty = append(faulty, errors.New("no duration may be negative"))
	}
	return errors.Join(faulty...)
}

// maxRate is more than one process can do.
const maxRate = 100_000

func joined[T ~string](names []T) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ", ")
}
