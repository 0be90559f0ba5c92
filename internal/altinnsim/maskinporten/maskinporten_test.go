package maskinporten_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/cert"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/maskinporten"
)

const (
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	ownNumber = "991825827"
)

// keys are made once: what they are does not matter, only that they differ.
var keys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var out [2]*rsa.PrivateKey
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

// granter is a Maskinporten with a clock that stands.
type granter struct {
	*maskinporten.Service

	now time.Time
}

func setup(t *testing.T) *granter {
	t.Helper()
	g := &granter{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	g.Service = maskinporten.New(maskinporten.Config{Now: func() time.Time { return g.now }, Organisation: ownNumber})
	return g
}

type reply struct {
	status      int
	Token       string `json:"access_token"`
	Type        string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (g *granter) post(t *testing.T, contentType string, form url.Values) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/maskinporten/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	out := reply{status: w.Code}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return out
}

func (g *granter) ask(t *testing.T, assertion string) reply {
	t.Helper()
	return g.post(t, "application/x-www-form-urlencoded", url.Values{"grant_type": {grantType}, "assertion": {assertion}})
}

// claims are good ones.
func (g *granter) claims() map[string]any {
	return map[string]any{
		"aud": "http://example.com/maskinporten/", "iss": "client-1", "scope": "a b", "jti": uuid.NewString(),
		"iat": g.now.Unix(), "exp": g.now.Unix() + 60,
	}
}

func sign(t *testing.T, key *rsa.PrivateKey, claims map[string]any, headers map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	h := jws.NewHeaders()
	for name, value := range headers {
		require.NoError(t, h.Set(name, value))
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.RS256(), key, jws.WithProtectedHeaders(h)))
	require.NoError(t, err)
	return string(signed)
}

func kid(id string) map[string]any { return map[string]any{"kid": id, "typ": "JWT"} }

func jwkOf(t *testing.T, key any, id string) json.RawMessage {
	t.Helper()
	k, err := jwk.Import(key)
	require.NoError(t, err)
	require.NoError(t, k.Set(jwk.KeyIDKey, id))
	raw, err := json.Marshal(k)
	require.NoError(t, err)
	return raw
}

// decode reads a granted token with the key that the service publishes.
func (g *granter) decode(t *testing.T, token string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/maskinporten/jwk", nil))
	set, err := jwk.Parse(w.Body.Bytes())
	require.NoError(t, err)
	payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(payload, &out))
	return out
}

func TestGrant(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.ask(t, sign(t, keys()[0], g.claims(), kid("key-1")))
	require.Equal(t, 200, got.status, got.Description)
	assert.Equal(t, "Bearer", got.Type)
	assert.Equal(t, 119, got.ExpiresIn)
	assert.Equal(t, "a b", got.Scope)
	claims := g.decode(t, got.Token)
	assert.Len(t, claims["jti"], 36)
	delete(claims, "jti")
	assert.Equal(t, map[string]any{
		"iss": "http://example.com/maskinporten/", "aud": "unspecified", "scope": "a b", "client_id": "client-1",
		"client_amr": "private_key_jwt", "token_type": "Bearer",
		"iat": float64(g.now.Unix()), "exp": float64(g.now.Unix() + 119),
		"consumer": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + ownNumber},
	}, claims)

	asked := g.claims()
	asked["resource"], asked["consumer_org"] = "https://tt02.altinn.no/", "310702641"
	claims = g.decode(t, g.ask(t, sign(t, keys()[0], asked, kid("key-1"))).Token)
	assert.Equal(t, "https://tt02.altinn.no/", claims["aud"])
	assert.Equal(t, map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:310702641"}, claims["consumer"])
	assert.Equal(t, map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + ownNumber}, claims["supplier"])
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	later := func(g *granter, seconds int64) int64 { return g.now.Unix() + seconds }
	for name, test := range map[string]struct {
		change  func(g *granter, claims map[string]any)
		headers map[string]any
		code    string
		says    string
	}{
		"no final slash":      {func(_ *granter, c map[string]any) { c["aud"] = "http://example.com/maskinporten" }, nil, "invalid_grant", "audience"},
		"audience in a list":  {func(_ *granter, c map[string]any) { c["aud"] = []string{"http://example.com/maskinporten/"} }, nil, "invalid_grant", "type"},
		"another environment": {func(_ *granter, c map[string]any) { c["aud"] = "https://maskinporten.no/" }, nil, "invalid_grant", "audience"},
		"no client":           {func(_ *granter, c map[string]any) { delete(c, "iss") }, nil, "invalid_client", "client"},
		"expired":             {func(g *granter, c map[string]any) { c["iat"], c["exp"] = later(g, -60), later(g, 0) }, nil, "invalid_grant", "expired"},
		"clock ahead":         {func(g *granter, c map[string]any) { c["iat"], c["exp"] = later(g, 11), later(g, 60) }, nil, "invalid_grant", "future"},
		"too long":            {func(g *granter, c map[string]any) { c["exp"] = later(g, 121) }, nil, "invalid_grant", "120"},
		"no iat":              {func(_ *granter, c map[string]any) { delete(c, "iat") }, nil, "invalid_grant", "iat"},
		"no exp":              {func(_ *granter, c map[string]any) { delete(c, "exp") }, nil, "invalid_grant", "exp"},
		"exp is a text":       {func(_ *granter, c map[string]any) { c["exp"] = "soon" }, nil, "invalid_grant", "type"},
		"no jti":              {func(_ *granter, c map[string]any) { delete(c, "jti") }, nil, "invalid_grant", "jti"},
		"no scope":            {func(_ *granter, c map[string]any) { delete(c, "scope") }, nil, "invalid_scope", "scope"},
		"two spaces":          {func(_ *granter, c map[string]any) { c["scope"] = "a  b" }, nil, "invalid_scope", "space"},
		"no organisation":     {func(_ *granter, c map[string]any) { c["consumer_org"] = "x" }, nil, "invalid_request", "consumer_org"},
		"neither kid nor x5c": {func(*granter, map[string]any) {}, map[string]any{"typ": "JWT"}, "invalid_grant", "kid"},
		"exp before iat":      {func(g *granter, c map[string]any) { c["iat"], c["exp"] = later(g, 9), later(g, 5) }, nil, "invalid_grant", "before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			claims := g.claims()
			test.change(g, claims)
			headers := test.headers
			if headers == nil {
				headers = kid("key-1")
			}
			got := g.ask(t, sign(t, keys()[0], claims, headers))
			assert.GreaterOrEqual(t, got.status, 400)
			assert.Equal(t, test.code, got.Error)
			assert.Contains(t, got.Description, test.says)
			assert.Contains(t, got.Description, "(trace_id: ")
			assert.Empty(t, got.Token)
		})
	}
	g := setup(t)
	claims := g.claims()
	claims["exp"] = later(g, 120)
	assert.Equal(t, 200, g.ask(t, sign(t, keys()[0], claims, kid("k"))).status, "the ceiling itself is good")
}

func TestFormIsChecked(t *testing.T) {
	t.Parallel()
	g := setup(t)
	good := sign(t, keys()[0], g.claims(), kid("k"))
	form := func(grant, assertion string) url.Values {
		return url.Values{"grant_type": {grant}, "assertion": {assertion}}
	}
	for _, test := range []struct {
		contentType string
		form        url.Values
		code        string
	}{
		{"application/json", form(grantType, good), "invalid_request"},
		{"application/x-www-form-urlencoded", form("", good), "invalid_request"},
		{"application/x-www-form-urlencoded", form("client_credentials", good), "unsupported_grant_type"},
		{"application/x-www-form-urlencoded", form(grantType, ""), "invalid_request"},
		{"application/x-www-form-urlencoded", form(grantType, "rubbish"), "invalid_grant"},
		{"application/x-www-form-urlencoded; charset=utf-8", form(grantType, good), ""},
	} {
		got := g.post(t, test.contentType, test.form)
		assert.Equal(t, test.code, got.Error, test.form)
		assert.Equal(t, test.code == "", got.status == 200)
	}
	hashed, err := jws.Sign([]byte(`{}`), jws.WithKey(jwa.HS256(), []byte("secret that is long enough for it")))
	require.NoError(t, err)
	assert.Contains(t, g.ask(t, string(hashed)).Description, "RS256")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	g := setup(t)
	assertion := sign(t, keys()[0], g.claims(), kid("k"))
	require.Equal(t, 200, g.ask(t, assertion).status)
	again := g.ask(t, assertion)
	assert.Equal(t, "invalid_grant", again.Error)
	assert.Contains(t, again.Description, "jti")
	other := g.claims()
	other["iss"] = "client-2"
	assert.Equal(t, 200, g.ask(t, sign(t, keys()[0], other, kid("k"))).status)
	g.now = g.now.Add(time.Minute)
	assert.Contains(t, g.ask(t, assertion).Description, "expired")
}

func TestRegisteredClients(t *testing.T) {
	t.Parallel()
	g := setup(t)
	require.NoError(t, g.PutClients([]maskinporten.Client{
		{
			ID: "client-1", OrgNumber: "310702641", JWK: jwkOf(t, keys()[0], "key-1"), Scopes: []string{"a", "b"}, ExpiresIn: 5,
			ConsumerOrgs: []string{"310000001"},
		},
		{ID: "keyless"},
	}))
	ask := func(key *rsa.PrivateKey, id string, change func(map[string]any)) reply {
		claims := g.claims()
		change(claims)
		return g.ask(t, sign(t, key, claims, kid(id)))
	}
	same := func(map[string]any) {}
	got := ask(keys()[0], "key-1", same)
	require.Equal(t, 200, got.status, got.Description)
	assert.Equal(t, 5, got.ExpiresIn)
	assert.InDelta(t, g.now.Unix()+5, g.decode(t, got.Token)["exp"], 0)
	assert.Equal(t, "0192:310702641", g.decode(t, got.Token)["consumer"].(map[string]any)["ID"])

	for name, test := range map[string]struct {
		got    reply
		status int
		code   string
	}{
		"another key":       {ask(keys()[1], "key-1", same), 400, "invalid_grant"},
		"another key id":    {ask(keys()[0], "key-2", same), 400, "invalid_grant"},
		"unknown client":    {ask(keys()[0], "key-1", func(c map[string]any) { c["iss"] = "nobody" }), 401, "invalid_client"},
		"a scope too many":  {ask(keys()[0], "key-1", func(c map[string]any) { c["scope"] = "a b c" }), 400, "invalid_scope"},
		"not delegated":     {ask(keys()[0], "key-1", func(c map[string]any) { c["consumer_org"] = "310000002" }), 400, "invalid_grant"},
		"delegated":         {ask(keys()[0], "key-1", func(c map[string]any) { c["consumer_org"] = "310000001" }), 200, ""},
		"no registered key": {ask(keys()[1], "any", func(c map[string]any) { c["iss"] = "keyless" }), 200, ""},
	} {
		assert.Equal(t, test.status, test.got.status, name)
		assert.Equal(t, test.code, test.got.Error, name)
	}

	shown, err := json.Marshal(g.Clients())
	require.NoError(t, err)
	assert.Contains(t, string(shown), "key-1")
	assert.NotContains(t, string(shown), `"d":`, "the private half is not kept")
	for name, bad := range map[string]maskinporten.Client{
		"id": {}, "org": {ID: "x", OrgNumber: "1"}, "life": {ID: "x", ExpiresIn: -1}, "jwk": {ID: "x", JWK: []byte(`{"kty":"x"}`)},
		"kid": {ID: "x", JWK: jwkOf(t, keys()[0], "")}, "oct": {ID: "x", JWK: []byte(`{"kty":"oct","k":"c2VjcmV0","kid":"a"}`)},
	} {
		require.Error(t, g.PutClients([]maskinporten.Client{bad}), name)
	}
	require.Len(t, g.Clients(), 2, "a faulty list changes nothing")
	require.NoError(t, g.PutClients(nil))
	assert.Equal(t, 200, ask(keys()[1], "any", func(c map[string]any) { c["iss"] = "nobody" }).status)
}

func TestCertificateInPlaceOfKeyID(t *testing.T) {
	t.Parallel()
	g := setup(t)
	key := keys()[0]
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &key.PublicKey, key)
	require.NoError(t, err)
	chain := &cert.Chain{}
	require.NoError(t, chain.Add([]byte(base64.StdEncoding.EncodeToString(der))))
	headers := map[string]any{"x5c": chain}
	assert.Equal(t, 200, g.ask(t, sign(t, key, g.claims(), headers)).status)
	assert.Equal(t, "invalid_grant", g.ask(t, sign(t, keys()[1], g.claims(), headers)).Error, "signed by another key")
}

func TestLifetimeAndReset(t *testing.T) {
	t.Parallel()
	g := setup(t)
	require.Error(t, g.SetLifetime(time.Millisecond))
	require.NoError(t, g.SetLifetime(3*time.Second))
	got := g.ask(t, sign(t, keys()[0], g.claims(), kid("k")))
	assert.Equal(t, 3, got.ExpiresIn)
	_, err := g.Signer().Verify(got.Token)
	require.NoError(t, err)
	g.Reset()
	_, err = g.Signer().Verify(got.Token)
	require.Error(t, err)
	assert.Equal(t, 119, g.ask(t, sign(t, keys()[0], g.claims(), kid("k"))).ExpiresIn)
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, path := range []string{"/maskinporten/.well-known/oauth-authorization-server", "/maskinporten/.well-known/oauth-authorization-server/"} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		require.Equal(t, 200, w.Code, path)
		assert.Contains(t, w.Body.String(), `"jwks_uri":"http://example.com/maskinporten/jwk"`)
		assert.Contains(t, w.Body.String(), `"issuer":"http://example.com/maskinporten/"`)
	}
	fixed := maskinporten.New(maskinporten.Config{URL: "https://test.maskinporten.no"})
	w := httptest.NewRecorder()
	fixed.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/maskinporten/.well-known/oauth-authorization-server", nil))
	assert.Contains(t, w.Body.String(), `"token_endpoint":"https://test.maskinporten.no/token"`)
}
