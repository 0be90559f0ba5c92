package altinn2

import (
	"errors"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Options say what messages are made. Shares lie between 0 and 1, and zero means none; DefaultOptions gives a realistic
// mix.
type Options struct {
	Seed     uint64 `json:"seed"`
	Messages int    `json:"messages"`

	// Messages were created in [From, To). To defaults to End, From to Days before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Days is how long the range is when From is not given. Default 30.
	Days int `json:"days"`
	// End is "now" of the world that is made: nothing happens later, but for due and visible times. Default: the
	// simulator's clock.
	End time.Time `json:"end"`

	Orgs     int `json:"orgs"`     // service owners; default 5
	Services int `json:"services"` // message services of each; default 4

	Mailings       float64 `json:"mailings"`       // share of messages that share an instant with many others
	Persons        float64 `json:"persons"`        // share of recipients who are persons
	SelfIdentified float64 `json:"selfIdentified"` // share of recipients who identified themselves
	Deceased       float64 `json:"deceased"`       // share of recipients who are dead
	Confirmation   float64 `json:"confirmation"`   // share of messages that ask for a confirmation
	Read           float64 `json:"read"`           // share of messages that were read
	Archived       float64 `json:"archived"`
	Trashed        float64 `json:"trashed"`  // a third of them was restored
	Purged         float64 `json:"purged"`   // gone before they were ever migrated
	Notified       float64 `json:"notified"` // share of messages with notifications; a third has a reminder
	Forwarded      float64 `json:"forwarded"`
	Attached       float64 `json:"attached"` // share of messages with one to four attachments
	Replies        float64 `json:"replies"`  // share of messages with reply options
	Odd            float64 `json:"odd"`      // share of messages with one of the pitfalls of chapter 14
	Broken         float64 `json:"broken"`   // share of messages that cannot be delivered as they are
	// LargestFile bounds the sizes of attachments, in bytes. Default 2 MB; one in a thousand is that large.
	LargestFile int64 `json:"largestFile"`
}

// DefaultOptions are shares as production may have them.
func DefaultOptions() Options {
	return Options{
		Seed: 1, Days: 30, Orgs: 5, Services: 4, Mailings: 0.4, Persons: 0.55, SelfIdentified: 0.02, Deceased: 0.003, Confirmation: 0.08,
		Read: 0.6, Archived: 0.2, Trashed: 0.03, Purged: 0.01, Notified: 0.5, Forwarded: 0.03, Attached: 0.35, Replies: 0.05, Odd: 0.03,
		Broken: 0.005, LargestFile: 2_000_000,
	}
}

// World is what messages need to be there: their senders, and the resources of the registry.
type World struct {
	Organisations []world.Organisation
	Resources     []world.Resource
}

// Totals are what was made.
type Totals struct {
	Messages  int       `json:"messages"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Purged    int       `json:"purged"`
	Deceased  int       `json:"deceased"`
	Resources int       `json:"resources"`
}

const (
	defaultDays = 30
	day         = 24 * time.Hour
	maxMessages = 100_000_000
)

func (o Options) completed(now time.Time) (Options, error) {
	if o.End.IsZero() {
		o.End = now
	}
	if o.To.IsZero() || o.To.After(o.End) {
		o.To = o.End
	}
	if o.Days == 0 {
		o.Days = defaultDays
	}
	if o.From.IsZero() {
		o.From = o.To.Add(-time.Duration(o.Days) * day)
	}
	if o.Orgs == 0 {
		o.Orgs = 5
	}
	if o.Services == 0 {
		o.Services = 4
	}
	if o.LargestFile == 0 {
		o.LargestFile = 2_000_000
	}
	o.From, o.To, o.End = o.From.UTC().Truncate(time.Second), o.To.UTC().Truncate(time.Second), o.End.UTC().Truncate(time.Second)
	return o, o.validate()
}

func (o Options) validate() error {
	var faults []error
	if o.Messages < 0 || o.Messages > maxMessages {
		faults = append(faults, fmt.Errorf("messages: %d does not lie between 0 and %d", o.Messages, maxMessages))
	}
	if !o.From.Before(o.To) {
		faults = append(faults, fmt.Errorf("from %s does not lie before to %s", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339)))
	}
	const mostOrgs, mostServices = 200, 100
	if o.Orgs < 0 || o.Orgs > mostOrgs || o.Services < 0 || o.Services > mostServices {
		faults = append(faults, fmt.Errorf("orgs and services: at most %d and %d", mostOrgs, mostServices))
	}
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"mailings", o.Mailings},
		{"persons and selfIdentified together", o.Persons + o.SelfIdentified},
		{"persons", o.Persons},
		{"selfIdentified", o.SelfIdentified},
		{"deceased", o.Deceased},
		{"confirmation", o.Confirmation},
		{"read", o.Read},
		{"archived", o.Archived},
		{"trashed", o.Trashed},
		{"purged", o.Purged},
		{"notified", o.Notified},
		{"forwarded", o.Forwarded},
		{"attached", o.Attached},
		{"replies", o.Replies},
		{"odd", o.Odd},
		{"broken", o.Broken},
	} {
		if share.value < 0 || share.value > 1 {
			faults = append(faults, fmt.Errorf("%s: %g is not a share between 0 and 1", share.name, share.value))
		}
	}
	return errors.Join(faults...)
}
