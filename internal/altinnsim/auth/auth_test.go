package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	reader := auth.Reader{Mode: auth.Decode, Now: func() time.Time { return now }}
	read := func(header string) (auth.Caller, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return reader.Caller(r)
	}
	token := func(claims string) string {
		return "bearer x." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".y"
	}
	c, err := read(token(`{"exp":1700000001,"scope":"a altinn:serviceowner/instances.read","urn:altinn:org":"ttd",
		"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:310702641"}}`))
	require.NoError(t, err)
	assert.Equal(t, "ttd", c.Org)
	assert.Equal(t, "310702641", c.OrgNumber)
	assert.True(t, c.Has(auth.ScopeInstancesRead))
	assert.True(t, c.IsServiceOwner())
	assert.False(t, c.Has(auth.ScopeSyncAdapter))
	assert.False(t, c.User)

	c, err = read(token(`{"exp":1700000001,"pid":"14886498226"}`))
	require.NoError(t, err)
	assert.True(t, c.User)

	c, err = read("")
	require.NoError(t, err)
	assert.True(t, c.Anonymous)

	reader.Skew = 2 * time.Second
	_, err = read(token(`{"exp":1699999999,"nbf":1700000001}`))
	require.NoError(t, err, "within the skew")
	reader.Skew = 0
	for _, bad := range []string{
		"Basic x", "Bearer x", "Bearer a.b", "Bearer a.!.c", token("rubbish"), token(`{}`),
		token(`{"exp":1700000000}`), token(`{"exp":1700000001,"nbf":1700000001}`),
	} {
		_, err := read(bad)
		assert.ErrorIs(t, err, auth.ErrInvalidToken, bad)
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	c, err := auth.Reader{Mode: auth.Off}.Caller(r)
	require.NoError(t, err)
	assert.True(t, c.Has("anything"))
	assert.NotEmpty(t, c.Org)
	for text, ok := range map[string]bool{"off": true, "decode": true, "verify": true, "": false} {
		_, err := auth.ParseMode(text)
		assert.Equal(t, ok, err == nil, text)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	maskinporten, altinn, stranger := auth.NewSigner("maskinporten"), auth.NewSigner("altinn"), auth.NewSigner("altinn")
	sign := func(signer *auth.Signer, claims map[string]any) string {
		t.Helper()
		token, err := signer.Sign(claims)
		require.NoError(t, err)
		return token
	}
	read := func(token string, skew time.Duration, takes ...*auth.Signer) (auth.Caller, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return auth.Reader{Mode: auth.Verify, Now: func() time.Time { return now }, Skew: skew, Takes: takes}.Caller(r)
	}
	claims := map[string]any{"exp": 1_700_000_060, "scope": "a b", "consumer": map[string]string{"ID": "0192:310702641"}}
	direct, exchanged := sign(maskinporten, claims), sign(altinn, claims)

	c, err := read(exchanged, 0, altinn)
	require.NoError(t, err)
	assert.Equal(t, "altinn", c.Issuer)
	assert.Equal(t, "310702641", c.OrgNumber)
	assert.Equal(t, []string{"a", "b"}, c.Scopes)
	c, err = read(direct, 0, altinn, maskinporten)
	require.NoError(t, err)
	assert.Equal(t, "maskinporten", c.Issuer)

	tampered := []byte(exchanged)
	tampered[len(tampered)/2] ^= 1
	message, err := jws.Parse([]byte(exchanged))
	require.NoError(t, err)
	keyID, _ := message.Signatures()[0].ProtectedHeaders().KeyID()
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := encode([]byte(`{"alg":"none","kid":"`+keyID+`"}`)) + "." + encode([]byte(`{"exp":1700000060}`)) + "."
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	headers := jws.NewHeaders()
	require.NoError(t, headers.Set(jws.KeyIDKey, keyID))
	forged, err := jws.Sign([]byte(`{"exp":1700000060}`), jws.WithKey(jwa.RS256(), key, jws.WithProtectedHeaders(headers)))
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"another's": direct, "a stranger's": sign(stranger, claims), "tampered": string(tampered), "rubbish": "a.b.c", "unsigned": unsigned, "forged": string(forged),
	} {
		_, err := read(bad, 0, altinn)
		require.ErrorIs(t, err, auth.ErrInvalidToken, name)
	}
	_, err = read(exchanged, 0)
	require.ErrorIs(t, err, auth.ErrInvalidToken, "nothing is taken")

	now = time.Unix(1_700_000_060, 0)
	_, err = read(exchanged, 0, altinn)
	require.ErrorIs(t, err, auth.ErrInvalidToken, "no skew")
	_, err = read(exchanged, 2*time.Second, altinn)
	require.NoError(t, err, "within the skew")
	altinn.Revoke()
	_, err = read(exchanged, 2*time.Second, altinn)
	require.ErrorIs(t, err, auth.ErrInvalidToken, "revoked")
	_, err = read(sign(altinn, claims), 2*time.Second, altinn)
	require.NoError(t, err, "signed after that")
	_, err = read(sign(altinn, map[string]any{"scope": "a"}), 0, altinn)
	require.ErrorIs(t, err, auth.ErrInvalidToken, "without exp")
}
