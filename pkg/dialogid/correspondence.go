package dialogid

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// clockSkew is how far ahead of now an id's time may lie.
const clockSkew = 15 * time.Second

// Correspondence is the id of the dialog that Altinn 3 Correspondence makes of an item. Created counts only for items whose own id
// has no time in it; now replaces a time that lies ahead of it, which makes the id one that cannot be had again. Dialogs made
// before 14 April 2026 have random ids. (Correspondence reference 9.2.)
func Correspondence(item uuid.UUID, created, now time.Time) uuid.UUID {
	at := created
	if item[versionByte]&versionMask == versionSeven {
		at = Time(item)
	}
	if at.Sub(now) > clockSkew {
		at = now
	}
	ms := max(at.UnixMilli(), 0)
	text := hex.EncodeToString(item[:]) + ":" + strconv.FormatInt(ms, 10)
	sum := sha256.Sum256([]byte(text))
	digits := hex.EncodeToString(sum[:])
	const variant = "89ab"
	nibble := sum[1] & 3 // two bits of the fourth digit
	stamp := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(ms)))[4:]
	return uuid.MustParse(stamp + "7" + digits[:3] + variant[nibble:nibble+1] + digits[4:7] + digits[7:19])
}

// messageMark fills what V7 takes from a GUID in the ids of messages, but for its last four bytes.
//
//nolint:gochecknoglobals // a constant in all but its type
var messageMark = uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:altinn:a2-correspondence"))

const messageNumberAt = 12

// Message is the key of a message of Altinn 2: the time it was created at, a mark that all messages share, and in the last four bytes
// the number it has in Altinn 2. Messages of one time lie side by side, as other items do.
func Message(altinn2ID int32, created time.Time) uuid.UUID {
	guid := messageMark
	binary.BigEndian.PutUint32(guid[messageNumberAt:], uint32(altinn2ID)) //nolint:gosec // bits, not a number
	return V7(guid, created)
}

// MessageNumber gives the Altinn 2 number back from a key made by Message; ok is false for other ids.
func MessageNumber(id uuid.UUID) (altinn2ID int32, ok bool) {
	altinn2ID = int32(binary.BigEndian.Uint32(id[messageNumberAt:])) //nolint:gosec // bits, not a number
	return altinn2ID, Message(altinn2ID, Time(id)) == id
}
