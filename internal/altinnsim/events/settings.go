package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// DefaultTimeout is how long an endpoint may take to answer (15.5).
const DefaultTimeout = 45 * time.Second

// Settings are how the service treats events. The zero value is the real service's way, without its match cache.
type Settings struct {
	// AllowHTTP takes endpoints with plain http on this machine (localhost, 127.0.0.0/8, ::1), which the real service
	// refuses.
	AllowHTTP bool `json:"allowHttp,omitempty"`
	// MatchCache is how long the subscriptions that match a resource, subject and type are remembered: a new one misses
	// events for so long, and a deleted one still gets them. Up to 1h in the real service (15.3). Default 0: not at all.
	MatchCache faults.Duration `json:"matchCache,omitempty"`
	// Speed divides the waits of the retry schedules and of reading. Default 1.
	Speed float64 `json:"speed,omitempty"`
	// Timeout is how long an endpoint may take to answer. Speed does not change it. Default DefaultTimeout.
	Timeout faults.Duration `json:"timeout,omitempty"`
	// Lose is the share of events that never arrive at the service: the app could not post them, and forgot them (15.1).
	Lose float64 `json:"lose,omitempty"`
	// Double is the share of pushes that are made twice.
	Double float64 `json:"double,omitempty"`
	// Shuffle delays every push by a time of its own from 0 up to this one, so that they come out of order.
	Shuffle faults.Duration `json:"shuffle,omitempty"`
	// Policies are the apps that organisations other than their owners may subscribe to and read, by org code: "org/app",
	// "org/*" or "*".
	Policies map[string][]string `json:"policies,omitempty"`
}

// Validate finds settings that make no sense.
func (s Settings) Validate() error {
	var errs []error
	for name, share := range map[string]float64{"lose": s.Lose, "double": s.Double} {
		if share < 0 || share > 1 {
			errs = append(errs, fmt.Errorf("%s %g does not lie between 0 and 1", name, share))
		}
	}
	for name, d := range map[string]faults.Duration{"matchCache": s.MatchCache, "timeout": s.Timeout, "shuffle": s.Shuffle} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s %s is negative", name, time.Duration(d)))
		}
	}
	if s.Speed < 0 {
		errs = append(errs, fmt.Errorf("speed %g is negative", s.Speed))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what a zero does not mean.
func (s Settings) withDefaults() Settings {
	if s.Speed == 0 {
		s.Speed = 1
	}
	if s.Timeout == 0 {
		s.Timeout = faults.Duration(DefaultTimeout)
	}
	return s
}

// wait is a time of a schedule at the speed that is set.
func (s Settings) wait(d time.Duration) time.Duration { return time.Duration(float64(d) / s.Speed) }

// policy tells whether an organisation may read an app's events: its own, and those that it was let in to.
func (s Settings) policy(caller, org, app string) bool {
	if caller != "" && strings.EqualFold(caller, org) {
		return true
	}
	return slices.ContainsFunc(s.Policies[caller], func(pattern string) bool {
		return pattern == "*" || pattern == org+"/*" || pattern == org+"/"+app
	})
}
