package altinnsim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
)

// rig is a simulator on an address.
type rig struct {
	*altinnsim.Sim

	url    string
	client *http.Client
}

func setup(t *testing.T, options altinnsim.Options) *rig {
	t.Helper()
	sim, err := altinnsim.New(options)
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	return &rig{Sim: sim, url: server.URL, client: server.Client()}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

func (r *rig) try(t *testing.T, method, path, body string, headers ...string) (answer, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(content)}, err
}

func (r *rig) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := r.try(t, method, path, body, headers...)
	require.NoError(t, err)
	return a
}

func (r *rig) get(t *testing.T, path string, into any) {
	t.Helper()
	a := r.do(t, http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, a.status, "%s: %s", path, a.body)
	a.into(t, into)
}

func small(n int) altinnsim.GenerateOptions {
	options := altinnsim.DefaultOptions()
	options.Instances, options.Orgs, options.Days = n, 2, 10
	options.SoftDeleted, options.HardDeleted, options.MissingParties = 0.05, 0.05, 0.03
	return options
}

// delivered is a world of which a consumer has brought everything over.
func delivered(t *testing.T, n int) (*consumer, []source) {
	t.Helper()
	c := &consumer{rig: setup(t, altinnsim.Options{}), urns: map[string]string{}}
	_, err := c.Generate(small(n))
	require.NoError(t, err)
	var all []source
	for _, org := range []string{"skd", "nav"} {
		all = append(all, c.list(t, org)...)
	}
	require.Len(t, all, n)
	for _, s := range all {
		c.deliver(t, s)
	}
	return c, all
}

// What is generated can be delivered to a Dialogporten that accepts nothing wrong, and the comparison agrees.
func TestEverythingGeneratedCanBeDelivered(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 400)
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)
	assert.True(t, report.Clean())
	assert.Equal(t, len(all), report.Instances)
	assert.Equal(t, len(all), report.Equal)
	assert.Positive(t, report.NoParty)
	assert.Positive(t, report.States["none"])
	assert.Positive(t, report.States["deletedOrNone"])
	for _, s := range all[:50] {
		raw, ok := c.Storage.Instance(s.guid())
		require.True(t, ok)
		if strings.Contains(string(raw), `"isHardDeleted":false`) && !strings.Contains(s.InstanceOwner.PartyID, "580") {
			assert.Contains(t, string(raw), `"dialog.id":"`+stamped(s.guid(), s.Created)+`"`)
			assert.JSONEq(t, string(raw), c.do(t, http.MethodGet, "/storage/api/v1/instances/"+s.ID, "").body)
		}
	}
}

func TestDiffFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 60)
	alive := func(skip int) source {
		for _, s := range all {
			if !s.Status.IsSoftDeleted && !s.Status.IsHardDeleted && c.urns["urn:altinn:party:id:"+s.InstanceOwner.PartyID] != "" {
				if skip == 0 {
					return s
				}
				skip--
			}
		}
		require.Fail(t, "not enough instances")
		return source{}
	}
	dialogOf := func(s source) map[string]any {
		raw, ok := c.Dialogporten.Dialog(uuid.MustParse(stamped(s.guid(), s.Created)))
		require.True(t, ok)
		var dialog map[string]any
		require.NoError(t, json.Unmarshal(raw, &dialog))
		return dialog
	}
	change := func(s source, member string, value any) {
		dialog := dialogOf(s)
		dialog[member] = value
		raw, err := json.Marshal(dialog)
		require.NoError(t, err)
		require.NoError(t, c.Dialogporten.Put([]json.RawMessage{raw}))
	}
	url := func(s source) string { return "/api/v1/serviceowner/dialogs/" + stamped(s.guid(), s.Created) }

	c.do(t, http.MethodPost, url(alive(0))+"/actions/purge", "")
	c.do(t, http.MethodDelete, url(alive(1)), "")
	require.NoError(t, c.Storage.SoftDelete(alive(2).guid()))
	require.NoError(t, c.Storage.HardDelete(alive(3).guid()))
	change(alive(4), "party", "urn:altinn:organization:identifier-no:310702641")
	change(alive(5), "createdAt", "2020-01-01T00:00:00Z")
	change(alive(6), "status", map[bool]string{true: "Draft", false: "Completed"}[dialogOf(alive(6))["status"] == "Completed"])
	change(alive(7), "serviceOwnerContext", map[string]any{"revision": uuid.NewString(), "serviceOwnerLabels": []any{}})
	change(alive(8), "serviceResource", "urn:altinn:resource:app_"+strings.ReplaceAll(otherApp(all, alive(8)), "/", "_"))
	require.NoError(t, c.Storage.HardDelete(alive(9).guid()))
	require.NoError(t, c.Storage.Remove(alive(9).guid()))
	require.NoError(t, c.Storage.Remove(alive(10).guid()), "and nothing ever told of it")

	report, err := c.DiffIn(t.Context(), diff.Scope{First: 100})
	require.NoError(t, err)
	got := map[string]diff.Kind{}
	for _, d := range report.Differences {
		got[d.Item] = d.Kind
		assert.NotEmpty(t, d.Sentence)
	}
	assert.Equal(t, map[string]diff.Kind{
		alive(0).ID: diff.Missing, alive(1).ID: diff.Deleted, alive(2).ID: diff.Undeleted, alive(3).ID: diff.Unpurged,
		alive(4).ID: diff.WrongParty, alive(5).ID: diff.WrongDate, alive(6).ID: diff.WrongStatus, alive(7).ID: diff.WrongLabel,
		alive(8).ID: diff.WrongRes, alive(9).ID: diff.Orphan,
	}, got)
	assert.Equal(t, 10, report.Differing)
	assert.Equal(t, 1, report.Unknowable)
	assert.Equal(t, len(all)-2-9, report.Equal)

	var over struct {
		Differing   int               `json:"differing"`
		Differences []diff.Difference `json:"differences"`
	}
	c.get(t, "/_sim/diff?first=3", &over)
	assert.Equal(t, 10, over.Differing)
	assert.Len(t, over.Differences, 3)

	scoped, err := c.DiffIn(t.Context(), diff.Scope{Org: "skd", MainVersion: 3})
	require.NoError(t, err)
	assert.Less(t, scoped.Instances, report.Instances)
	empty, err := c.DiffIn(t.Context(), diff.Scope{To: time.Unix(0, 0)})
	require.NoError(t, err)
	assert.Zero(t, empty.Instances)
	assert.True(t, empty.Clean(), "what lies out of scope is no orphan")
}

func otherApp(all []source, than source) string {
	for _, s := range all {
		if s.AppID != than.AppID {
			return s.AppID
		}
	}
	return ""
}

func TestDiffKnowsWhatIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{})
	putWorld := `{"applications":[{"id":"ttd/off","org":"ttd","messageBoxConfig":{"syncAdapterSettings":{"disableSync":true}}},
		{"id":"ttd/own","org":"ttd","messageBoxConfig":{"syncAdapterSettings":{"enableUserSuppliedDialogId":true}}}],"instances":[` +
		instanceJSON(1, "ttd/off", "") + `,` + instanceJSON(2, "ttd/demo", `,"dataValues":{"dialog.disableAutomaticSync":" True"}`) + `,` +
		instanceJSON(3, "ttd/own", `,"dataValues":{"dialog.id":"019cad9c-857e-712c-ba01-44e375b5bc79"}`) + `,` +
		instanceJSON(4, "ttd/own", "") + `]}`
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/storage", putWorld).status)
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/parties",
		`[{"partyId":50001337,"partyType":"organization","partyUuid":"0b9f5c3e-6a0d-4f0f-9d5e-0d2a7c1b4e55",
		"externalUrn":"urn:altinn:organization:identifier-no:310702641","displayName":"X"}]`).status)
	report, err := r.Diff(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, report.NotSynced)
	assert.Equal(t, map[diff.Kind]int{diff.Missing: 1}, report.Counts)
	assert.Equal(t, "019cad9c-857e-712c-ba01-44e375b5bc79", report.Differences[0].Dialog, "the id that its user gave it")
}

func instanceJSON(n int, app, more string) string {
	return fmt.Sprintf(`{"id":"50001337/%08d-0000-4000-8000-000000000000","instanceOwner":{"partyId":"50001337"},"appId":%q,"org":"ttd",
		"status":{"isArchived":false},"created":"2026-01-01T00:00:00Z","lastChanged":"2026-01-01T00:00:00Z","data":[]%s}`, n, app, more)
}

func TestStoryTellsEveryRequest(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 20)
	var s source
	for _, s = range all {
		if !s.Status.IsHardDeleted && !s.Status.IsSoftDeleted && c.urns["urn:altinn:party:id:"+s.InstanceOwner.PartyID] != "" {
			break
		}
	}
	entries := c.Story(s.ID)
	var told []string
	for _, e := range entries {
		told = append(told, fmt.Sprintf("%s %s %d", e.Method, strings.Split(e.Path, "/")[len(strings.Split(e.Path, "/"))-1], e.Status))
		assert.NotContains(t, e.Headers, "Authorization")
	}
	assert.Equal(t, []string{"PUT datavalues 200", "GET events 200", "POST dialogs 201"}, told)
	assert.Contains(t, string(entries[2].Body), s.ID)
	assert.Equal(t, map[string]any{"isSilentUpdate": "true"}, entries[2].Query)

	var seen struct {
		State struct {
			ID string `json:"id"`
		} `json:"state"`
		Requests []story.Entry     `json:"requests"`
		Events   []json.RawMessage `json:"events"`
	}
	c.get(t, "/_sim/items/"+s.ID, &seen)
	assert.Equal(t, s.ID, seen.State.ID)
	assert.Len(t, seen.Requests, 3)
	assert.NotEmpty(t, seen.Events)
	c.get(t, "/_sim/dialogs/"+stamped(s.guid(), s.Created), &seen)
	assert.Equal(t, stamped(s.guid(), s.Created), seen.State.ID)
	assert.Len(t, seen.Requests, 1)
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodGet, "/_sim/items/"+uuid.NewString(), "").status)
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodGet, "/_sim/items/1000001", "").status)
	assert.Equal(t, http.StatusNotFound, c.do(t, http.MethodGet, "/_sim/dialogs/"+uuid.NewString(), "").status)
}

func TestControlEndpoints(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Seed: 7})
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/clock", `{"now":"2026-03-10T12:00:00+01:00"}`).status)
	assert.Equal(t, time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC), r.Now())

	var totals generator.Totals
	a := r.do(t, http.MethodPost, "/_sim/generate", `{"instances":50,"days":3,"orgs":1}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	a.into(t, &totals)
	assert.Equal(t, 50, totals.Instances)
	assert.Equal(t, time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC), totals.To, "the frozen clock is the end")
	a = r.do(t, http.MethodPost, "/_sim/generate", `{"instances":50,"days":3,"orgs":1}`)
	assert.Equal(t, http.StatusBadRequest, a.status, "the same seed again")
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPost, "/_sim/generate", `{"instances":-1}`).status)

	var orgs struct {
		Orgs map[string]struct {
			Number       string            `json:"orgnr"`
			Name         map[string]string `json:"name"`
			Environments []string          `json:"environments"`
		} `json:"orgs"`
	}
	r.get(t, "/orgs/altinn-orgs.json", &orgs)
	assert.Equal(t, "Skattedirektoratet", orgs.Orgs["skd"].Name["nb"])
	assert.Equal(t, []string{"tt02", "production"}, orgs.Orgs["skd"].Environments)

	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/resources",
		`[{"id":"my-service","orgNumber":"310702641","org":"ttd","type":"GenericAccessResource"}]`).status)
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/world", `{"orgs":{"abc":{"orgnr":"310702641","name":"Etat"},"def":"974760673"},
		"resources":{"urn:altinn:resource:other":{"org":"abc","type":"AltinnApp"}},
		"partyNames":{"urn:altinn:person:identifier-no:14886498226":"KARI"},"tokens":{}}`).status)
	resource, ok := r.Orgs.Resource("Other")
	assert.True(t, ok)
	assert.Equal(t, "abc", resource.Org)
	assert.Equal(t, "310702641", resource.OrgNumber, "its owner's")
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/world", `{"resources":[
		{"urn":"urn:altinn:resource:theirs","owner":"974760673","type":"GenericAccessResource"},
		{"id":"of-tokens","owner":"ghi","type":"GenericAccessResource"}, {"id":"known","org":"abc","type":"AltinnApp"}],
		"orgs":[{"shortName":"def","orgNumber":"974760673"}],
		"tokens":{"owner":{"urn:altinn:org":"ghi","consumer":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}}}}`).status)
	for id, want := range map[string][2]string{"theirs": {"def", "974760673"}, "of-tokens": {"ghi", "991825827"}, "known": {"abc", "310702641"}} {
		resource, ok := r.Orgs.Resource(id)
		assert.True(t, ok, id)
		assert.Equal(t, want, [2]string{resource.Org, resource.OrgNumber}, id)
	}
	name, ok := r.Register.Name("urn:altinn:person:identifier-no:14886498226")
	assert.True(t, ok)
	assert.Equal(t, "KARI", name)

	id := "0197823f-91b7-712c-ba01-44e375b5bc79"
	dialog := `[{"id":"` + id + `","revision":"` + uuid.NewString() + `","serviceResource":"urn:altinn:resource:my-service",
		"party":"urn:altinn:organization:identifier-no:310702641","status":"Draft","createdAt":"2025-06-18T08:54:53Z",
		"updatedAt":"2025-06-18T08:54:53Z","deletedAt":"2025-07-18T08:54:53Z","org":"ttd",
		"content":{"title":{"value":[{"languageCode":"nb","value":"x"}]}}}]`
	a = r.do(t, http.MethodPut, "/_sim/dialogs", dialog)
	require.Equal(t, http.StatusNoContent, a.status, a.body)
	var seen struct {
		DeletedAt string `json:"deletedAt"`
	}
	r.get(t, "/api/v1/serviceowner/dialogs/"+id, &seen)
	assert.Contains(t, seen.DeletedAt, "2025-07-18T08:54:53")

	var stats struct {
		Instances      int `json:"instances"`
		DeletedDialogs int `json:"deletedDialogs"`
		Traffic        struct {
			Requests []struct {
				Endpoint string `json:"endpoint"`
				Count    int    `json:"count"`
			} `json:"requests"`
		} `json:"traffic"`
	}
	r.get(t, "/_sim/stats", &stats)
	assert.Equal(t, 50, stats.Instances)
	assert.Equal(t, 1, stats.DeletedDialogs)
	assert.Equal(t, "/api/v1/serviceowner/dialogs/{dialogId}", stats.Traffic.Requests[0].Endpoint)
	assert.Equal(t, 1, r.Requests.Count("dialogporten", "GET", ""))

	for _, name := range []string{"messages", "correspondences"} {
		assert.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/"+name, "[]").status)
	}
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/faults", `[{"effect":"magic"}]`).status)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/storage", `{"instances":[{"id":"x"}]}`).status)

	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPost, "/_sim/reset", "").status)
	assert.Zero(t, r.Storage.Len())
	assert.Zero(t, r.Requests.Total())
	assert.WithinDuration(t, time.Now(), r.Now(), time.Minute)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/healthz", "").status)
}

func TestDecodedTokensOpenServices(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Auth: auth.Decode})
	_, err := r.Generate(small(10))
	require.NoError(t, err)
	token := func(claims map[string]any) string {
		raw, err := json.Marshal(claims)
		require.NoError(t, err)
		encode := base64.RawURLEncoding.EncodeToString
		return "Bearer " + encode([]byte(`{"alg":"none"}`)) + "." + encode(raw) + ".x"
	}
	claims := map[string]any{
		"scope": auth.ScopeSyncAdapter + " " + auth.ScopeInstancesRead, "urn:altinn:org": "digdir",
		"exp": time.Now().Add(time.Minute).Unix(), "consumer": map[string]any{"ID": "0192:310702641"},
	}
	list := func(authorization string) int {
		return r.do(t, http.MethodGet, "/storage/api/v1/instances?org=skd", "", "Authorization", authorization).status
	}
	assert.Equal(t, http.StatusOK, list(token(claims)))
	assert.Equal(t, http.StatusUnauthorized, list(""))
	assert.Equal(t, http.StatusUnauthorized, list("Bearer rubbish"))
	query := r.do(t, http.MethodPost, "/register/api/v1/dialogporten/parties/query", `{"data":[]}`, "Authorization", token(claims))
	assert.Equal(t, http.StatusForbidden, query.status, "no look-up scope")
	claims["exp"] = time.Now().Add(-time.Second).Unix()
	assert.Equal(t, http.StatusUnauthorized, list(token(claims)), "no clock skew")
}

func TestUnknownRoutesHaveNoBody(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{})
	for _, path := range []string{
		"/storage/api/v1/x", "/register/api/v1/x", "/events/api/v1/x", "/correspondence/api/v1/x", "/maskinporten/x",
		"/authentication/api/v1/x", "/api/v1/x",
	} {
		a := r.do(t, http.MethodGet, path, "")
		assert.Equal(t, http.StatusNotFound, a.status, path)
		assert.Empty(t, a.body, path)
	}
	a := r.do(t, http.MethodDelete, "/register/api/v1/dialogporten/parties/query", "")
	assert.Equal(t, http.StatusMethodNotAllowed, a.status)
	assert.Equal(t, http.MethodPost, a.header.Get("Allow"))
	assert.Empty(t, a.body)
}

func TestFaultsAtWork(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 20)
	var s source
	for _, s = range all {
		if !s.Status.IsSoftDeleted && !s.Status.IsHardDeleted && c.urns["urn:altinn:party:id:"+s.InstanceOwner.PartyID] != "" {
			break
		}
	}
	dialog := "/api/v1/serviceowner/dialogs/" + stamped(s.guid(), s.Created)

	require.NoError(t, c.Faults.Set([]faults.Rule{{Service: "dialogporten", Method: "POST", Path: "/purge$", Effect: faults.EffectResetAfter, Count: 1}}))
	_, err := c.try(t, http.MethodPost, dialog+"/actions/purge", "")
	require.Error(t, err, "the answer is lost")
	_, there := c.Dialogporten.Dialog(uuid.MustParse(stamped(s.guid(), s.Created)))
	assert.False(t, there, "the write is applied")
	entries := c.Story(s.ID)
	last := entries[len(entries)-1]
	assert.Equal(t, "reset-after", last.Fault)
	assert.Zero(t, last.Status)

	require.NoError(t, c.Faults.Set([]faults.Rule{{Effect: faults.EffectReadFailed, Count: 1}}))
	assert.Equal(t, http.StatusOK, c.do(t, http.MethodGet, "/storage/api/v1/instances/"+s.ID+"/events", "").status)
	a := c.do(t, http.MethodGet, "/storage/api/v1/instances/"+s.ID, "")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Equal(t, `"Unable to find instance `+s.ID+`: Exception while reading from stream"`, a.body)
	assert.Equal(t, http.StatusOK, c.do(t, http.MethodGet, "/storage/api/v1/instances/"+s.ID+"/events", "").status)

	require.NoError(t, c.Faults.Set([]faults.Rule{{Effect: faults.EffectOverlap, Count: 1}}))
	other := all[0]
	for _, other = range all {
		if other.ID != s.ID && !other.Status.IsSoftDeleted && !other.Status.IsHardDeleted && c.urns["urn:altinn:party:id:"+other.InstanceOwner.PartyID] != "" {
			break
		}
	}
	url := "/api/v1/serviceowner/dialogs/" + stamped(other.guid(), other.Created)
	assert.Equal(t, http.StatusConflict, c.do(t, http.MethodDelete, url, "").status)
	assert.Equal(t, http.StatusNoContent, c.do(t, http.MethodDelete, url, "").status)
}

// A row that was generated can be changed like any other.
func TestGeneratedRowsCanBeChanged(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 60)
	for _, s := range all {
		if s.Status.IsHardDeleted {
			continue
		}
		before, ok := c.Storage.Instance(s.guid())
		require.True(t, ok)
		events := len(c.Storage.Events(s.guid()))
		if s.Status.IsSoftDeleted {
			require.NoError(t, c.Storage.Undelete(s.guid()))
			require.NoError(t, c.Storage.SoftDelete(s.guid()))
		} else {
			require.NoError(t, c.Storage.SoftDelete(s.guid()))
			require.NoError(t, c.Storage.Undelete(s.guid()))
		}
		require.NoError(t, c.Storage.Save(s.guid()))
		require.NoError(t, c.Storage.SetLastChanged(s.guid(), s.LastChanged))
		assert.Len(t, c.Storage.Events(s.guid()), events+3)
		after, ok := c.Storage.Instance(s.guid())
		require.True(t, ok)
		var a, b map[string]any
		require.NoError(t, json.Unmarshal(before, &a))
		require.NoError(t, json.Unmarshal(after, &b))
		for _, m := range []map[string]any{a, b} {
			delete(m, "lastChangedBy")
			delete(m, "status")
		}
		assert.Equal(t, a, b, "nothing else has moved")
	}
	require.NoError(t, c.Storage.SetValue(all[0].guid(), storage.DialogIDKey, uuid.NewString()))
	require.NoError(t, c.Storage.SetValue(all[0].guid(), "other", "1"))
	raw, _ := c.Storage.Instance(all[0].guid())
	assert.Equal(t, 1, strings.Count(string(raw), `"dialog.id"`))
	assert.Contains(t, string(raw), `"other":"1"`)
}

// Readers and writers at one time: nothing is lost, and the race detector has something to look at.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Record: story.Hashes})
	options := small(300)
	options.HardDeleted, options.SoftDeleted = 0, 0
	_, err := r.Generate(options)
	require.NoError(t, err)
	var guids []uuid.UUID
	r.Storage.Each(r.Now().UnixMicro(), func(item storage.Item) bool {
		guids = append(guids, item.Row.GUID)
		return true
	})
	require.Len(t, guids, 300)
	step := func(n int, guid uuid.UUID) error {
		switch n % 4 {
		case 0:
			return r.Storage.Save(guid)
		case 1:
			_, err := r.try(t, http.MethodPut, "/storage/api/v1/instances/1/"+guid.String()+"/datavalues", `{"values":{"a":"b"}}`)
			return err
		case 2:
			_, err := r.try(t, http.MethodGet, "/storage/api/v1/instances?org=skd&mainVersionExclude=0&size=20", "")
			return err
		}
		_, err := r.Diff(t.Context())
		return err
	}
	var group errgroup.Group
	for worker := range 4 {
		group.Go(func() error {
			for i, guid := range guids {
				if err := step(i+worker, guid); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	total := 0
	for _, n := range r.Storage.LenByOrg() {
		total += n
	}
	assert.Equal(t, 300, total)
	assert.Equal(t, 300, r.Requests.Count(altinnsim.ServiceStorage, http.MethodPut, ""))
	for _, line := range r.Requests.Summary().Requests {
		assert.Equal(t, http.StatusOK, line.Status)
	}
}
