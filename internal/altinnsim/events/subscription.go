package events

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// Subscription is who wants which events where (15.3). A filter that is nil matches everything.
type Subscription struct {
	ID              int       `json:"id"`
	EndPoint        string    `json:"endPoint"`
	SourceFilter    *string   `json:"sourceFilter,omitempty"`
	SubjectFilter   *string   `json:"subjectFilter,omitempty"`
	ResourceFilter  *string   `json:"resourceFilter,omitempty"`
	TypeFilter      *string   `json:"typeFilter,omitempty"`
	Consumer        string    `json:"consumer"`
	CreatedBy       string    `json:"createdBy"`
	Created         time.Time `json:"created"`
	Validated       bool      `json:"validated"`
	IncludeSubunits bool      `json:"includeSubunits"`
}

// request is what a subscription is asked for with.
type request struct {
	EndPoint                 string  `json:"endPoint"`
	SourceFilter             *string `json:"sourceFilter"`
	SubjectFilter            *string `json:"subjectFilter"`
	AlternativeSubjectFilter *string `json:"alternativeSubjectFilter"`
	ResourceFilter           *string `json:"resourceFilter"`
	TypeFilter               *string `json:"typeFilter"`
	IncludeSubunits          bool    `json:"includeSubunits"`
}

// refusal is a status with a text.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func badRequest(text string) error { return &refusal{status: http.StatusBadRequest, text: text} }
func forbidden(text string) error  { return &refusal{status: http.StatusForbidden, text: text} }

// matchesNothing tells whether a filter was sent empty, which is no error (15.3).
func (s *Subscription) matchesNothing() bool {
	return isEmpty(s.SourceFilter) || isEmpty(s.ResourceFilter) || isEmpty(s.SubjectFilter) || isEmpty(s.TypeFilter)
}

func isEmpty(filter *string) bool { return filter != nil && *filter == "" }

// same tells whether two subscriptions ask for the same.
func (s *Subscription) same(other *Subscription) bool {
	return s.EndPoint == other.EndPoint && s.Consumer == other.Consumer && s.IncludeSubunits == other.IncludeSubunits &&
		sameFilter(s.SourceFilter, other.SourceFilter) && sameFilter(s.SubjectFilter, other.SubjectFilter) &&
		sameFilter(s.ResourceFilter, other.ResourceFilter) && sameFilter(s.TypeFilter, other.TypeFilter)
}

func sameFilter(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// subscription makes the subscription that is asked for, without an id. The error is a *refusal.
func (s *Service) subscription(in request, caller auth.Caller) (*Subscription, error) {
	settings := s.Settings()
	if !settings.takes(in.EndPoint) {
		return nil, badRequest("Missing or invalid endpoint to push events towards")
	}
	consumer, ok := entity(caller)
	if !ok {
		return nil, forbidden("The token names no organisation.")
	}
	resource, err := in.resource()
	if err != nil {
		return nil, err
	}
	subject, err := s.subject(in)
	if err != nil {
		return nil, err
	}
	if err := settings.maySubscribe(caller, resource, subject); err != nil {
		return nil, err
	}
	if in.IncludeSubunits && subject == nil {
		return nil, badRequest("IncludeSubunits needs a subject filter.")
	}
	return &Subscription{
		EndPoint: in.EndPoint, SourceFilter: in.SourceFilter, SubjectFilter: subject, ResourceFilter: resource, TypeFilter: in.TypeFilter,
		Consumer: consumer, CreatedBy: consumer, Created: s.config.Now().UTC().Truncate(time.Microsecond),
		IncludeSubunits: in.IncludeSubunits,
	}, nil
}

// takes tells whether events may be pushed to an endpoint: absolute and https, or, if that is allowed, http on this
// machine.
func (s Settings) takes(endPoint string) bool {
	u, err := url.Parse(endPoint)
	if err != nil || u.Hostname() == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && s.AllowHTTP && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// entity is what the service calls a caller.
func entity(caller auth.Caller) (string, bool) {
	switch {
	case caller.Org != "":
		return "/org/" + caller.Org, true
	case caller.OrgNumber != "":
		return "/organisation/" + caller.OrgNumber, true
	}
	return "", false
}

// resource is the resource filter, which the source filter fills in and must agree with.
func (r request) resource() (*string, error) {
	if r.ResourceFilter != nil && *r.ResourceFilter != "" && !isURN(*r.ResourceFilter) {
		return nil, badRequest("The resource filter is not a URN.")
	}
	if r.SourceFilter == nil {
		if r.ResourceFilter == nil {
			return nil, badRequest("A resource filter or a source filter is required.")
		}
		return r.ResourceFilter, nil
	}
	if *r.SourceFilter == "" {
		return r.ResourceFilter, nil
	}
	org, app, ok := parseAppURL(*r.SourceFilter)
	if !ok {
		return nil, badRequest("The source filter is not the https URL of an app.")
	}
	derived := appResource(org, app)
	if r.ResourceFilter != nil && *r.ResourceFilter != derived {
		return nil, badRequest("The source filter and the resource filter do not agree.")
	}
	return &derived, nil
}

func isURN(text string) bool {
	rest, ok := strings.CutPrefix(text, "urn:")
	namespace, specific, found := strings.Cut(rest, ":")
	return ok && found && namespace != "" && specific != ""
}

// parseAppURL reads https://{org}.apps.…/{org}/{app}.
func parseAppURL(text string) (org, app string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.RawQuery != "" {
		return "", "", false
	}
	org, app, ok = strings.Cut(strings.Trim(u.Path, "/"), "/")
	return org, app, ok && org != "" && app != "" && !strings.Contains(app, "/") && strings.HasPrefix(u.Host, org+".apps.")
}

// subject is the subject filter; an alternative subject is turned into one and not kept.
func (s *Service) subject(in request) (*string, error) {
	if in.SubjectFilter != nil && *in.SubjectFilter != "" {
		id, ok := strings.CutPrefix(*in.SubjectFilter, partySubject)
		if _, err := strconv.ParseInt(id, 10, 32); !ok || err != nil {
			return nil, badRequest("The subject filter is not " + partySubject + "{partyId}.")
		}
	}
	if in.AlternativeSubjectFilter == nil || *in.AlternativeSubjectFilter == "" {
		if in.AlternativeSubjectFilter != nil && in.SubjectFilter == nil {
			return in.AlternativeSubjectFilter, nil
		}
		return in.SubjectFilter, nil
	}
	party, err := s.partyOf(*in.AlternativeSubjectFilter)
	if err != nil {
		return nil, badRequest("The alternative subject filter is not valid: " + err.Error() + ".")
	}
	subject := partySubject + strconv.FormatInt(int64(party), 10)
	if in.SubjectFilter != nil && *in.SubjectFilter != subject {
		return nil, badRequest("The subject filter and the alternative subject filter do not agree.")
	}
	return &subject, nil
}

// partyOf finds the party of /org/…, /organisation/… or /person/….
func (s *Service) partyOf(alternative string) (int32, error) {
	kind, number, _ := strings.Cut(strings.TrimPrefix(alternative, "/"), "/")
	person, organisation := "", ""
	switch kind {
	case "org", "organisation":
		organisation = number
	case "person":
		person = number
	default:
		return 0, errors.New("it begins with none of /org/, /organisation/, /person/")
	}
	party, ok := s.config.PartyOf(person, organisation)
	if number == "" || !ok {
		return 0, errors.New("nobody is known by it")
	}
	return party, nil
}

// maySubscribe asks an app's policy, and for other events the scope. A service owner alone may leave the subject out.
func (s Settings) maySubscribe(caller auth.Caller, resource, subject *string) error {
	if caller.Admin || resource == nil || *resource == "" {
		return nil
	}
	org, app, isApp := splitAppResource(*resource)
	switch {
	case !isApp && !caller.Has(ScopeSubscribe):
		return forbidden("The scope " + ScopeSubscribe + " is missing.")
	case !isApp:
		return nil
	case subject == nil && (caller.Org == "" || !caller.IsServiceOwner()):
		return badRequest("A valid subject to the authenticated identity is required.")
	case !s.policy(caller.Org, org, app):
		return forbidden("Not authorized to create a subscription for this app.")
	}
	return nil
}
