package auth_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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
	for text, ok := range map[string]bool{"off": true, "decode": true, "verify": false, "": false} {
		_, err := auth.ParseMode(text)
		assert.Equal(t, ok, err == nil, text)
	}
}
