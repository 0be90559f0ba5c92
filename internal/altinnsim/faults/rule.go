package faults

import (
	"cmp"
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
	EffectStatus      Effect = "status"            // answer Status; nothing else happens
	EffectStatusAfter Effect = "status-after"      // do what is asked, then answer Status
	EffectBurst       Effect = "burst"             // answer 5xx for about On, be well for about Off, and so on
	EffectReset       Effect = "reset"             // hang up; nothing else happens
	EffectResetAfter  Effect = "reset-after"       // do what is asked, then hang up: a write is applied, its answer lost
	EffectLatency     Effect = "latency"           // wait, then go on with the next rule
	EffectCapacity    Effect = "capacity"          // Rate requests a second: more have to queue, too many get 429
	EffectThrottle    Effect = "throttle"          // answer 429 with Retry-After
	EffectTruncate    Effect = "truncate"          // send half of the answer's body, then hang up
	EffectMalformed   Effect = "malformed"         // do what is asked, then send a body that cannot be read: Kinds
	EffectShape       Effect = "shape"             // Storage: rows that are JSON, but not as they should be: Kinds
	EffectOutage      Effect = "outage"            // hang up on everything; with Status, answer that, as a gateway's HTML page
	EffectReadFailed  Effect = "read-failed"       // Storage: 404 of an instance whose read failed (Storage reference, chapter 4)
	EffectTimeout     Effect = "statement-timeout" // Storage: slow pages, and 500 from Timeout on (Storage reference, 3.8)
	EffectRepeatPage  Effect = "repeat-page"       // Storage: the page before is sent once more
	EffectMissingPage Effect = "missing-page"      // Storage: the page after is sent instead
	EffectVanish      Effect = "vanish"            // Storage: a Share of rows is gone from lists
	EffectReappear    Effect = "reappear"          // Storage: a Share of rows is gone from every other list
	EffectLateRows    Effect = "late-rows"         // Storage: a Share of rows shows Delay after its last-changed time
	EffectClockSkew   Effect = "clock-skew"        // a whole service's clock is off by Skew
	EffectOverlap     Effect = "overlap"           // Dialogporten: another writer came in between: 409, or 412 with If-Match
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
	Name    string `json:"name,omitempty"`    // by which Put replaces it and Drop takes it off; "": neither
	Service string `json:"service,omitempty"` // storage, register, orgs, dialogporten …; "": all of them
	Method  string `json:"method,omitempty"`  // "": all
	Path    string `json:"path,omitempty"`    // regular expression that the path must match somewhere; "": all
	Query   string `json:"query,omitempty"`   // regular expression that the raw query must match somewhere; "": all

	Probability *float64 `json:"probability,omitempty"` // default 1
	Count       int      `json:"count,omitempty"`       // at most so many times; 0: no limit
	Skip        int      `json:"skip,omitempty"`        // the first so many matching requests are left alone
	For         Duration `json:"for,omitempty"`         // the rule ends so long after it was set; 0: never

	Effect      Effect   `json:"effect"`
	Status      int      `json:"status,omitempty"`      // status, status-after: default 503; burst: some 5xx; statement-timeout: 500
	Body        string   `json:"body,omitempty"`        // status, status-after, burst: default empty
	ContentType string   `json:"contentType,omitempty"` // of Body; default text/plain
	RetryAfter  Duration `json:"retryAfter,omitempty"`  // status, burst, throttle: whole seconds are sent; throttle's default is 1s
	RetryAsDate bool     `json:"retryAsDate,omitempty"` // RetryAfter is sent as an HTTP date, which is allowed as well
	Latency     Duration `json:"latency,omitempty"`     // latency, statement-timeout: of every request; statement-timeout's default is Timeout
	TailShare   float64  `json:"tailShare,omitempty"`   // latency, statement-timeout: share of requests that wait Tail more
	Tail        Duration `json:"tail,omitempty"`
	Timeout     Duration `json:"timeout,omitempty"` // statement-timeout: default 30s

	Kinds   []Kind   `json:"kinds,omitempty"`   // malformed, shape: one is drawn for each answer or row; default all
	Members []string `json:"members,omitempty"` // shape, kind missing-members: names, with dots for members of members
	Share   *float64 `json:"share,omitempty"`   // shape, vanish, reappear, late-rows: of rows, always the same ones; default 1
	Delay   Duration `json:"delay,omitempty"`   // late-rows
	Reads   bool     `json:"reads,omitempty"`   // vanish, reappear, late-rows: single reads do not see the rows either

	Skew  Duration `json:"skew,omitempty"`  // clock-skew: how far the clock goes ahead; negative: behind
	On    Duration `json:"on,omitempty"`    // burst: default 5s; drawn from half to one and a half of it
	Off   Duration `json:"off,omitempty"`   // burst: default 30s; likewise
	Rate  float64  `json:"rate,omitempty"`  // capacity: requests a second
	Burst int      `json:"burst,omitempty"` // capacity: how many may come at once; default a tenth of a second's
	Queue Duration `json:"queue,omitempty"` // capacity: how long a request may wait before it is refused; default 1s
}

// rule is a Rule at work. The injector's lock guards it.
type rule struct {
	Rule

	path, query *regexp.Regexp
	ends        time.Time // zero: never
	seen, done  int
	seed        uint64
	dice        uint64
	bursting    bool
	phaseEnds   time.Time            // burst
	free        time.Time            // capacity: when the next request could be served
	pages       map[string]*keptPage // repeat-page: the last of each walk
}

// Paths that effects of Storage are about.
const (
	oneInstance = `^/storage/api/v1/instances/([^/]+/)?[^/]+$`
	instances   = `^/storage/api/v1/instances$`
	anyInstance = `^/storage/api/v1/instances(/([^/]+/)?[^/]+(/events)?)?$`
)

func compile(r Rule, now time.Time, dice uint64) (*rule, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	out := &rule{Rule: r, seed: dice, dice: dice}
	// Requests for anything else neither fail nor count.
	switch r.Effect {
	case EffectReadFailed:
		out.ofStorage(oneInstance)
	case EffectTimeout, EffectRepeatPage, EffectMissingPage:
		out.ofStorage(instances)
	case EffectShape:
		out.ofStorage(anyInstance)
	case EffectVanish, EffectReappear, EffectLateRows:
		out.ofStorage(instances)
		if r.Reads {
			out.ofStorage(anyInstance)
		}
	default: // of any service
	}
	var err error
	if out.path, err = regexp.Compile(cmp.Or(r.Path, out.Path)); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if out.query, err = regexp.Compile(r.Query); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	out.Path = r.Path
	if r.For > 0 {
		out.ends = now.Add(time.Duration(r.For))
	}
	return out, nil
}

func (r *rule) ofStorage(path string) { r.Service, r.Method, r.Path = "storage", http.MethodGet, path }

// matches says whether the rule is about the request, whatever its dice say.
func (r *rule) matches(service string, request *http.Request) bool {
	return (r.Service == "" || r.Service == service) && (r.Method == "" || r.Method == request.Method) &&
		r.path.MatchString(request.URL.Path) && r.query.MatchString(request.URL.RawQuery)
}

// share is the share of rows.
func (r *rule) share() float64 {
	if r.Share == nil {
		return 1
	}
	return *r.Share
}
