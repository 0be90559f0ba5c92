package amqp

import (
	"errors"
	"time"
)

// Types of AMQP that have no Go type of their own. The others are nil, bool, uint8 to uint64, int8 to int64, float32,
// float64, string, []byte (binary) and time.Time (timestamp, milliseconds, UTC).
type (
	// Symbol is a name of the protocol, in ASCII.
	Symbol string
	// UUID is in network byte order.
	UUID [16]byte
	// Char is one Unicode character.
	Char rune
	// Decimal is an IEEE 754 decimal of 4, 8 or 16 bytes, as it came.
	Decimal []byte
	// List is a list of any values.
	List []any
	// Array is a list whose values have one type.
	Array []any
	// Map keeps its order; keys may be of any type.
	Map []Entry
	// Entry is one pair of a Map.
	Entry struct{ Key, Value any }
	// Described is a value with a descriptor: a uint64 or a Symbol in all that is standardised.
	Described struct{ Descriptor, Value any }
)

// ErrMalformed tells that bytes are not AMQP 1.0.
var ErrMalformed = errors.New("malformed AMQP")

// Get finds a value by a key that is a string or a symbol; nil when it is not there.
func (m Map) Get(key string) any {
	for _, entry := range m {
		switch k := entry.Key.(type) {
		case string:
			if k == key {
				return entry.Value
			}
		case Symbol:
			if string(k) == key {
				return entry.Value
			}
		}
	}
	return nil
}

// With gives a copy in which the key has the value; it replaces one that is there.
func (m Map) With(key, value any) Map {
	out := make(Map, 0, len(m)+1)
	for _, entry := range m {
		if entry.Key != key {
			out = append(out, entry)
		}
	}
	return append(out, Entry{Key: key, Value: value})
}

// Constructors of the encodings, by the names of the specification.
const (
	codeDescribed  = 0x00
	codeNull       = 0x40
	codeTrue       = 0x41
	codeFalse      = 0x42
	codeUint0      = 0x43
	codeUlong0     = 0x44
	codeList0      = 0x45
	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56
	codeUshort     = 0x60
	codeShort      = 0x61
	codeUint       = 0x70
	codeInt        = 0x71
	codeFloat      = 0x72
	codeChar       = 0x73
	codeDecimal32  = 0x74
	codeUlong      = 0x80
	codeLong       = 0x81
	codeDouble     = 0x82
	codeTimestamp  = 0x83
	codeDecimal64  = 0x84
	codeDecimal128 = 0x94
	codeUUID       = 0x98
	codeBinary8    = 0xa0
	codeString8    = 0xa1
	codeSymbol8    = 0xa3
	codeBinary32   = 0xb0
	codeString32   = 0xb1
	codeSymbol32   = 0xb3
	codeList8      = 0xc0
	codeMap8       = 0xc1
	codeList32     = 0xd0
	codeMap32      = 0xd1
	codeArray8     = 0xe0
	codeArray32    = 0xf0
)

// timestamp is a time in whole milliseconds, as it goes over the wire.
func timestamp(milliseconds int64) time.Time { return time.UnixMilli(milliseconds).UTC() }
