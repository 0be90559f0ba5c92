package altinnsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// listPage is a page of Storage's list.
type listPage struct {
	Count     int               `json:"count"`
	Next      *string           `json:"next"`
	Instances []json.RawMessage `json:"instances"`
}

func (p listPage) ids(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, raw := range p.Instances {
		var row struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(raw, &row))
		out = append(out, row.ID)
	}
	return out
}

const listPath = "/storage/api/v1/instances?org=skd&mainVersionExclude=0&order=asc:lastChanged&size=10"

// misbehaving is a simulator with some instances of one organisation.
func misbehaving(t *testing.T, instances int) *rig {
	t.Helper()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	r := setup(t, altinnsim.Options{Now: func() time.Time { return now }})
	// A connection of its own for each request: net/http repeats a GET on its own account when a kept connection ends.
	r.client.Transport = &http.Transport{DisableKeepAlives: true}
	options := altinnsim.DefaultOptions()
	options.Instances, options.Orgs, options.A1, options.A2 = instances, 1, 0, 0
	_, err := r.Generate(options)
	require.NoError(t, err)
	return r
}

func (r *rig) faults(t *testing.T, rules string) {
	t.Helper()
	a := r.do(t, http.MethodPut, "/_sim/faults", rules)
	require.Equal(t, http.StatusNoContent, a.status, a.body)
}

func (r *rig) page(t *testing.T, path string) listPage {
	t.Helper()
	var page listPage
	r.get(t, path, &page)
	return page
}

// walk follows the pages by their tokens.
func (r *rig) walk(t *testing.T) []string {
	t.Helper()
	var ids []string
	for path := listPath; ; {
		page := r.page(t, path)
		ids = append(ids, page.ids(t)...)
		if page.Next == nil {
			return ids
		}
		require.Less(t, len(ids), 10_000, "the walk does not end")
		path = after(t, page)
	}
}

// after is the path of the page after.
func after(t *testing.T, page listPage) string {
	t.Helper()
	require.NotNil(t, page.Next)
	next, err := url.Parse(*page.Next)
	require.NoError(t, err)
	return next.Path + "?" + next.RawQuery
}

func TestMalformedBodiesHaveTheirOwnLength(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	whole := r.do(t, http.MethodGet, listPath, "")
	for kind, body := range map[string]string{
		"not-json": "upstream request timeout",
		"cut":      whole.body[:len(whole.body)/2],
		"html":     "<html><body><h1>Service Unavailable</h1></body></html>",
	} {
		r.faults(t, `[{"effect":"malformed","kinds":["`+kind+`"]}]`)
		a, err := r.try(t, http.MethodGet, listPath, "")
		require.NoError(t, err, "the connection does not end early")
		assert.Equal(t, http.StatusOK, a.status)
		assert.Equal(t, body, a.body)
		assert.Equal(t, kind == "html", strings.HasPrefix(a.header.Get("Content-Type"), "text/html"))
	}
	seen := map[string]bool{}
	r.faults(t, `[{"effect":"malformed"}]`)
	for range 40 {
		seen[r.do(t, http.MethodGet, listPath, "").body] = true
	}
	assert.Len(t, seen, 3, "without kinds all are drawn")
}

func TestMalformedAnswersComeAfterTheEffect(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	key := r.page(t, listPath).ids(t)[0]
	r.faults(t, `[{"effect":"malformed","method":"PUT","path":"/datavalues$","kinds":["html"]}]`)
	a := r.do(t, http.MethodPut, "/storage/api/v1/instances/"+key+"/datavalues", `{"values":{"note":"1"}}`)
	assert.Contains(t, a.body, "<html>")
	assert.Contains(t, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+key, "").body, `"note":"1"`)
}

func TestShapes(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 30)
	plain := r.page(t, listPath)
	require.Len(t, plain.Instances, 10)
	goodID := regexp.MustCompile(`^[1-9][0-9]{7}/[0-9a-f-]{36}$`)
	zoned := regexp.MustCompile(`T[0-9:.]+Z"`)
	naked := regexp.MustCompile(`T[0-9:.]+"`)
	lists := regexp.MustCompile(`":\[`)
	var first map[string]any
	require.NoError(t, json.Unmarshal(plain.Instances[0], &first))
	require.NotEmpty(t, first["lastChanged"])

	for rule, check := range map[string]func(t *testing.T, rows []string){
		`"kinds":["bad-id"]`: func(t *testing.T, rows []string) {
			t.Helper()
			for _, row := range rows {
				var read struct {
					ID any `json:"id"`
				}
				require.NoError(t, json.Unmarshal([]byte(row), &read))
				text, _ := read.ID.(string)
				assert.NotRegexp(t, goodID, text)
			}
		},
		`"kinds":["no-zone"]`: func(t *testing.T, rows []string) {
			t.Helper()
			for _, row := range rows {
				assert.NotRegexp(t, zoned, row)
				assert.Regexp(t, naked, row)
			}
		},
		`"kinds":["unknown-enum"]`: func(t *testing.T, rows []string) {
			t.Helper()
			assert.Contains(t, strings.Join(rows, ""), `"readStatus":"Uhoert"`)
		},
		`"kinds":["null-list"]`: func(t *testing.T, rows []string) {
			t.Helper()
			for _, row := range rows {
				assert.NotRegexp(t, lists, row)
				assert.Contains(t, row, `"data":null`)
			}
		},
		`"kinds":["missing-members"],"members":["org","status.isArchived","data.dataType"]`: func(t *testing.T, rows []string) {
			t.Helper()
			for _, row := range rows {
				assert.NotContains(t, row, `"org":`)
				assert.NotContains(t, row, `"isArchived":`)
				assert.NotContains(t, row, `"dataType":`)
				assert.Contains(t, row, `"isSoftDeleted":`)
			}
		},
		`"kinds":["no-last-changed"]`: func(t *testing.T, rows []string) {
			t.Helper()
			for _, row := range rows {
				var read map[string]any
				require.NoError(t, json.Unmarshal([]byte(row), &read))
				assert.NotContains(t, read, "lastChanged")
			}
		},
	} {
		r.faults(t, `[{"effect":"shape",`+rule+`}]`)
		var rows []string
		for _, row := range r.page(t, listPath).Instances {
			rows = append(rows, string(row))
		}
		require.Len(t, rows, 10, rule)
		check(t, rows)
		check(t, []string{r.do(t, http.MethodGet, "/storage/api/v1/instances/"+plain.ids(t)[0], "").body})
	}
}

// A row without lastChanged that ends a page gives a token that begins again (Storage reference, 3.6).
func TestTokenOfARowWithoutLastChangedBeginsAgain(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 30)
	first := r.page(t, listPath)
	r.faults(t, `[{"effect":"shape","kinds":["no-last-changed"]}]`)
	page := r.page(t, listPath)
	assert.Contains(t, *page.Next, "continuationToken=0%253b")
	assert.Equal(t, first.ids(t), r.page(t, after(t, page)).ids(t))
}

func TestShapesStrikeAShareAlwaysTheSame(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 400)
	path := strings.Replace(listPath, "size=10", "size=400", 1)
	plain := r.page(t, path)
	r.faults(t, `[{"effect":"shape","share":0.25}]`)
	broken := func() map[int]string {
		out := map[int]string{}
		for i, row := range r.page(t, path).Instances {
			if string(row) != string(plain.Instances[i]) {
				out[i] = string(row)
			}
		}
		return out
	}
	first := broken()
	assert.InDelta(t, 100, len(first), 40)
	assert.Equal(t, first, broken())
	r.faults(t, `[{"effect":"shape","kinds":["null-rows"]}]`)
	assert.Contains(t, r.do(t, http.MethodGet, listPath, "").body, `"instances":null`)
}

func TestEventsPartlyStored(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 30)
	count := func() int {
		n := 0
		for _, key := range r.walk(t) {
			n += strings.Count(r.do(t, http.MethodGet, "/storage/api/v1/instances/"+key+"/events", "").body, `"eventType"`)
		}
		return n
	}
	whole := count()
	r.faults(t, `[{"effect":"shape","path":"/events$","kinds":["fewer-events"],"share":0.5}]`)
	left := count()
	assert.Positive(t, left)
	assert.Less(t, left, whole)
	r.faults(t, `[{"effect":"shape","path":"/events$","kinds":["unknown-enum"]}]`)
	assert.Contains(t, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+r.walk(t)[0]+"/events", "").body, `"eventType":"Uhoert"`)
}

func TestPagesAreRepeatedAndMissing(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 60)
	all := r.walk(t)
	require.Len(t, all, 60)
	r.faults(t, `[{"effect":"repeat-page","skip":2,"count":1}]`)
	repeated := r.walk(t)
	assert.Equal(t, append(append([]string(nil), all[:30]...), all[20:]...), repeated)
	r.faults(t, `[{"effect":"missing-page","skip":2,"count":1}]`)
	assert.Equal(t, append(append([]string(nil), all[:20]...), all[30:]...), r.walk(t))
}

func TestRowsVanishAndReappear(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 60)
	all := r.walk(t)
	r.faults(t, `[{"effect":"vanish","share":0.3}]`)
	left := r.walk(t)
	assert.Less(t, len(left), 55)
	assert.Greater(t, len(left), 25)
	assert.Equal(t, left, r.walk(t), "always the same rows")
	assert.Subset(t, all, left)
	for _, key := range all {
		require.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+key, "").status, "single reads see them")
	}
	r.faults(t, `[{"effect":"vanish","share":0.3,"skip":3}]`)
	between := r.walk(t)
	assert.Equal(t, all[:30], between[:30], "they are there for three pages")
	assert.Less(t, len(between), len(all))

	r.faults(t, `[{"effect":"vanish","reads":true}]`)
	a := r.do(t, http.MethodGet, "/storage/api/v1/instances/"+all[0], "")
	assert.Equal(t, http.StatusNotFound, a.status)
	_, guid, _ := strings.Cut(all[0], "/")
	assert.Equal(t, `"Unable to find instance `+guid+`"`, a.body)
	assert.JSONEq(t, `{"instanceEvents":[]}`, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+all[0]+"/events", "").body)

	r.faults(t, `[{"effect":"reappear","share":0.5}]`)
	path := strings.Replace(listPath, "size=10", "size=100", 1)
	gone, back := r.page(t, path).ids(t), r.page(t, path).ids(t)
	assert.Less(t, len(gone), 60)
	assert.Equal(t, all, back)
	assert.Equal(t, gone, r.page(t, path).ids(t))
}

func TestRowsThatAppearLate(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 60)
	all := r.walk(t)
	require.Equal(t, http.StatusOK, r.do(t, http.MethodDelete, "/storage/api/v1/sbl/instances/"+all[5]+"?hard=false", "").status)
	moved := append(append(append([]string(nil), all[:5]...), all[6:]...), all[5])
	require.Equal(t, moved, r.walk(t), "it was changed just now")
	r.faults(t, `[{"effect":"late-rows","delay":"30s"}]`)
	assert.Equal(t, moved[:59], r.walk(t))
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+all[5], "").status)
	r.Freeze(r.Now().Add(30 * time.Second))
	assert.Equal(t, moved, r.walk(t), "it shows with its old time, behind whoever has passed it")
}

// A form with an old time that is put in place now is late, too.
func TestOldRowsThatArriveNowAppearLate(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 5)
	all := r.walk(t)
	r.faults(t, `[{"effect":"late-rows","delay":"30s","reads":true}]`)
	const key = "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"
	r.put(t, "/_sim/storage", map[string]any{"instances": []any{map[string]any{
		"id": key, "appId": "skd/a2-1-2", "org": "skd", "instanceOwner": map[string]any{"partyId": "50001337"},
		"created": "2011-01-01T00:00:00Z", "lastChanged": "2011-01-01T00:00:00Z", "dataValues": map[string]any{"A2ArchRef": "1"},
	}}})
	assert.Equal(t, all, r.walk(t))
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+key, "").status)
	r.Freeze(r.Now().Add(30 * time.Second))
	assert.Equal(t, append([]string{key}, all...), r.walk(t), "behind whoever has passed it")
}

func TestWithheldRows(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 30)
	all := r.walk(t)
	put := func(body string) int { return r.do(t, http.MethodPut, "/_sim/withheld", body).status }
	require.Equal(t, http.StatusNoContent, put(`{"items":["`+all[3]+`"]}`))
	require.Equal(t, http.StatusNoContent, put(`{"items":["`+all[4]+`"],"until":"2026-03-10T12:00:10Z"}`))
	assert.Len(t, r.walk(t), 28)
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+all[3], "").status)
	r.Freeze(r.Now().Add(10 * time.Second))
	assert.Len(t, r.walk(t), 29)
	require.Equal(t, http.StatusNoContent, put(`{"items":["`+all[3]+`"],"release":true}`))
	assert.Equal(t, all, r.walk(t))
	assert.Equal(t, http.StatusNotFound, put(`{"items":["`+uuid.NewString()+`"]}`))
	assert.Equal(t, http.StatusBadRequest, put(`{"items":["x"]}`))
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	key := r.walk(t)[0]
	r.faults(t, `[{"effect":"clock-skew","service":"storage","skew":"-5m"}]`)
	date := func(path string) time.Duration {
		at, err := http.ParseTime(r.do(t, http.MethodGet, path, "").header.Get("Date"))
		require.NoError(t, err)
		return time.Since(at).Round(time.Minute)
	}
	assert.Equal(t, 5*time.Minute, date(listPath))
	assert.Zero(t, date("/orgs/altinn-orgs.json"), "other services keep their time")
	require.Equal(t, http.StatusOK, r.do(t, http.MethodDelete, "/storage/api/v1/sbl/instances/"+key+"?hard=false", "").status)
	assert.Contains(t, r.do(t, http.MethodGet, "/storage/api/v1/instances/"+key, "").body, `"lastChanged":"2026-03-10T11:55:00Z"`)
}

func TestCapacityOverHTTP(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	put := func(rule string) answer { return r.do(t, http.MethodPut, "/_sim/faults/limit", rule) }
	require.Equal(t, http.StatusNoContent, put(`{"effect":"capacity","service":"storage","rate":0.01,"burst":1,"queue":"1ms"}`).status)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, listPath, "").status)
	refused := r.do(t, http.MethodGet, listPath, "")
	assert.Equal(t, http.StatusTooManyRequests, refused.status)
	assert.Equal(t, "100", refused.header.Get("Retry-After"))
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/orgs/altinn-orgs.json", "").status)
	require.Equal(t, http.StatusNoContent, put(`{"effect":"capacity","service":"storage","rate":100000}`).status, "changed while it runs")
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, listPath, "").status)
	assert.Equal(t, http.StatusNoContent, r.do(t, http.MethodDelete, "/_sim/faults/limit", "").status)
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodDelete, "/_sim/faults/limit", "").status)
}

func TestNamedRulesComeAndGoBesideOthers(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	r.faults(t, `[{"name":"first","effect":"status","status":502,"count":2},{"effect":"status","status":504}]`)
	status := func() int { return r.do(t, http.MethodGet, listPath, "").status }
	assert.Equal(t, 502, status())
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/faults/second", `{"effect":"status","status":500}`).status)
	assert.Equal(t, 502, status(), "the others go on, and keep their counts")
	assert.Equal(t, 504, status())
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/faults/first", `{"effect":"status","status":503,"count":1}`).status)
	assert.Equal(t, 503, status(), "in its old place")
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/faults/a", `{"name":"b","effect":"reset"}`).status)
}

func TestStatementTimeouts(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	r.faults(t, `[{"effect":"statement-timeout","timeout":"2ms","count":1},{"effect":"statement-timeout","timeout":"2ms","status":400,"count":1},
		{"effect":"statement-timeout","latency":"1ms","timeout":"20s"}]`)
	for _, want := range []int{500, 400, 200} {
		a := r.do(t, http.MethodGet, listPath, "")
		assert.Equal(t, want, a.status)
		assert.Equal(t, want != 200, a.body == `"Exception while reading from stream"`)
	}
	r.faults(t, `[{"effect":"statement-timeout","timeout":"1ms"}]`)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/storage/api/v1/applications?org=skd", "").status, "only lists of instances")
}

func TestBurstsOverHTTP(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 20)
	r.faults(t, `[{"effect":"burst","service":"storage","on":"1h","off":"1ns","status":503,"retryAfter":"7s"}]`)
	require.Eventually(t, func() bool { return r.do(t, http.MethodGet, listPath, "").status == http.StatusServiceUnavailable },
		time.Minute, time.Millisecond)
	assert.Equal(t, "7", r.do(t, http.MethodGet, listPath, "").header.Get("Retry-After"))
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/orgs/altinn-orgs.json", "").status)
}

// Dialogporten's maintenance (Dialogporten reference, 3).
func TestMaintenanceNamesADate(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 5)
	r.faults(t, `[{"service":"dialogporten","effect":"status","status":503,"body":"Service Unavailable","retryAfter":"1h","retryAsDate":true}]`)
	a := r.do(t, http.MethodGet, "/api/v1/serviceowner/dialogs/"+uuid.NewString(), "")
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, "Service Unavailable", a.body)
	assert.Contains(t, a.header.Get("Content-Type"), "text/plain")
	until, err := http.ParseTime(a.header.Get("Retry-After"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), until, time.Minute)
}

func TestServiceOwnersAppearWhileRunning(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 5)
	require.NotContains(t, r.do(t, http.MethodGet, "/orgs/altinn-orgs.json", "").body, "405003309")
	a := r.do(t, http.MethodPut, "/_sim/world", `{"organisations":{"nyetat":{"orgnr":"405003309","name":"Ny etat","environments":["tt02"]}}}`)
	require.Equal(t, http.StatusNoContent, a.status, a.body)
	assert.Contains(t, r.do(t, http.MethodGet, "/orgs/altinn-orgs.json", "").body, "405003309")
}

// A token that is refused in the middle of a walk, once.
func TestUnauthorizedInTheMiddleOfAWalk(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 40)
	r.faults(t, `[{"effect":"status","status":401,"service":"storage","query":"continuationToken","skip":1,"count":1}]`)
	second := after(t, r.page(t, listPath))
	third := after(t, r.page(t, second))
	assert.Equal(t, http.StatusUnauthorized, r.do(t, http.MethodGet, third, "").status)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, third, "").status)
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 5)
	for _, name := range faults.Profiles() {
		require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/faults?profile="+name, "").status, name)
		assert.NotEmpty(t, r.Faults.Rules())
	}
	a := r.do(t, http.MethodPut, "/_sim/faults?profile=hurricane", "")
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Contains(t, a.body, "gentle, rough, storm")
}

func TestRulesThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	r := misbehaving(t, 5)
	for rule, says := range map[string]string{
		`{"effect":"magic"}`:                                          `unknown effect`,
		`{"effect":"reset","service":"stroage"}`:                      `unknown service`,
		`{"effect":"reset","latncy":"1s"}`:                            `unknown field`,
		`{"effect":"reset","latency":"1s"}`:                           `latency goes with effect latency, statement-timeout, not with reset`,
		`{"effect":"reset","skip":-1}`:                                `must not be negative`,
		`{"effect":"reset","probability":1.5}`:                        `probability 1.5 does not lie between 0 and 1`,
		`{"effect":"capacity"}`:                                       `needs a rate above 0`,
		`{"effect":"late-rows"}`:                                      `needs a delay`,
		`{"effect":"clock-skew"}`:                                     `needs a skew`,
		`{"effect":"clock-skew","skew":"1s","path":"/x"}`:             `about a whole service`,
		`{"effect":"shape","kinds":["cut"]}`:                          `effect shape has no kind`,
		`{"effect":"malformed","kinds":["bad-id"]}`:                   `effect malformed has no kind`,
		`{"effect":"shape","kinds":["missing-members"]}`:              `go together`,
		`{"effect":"shape","kinds":["bad-id"],"members":["org"]}`:     `go together`,
		`{"effect":"vanish","share":-0.1}`:                            `share -0.1 does not lie`,
		`{"effect":"burst","on":"-1s"}`:                               `on must not be negative`,
		`{"effect":"status","status":99}`:                             `status 99 does not exist`,
		`{"effect":"reset","path":"("}`:                               `path:`,
		`{"name":"a","effect":"reset"},{"name":"a","effect":"reset"}`: `two rules are named`,
		`{"effect":"latency","latency":"1s","tailShare":2}`:           `tailShare 2 does not lie`,
		fmt.Sprintf(`{"effect":"capacity","rate":1,"burst":%d}`, -1):  `burst must not be negative`,
		`{"effect":"throttle","retryAfter":"-3s"}`:                    `retryAfter must not be negative`,
		`{"effect":"malformed","share":0.5}`:                          `share goes with effect`,
	} {
		a := r.do(t, http.MethodPut, "/_sim/faults", "["+rule+"]")
		assert.Equal(t, http.StatusBadRequest, a.status, rule)
		assert.Contains(t, a.body, says, rule)
	}
	assert.Empty(t, r.Faults.Rules())
}
