package dialogporten

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

const (
	pathServiceOwner = "/api/v1/serviceowner/"
	pathLimits       = "/api/v1/metadata/limits"
)

// Scopes of Chapter 1.
const (
	scopeBase           = "digdir:dialogporten.serviceprovider"
	scopeSearch         = "digdir:dialogporten.serviceprovider.search"
	scopeAdmin          = "digdir:dialogporten.serviceprovider.admin"
	scopeLegacyHTML     = "digdir:dialogporten.serviceprovider.legacyhtml"
	scopeChange         = "digdir:dialogporten.serviceprovider.changetransmissions"
	scopeCorrespondence = "digdir:dialogporten.correspondence"
	scopeNotification   = "altinn:system/notifications.condition.check"
)

// scopes are those of the caller that something depends on.
type scopes struct {
	base, search, admin, legacyHTML, change, correspondence, notification bool
}

func scopesOf(names []string) scopes {
	var s scopes
	for _, name := range names {
		switch name {
		case scopeBase:
			s.base = true
		case scopeSearch:
			s.search = true
		case scopeAdmin:
			s.admin = true
		case scopeLegacyHTML:
			s.legacyHTML = true
		case scopeChange:
			s.change = true
		case scopeCorrespondence:
			s.correspondence = true
		case scopeNotification:
			s.notification = true
		}
	}
	return s
}

// bodyKind is what an endpoint wants to be sent.
type bodyKind int

const (
	bodyNone bodyKind = iota
	bodyJSON
	bodyPatch
)

// endpoint is one verb of one path (Chapter 5).
type endpoint struct {
	handle func(*call) *problem
	// allowed looks at the scopes.
	allowed func(scopes) bool
	// adminOnly endpoints refuse people who act for an organisation.
	adminOnly bool
	body      bodyKind
	// silent and ifMatch tell whether isSilentUpdate and If-Match are read.
	silent  bool
	ifMatch bool
	// framework endpoints are bound by another framework, with texts of its own.
	framework bool
}

// call is one request on its way through an endpoint.
type call struct {
	*Service
	w http.ResponseWriter
	r *http.Request
	endpoint
	scopes
	caller   Caller
	everyOrg bool // no token is asked for: whatever is limited to one organisation is not
	now      instant
	ids      [2]uuid.UUID // of the path: the dialog's and the child's
	label    string       // of the path
	silent   bool
	ifMatch  optionalID
	body     string
}

func (c *call) dialogID() uuid.UUID { return c.ids[0] }

// ServeHTTP answers /api/v1/serviceowner/... and /api/v1/metadata/limits, as a client sends them.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.URL.Path, pathLimits) {
		serveLimits(w, r)
		return
	}
	c := &call{Service: s, w: w, r: r}
	if p := c.serve(); p != nil {
		p.write(w, r)
	}
}

// serve goes through the checks that all endpoints share, in the order of Chapter 6.
func (c *call) serve() *problem {
	var target route
	if p := c.match(&target); p != nil {
		return p
	}
	c.endpoint = target.endpoint
	if p := c.authorize(); p != nil {
		return p
	}
	if !c.acceptsContentType() {
		return bare(http.StatusUnsupportedMediaType)
	}
	c.now = c.Service.now()
	if p := c.bindParameters(&target); p != nil {
		return p
	}
	if c.endpoint.body != bodyNone {
		if p := c.readBody(); p != nil {
			return p
		}
	}
	return c.handle(c)
}

func (c *call) authorize() *problem {
	if c.config.Caller == nil {
		c.everyOrg = true
		c.scopes = scopes{true, true, true, true, true, true, true}
		return nil
	}
	caller, err := c.config.Caller(c.r)
	switch {
	case err != nil:
		return &problem{
			status: http.StatusUnauthorized, bare: true,
			authenticate: `Bearer error="invalid_token", error_description="The token is not valid"`,
		}
	case caller.Anonymous:
		return &problem{status: http.StatusUnauthorized, bare: true, authenticate: "Bearer"}
	}
	c.caller, c.scopes = caller, scopesOf(caller.Scopes)
	if caller.Org == "" && caller.OrgNumber == "" || !c.allowed(c.scopes) {
		return bare(http.StatusForbidden)
	}
	if caller.Person == "" {
		return nil
	}
	// A person who acts for a service owner is none of the administrators.
	c.admin = false
	if c.adminOnly {
		p := problemWith(http.StatusForbidden, "Type", "The request was authenticated, but we were unable to determine valid "+
			"user type in order to authorize the request. Valid user types for this endpoint are: ServiceOwner")
		p.plainJSON = true
		return p
	}
	return nil
}

func (c *call) acceptsContentType() bool {
	if c.endpoint.body == bodyNone {
		return true
	}
	mediaType, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == typeJSON || c.endpoint.body == bodyPatch && mediaType == "application/json-patch+json"
}

// bindParameters reads ids of the path, isSilentUpdate and If-Match; all faults are told at once.
func (c *call) bindParameters(target *route) *problem {
	var f faults
	for i, name := range target.idNames {
		if name == "" {
			continue
		}
		id, ok := parseGUID(target.ids[i])
		if !ok {
			f.add(name, c.parameterFault(target.ids[i], "Guid"))
		}
		c.ids[i] = id
	}
	c.label = target.label
	if c.endpoint.silent {
		var silent optionalFlag
		c.flag(&f, "isSilentUpdate", &silent)
		c.silent = silent.flag
	}
	if match := c.r.Header.Get("If-Match"); c.endpoint.ifMatch && match != "" {
		id, ok := parsePlainGUID(match)
		if !ok {
			f.add(keyIfMatch, c.parameterFault(match, "Guid"))
		}
		c.ifMatch = someID(id)
	}
	if f.any() {
		return invalid(f)
	}
	return nil
}

// parameterFault words a parameter of a wrong type.
func (c *call) parameterFault(value, kind string) string {
	if c.framework {
		return "The value '" + value + "' is not valid."
	}
	return "Value [" + value + "] is not valid for a [" + kind + "] property!"
}

// parameter is the first value of a query parameter; names are matched without regard to case.
func (c *call) parameter(name string) string {
	for value := range c.values(name) {
		return value
	}
	return ""
}

func (c *call) parameters(name string) []string { return slices.Collect(c.values(name)) }

// values goes through the values of a query parameter. Most requests have a query of one parameter or none.
func (c *call) values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if c.r.URL.RawQuery == "" {
			return
		}
		for pair := range strings.SplitSeq(c.r.URL.RawQuery, "&") {
			key, value, _ := strings.Cut(pair, "=")
			if !strings.EqualFold(unescapedQuery(key), name) {
				continue
			}
			if !yield(unescapedQuery(value)) {
				return
			}
		}
	}
}

func unescapedQuery(text string) string {
	if strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, '+') < 0 {
		return text
	}
	if unescaped, err := url.QueryUnescape(text); err == nil {
		return unescaped
	}
	return text
}

type optionalFlag struct{ flag, given bool }

// flag reads a boolean query parameter.
func (c *call) flag(f *faults, name string, dst *optionalFlag) {
	text := strings.TrimSpace(c.parameter(name))
	switch {
	case text == "":
	case strings.EqualFold(text, "true"):
		*dst = optionalFlag{flag: true, given: true}
	case strings.EqualFold(text, "false"):
		*dst = optionalFlag{given: true}
	default:
		f.add(name, c.parameterFault(text, "Boolean"))
	}
}

// buffers are what bodies are read into before they become a text of their own length.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *bytes.Buffer {
	if buffer, ok := b.pool.Get().(*bytes.Buffer); ok {
		buffer.Reset()
		return buffer
	}
	const usual = 8 << 10
	return bytes.NewBuffer(make([]byte, 0, usual))
}

func (b *buffers) put(buffer *bytes.Buffer) {
	const largest = 1 << 20
	if buffer.Cap() <= largest {
		b.pool.Put(buffer)
	}
}

func (c *call) readBody() *problem {
	if c.r.ContentLength > maxBodySize {
		return &problem{status: http.StatusRequestEntityTooLarge}
	}
	buffer := c.buffers.get()
	defer c.buffers.put(buffer)
	_, err := buffer.ReadFrom(io.LimitReader(c.r.Body, maxBodySize+1))
	if buffer.Len() > maxBodySize {
		return &problem{status: http.StatusRequestEntityTooLarge}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return problemWith(http.StatusBadRequest, keySerializer, "The request body could not be read.")
	}
	c.body = buffer.String()
	return nil
}

// bind reads the body; a body null is refused as an empty dto.
func (c *call) bind(read func(*binder)) *problem { return bindBy(newBinder(c.body), read) }

func bindBy(b *binder, read func(*binder)) *problem {
	isNull := false
	fault := b.bind(func() {
		if isNull = b.null(); !isNull {
			read(b)
		}
	})
	switch {
	case fault != nil:
		key := fault.path
		if key == "" {
			key = keySerializer
		}
		return problemWith(http.StatusBadRequest, key, fault.message)
	case isNull:
		return problemWith(http.StatusBadRequest, "dto", "'Dto' must not be empty.")
	case b.hollow:
		return serverError()
	}
	return nil
}

// revised answers with the dialog's revision.
func (c *call) revised(status int, revision uuid.UUID) {
	c.w.Header()["Etag"] = []string{revision.String()}
	c.w.WriteHeader(status)
}

// created answers with the id of what was made.
func (c *call) created(id, revision uuid.UUID) {
	const quoted = 38
	header := c.w.Header()
	header["Content-Type"] = []string{typeJSON}
	c.revised(http.StatusCreated, revision)
	_, _ = c.w.Write(appendID(make([]byte, 0, quoted), id))
}
