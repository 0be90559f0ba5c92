package storage

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Row is what is kept of an instance. All times are microseconds since 1970, UTC: what PostgreSQL keeps (3.3).
type Row struct {
	GUID        uuid.UUID
	Created     int64
	LastChanged int64
	Settled     int64 // when the instance's content was last changed: submitted, or saved
	Deleted     int64 // when it was deleted, softly or hard; 0: never
	Party       int32
	App         uint16 // as Store.App numbers apps
	Detail      uint16 // the author's own
	Version     uint8  // Altinn main version: 1, 2 or 3 (3.4)
	Stage       uint8  // the author's own
	author      uint8
	Flags       Flags
}

// Flags are what a list can filter on without writing the instance.
type Flags uint16

// The flags of a row.
const (
	Archived        Flags = 1 << iota
	Ended                 // the process has an end
	SoftDeleted           // status.isSoftDeleted
	HardDeleted           // status.isHardDeleted; goes with SoftDeleted
	Confirmed             // by the owning organisation
	NoStatus              // the instance has no status at all
	NoLastChanged         // the JSON has no lastChanged; the row has
	Withheld              // committed later: nobody sees it yet
	DerivedDialogID       // dialog.id is written and is the one that follows from guid and created
	Prefilled             // created by the service owner
	BornDeleted           // deleted when it was loaded: its author tells of that
	Odd                   // the author's own: something about it is unusual
)

// Has says whether all of the flags are set.
func (f Flags) Has(flags Flags) bool { return f&flags == flags }

// RowID is the hidden number that ties are broken by (3.5).
type RowID int64

// Key is the instance's id as answers have it: {partyId}/{guid}.
func (r Row) Key() string {
	return string(appendKey(make([]byte, 0, 48), r.Party, r.GUID))
}

func appendKey(dst []byte, party int32, guid uuid.UUID) []byte {
	dst = strconv.AppendInt(dst, int64(party), 10)
	dst = append(dst, '/')
	return AppendUUID(dst, guid)
}

// AppendUUID appends a uuid in lower case with dashes.
func AppendUUID(dst []byte, id uuid.UUID) []byte {
	const hex = "0123456789abcdef"
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return dst
}

// AppendTime appends microseconds since 1970 as Storage writes times: up to six decimals, no trailing zeros (11). A page
// of a list holds thousands of times, hence by hand.
func AppendTime(dst []byte, micros int64) []byte {
	t := time.UnixMicro(micros).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
	}
	hour, minute, second := t.Clock()
	dst = appendTwo(appendTwo(dst, year/100), year%100)
	dst = appendTwo(append(dst, '-'), int(month))
	dst = appendTwo(append(dst, '-'), day)
	dst = appendTwo(append(dst, 'T'), hour)
	dst = appendTwo(append(dst, ':'), minute)
	dst = appendTwo(append(dst, ':'), second)
	if fraction := t.Nanosecond() / 1000; fraction != 0 {
		dst = append(dst, '.')
		for unit := 100_000; fraction > 0; unit /= 10 {
			dst = append(dst, digit(fraction/unit))
			fraction %= unit
		}
	}
	return append(dst, 'Z')
}

func appendTwo(dst []byte, n int) []byte {
	return append(dst, digit(n/10), digit(n))
}

// digit is the last digit of a number that is not negative.
func digit(n int) byte { return "0123456789"[n%10] }

// FormatTime is AppendTime as a string.
func FormatTime(micros int64) string { return string(AppendTime(nil, micros)) }

// ticksOf is 100-nanosecond units since the year 1 (3.6).
func ticksOf(micros int64) int64 { return micros*10 + ticksAt1970 }

// microsOf is the reverse of ticksOf, cut to microseconds.
func microsOf(ticks int64) int64 {
	t := ticks - ticksAt1970
	if t < 0 && t%10 != 0 {
		return t/10 - 1
	}
	return t / 10
}

const ticksAt1970 = 621355968000000000

// ParseTime reads an ISO 8601 date or date-time. Without a zone it is UTC; what is beyond microseconds is cut off (3.3).
func ParseTime(text string) (int64, bool) {
	layouts := [...]string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return floorMicros(t), true
		}
	}
	return 0, false
}

func floorMicros(t time.Time) int64 {
	return t.Unix()*1_000_000 + int64(t.Nanosecond()/1000)
}

// DialogID is the dialog id that follows from guid and creation time (14).
func DialogID(guid uuid.UUID, created int64) uuid.UUID {
	millis := created / 1000
	if created%1000 < 0 {
		millis--
	}
	id := guid
	for i := range 6 {
		id[i] = byte(millis >> (40 - 8*i)) //nolint:gosec // the low eight bits are meant
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
