package altinnsim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
)

const vectorsFolder = "../../../shared/reference/vectors"

// vectorGiven is whatever a vector may take for granted.
type vectorGiven struct {
	Now            string                     `json:"now"`
	Application    json.RawMessage            `json:"application"`
	Texts          map[string]json.RawMessage `json:"texts"`
	Instance       json.RawMessage            `json:"instance"`
	Events         []json.RawMessage          `json:"events"`
	ExistingDialog json.RawMessage            `json:"existingDialog"`
	Dialog         json.RawMessage            `json:"dialog"`
	Orgs           json.RawMessage            `json:"orgs"`
	Parties        map[string]json.RawMessage `json:"parties"`
	Cases          []json.RawMessage          `json:"cases"`
	Message        json.RawMessage            `json:"message"`
	Messages       []json.RawMessage          `json:"messages"`
	Context        struct {
		Now     string                 `json:"now"`
		Parties map[string]vectorParty `json:"parties"`
	} `json:"context"`
	Stored struct {
		Correspondences []json.RawMessage `json:"correspondences"`
	} `json:"stored"`
}

// vectorParty is a party as correspondence vectors tell it, by its uuid.
type vectorParty struct {
	Type        string `json:"type"`
	URN         string `json:"urn"`
	DisplayName string `json:"displayName"`
	Username    string `json:"username"`
}

// What any vector takes for granted can be put into the simulator, and is served as it was put.
func TestVectorsCanBePutInPlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(vectorsFolder + "/*/*.json")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("no vectors beside the repository")
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var vector struct {
				Given json.RawMessage `json:"given"`
			}
			require.NoError(t, json.Unmarshal(raw, &vector))
			var given vectorGiven
			require.NoError(t, json.Unmarshal(vector.Given, &given))
			r := setup(t, altinnsim.Options{})
			r.putClockOf(t, given)
			r.putPartiesOf(t, given)
			r.putStorageOf(t, given)
			r.putDialogsOf(t, given)
			r.putMessagesOf(t, given)
			for _, one := range given.Cases {
				r.putCase(t, one)
			}
		})
	}
}

// there says whether a member is neither missing nor null.
func there(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (r *rig) put(t *testing.T, path string, body any) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	a := r.do(t, http.MethodPut, path, string(raw))
	require.Equal(t, http.StatusNoContent, a.status, "%s: %s", path, a.body)
}

func (r *rig) putClockOf(t *testing.T, given vectorGiven) {
	t.Helper()
	now := given.Now
	if now == "" {
		now = given.Context.Now
	}
	if now != "" {
		r.put(t, "/_sim/clock", map[string]string{"now": now})
	}
}

func (r *rig) putPartiesOf(t *testing.T, given vectorGiven) {
	t.Helper()
	var records []json.RawMessage
	for _, urn := range slices.Sorted(maps.Keys(given.Parties)) {
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(given.Parties[urn], &list))
		records = append(records, list...)
	}
	for _, uuid := range slices.Sorted(maps.Keys(given.Context.Parties)) {
		p := given.Context.Parties[uuid]
		record := map[string]any{"partyUuid": uuid, "partyType": p.Type, "displayName": p.DisplayName, "externalUrn": p.URN}
		raw, err := json.Marshal(record)
		require.NoError(t, err)
		records = append(records, raw)
	}
	r.put(t, "/_sim/parties", records)
	for uuid, p := range given.Context.Parties {
		a := r.do(t, http.MethodPost, "/register/api/v1/dialogporten/parties/query", `{"data":["urn:altinn:party:uuid:`+uuid+`"]}`)
		assert.Equal(t, http.StatusOK, a.status)
		assert.Contains(t, a.body, p.DisplayName)
	}
}

func (r *rig) putStorageOf(t *testing.T, given vectorGiven) {
	t.Helper()
	body := map[string]any{}
	var app, instance struct {
		ID string `json:"id"`
	}
	if there(given.Application) {
		require.NoError(t, json.Unmarshal(given.Application, &app))
		body["applications"] = []json.RawMessage{given.Application}
		var texts []json.RawMessage
		for _, raw := range given.Texts {
			if there(raw) {
				texts = append(texts, raw)
			}
		}
		body["texts"] = texts
	}
	if there(given.Instance) {
		require.NoError(t, json.Unmarshal(given.Instance, &instance))
		body["instances"] = []json.RawMessage{given.Instance}
		if given.Events != nil {
			body["events"] = map[string][]json.RawMessage{instance.ID: given.Events}
		}
	}
	if len(body) == 0 {
		return
	}
	r.put(t, "/_sim/storage", body)
	if app.ID != "" {
		a := r.do(t, http.MethodGet, "/storage/api/v1/applications/"+app.ID, "")
		require.Equal(t, http.StatusOK, a.status)
		assertContains(t, given.Application, a.body)
		for language, raw := range given.Texts {
			a := r.do(t, http.MethodGet, "/storage/api/v1/applications/"+app.ID+"/texts/"+language, "")
			assert.Equal(t, there(raw), a.status == http.StatusOK)
		}
	}
	if instance.ID != "" {
		a := r.do(t, http.MethodGet, "/storage/api/v1/instances/"+instance.ID, "")
		require.Equal(t, http.StatusOK, a.status, a.body)
		assertContains(t, given.Instance, a.body)
		var events struct {
			InstanceEvents []json.RawMessage `json:"instanceEvents"`
		}
		r.get(t, "/storage/api/v1/instances/"+instance.ID+"/events", &events)
		assert.Len(t, events.InstanceEvents, len(given.Events))
	}
}

// assertContains wants every top-level member of an object in an answer, but for links, which the service makes.
func assertContains(t *testing.T, want json.RawMessage, got string) {
	t.Helper()
	var expected, answered map[string]any
	require.NoError(t, json.Unmarshal(want, &expected))
	require.NoError(t, json.Unmarshal([]byte(got), &answered))
	for name, value := range expected {
		if name != "selfLinks" && name != "data" && value != nil {
			assert.Equal(t, value, answered[name], name)
		}
	}
}

func (r *rig) putDialogsOf(t *testing.T, given vectorGiven) {
	t.Helper()
	for _, raw := range []json.RawMessage{given.ExistingDialog, given.Dialog} {
		var dialog struct {
			ID    string `json:"id"`
			Party string `json:"party"`
		}
		if !there(raw) || json.Unmarshal(raw, &dialog) != nil || dialog.ID == "" {
			continue
		}
		r.put(t, "/_sim/dialogs", []json.RawMessage{raw})
		var read map[string]any
		r.get(t, "/api/v1/serviceowner/dialogs/"+dialog.ID, &read)
		assert.Equal(t, dialog.Party, read["party"])
	}
	if there(given.Orgs) {
		var list struct {
			Orgs json.RawMessage `json:"orgs"`
		}
		require.NoError(t, json.Unmarshal(given.Orgs, &list))
		r.put(t, "/_sim/world", map[string]any{"organisations": list.Orgs})
	}
}

func (r *rig) putMessagesOf(t *testing.T, given vectorGiven) {
	t.Helper()
	messages := given.Messages
	if there(given.Message) {
		messages = append(messages, given.Message)
	}
	if len(messages) > 0 {
		r.put(t, "/_sim/messages", messages)
	}
	if len(given.Stored.Correspondences) > 0 {
		r.put(t, "/_sim/correspondences", given.Stored.Correspondences)
		for _, raw := range given.Stored.Correspondences {
			var stored struct {
				Key   int64  `json:"altinn2CorrespondenceId"`
				Title string `json:"title"`
			}
			require.NoError(t, json.Unmarshal(raw, &stored))
			assert.Contains(t, r.do(t, http.MethodGet, fmt.Sprintf("/_sim/items/%d", stored.Key), "").body, stored.Title)
		}
	}
}

// putCase puts one of several cases in place, which are small: register's answers, dialogs, instances.
func (r *rig) putCase(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var one struct {
		Response struct {
			Data []json.RawMessage `json:"data"`
		} `json:"response"`
	}
	require.NoError(t, json.Unmarshal(raw, &one))
	r.put(t, "/_sim/parties", one.Response.Data)
	var given vectorGiven
	if json.Unmarshal(raw, &given) != nil {
		return
	}
	r.putStorageOf(t, given)
	r.putDialogsOf(t, given)
}
