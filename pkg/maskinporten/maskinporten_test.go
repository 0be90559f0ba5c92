package maskinporten

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform plays Maskinporten and Altinn's exchange.
type platform struct {
	server *httptest.Server
	now    time.Time
	client *http.Client

	mu         sync.Mutex
	assertions []string
	exchanged  []string // the Maskinporten tokens shown to the exchange
	accepts    []string

	status, exchangeStatus int           // other than 0: every answer
	body                   string        // with status
	refuse                 string        // the Maskinporten token that the exchange refuses
	plain                  bool          // the exchange answers without quotes
	hold                   chan struct{} // not nil: Maskinporten's answers wait for it
	life                   time.Duration // of Maskinporten's tokens
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), life: 119 * time.Second}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /maskinporten/token", p.grant)
	mux.HandleFunc("GET /authentication/api/v1/exchange/maskinporten", p.exchange)
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	p.client = p.server.Client()
	return p
}

func (p *platform) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *platform) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *platform) grant(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	status, body, hold := p.status, p.body, p.hold
	if r.FormValue("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		p.assertions = append(p.assertions, r.FormValue("assertion"))
	}
	n := len(p.assertions)
	p.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
		return
	}
	_, _ = fmt.Fprintf(w, `{"access_token":"mp%d","token_type":"Bearer","expires_in":%d,"scope":"a b"}`, n, int(p.life.Seconds()))
}

func (p *platform) exchange(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := r.Header.Get("Authorization")
	p.exchanged, p.accepts = append(p.exchanged, token), append(p.accepts, r.Header.Get("Accept"))
	if p.exchangeStatus != 0 || token == "Bearer "+p.refuse {
		w.WriteHeader(max(p.exchangeStatus, http.StatusUnauthorized))
		return
	}
	payload := fmt.Sprintf(`{"exp":%d,"n":%d}`, p.now.Add(30*time.Minute).Unix(), len(p.exchanged))
	text := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	if p.plain {
		_, _ = fmt.Fprint(w, text+"\n")
		return
	}
	_, _ = fmt.Fprintf(w, " %q\n", text)
}

func (p *platform) count() (grants, exchanges int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.assertions), len(p.exchanged)
}

// newKey gives a fresh private key, encoded as it is configured, and its public half.
func newKey(t *testing.T, keyID string) (encoded string, public jwk.Key) {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, err := jwk.Import(raw)
	require.NoError(t, err)
	if keyID != "" {
		require.NoError(t, key.Set(jwk.KeyIDKey, keyID))
	}
	text, err := json.Marshal(key)
	require.NoError(t, err)
	public, err = key.PublicKey()
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(text), public
}

func (p *platform) newClient(t *testing.T) (*Client, jwk.Key) {
	t.Helper()
	encoded, public := newKey(t, "key-1")
	c, err := New(Config{
		URL: p.server.URL + "/maskinporten", ClientID: "client-1", JWK: encoded, Scopes: []string{"a", "b"}, Now: p.clock,
	}, p.client)
	require.NoError(t, err)
	return c, public
}

func TestAssertionIsWhatMaskinportenWants(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	c, public := p.newClient(t)

	token, err := c.Token(t.Context())

	require.NoError(t, err)
	require.Equal(t, "mp1", token)
	payload, err := jws.Verify([]byte(p.assertions[0]), jws.WithKey(jwa.RS256(), public))
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	require.Len(t, claims["jti"], 36)
	delete(claims, "jti")
	require.Equal(t, map[string]any{
		"aud": p.server.URL + "/maskinporten/", "iss": "client-1", "scope": "a b",
		"iat": float64(p.now.Unix()), "exp": float64(p.now.Add(time.Minute).Unix()),
	}, claims)
	message, err := jws.ParseString(p.assertions[0])
	require.NoError(t, err)
	shown, err := json.Marshal(message.Signatures()[0].ProtectedHeaders())
	require.NoError(t, err)
	require.JSONEq(t, `{"alg":"RS256","kid":"key-1","typ":"JWT"}`, string(shown))
}

func TestTokenIsKeptAndRenewedEarly(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	c, _ := p.newClient(t)
	get := func(want string) {
		t.Helper()
		token, err := c.Token(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, token)
	}
	get("mp1")
	p.advance(119*time.Second - earlyRenewal - time.Second)
	get("mp1")
	p.advance(time.Second)
	get("mp2")
}

func TestATokenOfShortLifeIsUsedForHalfOfIt(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.life = 10 * time.Second
	c, _ := p.newClient(t)
	for range 3 {
		_, err := c.Token(t.Context())
		require.NoError(t, err)
	}
	p.advance(5 * time.Second)
	_, err := c.Token(t.Context())
	require.NoError(t, err)
	grants, _ := p.count()
	require.Equal(t, 2, grants)
}

func TestOneRenewalForAll(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	c, _ := p.newClient(t)
	first, err := c.Token(t.Context())
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			if token, err := c.Refresh(t.Context(), first); err != nil || token == first {
				t.Errorf("got %q, %v", token, err)
			}
		})
	}
	group.Wait()
	grants, _ := p.count()
	require.Equal(t, 2, grants)
}

func TestARenewalWhoseCallerLeftIsTakenOver(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.hold = make(chan struct{})
	c, _ := p.newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := c.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
	})
	require.Eventually(t, func() bool { grants, _ := p.count(); return grants == 1 }, 10*time.Second, time.Millisecond)
	group.Go(func() {
		if _, err := c.Token(t.Context()); err != nil {
			t.Errorf("who stayed: %v", err)
		}
	})
	cancel()
	require.Eventually(t, func() bool { grants, _ := p.count(); return grants == 2 }, 10*time.Second, time.Millisecond)
	close(p.hold)
	group.Wait()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status        int
		body          string
		want          string
		configuration bool
	}{
		"grant": {
			400, `{"error":"invalid_grant","error_description":"Invalid assertion. (trace_id: 0af7)"}`,
			"maskinporten answered 400 invalid_grant: check client id, key and this machine's clock", true,
		},
		"scope": {
			400, `{"error":"invalid_scope"}`,
			"maskinporten answered 400 invalid_scope: the client is not registered for all scopes asked for", true,
		},
		"no JSON":   {401, "<html>13897197123", "maskinporten answered 401: check the client's registration", true},
		"odd code":  {400, `{"error":"Kari Testperson"}`, "maskinporten answered 400: check the client's registration", true},
		"down":      {502, "<html>", "maskinporten answered 502", false},
		"throttled": {429, "", "maskinporten answered 429", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.status, p.body = test.status, test.body
			c, _ := p.newClient(t)
			_, err := c.Token(t.Context())
			var refusal *Error
			require.ErrorAs(t, err, &refusal)
			require.EqualError(t, err, test.want)
			require.Equal(t, test.configuration, refusal.Configuration())
			require.True(t, refusal.Systemic())

			p.mu.Lock()
			p.status = 0
			p.mu.Unlock()
			_, err = c.Token(t.Context())
			require.NoError(t, err, "a failure is not kept")
		})
	}
}

func TestNoTokenInTheAnswer(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.status, p.body = 200, `{"access_token":""}`
	c, _ := p.newClient(t)
	_, err := c.Token(t.Context())
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	require.True(t, unreachable.Systemic())

	p.server.Close()
	_, err = c.Token(t.Context())
	require.ErrorAs(t, err, &unreachable)
	require.True(t, unreachable.Systemic())
}

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	good, public := newKey(t, "key-1")
	anonymous, _ := newKey(t, "")
	publicText, err := json.Marshal(public)
	require.NoError(t, err)
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	config := func(change func(*Config)) Config {
		c := Config{URL: "https://test.maskinporten.no/", ClientID: "c", JWK: good, Scopes: []string{"a"}}
		change(&c)
		return c
	}
	tests := map[string]struct {
		config Config
		want   string
	}{
		"URL":       {config(func(c *Config) { c.URL = "maskinporten.no" }), "the URL is not absolute"},
		"client":    {config(func(c *Config) { c.ClientID = "" }), "there is no client id"},
		"scopes":    {config(func(c *Config) { c.Scopes = nil }), "there are no scopes"},
		"no base64": {config(func(c *Config) { c.JWK = "{}" }), "the JWK is not standard base64"},
		"no JWK":    {config(func(c *Config) { c.JWK = encode(`{"kty":"secret"}`) }), "the base64 does not hold a JWK"},
		"public":    {config(func(c *Config) { c.JWK = encode(string(publicText)) }), "the JWK is not a private key"},
		"no kid":    {config(func(c *Config) { c.JWK = anonymous }), "the JWK has no key id (kid)"},
		"symmetric": {config(func(c *Config) { c.JWK = encode(`{"kty":"oct","k":"c2VjcmV0"}`) }), "the JWK is not"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(test.config, nil)
			var faulty *ConfigError
			require.ErrorAs(t, err, &faulty)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestExchangeTakesBothFormsAndKeepsTheToken(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run("plain "+strconv.FormatBool(plain), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.plain = plain
			c, _ := p.newClient(t)
			e := newExchange(p.server.URL+"/", c, p.client, p.clock)

			first, err := e.Token(t.Context())
			require.NoError(t, err)
			require.Regexp(t, `^eyJ[^"\s]+$`, first)
			p.advance(30*time.Minute - 3*time.Minute - time.Second) // a tenth of its life early
			again, err := e.Token(t.Context())
			require.NoError(t, err)
			require.Equal(t, first, again, "used for its own life, not for Maskinporten's")
			p.advance(time.Second)
			again, err = e.Token(t.Context())
			require.NoError(t, err)
			require.NotEqual(t, first, again)
			require.Equal(t, []string{"Bearer mp1", "Bearer mp2"}, p.exchanged)
		})
	}
}

func TestARefusedAltinnTokenForcesBothAnew(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	c, _ := p.newClient(t)
	e := newExchange(p.server.URL, c, p.client, p.clock)
	first, err := e.Token(t.Context())
	require.NoError(t, err)

	second, err := e.Refresh(t.Context(), first)

	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Equal(t, []string{"Bearer mp1", "Bearer mp2"}, p.exchanged)
	same, err := e.Refresh(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, second, same, "who comes late shares what was renewed")
}

func TestAnExpiredMaskinportenTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.refuse = "mp1"
	c, _ := p.newClient(t)
	e := newExchange(p.server.URL, c, p.client, p.clock)
	_, err := e.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"Bearer mp1", "Bearer mp2"}, p.exchanged)
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.exchangeStatus = http.StatusUnauthorized
	c, _ := p.newClient(t)
	e := NewExchange(p.server.URL, c, p.client)
	_, err := e.Token(t.Context())
	var refusal *Error
	require.ErrorAs(t, err, &refusal)
	require.True(t, refusal.Configuration())
	_, exchanges := p.count()
	require.Equal(t, 2, exchanges)
}

func TestExpiryOfWhatIsNoJWT(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	for _, text := range []string{"", "a.b", "a.!.c", "a." + encode([]byte("{}")) + ".c", "a." + encode([]byte("x")) + ".c"} {
		_, ok := expiry(text)
		require.False(t, ok, text)
	}
	at, ok := expiry("a." + encode([]byte(`{"exp":1772438400}`)) + ".c")
	require.True(t, ok)
	require.Equal(t, time.Unix(1772438400, 0), at)
}
