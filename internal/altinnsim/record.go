package altinnsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/altinnsim/traffic"
)

// Kinds of keys of a story.
func itemKey(guid uuid.UUID) story.Key { return story.Key{Kind: 'i', ID: guid} }
func dialogKey(id uuid.UUID) story.Key { return story.Key{Kind: 'd', ID: id} }

const dialogsPath = "/api/v1/serviceowner/dialogs"

// recorded counts a service's requests and tells the story of the items and dialogs that they touch. It lies outside
// the faults: what was asked is told even if nobody answered.
func (s *Sim) recorded(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		watched := &watcher{ResponseWriter: w}
		var body []byte
		telling := s.book.Mode() != story.Off
		if telling && r.Body != nil && r.ContentLength != 0 && !unread(r) {
			var err error
			if body, err = wholeBody(r); err != nil {
				// The caller hung up in the middle of its request.
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		defer func() {
			line := traffic.Line{Service: service, Method: r.Method, Endpoint: traffic.Endpoint(r.URL.Path), Status: watched.status}
			s.Requests.Add(line, time.Since(began))
			keys := append(touched(r, body, watched.head[:watched.headed]), s.messageKeys(r, body)...)
			s.Requests.Touched(line.Method, line.Endpoint, idsOf(keys)...)
			if telling {
				entry := story.Entry{
					At: began.UTC(), Service: service, Method: r.Method, Path: r.URL.Path, Status: watched.status,
					Fault: strings.Join(watched.faults, ", "),
				}
				s.book.Note(entry, r, body, keys...)
			}
		}()
		next.ServeHTTP(watched, r)
		watched.finish()
	})
}

// wholeBody reads a request's body, at once where its length is known and not out of all proportion.
func wholeBody(r *http.Request) ([]byte, error) {
	const usual = 1 << 20
	if r.ContentLength < 0 || r.ContentLength > usual {
		return io.ReadAll(r.Body) //nolint:wrapcheck // nobody is told
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err //nolint:wrapcheck // nobody is told
}

func idsOf(keys []story.Key) []uuid.UUID {
	var room [4]uuid.UUID
	ids := room[:0]
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	return ids
}

// watcher notes the status of an answer, and the beginning of its body.
type watcher struct {
	http.ResponseWriter

	status int // 0 until something is answered
	head   [headLength]byte
	headed int
	faults []string
}

// headLength is enough for the id that a create answers.
const headLength = 64

func (w *watcher) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.headed += copy(w.head[w.headed:], b)
	return w.ResponseWriter.Write(b) //nolint:wrapcheck // the server's own writer
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// NoteFault is told by the injector.
func (w *watcher) NoteFault(effect string) { w.faults = append([]string{effect}, w.faults...) }

// finish is called when the handler has returned: without a word, that is 200.
func (w *watcher) finish() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// touched are the story keys of a request: the instance or the dialog that it names.
func touched(r *http.Request, body, answer []byte) []story.Key {
	path := r.URL.Path
	for _, prefix := range [...]string{storage.Prefix + "/instances/", storage.Prefix + "/sbl/instances/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return keysOf(itemKey, strings.Split(rest, "/")...)
		}
	}
	rest, ok := strings.CutPrefix(path, dialogsPath)
	switch {
	case !ok:
		return nil
	case strings.HasPrefix(rest, "/"):
		return keysOf(dialogKey, strings.Split(rest[1:], "/")[0])
	case r.Method == http.MethodPost:
		return createdKeys(body, answer)
	}
	var keys []story.Key
	for _, label := range r.URL.Query()["serviceOwnerLabels"] {
		if key, ok := strings.CutPrefix(label, "urn:altinn:integration:storage:"); ok {
			keys = append(keys, keysOf(itemKey, strings.Split(key, "/")...)...)
		}
	}
	return keys
}

// keysOf is the key of the first text that is a uuid.
func keysOf(key func(uuid.UUID) story.Key, texts ...string) []story.Key {
	for _, text := range texts {
		if id, err := uuid.Parse(text); err == nil {
			return []story.Key{key(id)}
		}
	}
	return nil
}

// createdKeys are the dialog's id as it was answered, or as it was asked for when nothing was made.
func createdKeys(body, answer []byte) []story.Key {
	const quoted = 38
	if len(answer) == quoted && answer[0] == '"' {
		if id, err := uuid.ParseBytes(answer[1 : quoted-1]); err == nil {
			return []story.Key{dialogKey(id)}
		}
	}
	var asked struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(body, &asked) // a body that cannot be read names nobody
	return keysOf(dialogKey, asked.ID)
}
