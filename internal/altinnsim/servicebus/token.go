package servicebus

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Reasons why a token is refused, as the real bus words them.
var (
	errTokenMalformed = errors.New("MalformedToken: the token is not a shared access signature")
	errTokenSignature = errors.New("InvalidSignature: the token has an invalid signature")
	errTokenExpired   = errors.New("ExpiredToken: the token is expired")
	errTokenAudience  = errors.New("InvalidAudience: the token is not for this entity")
)

// tokenType is the only kind of token that is taken.
const tokenType = "servicebus.windows.net:sastoken"

// claim is what a token allows: an entity and all below it, until it expires.
type claim struct {
	path    string
	expires time.Time
}

// verify checks a shared access signature for an audience.
func verify(token, audience, keyName, key string, now time.Time) (claim, error) {
	const scheme = "SharedAccessSignature "
	fields, found := strings.CutPrefix(token, scheme)
	if !found {
		return claim{}, errTokenMalformed
	}
	values := map[string]string{}
	for pair := range strings.SplitSeq(fields, "&") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	resource, err := url.QueryUnescape(values["sr"])
	if err != nil {
		return claim{}, errTokenMalformed
	}
	signature, err := url.QueryUnescape(values["sig"])
	if err != nil {
		return claim{}, errTokenMalformed
	}
	expiry, err := strconv.ParseInt(values["se"], 10, 64)
	if err != nil {
		return claim{}, errTokenMalformed
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(values["sr"] + "\n" + values["se"]))
	wanted := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if values["skn"] != keyName || subtle.ConstantTimeCompare([]byte(wanted), []byte(signature)) != 1 {
		return claim{}, errTokenSignature
	}
	c := claim{path: entityPath(resource), expires: time.Unix(expiry, 0)}
	if !now.Before(c.expires) {
		return claim{}, errTokenExpired
	}
	if !c.covers(entityPath(audience)) {
		return claim{}, errTokenAudience
	}
	// What was asked for is what is granted, also by a token for the whole namespace.
	c.path = entityPath(audience)
	return c, nil
}

// covers tells whether an entity lies at or below the claim's path.
func (c claim) covers(path string) bool {
	return c.path == "" || c.path == path || strings.HasPrefix(path, c.path+"/")
}

// entityPath is the path of an address or a URL, in lower case: names of entities have no case.
func entityPath(address string) string {
	if _, rest, found := strings.Cut(address, "://"); found {
		_, address, _ = strings.Cut(rest, "/")
	}
	return strings.ToLower(strings.Trim(address, "/"))
}
