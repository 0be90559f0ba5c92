package generator

import (
	"errors"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
)

// Options say what is made. Shares lie between 0 and 1, and zero means none; Defaults gives a realistic mix.
type Options struct {
	Seed      uint64 `json:"seed"`
	Instances int    `json:"instances"`

	// Last-changed times lie in [From, To). To defaults to End, From to Days before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Days is how long the range is when From is not given. Default 30.
	Days int `json:"days"`
	// End is "now" of the world that is made: nothing happens later, but for due and visible times. Default: the
	// simulator's clock.
	End time.Time `json:"end"`

	Orgs       int `json:"orgs"`       // service owners; default 5
	AppsPerOrg int `json:"appsPerOrg"` // Altinn 3 apps of each; default 4

	A2             float64 `json:"a2"`             // share of archived Altinn 2 forms
	A1             float64 `json:"a1"`             // share of archived Altinn 1 forms
	SoftDeleted    float64 `json:"softDeleted"`    // share of soft-deleted instances
	HardDeleted    float64 `json:"hardDeleted"`    // share of hard-deleted instances that are not removed yet
	MissingParties float64 `json:"missingParties"` // share of instances whose owner Register does not know
	Ties           float64 `json:"ties"`           // share of instances that take the last-changed time of another

	// Odd is the share of instances with what nobody expects: values that their enumerations do not have, files of no
	// bytes.
	Odd float64 `json:"odd"`
	// SuppliedIDs makes the last Altinn 3 app of each service owner choose its dialogs' ids itself.
	SuppliedIDs bool `json:"suppliedIds"`

	// PeakDays is how many days have eight times the volume of others.
	PeakDays int `json:"peakDays"`
	// FlatWeek makes all days alike; otherwise weekends have a fifth of a weekday.
	FlatWeek bool `json:"flatWeek"`
	// Messages are made besides the instances. Seed and range default to those above.
	Messages *altinn2.Options `json:"messages,omitempty"`
	// Monster is one day on which one organisation has many more, besides Instances.
	Monster *Monster `json:"monster,omitempty"`
}

// Monster is a day of one organisation that is out of all proportion.
type Monster struct {
	Org   string    `json:"org"`
	Day   time.Time `json:"day"` // any time of that day, UTC
	Count int       `json:"count"`
}

// Defaults are shares as production has them: many archived forms, few deletions.
func Defaults() Options {
	return Options{
		Seed: 1, Days: 30, Orgs: 5, AppsPerOrg: 4, A2: 0.3, A1: 0.05, SoftDeleted: 0.02, HardDeleted: 0.01,
		MissingParties: 0.001, Ties: 0.15, PeakDays: 1, Odd: 0.005,
	}
}

// Totals are what was made.
type Totals struct {
	Instances      int             `json:"instances"`
	ByOrg          map[string]int  `json:"byOrg"`
	ByVersion      map[string]int  `json:"byMainVersion"`
	SoftDeleted    int             `json:"softDeleted"`
	HardDeleted    int             `json:"hardDeleted"`
	MissingParties int             `json:"missingParties"`
	From           time.Time       `json:"from"`
	To             time.Time       `json:"to"`
	Applications   int             `json:"applications"`
	Messages       *altinn2.Totals `json:"messages,omitempty"`
}

const (
	defaultDays       = 30
	defaultOrgs       = 5
	defaultAppsPerOrg = 4
	day               = 24 * time.Hour
)

// completed fills in defaults and checks the rest.
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
		o.Orgs = defaultOrgs
	}
	if o.AppsPerOrg == 0 {
		o.AppsPerOrg = defaultAppsPerOrg
	}
	o.From, o.To, o.End = o.From.UTC().Truncate(time.Second), o.To.UTC().Truncate(time.Second), o.End.UTC().Truncate(time.Second)
	return o, o.validate()
}

func (o Options) validate() error {
	var faults []error
	if o.Instances < 0 {
		faults = append(faults, fmt.Errorf("instances: %d is negative", o.Instances))
	}
	if !o.From.Before(o.To) {
		faults = append(faults, fmt.Errorf("from %s does not lie before to %s", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339)))
	}
	if o.Orgs < 0 || o.Orgs > maxOrgs || o.AppsPerOrg < 0 || o.AppsPerOrg > maxAppsPerOrg {
		faults = append(faults, fmt.Errorf("orgs and apps per org: at most %d and %d", maxOrgs, maxAppsPerOrg))
	}
	for _, share := range []struct {
		name  string
		value float64
	}{
		{"a2", o.A2},
		{"a1", o.A1},
		{"softDeleted", o.SoftDeleted},
		{"hardDeleted", o.HardDeleted},
		{"missingParties", o.MissingParties},
		{"ties", o.Ties},
		{"odd", o.Odd},
		{"a1 and a2 together", o.A1 + o.A2},
	} {
		if share.value < 0 || share.value > 1 {
			faults = append(faults, fmt.Errorf("%s: %g is not a share between 0 and 1", share.name, share.value))
		}
	}
	if m := o.Monster; m != nil && (m.Count < 0 || m.Day.IsZero() || m.Org == "") {
		faults = append(faults, errors.New("monster: org, day and count are needed"))
	}
	return errors.Join(faults...)
}

const (
	maxOrgs       = 200
	maxAppsPerOrg = 100
)
