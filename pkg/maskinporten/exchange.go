package maskinporten

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const exchangePath = "/authentication/api/v1/exchange/maskinporten"

// Source gives Maskinporten's tokens; *Client is one.
type Source interface {
	Token(ctx context.Context) (string, error)
	Refresh(ctx context.Context, refused string) (string, error)
}

// Exchange gets Altinn's tokens for Maskinporten's. An Altinn token is used for its own whole life, read from its `exp`,
// whatever Maskinporten's had left (Storage reference, 2.2). It is safe for use by many goroutines.
type Exchange struct {
	url    string
	source Source
	client *http.Client
	now    func() time.Time
	holder holder
	// last is the source's token that was exchanged last. It is touched in renewals only, which do not overlap.
	last string
}

// NewExchange makes an exchange at platformURL (`https://platform.altinn.no`). hc needs no authentication, but may add
// the gateway key; nil is http.DefaultClient.
func NewExchange(platformURL string, source Source, hc *http.Client) *Exchange {
	return newExchange(platformURL, source, hc, time.Now)
}

func newExchange(platformURL string, source Source, hc *http.Client, now func() time.Time) *Exchange {
	e := &Exchange{url: strings.TrimRight(platformURL, "/") + exchangePath, source: source, client: orDefault(hc), now: now}
	e.holder = holder{now: now, renew: e.request}
	return e
}

// Token gives an Altinn token that is valid for a while yet. Errors: *Error, *UnreachableError.
func (e *Exchange) Token(ctx context.Context) (string, error) { return e.holder.get(ctx, "") }

// Refresh gives an Altinn token other than refused. Errors: *Error, *UnreachableError.
func (e *Exchange) Refresh(ctx context.Context, refused string) (string, error) {
	return e.holder.get(ctx, refused)
}

// request exchanges a token of the source. When our own token was refused, or the exchange refuses the source's, the
// source has to make a new one: an expired Maskinporten token answers like a bad one.
func (e *Exchange) request(ctx context.Context, refused bool) (token, error) {
	var err error
	if refused && e.last != "" {
		e.last, err = e.source.Refresh(ctx, e.last)
	} else {
		e.last, err = e.source.Token(ctx)
	}
	if err != nil {
		return token{}, err
	}
	status, body, err := e.call(ctx, e.last)
	if err == nil && status == http.StatusUnauthorized && !refused {
		if e.last, err = e.source.Refresh(ctx, e.last); err != nil {
			return token{}, err
		}
		status, body, err = e.call(ctx, e.last)
	}
	if err != nil {
		return token{}, &UnreachableError{Endpoint: endpointExchange, Err: err}
	}
	if status != http.StatusOK {
		return token{}, &Error{Endpoint: endpointExchange, Status: status}
	}
	text := unquote(string(body))
	expires, ok := expiry(text)
	if !ok {
		return token{}, &UnreachableError{Endpoint: endpointExchange}
	}
	return newToken(text, e.now(), expires), nil
}

func (e *Exchange) call(ctx context.Context, bearer string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // The caller says what was called.
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	return exchange(e.client, r)
}

// unquote takes the token out of a body that is a JSON string or plain text.
func unquote(body string) string {
	text := strings.TrimSpace(body)
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			return inner
		}
	}
	return text
}

// expiry reads `exp` of a JWT without checking its signature: we only want to know how long to use it.
func expiry(text string) (time.Time, bool) {
	parts := strings.Split(text, ".")
	const partsOfJWT = 3
	if len(parts) != partsOfJWT {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expires *float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires == nil {
		return time.Time{}, false
	}
	return time.Unix(int64(*claims.Expires), 0), true
}
