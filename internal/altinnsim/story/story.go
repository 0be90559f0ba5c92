// Package story keeps what was asked of each item and each dialog: every request, in order. It is bounded: when it is
// full, the oldest requests are forgotten first.
package story

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Mode says how much is kept.
type Mode string

const (
	// All keeps headers and bodies.
	All Mode = "all"
	// Hashes keeps a hash of the body instead of headers and body.
	Hashes Mode = "hashes"
	// Off keeps nothing.
	Off Mode = "off"
)

// ParseMode reads a mode as flags spell it.
func ParseMode(text string) (Mode, error) {
	switch mode := Mode(text); mode {
	case All, Hashes, Off:
		return mode, nil
	}
	return "", fmt.Errorf("unknown record mode %q: use all, hashes or off", text)
}

// Entry is one request that touched an item or a dialog.
type Entry struct {
	Sequence int             `json:"sequence"`
	At       time.Time       `json:"at"`
	Service  string          `json:"service"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Query    map[string]any  `json:"query,omitempty"`   // a repeated name has a list
	Headers  map[string]any  `json:"headers,omitempty"` // without credentials
	Body     json.RawMessage `json:"body,omitempty"`    // what is not JSON stands as a text
	BodyHash string          `json:"bodyHash,omitempty"`
	Status   int             `json:"status"`          // 0: hung up
	Fault    string          `json:"fault,omitempty"` // what was done to it on purpose
}

// Key is what entries are found by: an item, or what else has a story, with its id.
type Key struct {
	Kind byte // of the caller's choice
	ID   uuid.UUID
}

// Bounds of a book.
const (
	defaultEntries = 400_000
	defaultBytes   = 384 << 20
	bytesPerEntry  = 512 // beside the body
)

// Book keeps entries by key. It is safe for concurrent use.
type Book struct {
	mode                 Mode
	maxEntries, maxBytes int

	mu       sync.Mutex
	sequence int
	bytes    int
	queue    []*noted // oldest first
	byKey    map[Key][]*noted
}

// noted is an entry as it was seen. It is made readable when it is read: most entries never are.
type noted struct {
	entry   Entry
	keys    []Key
	query   string
	headers http.Header
	body    []byte
	bytes   int
}

// New makes an empty book.
func New(mode Mode) *Book {
	return &Book{mode: mode, maxEntries: defaultEntries, maxBytes: defaultBytes, byKey: map[Key][]*noted{}}
}

// Mode is how much the book keeps.
func (b *Book) Mode() Mode { return b.mode }

// Reset forgets everything.
func (b *Book) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue, b.byKey, b.bytes, b.sequence = nil, map[Key][]*noted{}, 0, 0
}

// Note keeps a request under its keys. The request's headers and the body must not be changed afterwards.
func (b *Book) Note(e Entry, r *http.Request, body []byte, keys ...Key) {
	if b.mode == Off || len(keys) == 0 {
		return
	}
	n := &noted{keys: keys, query: r.URL.RawQuery}
	switch b.mode {
	case All:
		n.headers, n.body = r.Header, body
	case Hashes:
		if len(body) > 0 {
			sum := sha256.Sum256(body)
			e.BodyHash = hex.EncodeToString(sum[:16])
		}
	case Off: // left above
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sequence++
	e.Sequence = b.sequence
	n.entry, n.bytes = e, len(n.body)+bytesPerEntry
	b.queue = append(b.queue, n)
	b.bytes += n.bytes
	for _, key := range keys {
		b.byKey[key] = append(b.byKey[key], n)
	}
	for len(b.queue) > b.maxEntries || b.bytes > b.maxBytes {
		b.forget()
	}
}

// forget drops the oldest entry, which is the first under each of its keys.
func (b *Book) forget() {
	oldest := b.queue[0]
	b.queue[0] = nil // what lies before the slice is not freed
	b.queue = b.queue[1:]
	b.bytes -= oldest.bytes
	for _, key := range oldest.keys {
		if entries := b.byKey[key]; len(entries) > 1 {
			entries[0] = nil
			b.byKey[key] = entries[1:]
		} else {
			delete(b.byKey, key)
		}
	}
}

// Of are the entries under any of the keys, in order, each once.
func (b *Book) Of(keys ...Key) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Entry{}
	for _, key := range keys {
		for _, n := range b.byKey[key] {
			out = append(out, n.read())
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return slices.CompactFunc(out, func(a, b Entry) bool { return a.Sequence == b.Sequence })
}

// read is the entry with all that is kept of it.
func (n *noted) read() Entry {
	e := n.entry
	query, _ := url.ParseQuery(n.query) // what cannot be read is left out
	e.Query = values(query)
	if n.headers != nil {
		e.Headers = headers(n.headers)
	}
	e.Body = readable(n.body)
	return e
}

// values shows a single value as a text and several as a list.
func values(query url.Values) map[string]any {
	if len(query) == 0 {
		return nil
	}
	out := make(map[string]any, len(query))
	for name, list := range query {
		if len(list) == 1 {
			out[name] = list[0]
		} else {
			out[name] = list
		}
	}
	return out
}

// headers leaves out credentials.
func headers(header http.Header) map[string]any {
	kept := url.Values(header.Clone())
	for _, secret := range [...]string{"Authorization", "Ocp-Apim-Subscription-Key", "Cookie"} {
		kept.Del(secret)
	}
	return values(kept)
}

func readable(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return nil
	case json.Valid(body):
		return slices.Clone(body)
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		return nil
	}
	return text
}
