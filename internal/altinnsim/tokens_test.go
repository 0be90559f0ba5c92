package altinnsim_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	altinnstorage "github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
	"github.com/altinn/dialogsync/pkg/maskinporten"
)

const scopeProvider = "digdir:dialogporten.serviceprovider"

var clientKey = sync.OnceValues(func() (jwk.Key, error) {
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key, err := jwk.Import(raw)
	if err != nil {
		return nil, err
	}
	return key, key.Set(jwk.KeyIDKey, "dialogsync-1")
})

// strict is a simulator that verifies tokens, with the product's own clients before it.
type strict struct {
	*rig

	maskinporten *maskinporten.Client
	exchange     *maskinporten.Exchange
}

func newStrict(t *testing.T, options altinnsim.Options) *strict {
	t.Helper()
	options.Auth = auth.Verify
	s := &strict{rig: setup(t, options)}
	t.Cleanup(s.Close)
	key, err := clientKey()
	require.NoError(t, err)
	private, err := json.Marshal(key)
	require.NoError(t, err)
	public, err := key.PublicKey()
	require.NoError(t, err)
	shown, err := json.Marshal(public)
	require.NoError(t, err)
	scopes := []string{
		auth.ScopeInstancesRead, auth.ScopeSyncAdapter, auth.ScopePartyLookup, scopeProvider, scopeProvider + ".admin",
	}
	list, err := json.Marshal(scopes)
	require.NoError(t, err)
	clients := `[{"clientId":"dialogsync","jwk":` + string(shown) + `,"scopes":` + string(list) + `}]`
	require.Equal(t, http.StatusNoContent, s.do(t, http.MethodPut, "/_sim/clients", clients).status)
	s.maskinporten, err = maskinporten.New(maskinporten.Config{
		URL: s.url + "/maskinporten", ClientID: "dialogsync", JWK: base64.StdEncoding.EncodeToString(private), Scopes: scopes,
	}, s.client)
	require.NoError(t, err)
	s.exchange = maskinporten.NewExchange(s.url, s.maskinporten, s.client)
	return s
}

func (s *strict) storage() *altinnstorage.Client {
	return altinnstorage.New(s.url, transport.NewClient(transport.Config{Service: "storage", BaseURL: s.url, Token: s.exchange}))
}

// walk lists skd's instances oldest first; between is called after each page.
func (s *strict) walk(t *testing.T, between func(page int)) (instances int, err error) {
	t.Helper()
	client := s.storage()
	seen := map[string]bool{}
	query := altinnstorage.Query{Org: "skd", Size: 10}
	for pages := 1; ; pages++ {
		page, err := client.ListInstances(t.Context(), query)
		if err != nil {
			return len(seen), err
		}
		for _, listed := range page.Instances {
			seen[listed.ID.String()] = true
		}
		if page.NextToken == "" {
			return len(seen), nil
		}
		query.Token = page.NextToken
		between(pages)
	}
}

func (s *strict) bearer(t *testing.T, source maskinporten.Source) string {
	t.Helper()
	token, err := source.Token(t.Context())
	require.NoError(t, err)
	return "Bearer " + token
}

func TestEachServiceTakesItsOwnTokens(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{})
	_, err := s.Generate(small(10))
	require.NoError(t, err)
	direct, exchanged := s.bearer(t, s.maskinporten), s.bearer(t, s.exchange)
	for _, test := range []struct {
		method, path, body string
		direct, exchanged  int
	}{
		{http.MethodGet, "/storage/api/v1/instances?org=skd", "", 401, 200},
		{http.MethodPost, "/register/api/v1/dialogporten/parties/query", `{"data":[]}`, 401, 200},
		{http.MethodPost, "/register/api/v1/parties/lookup", `{"orgNo":"310702641"}`, 401, 404},
		{http.MethodGet, "/events/api/v1/subscriptions", "", 401, 200},
		{http.MethodGet, "/api/v1/serviceowner/dialogs/" + uuid.NewString(), "", 404, 404},
		{http.MethodGet, "/authentication/api/v1/exchange/maskinporten", "", 200, 401},
	} {
		assert.Equal(t, test.direct, s.do(t, test.method, test.path, test.body, "Authorization", direct).status, test.path)
		assert.Equal(t, test.exchanged, s.do(t, test.method, test.path, test.body, "Authorization", exchanged).status, test.path)
		assert.Equal(t, http.StatusUnauthorized, s.do(t, test.method, test.path, test.body).status, test.path)
	}
	refused := s.do(t, http.MethodGet, "/storage/api/v1/instances?org=skd", "", "Authorization", direct)
	assert.Equal(t, "Bearer", refused.header.Get("WWW-Authenticate"))
	assert.Empty(t, refused.body)
	var list struct {
		Orgs map[string]struct {
			Number string `json:"orgnr"`
		} `json:"orgs"`
	}
	s.get(t, "/orgs/altinn-orgs.json", &list)
	assert.NotEmpty(t, list.Orgs["digdir"].Number, "whom the default client belongs to")
}

func TestTheTrapOfTheMissingOrgClaim(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{})
	_, err := s.Generate(small(10))
	require.NoError(t, err)
	key, err := clientKey()
	require.NoError(t, err)
	private, err := json.Marshal(key)
	require.NoError(t, err)
	alone, err := maskinporten.New(maskinporten.Config{
		URL: s.url + "/maskinporten", ClientID: "dialogsync", JWK: base64.StdEncoding.EncodeToString(private),
		Scopes: []string{auth.ScopeSyncAdapter},
	}, s.client)
	require.NoError(t, err)
	token := s.bearer(t, maskinporten.NewExchange(s.url, alone, s.client))
	refused := s.do(t, http.MethodGet, "/storage/api/v1/instances?org=skd", "", "Authorization", token)
	assert.Equal(t, http.StatusBadRequest, refused.status)
	assert.NotContains(t, refused.body, "detail", "names no cause")
}

func TestAWalkOutlivesItsTokens(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{})
	_, err := s.Generate(small(100))
	require.NoError(t, err)
	unauthorized := func() (n int) {
		for _, line := range s.Requests.Summary().Requests {
			if line.Service == altinnsim.ServiceStorage && line.Status == http.StatusUnauthorized {
				n += line.Count
			}
		}
		return n
	}
	whole, err := s.walk(t, func(int) {})
	require.NoError(t, err)
	require.Greater(t, whole, 30)
	require.Zero(t, unauthorized())

	got, err := s.walk(t, func(page int) {
		if page == 2 {
			assert.Equal(t, http.StatusNoContent, s.do(t, http.MethodDelete, "/_sim/tokens", "").status)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, whole, got)
	assert.Equal(t, 1, unauthorized(), "one page was asked for twice")

	// Nothing can be got any more: the walk ends, and says that no item is to blame.
	require.NoError(t, s.Faults.Set([]faults.Rule{{Service: altinnsim.ServiceMaskinporten, Effect: faults.EffectOutage, Status: 502}}))
	_, err = s.walk(t, func(int) { assert.NoError(t, s.RevokeTokens("")) })
	var refusal *maskinporten.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, http.StatusBadGateway, refusal.Status)
	assert.True(t, refusal.Systemic())
}

func TestTokensExpireByTheSimulatorsClock(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{Tokens: altinnsim.TokenOptions{Lifetime: 30 * time.Second, AltinnLifetime: 2 * time.Minute}})
	_, err := s.Generate(small(10))
	require.NoError(t, err)
	now := time.Now().Truncate(time.Second)
	s.Freeze(now)
	direct, exchanged := s.bearer(t, s.maskinporten), s.bearer(t, s.exchange)
	get := func(path, token string) int { return s.do(t, http.MethodGet, path, "", "Authorization", token).status }
	const list, exchange = "/storage/api/v1/instances?org=skd", "/authentication/api/v1/exchange/maskinporten"
	dialog := "/api/v1/serviceowner/dialogs/" + uuid.NewString()
	for _, step := range []struct {
		after                             time.Duration
		list, exchange, direct, exchange2 int
	}{
		{29 * time.Second, 200, 200, 404, 404},
		{31 * time.Second, 200, 200, 404, 404}, // Dialogporten's skew, and the exchange's grace
		{39 * time.Second, 200, 200, 401, 404},
		{40 * time.Second, 200, 401, 401, 404},
		{2*time.Minute - time.Second, 200, 401, 401, 404},
		{2 * time.Minute, 401, 401, 401, 404},
		{2*time.Minute + 2*time.Second, 401, 401, 401, 401},
	} {
		s.Freeze(now.Add(step.after))
		assert.Equal(t, step.list, get(list, exchanged), step.after)
		assert.Equal(t, step.exchange, get(exchange, direct), step.after)
		assert.Equal(t, step.direct, get(dialog, direct), step.after)
		assert.Equal(t, step.exchange2, get(dialog, exchanged), step.after)
	}

	// The client's clock is behind now: its assertions have expired when they are made.
	_, err = s.exchange.Refresh(t.Context(), strings.TrimPrefix(exchanged, "Bearer "))
	var refusal *maskinporten.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "invalid_grant", refusal.Code)
	assert.True(t, refusal.Configuration())

	s.Freeze(time.Time{})
	assert.Equal(t, http.StatusNoContent, s.do(t, http.MethodPut, "/_sim/tokens", `{"lifetime":"5s","altinnLifetime":"7s"}`).status)
	assert.Equal(t, http.StatusBadRequest, s.do(t, http.MethodPut, "/_sim/tokens", `{"lifetime":"5ms"}`).status)
	assert.Equal(t, http.StatusBadRequest, s.do(t, http.MethodPut, "/_sim/clients", `[{}]`).status)
	assert.Equal(t, http.StatusBadRequest, s.do(t, http.MethodDelete, "/_sim/tokens?issuer=somebody", "").status)
	fresh, err := s.exchange.Refresh(t.Context(), strings.TrimPrefix(exchanged, "Bearer "))
	require.NoError(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(fresh, ".")[1])
	require.NoError(t, err)
	var claims struct {
		Issued  int64 `json:"iat"`
		Expires int64 `json:"exp"`
	}
	require.NoError(t, json.Unmarshal(payload, &claims))
	assert.Equal(t, int64(7), claims.Expires-claims.Issued)
}

func TestDialogsAreWrittenWithEitherToken(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{})
	require.Equal(t, http.StatusNoContent, s.do(t, http.MethodPut, "/_sim/world", `{"organisations":{"ttd":"405003309"},
		"resources":[{"id":"app_ttd_skjema","org":"ttd","type":"AltinnApp"}]}`).status)
	for name, source := range map[string]transport.TokenSource{"direct": s.maskinporten, "exchanged": s.exchange} {
		client := dialogporten.New(s.url, transport.NewClient(transport.Config{Service: "dialogporten", BaseURL: s.url, Token: source}))
		id, err := uuid.NewV7()
		require.NoError(t, err)
		_, err = client.Create(t.Context(), dialogporten.CreateDialog{
			ID: id, ServiceResource: "urn:altinn:resource:app_ttd_skjema", Party: "urn:altinn:organization:identifier-no:310702641", IsAPIOnly: true,
		}, true)
		require.NoError(t, err, name)
		require.NoError(t, s.RevokeTokens(""))
		dialog, err := client.Get(t.Context(), id)
		require.NoError(t, err, "%s: a new token was got", name)
		assert.Equal(t, id, dialog.ID)
	}
}

// Dialogporten serves whom the consumer claim names: another claim with an organisation's number does not do instead.
func TestDialogportenWantsAConsumer(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Auth: auth.Decode})
	encode := base64.RawURLEncoding.EncodeToString
	for claim, want := range map[string]int{
		`"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:310702641"}`:          http.StatusNotFound,
		`"consumer":{"ID":"0192:310702641"},"urn:altinn:org":"ttd"`:                      http.StatusNotFound,
		`"urn:altinn:org":"ttd","urn:altinn:orgNumber":"310702641"`:                      http.StatusForbidden,
		`"consumer":{"ID":"0192:310702642"},"urn:altinn:org":"ttd"`:                      http.StatusForbidden, // the check digit
		`"consumer":{"ID":"310702641"}`:                                                  http.StatusForbidden,
		`"consumer":{"authority":"somebody","ID":"0192:310702641"},"urn:altinn:org":"x"`: http.StatusForbidden,
	} {
		payload := `{"scope":"` + scopeProvider + `","exp":4102444800,` + claim + `}`
		a := r.do(t, http.MethodGet, "/api/v1/serviceowner/dialogs/0197823f-91b7-712c-ba01-44e375b5bc79", "",
			"Authorization", "Bearer e30."+encode([]byte(payload))+".x")
		assert.Equal(t, want, a.status, claim)
		if want == http.StatusForbidden {
			assert.Empty(t, a.body, claim)
		}
	}
}

func TestResetGivesTheDefaultsBack(t *testing.T) {
	t.Parallel()
	s := newStrict(t, altinnsim.Options{})
	token := s.bearer(t, s.exchange)
	s.Reset()
	assert.Equal(t, http.StatusUnauthorized, s.do(t, http.MethodGet, "/events/api/v1/subscriptions", "", "Authorization", token).status)
	var clients []any
	s.get(t, "/_sim/clients", &clients)
	assert.Empty(t, clients)
	fresh, err := s.exchange.Refresh(t.Context(), strings.TrimPrefix(token, "Bearer "))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, s.do(t, http.MethodGet, "/events/api/v1/subscriptions", "", "Authorization", "Bearer "+fresh).status)
}
