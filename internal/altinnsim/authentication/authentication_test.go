package authentication_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/authentication"
)

// exchanger is an exchange with a clock that stands.
type exchanger struct {
	*authentication.Service

	maskinporten *auth.Signer
	now          time.Time
}

func setup(t *testing.T) *exchanger {
	t.Helper()
	e := &exchanger{maskinporten: auth.NewSigner("maskinporten"), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	e.Service = authentication.New(authentication.Config{
		Now: func() time.Time { return e.now }, Maskinporten: e.maskinporten,
		OrgOf: func(number string) (string, bool) {
			code, ok := map[string]string{"991825827": "digdir", "405003309": "ttd"}[number]
			return code, ok
		},
	})
	return e
}

func (e *exchanger) get(t *testing.T, path, bearer string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

const path = "/authentication/api/v1/exchange/maskinporten"

// token is a Maskinporten token with a claim changed; nil takes it away.
func (e *exchanger) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://test.maskinporten.no/", "aud": "unspecified", "client_amr": "private_key_jwt", "sid": "1", "token_type": "Bearer",
		"client_id": "c", "jti": "j", "iat": e.now.Unix(), "exp": e.now.Unix() + 119,
		"scope":    "altinn:serviceowner/instances.read altinn:storage/instances.syncadapter",
		"consumer": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827"},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	signed, err := e.maskinporten.Sign(claims)
	require.NoError(t, err)
	return signed
}

// decode reads an Altinn token with the key that the service publishes.
func (e *exchanger) decode(t *testing.T, token string) map[string]any {
	t.Helper()
	w := e.get(t, "/authentication/api/v1/openid/.well-known/openid-configuration", "")
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &metadata))
	assert.Equal(t, "http://example.com/authentication/api/v1/openid/", metadata.Issuer)
	set, err := jwk.Parse(e.get(t, strings.TrimPrefix(metadata.Keys, "http://example.com"), "").Body.Bytes())
	require.NoError(t, err)
	payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(payload, &out))
	return out
}

func TestClaims(t *testing.T) {
	t.Parallel()
	e := setup(t)
	w := e.get(t, path, e.token(t, nil))
	require.Equal(t, 200, w.Code)
	assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Equal(t, map[string]any{
		"iss": "http://example.com/authentication/api/v1/openid/", "token_type": "Bearer", "client_id": "c", "jti": "j",
		"iat": float64(e.now.Unix()), "nbf": float64(e.now.Unix()), "exp": float64(e.now.Unix() + 1800),
		"scope":          "altinn:serviceowner/instances.read altinn:storage/instances.syncadapter",
		"consumer":       map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827"},
		"urn:altinn:org": "digdir", "urn:altinn:orgNumber": "991825827",
		"urn:altinn:authenticatemethod": "maskinporten", "urn:altinn:authlevel": "3",
	}, e.decode(t, w.Body.String()))
}

func TestOrgClaim(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for name, test := range map[string]struct {
		query, number, scope string
		want                 any
	}{
		"service owner":           {"", "405003309", "altinn:serviceowner", "ttd"},
		"the trap":                {"", "991825827", "altinn:storage/instances.syncadapter", nil},
		"not in the list":         {"", "310702641", "altinn:serviceowner/instances.read", nil},
		"anywhere in it":          {"", "405003309", "x:altinn:serviceowner.y", "ttd"},
		"digdir as a test":        {"?test=true", "991825827", "altinn:serviceowner", "ttd"},
		"digdir as another test":  {"?test=True", "991825827", "altinn:serviceowner", "ttd"},
		"digdir not as a test":    {"?test=false", "991825827", "altinn:serviceowner", "digdir"},
		"a test of somebody else": {"?test=true", "405003309", "altinn:serviceowner", "ttd"},
	} {
		token := e.token(t, map[string]any{
			"scope": test.scope, "consumer": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + test.number},
		})
		w := e.get(t, path+test.query, token)
		require.Equal(t, 200, w.Code, name)
		claims := e.decode(t, w.Body.String())
		assert.Equal(t, test.want, claims["urn:altinn:org"], name)
		assert.Equal(t, test.number, claims["urn:altinn:orgNumber"], name)
	}
}

func TestQuotedOrPlain(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for accept, quoted := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "application/json; charset=utf-8": true, "text/plain": false,
		"application/json, text/plain, */*": false, "application/json, text/plain": true, "text/plain, application/json": false,
		"application/json;q=0.5, text/plain": false, "text/plain;q=0.5, application/json": true, "application/xml": false, "rubbish": false,
	} {
		headers := []string{"Accept", accept}
		if accept == "" {
			headers = nil
		}
		w := e.get(t, path, e.token(t, nil), headers...)
		require.Equal(t, 200, w.Code)
		assert.Equal(t, quoted, strings.HasPrefix(w.Body.String(), `"`), accept)
		assert.Equal(t, quoted, strings.HasPrefix(w.Header().Get("Content-Type"), "application/json"), accept)
		if quoted {
			var token string
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &token))
			e.decode(t, token)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	e := setup(t)
	stranger, err := auth.NewSigner("maskinporten").Sign(map[string]any{"exp": e.now.Unix() + 60})
	require.NoError(t, err)
	consumer := func(authority, id string) string {
		return e.token(t, map[string]any{"consumer": map[string]any{"authority": authority, "ID": id}})
	}
	good := e.token(t, nil)
	own, err := e.Signer().Sign(map[string]any{"exp": e.now.Unix() + 60})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		path, token string
		headers     []string
		want        int
	}{
		"no token":              {path, "", nil, 401},
		"rubbish":               {path, "rubbish", nil, 401},
		"a stranger's":          {path, stranger, nil, 401},
		"an Altinn token":       {path, own, nil, 401},
		"expired":               {path, e.token(t, map[string]any{"exp": e.now.Unix() - 10}), nil, 401},
		"within the grace":      {path, e.token(t, map[string]any{"exp": e.now.Unix() - 9}), nil, 200},
		"no exp":                {path, e.token(t, map[string]any{"exp": nil}), nil, 401},
		"no consumer":           {path, e.token(t, map[string]any{"consumer": nil}), nil, 401},
		"another authority":     {path, consumer("x", "0192:991825827"), nil, 401},
		"another scheme":        {path, consumer("iso6523-actorid-upis", "9908:991825827"), nil, 401},
		"too few digits":        {path, consumer("iso6523-actorid-upis", "0192:99182582"), nil, 401},
		"unknown provider":      {"/authentication/api/v1/exchange/google", good, nil, 400},
		"provider, in capitals": {"/authentication/api/v1/exchange/Maskinporten", good, nil, 200},
		"unreadable test":       {path + "?test=perhaps", good, nil, 400},
		"abolished":             {path, good, []string{"X-Altinn-EnterpriseUser-Authentication", "eDpB"}, 410},
	} {
		assert.Equal(t, test.want, e.get(t, test.path, test.token, test.headers...).Code, name)
	}
	assert.Empty(t, e.get(t, path, "rubbish").Body.String(), "a refusal says nothing")
}

func TestLifetimeAndReset(t *testing.T) {
	t.Parallel()
	e := setup(t)
	require.Error(t, e.SetLifetime(time.Millisecond))
	require.NoError(t, e.SetLifetime(4*time.Second))
	token := e.get(t, path, e.token(t, nil)).Body.String()
	assert.InDelta(t, e.now.Unix()+4, e.decode(t, token)["exp"], 0)
	_, err := e.Signer().Verify(token)
	require.NoError(t, err)
	e.Reset()
	_, err = e.Signer().Verify(token)
	require.ErrorIs(t, err, auth.ErrInvalidToken)
}
