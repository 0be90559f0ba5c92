package maskinporten

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

const (
	grantType    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionTTL = 60 * time.Second // Maskinporten's ceiling is 120; the margin is for clocks that differ
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
	// attemptTimeout bounds one call when the http.Client has no bound of its own.
	attemptTimeout = 30 * time.Second

	endpointMaskinporten = "maskinporten"
	endpointExchange     = "exchange"
)

// Config is who asks for tokens, and for which.
type Config struct {
	// URL is Maskinporten's address, also the assertion's audience: `https://maskinporten.no/`. A missing final slash is
	// added.
	URL string
	// ClientID is the registered client.
	ClientID string
	// JWK is the client's private RSA key with its key id: standard base64 of the JWK's JSON text.
	JWK string
	// Scopes are asked for together.
	Scopes []string
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Client gets Maskinporten's access tokens. It is safe for use by many goroutines.
type Client struct {
	config Config
	key    jwk.Key
	client *http.Client
	holder holder
}

// New makes a client. hc needs no authentication; nil is http.DefaultClient. The error is a *ConfigError.
func New(config Config, hc *http.Client) (*Client, error) {
	base, err := url.Parse(config.URL)
	if err != nil || base.Host == "" {
		return nil, &ConfigError{Problem: "the URL is not absolute"}
	}
	if config.ClientID == "" {
		return nil, &ConfigError{Problem: "there is no client id"}
	}
	if len(config.Scopes) == 0 {
		return nil, &ConfigError{Problem: "there are no scopes"}
	}
	key, err := parseKey(config.JWK)
	if err != nil {
		return nil, err
	}
	config.URL, config.JWK = strings.TrimRight(config.URL, "/")+"/", ""
	if config.Now == nil {
		config.Now = time.Now
	}
	c := &Client{config: config, key: key, client: orDefault(hc)}
	c.holder = holder{now: config.Now, renew: c.request}
	return c, nil
}

func orDefault(hc *http.Client) *http.Client {
	if hc == nil {
		return http.DefaultClient
	}
	return hc
}

// Token gives an access token that is valid for a while yet. Errors: *Error, *UnreachableError.
func (c *Client) Token(ctx context.Context) (string, error) { return c.holder.get(ctx, "") }

// Refresh gives an access token other than refused. Errors: *Error, *UnreachableError.
func (c *Client) Refresh(ctx context.Context, refused string) (string, error) {
	return c.holder.get(ctx, refused)
}

// request makes an assertion and trades it for a token.
func (c *Client) request(ctx context.Context, _ bool) (token, error) {
	now := c.config.Now()
	assertion, err := c.assertion(now)
	if err != nil {
		return token{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	form := url.Values{"grant_type": {grantType}, "assertion": {assertion}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+"token", strings.NewReader(form))
	if err != nil {
		return token{}, &UnreachableError{Endpoint: endpointMaskinporten, Err: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	status, body, err := exchange(c.client, r)
	if err != nil {
		return token{}, &UnreachableError{Endpoint: endpointMaskinporten, Err: err}
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Error       string `json:"error"`
	}
	unreadable := json.Unmarshal(body, &answer) != nil
	if status != http.StatusOK {
		return token{}, &Error{Endpoint: endpointMaskinporten, Status: status, Code: plainCode(answer.Error)}
	}
	if unreadable || answer.AccessToken == "" || answer.ExpiresIn <= 0 {
		return token{}, &UnreachableError{Endpoint: endpointMaskinporten}
	}
	return newToken(answer.AccessToken, now, now.Add(time.Duration(answer.ExpiresIn)*time.Second)), nil
}

// assertion signs who we are and what we want (Storage reference, 2.1).
func (c *Client) assertion(now time.Time) (string, error) {
	claims, err := jwt.NewBuilder().
		Audience([]string{c.config.URL}).
		Issuer(c.config.ClientID).
		Claim("scope", strings.Join(c.config.Scopes, " ")).
		IssuedAt(now).
		Expiration(now.Add(assertionTTL)).
		JwtID(uuid.NewString()).
		Build()
	if err != nil {
		return "", &ConfigError{Problem: "the assertion cannot be made"}
	}
	claims.Options().Enable(jwt.FlattenAudience) // aud is a string over there, not a list
	headers := jws.NewHeaders()
	keyID, _ := c.key.KeyID()
	for name, value := range map[string]string{jws.TypeKey: "JWT", jws.KeyIDKey: keyID} {
		if err := headers.Set(name, value); err != nil {
			return "", &ConfigError{Problem: "the assertion's header cannot be made"}
		}
	}
	signed, err := jwt.Sign(claims, jwt.WithKey(jwa.RS256(), c.key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", &ConfigError{Problem: "the JWK cannot sign"} // err may quote the key
	}
	return string(signed), nil
}

// exchange sends a request and reads the answer.
func exchange(client *http.Client, r *http.Request) (status int, body []byte, err error) {
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	return response.StatusCode, body, nil
}

// endedByCaller tells whether a call failed because its caller went away.
func endedByCaller(err error) bool { return errors.Is(err, context.Canceled) }
