package story

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
)

func TestModes(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/x?a=1&b=2&b=3", nil)
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("If-Match", "y")
	item, dialog := Key{Kind: 'i', ID: uuid.New()}, Key{Kind: 'd', ID: uuid.New()}
	all, hashes, off := New(All), New(Hashes), New(Off)
	for _, b := range []*Book{all, hashes, off} {
		b.Note(Entry{Method: r.Method, Path: "/x"}, r, []byte(`{"a":1}`), item, dialog)
		b.Note(Entry{Method: r.Method, Path: "/x"}, r, []byte(`plain`), dialog)
		b.Note(Entry{Method: r.Method, Path: "/x"}, r, nil)
	}
	entries := all.Of(item, dialog)
	assert.Len(t, entries, 2, "each once")
	assert.Equal(t, map[string]any{"a": "1", "b": []string{"2", "3"}}, entries[0].Query)
	assert.Equal(t, map[string]any{"If-Match": "y"}, entries[0].Headers, "without credentials")
	assert.JSONEq(t, `{"a":1}`, string(entries[0].Body))
	assert.JSONEq(t, `"plain"`, string(entries[1].Body))
	entries = hashes.Of(item)
	assert.Len(t, entries, 1)
	assert.Empty(t, entries[0].Body)
	assert.Len(t, entries[0].BodyHash, 32)
	assert.Empty(t, off.Of(item))
	_, err := ParseMode("some")
	assert.ErrorContains(t, err, "use all, hashes or off")
}

func TestOldestAreForgottenFirst(t *testing.T) {
	t.Parallel()
	b := New(All)
	item, other := Key{Kind: 'i', ID: uuid.New()}, Key{Kind: 'i', ID: uuid.New()}
	b.maxEntries, b.maxBytes = 5, 40_000
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	huge := []byte(`"` + strings.Repeat("x", 10_000) + `"`)
	for range 6 {
		b.Note(Entry{}, r, huge, item)
	}
	entries := b.Of(item)
	assert.Len(t, entries, 3)
	assert.Equal(t, 6, entries[2].Sequence)
	for range 7 {
		b.Note(Entry{}, r, nil, other)
	}
	assert.Empty(t, b.Of(item))
	assert.Len(t, b.Of(other), 5)
	b.Reset()
	assert.Empty(t, b.Of(other))
}
