package dialogporten

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// optionalID is a GUID that may be absent.
type optionalID struct {
	id    uuid.UUID
	given bool
}

func someID(id uuid.UUID) optionalID { return optionalID{id: id, given: true} }

// validV7 looks at the version nibble and the variant bits.
func validV7(id uuid.UUID) bool { return id[6]>>4 == 7 && id[8]>>6 == 2 }

// idMillis is the time in the first 48 bits, in milliseconds since 1970.
func idMillis(id uuid.UUID) int64 {
	var wide [8]byte
	copy(wide[2:], id[:6])
	return int64(binary.BigEndian.Uint64(wide[:])) //nolint:gosec // 48 bits fit
}

// dotNetRoundTrip is .NET's "o" format of the time in an id, and its text for a time that .NET can't hold.
func dotNetRoundTrip(millis int64) string {
	const lastMillis = 253_402_300_799_999 // 9999-12-31T23:59:59.999Z
	if millis > lastMillis {
		return "invalid date"
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.0000000-07:00")
}

// idMint makes UUIDv7s that rise within a millisecond, so that things made at one time keep their order.
type idMint struct{ serial atomic.Uint32 }

func (m *idMint) next(now instant) uuid.UUID {
	serial := m.serial.Add(1)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(int64(now)/1000)<<16) //nolint:gosec // after 1970
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())               //nolint:gosec // ids are no secrets
	binary.BigEndian.PutUint16(id[6:8], 0x7000|uint16(serial>>14&0xfff))
	binary.BigEndian.PutUint16(id[8:10], 0x8000|uint16(serial&0x3fff))
	return id
}

// newRevision is a random UUIDv4.
func newRevision() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // revisions are no secrets
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // revisions are no secrets
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// parseGUID reads a GUID of a route, as Guid.TryParse does: with or without hyphens, in braces or parentheses.
func parseGUID(text string) (uuid.UUID, bool) {
	const bare, hyphenated, enclosed = 32, 36, 38
	switch len(text) {
	case bare, hyphenated:
	case enclosed:
		if (text[0] != '{' || text[37] != '}') && (text[0] != '(' || text[37] != ')') {
			return uuid.UUID{}, false
		}
		text = text[1:37]
	default:
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// parsePlainGUID reads only the 8-4-4-4-12 form, as JSON and If-Match want it.
func parsePlainGUID(text string) (uuid.UUID, bool) {
	const hyphenated = 36
	if len(text) != hyphenated {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}
