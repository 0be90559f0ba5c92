package dialogporten_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
)

const vectors = "../../../../shared/reference/vectors"

// What a GET shows can be put back, and reads the same; a PUT of it changes nothing.
func TestPutBack(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	s.remove(id).is(204)
	before := s.get(id)
	raw, ok := s.service.Dialog(uuid.MustParse(id))
	require.True(t, ok)
	s.service.Reset()
	alive, deleted := s.service.Count()
	require.Equal(t, []int{0, 0}, []int{alive, deleted})
	require.NoError(t, s.service.Put([]json.RawMessage{raw, raw}))
	require.Equal(t, before, s.get(id))
	_, deleted = s.service.Count()
	require.Equal(t, 1, deleted)
	post(s, s.dialog(object{"id": id}), "").is(422)
	s.act(id, "restore").is(204)
	revision := s.get(id)["revision"]
	require.Equal(t, revision, s.put(id, s.update(id), request{query: silent()}).is(204).etag())
	s.act(id, "purge").is(204)
	_, ok = s.service.Dialog(uuid.MustParse(id))
	require.False(t, ok)
}

// Sparse read models are taken too, nothing is validated, and what is not there gets a sensible value.
func TestPutSparse(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := uuid.NewString() // not even a v7
	require.NoError(t, s.service.Put([]json.RawMessage{json.RawMessage(`{"id":"` + id + `","revision":"c0000000-0000-4000-8000-000000000001",
		"serviceResource":"` + resourceMine + `","party":"nobody","status":"Draft","progress":null,"content":null,
		"createdAt":"2025-06-18T08:54:53.6233769Z","endUserContext":{"systemLabels":["Bin","MarkedAsUnopened"]},
		"guiActions":[{"action":"read","url":"https://x.no/%41","priority":"Primary","httpMethod":"GET","prompt":null}]}`)}))
	d := s.get(id)
	require.Equal(t, "c0000000-0000-4000-8000-000000000001", d["revision"])
	require.Equal(t, []any{"ttd", "nobody", "Draft", "Bin"}, []any{d["org"], d["party"], d["status"], d["systemLabel"]})
	require.Equal(t, "2025-06-18T08:54:53.6233760Z", d["updatedAt"])
	require.Equal(t, "https://x.no/%41", at(d, "guiActions", 0)["url"])

	var fault *dialogporten.PutError
	err := s.service.Put([]json.RawMessage{json.RawMessage(`{}`), json.RawMessage(`{"id":1}`)})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, 1, fault.Index)
	require.ErrorContains(t, err, "dialog 1: id")
}

// The dialogs of the shared vectors can be put in place and are then updated without effect by what they show.
func TestPutVectors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(vectors, "app-instances", "*.json"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("no vectors beside the repository")
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var vector struct {
			Given struct {
				ExistingDialog json.RawMessage `json:"existingDialog"`
			} `json:"given"`
		}
		require.NoError(t, json.Unmarshal(content, &vector))
		if len(vector.Given.ExistingDialog) < 10 {
			continue
		}
		s := newSimulation(t)
		require.NoError(t, s.service.Put([]json.RawMessage{vector.Given.ExistingDialog}), file)
		var given object
		require.NoError(t, json.Unmarshal(vector.Given.ExistingDialog, &given))
		id := given["id"].(string)
		shownDialog := s.send(request{method: "GET", path: dialogs + "/" + id, token: admin()}).is(200).object()
		for _, name := range []string{"revision", "party", "status", "apiActions", "serviceOwnerContext"} {
			require.Equal(t, given[name], shownDialog[name], "%s %s", file, name)
		}
		if shownDialog["deletedAt"] == nil {
			a := s.put(id, s.update(id), request{query: silent(), token: admin(scopeCorr)})
			if a.status == 400 { // one of them has two primary actions, which Dialogporten would not have taken
				a.has("dto.guiActions", "Only one primary GUI action is allowed.")
				continue
			}
			require.Equal(t, given["revision"], a.is(204).etag(), file)
		}
	}
}

func TestEach(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	id := s.create(s.full())
	s.remove(s.create(s.dialog())).is(204)
	seen := map[string]dialogporten.Summary{}
	s.service.Each(func(d dialogporten.Summary) bool {
		seen[d.ID.String()] = d
		return true
	})
	require.Len(t, seen, 2)
	d := seen[id]
	require.Equal(t, []any{"ttd", orgParty, resourceMine, "InProgress", "Archive", 2, 1, 2},
		[]any{d.Org, d.Party, d.ServiceResource, d.Status, d.SystemLabel, d.Activities, d.Attachments, d.Transmissions})
	require.Equal(t, s.now().Add(-24*time.Hour), d.UpdatedAt)
	require.Nil(t, d.DeletedAt)
	require.Len(t, d.Labels, 2)
	require.Equal(t, s.get(id)["revision"], d.Revision.String())
	n := 0
	s.service.Each(func(dialogporten.Summary) bool { n++; return false })
	require.Equal(t, 1, n)
}

// The zero configuration is usable: an administrator of everything.
func TestZeroConfig(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	s.service = dialogporten.New(dialogporten.Config{})
	s.server = httptest.NewServer(s.service)
	t.Cleanup(s.server.Close)
	s.create(s.dialog())
	s.create(s.dialog(object{"serviceResource": resourceElse}))
	require.Len(t, s.send(request{method: "GET", path: dialogs}).is(200).object()["items"], 2)
	alive, _ := s.service.Count()
	require.Equal(t, 2, alive)
}

// With hashed bodies a dialog keeps what belongs to itself, counts the rest, and still tells changes from repeats.
func TestHashBodies(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	s.service = dialogporten.New(dialogporten.Config{Now: s.now, HashBodies: true})
	s.server = httptest.NewServer(s.service)
	t.Cleanup(s.server.Close)
	d := s.full()
	delete(d, "idempotentKey")
	id := s.create(d)
	post(s, d, "").is(422).hasKey("Dialog")
	require.Equal(t, orgParty, s.get(id)["party"])
	body := merged(object{}, []object{d, {"activities": nil, "transmissions": nil}})
	for _, name := range []string{"attachments", "guiActions", "apiActions"} {
		require.Empty(t, s.get(id)[name])
	}
	lax := request{query: silent(), lax: true}
	first := s.put(id, body, lax).is(204).etag()
	require.Equal(t, s.get(id)["revision"], first)
	second := s.put(id, merged(body, []object{{"guiActions": list{}}}), lax).is(204).etag()
	require.NotEqual(t, first, second)
	path := dialogs + "/" + id
	activity := s.activity()
	s.send(request{method: "POST", path: path + "/activities", body: activity}).is(201)
	s.send(request{method: "POST", path: path + "/activities", body: activity}).is(422).hasKey("DialogActivity")
	s.send(request{method: "POST", path: path + "/transmissions", body: s.transmission()}).is(201)
	s.service.Each(func(d dialogporten.Summary) bool {
		require.Equal(t, []int{3, 1, 3}, []int{d.Activities, d.Attachments, d.Transmissions})
		return true
	})
	s.put(id, merged(body, []object{{"activities": list{activity}}}), request{query: silent()}).is(422).hasKey("DialogActivity")
	s.act(id, "purge").is(204)
	s.create(s.dialog(object{"activities": list{activity}}))
}

// Many writers of the same and of different dialogs: nothing is lost, nothing is torn (run with -race).
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	const writers, rounds = 8, 20
	shared := s.create(s.dialog())
	key := "same-key"
	var created sync.Map
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range rounds {
				d := s.dialog(object{"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": fmt.Sprintf("w-%d-%d", w, i)}}}})
				if i == 0 {
					d["idempotentKey"] = key
				}
				body, _ := json.Marshal(d)
				status := s.serve("POST", dialogs, string(body))
				created.Store(d["id"], status)
				s.serve("POST", dialogs+"/"+shared+"/activities", `{"type":"FormSaved","performedBy":{"actorType":"ServiceOwner"}}`)
				if status == 201 && i%3 == 1 {
					s.serve("DELETE", dialogs+"/"+d["id"].(string), "")
				}
				if status == 201 && i%5 == 1 {
					s.serve("POST", dialogs+"/"+d["id"].(string)+"/actions/purge", "")
				}
				s.serve("GET", dialogs+"?limit=5", "")
				s.service.Each(func(dialogporten.Summary) bool { return true })
			}
		})
	}
	all.Wait()
	require.Len(t, s.get(shared)["activities"], writers*rounds)
	kept := 0
	created.Range(func(_, status any) bool {
		if status == 201 {
			kept++
		}
		return true
	})
	require.Equal(t, writers*rounds-(writers-1), kept, "one of those with the same key")
	alive, deleted := s.service.Count()
	n := 0
	s.service.Each(func(dialogporten.Summary) bool { n++; return true })
	require.Equal(t, n, alive+deleted)
}

// serve calls the handler directly, as goroutines other than the test's may.
func (s *simulation) serve(method, path, body string) int {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+admin())
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.service.ServeHTTP(w, r)
	return w.Code
}
