package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Effect is what is done to a request.
type Effect string

// The effects.
const (
	EffectStatus      Effect = "status"       // answer Status; nothing else happens
	EffectStatusAfter Effect = "status-after" // do what is asked, then answer Status
	EffectReset       Effect = "reset"        // hang up; nothing else happens
	EffectResetAfter  Effect = "reset-after"  // do what is asked, then hang up: a write is applied, its answer lost
	EffectLatency     Effect = "latency"      // wait, then go on with the next rule
	EffectThrottle    Effect = "throttle"     // answer 429 with Retry-After
	EffectTruncate    Effect = "truncate"     // send half of the answer's body, then hang up
	EffectOutage      Effect = "outage"       // hang up on everything; with Status, answer that, as a gateway's HTML page
	EffectReadFailed  Effect = "read-failed"  // Storage: 404 of an instance whose read failed (Storage reference, chapter 4)
	EffectOverlap     Effect = "overlap"      // Dialogporten: another writer came in between: 409, or 412 with If-Match
)

// Duration is a time.Duration that JSON writes as "250ms" or "1m30s".
type Duration time.Duration

// UnmarshalJSON reads a duration as Go spells them.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("a duration is a text such as \"250ms\": %w", err)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON writes a duration as Go spells them.
func (d Duration) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Duration(d).String() + `"`), nil
}

// Rule says which requests fail, and how.
type Rule struct {
	Service string `json:"service,omitempty"` // storage, register, orgs, dialogporten; "": all of them
	Method  string `json:"method,omitempty"`  // "": all
	Path    string `json:"path,omitempty"`    // regular expression that the path must match somewhere; "": all
	Query   string `json:"query,omitempty"`   // regular expression that the raw query must match somewhere; "": all

	Probability *float64 `json:"probability,omitempty"` // default 1
	Count       int      `json:"count,omitempty"`       // at most so many times; 0: no limit
	Skip        int      `json:"skip,omitempty"`        // the first so many matching requests are left alone
	For         Duration `json:"for,omitempty"`         // the rule ends so long after it was set; 0: never

	Effect      Effect   `json:"effect"`
	Status      int      `json:"status,omitempty"`      // status, status-after: default 503
	Body        string   `json:"body,omitempty"`        // status, status-after: default empty
	ContentType string   `json:"contentType,omitempty"` // of Body; default text/plain
	RetryAfter  Duration `json:"retryAfter,omitempty"`  // status, throttle: whole seconds are sent; throttle's default is 1s
	Latency     Duration `json:"latency,omitempty"`     // latency: of every request
	TailShare   float64  `json:"tailShare,omitempty"`   // latency: share of requests that wait Tail more
	Tail        Duration `json:"tail,omitempty"`
}

// rule is a Rule at work. The injector's lock guards it.
type rule struct {
	Rule

	path, query *regexp.Regexp
	ends        time.Time // zero: never
	seen, done  int
	dice        uint64
}

// oneInstance is the path of a single instance.
const oneInstance = `^/storage/api/v1/instances/([^/]+/)?[^/]+$`

func compile(r Rule, now time.Time, dice uint64) (*rule, error) {
	out := &rule{Rule: r, dice: dice}
	if r.Effect == EffectReadFailed {
		// Requests for anything else neither fail nor count.
		out.Service, out.Method = "storage", http.MethodGet
		if r.Path == "" {
			r.Path = oneInstance
		}
	}
	var err error
	if out.path, err = regexp.Compile(r.Path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if out.query, err = regexp.Compile(r.Query); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	if r.Probability != nil && (*r.Probability < 0 || *r.Probability > 1) {
		return nil, fmt.Errorf("probability %g does not lie between 0 and 1", *r.Probability)
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return nil, fmt.Errorf("status %d does not exist", r.Status)
	}
	if r.For > 0 {
		out.ends = now.Add(time.Duration(r.For))
	}
	switch r.Effect {
	case EffectStatus, EffectStatusAfter, EffectReset, EffectResetAfter, EffectLatency, EffectThrottle, EffectTruncate, EffectOutage,
		EffectReadFailed, EffectOverlap:
		return out, nil
	}
	return nil, fmt.Errorf("unknown effect %q", r.Effect)
}

// matches says whether the rule is about the request, whatever its dice say.
func (r *rule) matches(service string, request *http.Request) bool {
	return (r.Service == "" || r.Service == service) && (r.Method == "" || r.Method == request.Method) &&
		r.path.MatchString(request.URL.Path) && r.query.MatchString(request.URL.RawQuery)
}
