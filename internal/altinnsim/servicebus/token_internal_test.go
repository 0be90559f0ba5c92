package servicebus

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sign makes a shared access signature as clients do.
func sign(resource, keyName, key string, expiry time.Time) string {
	escaped, se := url.QueryEscape(resource), strconv.FormatInt(expiry.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(escaped + "\n" + se))
	return "SharedAccessSignature sr=" + escaped + "&sig=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + se + "&skn=" + keyName
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	const queue = "amqp://bus.example/Altinn.Queue"
	later := now.Add(time.Hour)
	for name, c := range map[string]struct {
		token, audience string
		want            error
	}{
		"good":                {sign(queue, "n", "k", later), queue, nil},
		"of the namespace":    {sign("sb://bus.example/", "n", "k", later), queue, nil},
		"of what lies above":  {sign(queue, "n", "k", later), queue + "/$management", nil},
		"of another queue":    {sign("sb://bus.example/altinn", "n", "k", later), queue, errTokenAudience},
		"expired":             {sign(queue, "n", "k", now), queue, errTokenExpired},
		"another key":         {sign(queue, "n", "x", later), queue, errTokenSignature},
		"another key's name":  {sign(queue, "x", "k", later), queue, errTokenSignature},
		"no signature at all": {"SharedAccessSignature sr=x&se=99999999999&skn=n", queue, errTokenSignature},
		"no expiry":           {"SharedAccessSignature sr=x&sig=y&skn=n", queue, errTokenMalformed},
		"a JWT":               {"eyJ", queue, errTokenMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := verify(c.token, c.audience, "n", "k", now)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				assert.Equal(t, entityPath(c.audience), got.path)
				assert.True(t, later.Equal(got.expires))
				assert.True(t, got.covers(entityPath(c.audience)))
				assert.False(t, got.covers("altinn.queue2"))
			}
		})
	}
}

// A lock token and its delivery tag are the same GUID in two byte orders.
func TestSwapped(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff")
	assert.Equal(t, "33221100-5544-7766-8899-aabbccddeeff", uuid.UUID(swapped(id)).String())
	assert.Equal(t, id, uuid.UUID(swapped(swapped(id))))
}
