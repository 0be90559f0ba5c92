package openid

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	scope  = "altinn:storage/instances.syncadapter"
	issuer = "https://platform.altinn.no/authentication/api/v1/openid/"
)

// authority issues tokens and tells its keys.
type authority struct {
	mu     sync.Mutex
	keys   []jwk.Key
	extra  []any
	status int
	asked  atomic.Int32
	url    string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{status: http.StatusOK}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	a.url = server.URL
	a.rotate(t, "one")
	return a
}

func (a *authority) rotate(t *testing.T, keyID string) {
	t.Helper()
	key := newKey(t, keyID)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = []jwk.Key{key}
}

func newKey(t *testing.T, keyID string) jwk.Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, err := jwk.Import(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, keyID))
	return key
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked.Add(1)
	w.WriteHeader(a.status)
	if r.URL.Path == configurationPath {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": a.url + configurationPath + "/jwks"})
		return
	}
	keys := a.extra
	for _, key := range a.keys {
		public, _ := key.PublicKey()
		keys = append(keys, public)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
}

type claims map[string]any

func (a *authority) token(t *testing.T, change claims) string {
	t.Helper()
	return signed(t, a.keys[0], change)
}

func signed(t *testing.T, key jwk.Key, change claims) string {
	t.Helper()
	token := jwt.New()
	all := claims{
		"iss": issuer, "exp": time.Now().Add(time.Minute).Unix(), "nbf": time.Now().Add(-time.Minute).Unix(),
		"iat": time.Now().Add(-time.Minute).Unix(), "scope": "altinn:serviceowner/instances.read " + scope,
	}
	maps.Copy(all, change)
	for name, value := range all {
		if value != nil {
			require.NoError(t, token.Set(name, value))
		}
	}
	text, err := jwt.Sign(token, jwt.WithKey(jwa.RS256(), key))
	require.NoError(t, err)
	return string(text)
}

func TestTokensAreCheckedWhole(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := New(a.url, scope, nil)
	require.NoError(t, v.Check(t.Context(), a.token(t, nil)))
	require.NoError(t, v.Check(t.Context(), a.token(t, claims{"scope": "ALTINN:storage/instances.syncadapter"})))

	hmac, err := jwk.Import([]byte("secret"))
	require.NoError(t, err)
	require.NoError(t, hmac.Set(jwk.KeyIDKey, "one"))
	forged, err := jwt.Sign(jwt.New(), jwt.WithKey(jwa.HS256(), hmac))
	require.NoError(t, err)
	good := a.token(t, nil)
	for name, token := range map[string]string{
		"expired a moment ago": a.token(t, claims{"exp": time.Now().Add(-time.Second).Unix()}),
		"never expires":        a.token(t, claims{"exp": nil}),
		"of tomorrow":          a.token(t, claims{"nbf": time.Now().Add(time.Hour).Unix()}),
		"of another issuer":    a.token(t, claims{"iss": "https://evil.example/"}),
		"of another key":       signed(t, newKey(t, "one"), nil),
		"of an unknown key":    signed(t, newKey(t, "two"), nil),
		"unnamed key":          signed(t, newKey(t, ""), nil),
		"symmetric":            string(forged),
		"unsigned":             "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.e30.",
		"cut":                  good[:len(good)-4],
		"empty":                "",
		"rubbish":              "a.b.c",
	} {
		var refused *TokenError
		err := v.Check(t.Context(), token)
		require.ErrorAs(t, err, &refused, name)
		assert.NotContains(t, err.Error(), "evil", "an error repeats nothing of the token")
	}
	for name, scopes := range map[string]any{"another": scope + "s", "none": nil, "empty": ""} {
		var lacking *ScopeError
		require.ErrorAs(t, v.Check(t.Context(), a.token(t, claims{"scope": scopes})), &lacking, name)
	}
	var refused *TokenError
	require.ErrorAs(t, v.Check(t.Context(), a.token(t, claims{"scope": []string{scope}})), &refused)
}

func TestKeysAreKeptAndAskedForAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := New(a.url, scope, nil)
	now := time.Now()
	v.now = func() time.Time { return now }
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() { assert.NoError(t, v.Check(t.Context(), a.token(t, nil))) })
	}
	callers.Wait()
	assert.LessOrEqual(t, a.asked.Load(), int32(4), "callers share a request")
	asked := a.asked.Load()
	require.NoError(t, v.Check(t.Context(), a.token(t, nil)))
	assert.Equal(t, asked, a.asked.Load())

	old := a.token(t, nil)
	a.rotate(t, "two")
	require.Error(t, v.Check(t.Context(), a.token(t, nil)), "strangers' keys must not make us flood the service")
	assert.Equal(t, asked, a.asked.Load())
	now = now.Add(askAgain)
	require.NoError(t, v.Check(t.Context(), a.token(t, nil)))
	require.Error(t, v.Check(t.Context(), old), "a key that is withdrawn is no key")

	a.mu.Lock()
	a.status = http.StatusServiceUnavailable
	a.mu.Unlock()
	now = now.Add(keepKeys)
	require.NoError(t, v.Check(t.Context(), a.token(t, claims{"exp": now.Add(time.Hour).Unix()})), "old keys are better than none")
}

func TestWithoutKeysNobodyIsToBlame(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.status = http.StatusServiceUnavailable
	var unavailable *UnavailableError
	require.ErrorAs(t, New(a.url, scope, nil).Check(t.Context(), a.token(t, nil)), &unavailable)
	require.ErrorAs(t, New("http://127.0.0.1:1", scope, nil).Check(t.Context(), a.token(t, nil)), &unavailable)

	a.status = http.StatusOK
	token := a.token(t, nil)
	a.keys, a.extra = nil, []any{map[string]string{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}}
	require.ErrorAs(t, New(a.url, scope, nil).Check(t.Context(), token), &unavailable, "a secret that is published is none")
}
