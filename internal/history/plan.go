package history

import (
	"iter"
	"time"
)

// Day is the height of a window: one day in UTC.
const Day = 24 * time.Hour

// Range is a half-open slice of time, [From, To), in UTC.
type Range struct {
	From, To time.Time
}

// Contains tells whether t lies in the range.
func (r Range) Contains(t time.Time) bool { return !t.Before(r.From) && t.Before(r.To) }

// Window is what one walk covers: a range of one organisation.
type Window struct {
	Org   string
	Range Range
}

// Plan cuts a range into windows of one UTC day and one organisation each, newest day first and the organisations in the
// order given. The first and the last day may be cut short; together the windows of an organisation are exactly the range,
// without overlap or hole.
func Plan(r Range, orgs []string) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		for to := r.To; to.After(r.From); {
			// The start of the UTC day that holds the last instant before to.
			from := to.Add(-1).UTC().Truncate(Day)
			if from.Before(r.From) {
				from = r.From
			}
			for _, org := range orgs {
				if !yield(Window{Org: org, Range: Range{From: from, To: to}}) {
					return
				}
			}
			to = from
		}
	}
}
