package dialogid

import (
	"crypto/sha1" //nolint:gosec // The id format is defined with SHA-1 (RFC 9562, version 5); nothing secret depends on it.
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Errors of Sub.
var (
	ErrNilParent = errors.New("sub id: the parent id is nil")
	ErrEmptyName = errors.New("sub id: the name is empty")
)

const (
	timeBytes    = 6 // bytes 0–5 of a version 7 UUID: unix milliseconds, most significant first
	versionByte  = 6
	variantByte  = 8
	versionMask  = 0xF0
	versionSeven = 0x70
	variantMask  = 0xC0
	variantRFC   = 0x80
)

// V7 gives guid the unix time of t in milliseconds, version 7 and the RFC variant; all other bits are guid's. Digits
// below a millisecond are dropped downwards, also before 1970, where the time wraps as a 48-bit two's complement.
// (Mapping rules 2.1.)
func V7(guid uuid.UUID, t time.Time) uuid.UUID {
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(t.UnixMilli()))
	id := guid
	copy(id[:timeBytes], stamp[len(stamp)-timeBytes:])
	id[versionByte] = id[versionByte]&^versionMask | versionSeven
	id[variantByte] = id[variantByte]&^variantMask | variantRFC
	return id
}

// Sub derives the id of a part of parent: a version 5 UUID of (parent, name) whose time, version and variant bits are
// the parent's. (Mapping rules 2.2.) It fails with ErrNilParent or ErrEmptyName.
func Sub(parent uuid.UUID, name string) (uuid.UUID, error) {
	if parent == uuid.Nil {
		return uuid.Nil, ErrNilParent
	}
	if name == "" {
		return uuid.Nil, ErrEmptyName
	}
	hash := sha1.New() //nolint:gosec // See the import.
	hash.Write(parent[:])
	hash.Write([]byte(name))
	var id uuid.UUID
	copy(id[:], hash.Sum(nil))
	copy(id[:timeBytes], parent[:timeBytes])
	id[versionByte] = id[versionByte]&^versionMask | parent[versionByte]&versionMask
	id[variantByte] = id[variantByte]&^variantMask | parent[variantByte]&variantMask
	return id, nil
}

// Time is the time that a version 7 UUID carries, in UTC with millisecond resolution. The 48 bits are read as an
// unsigned number, as Dialogporten reads them: an id derived from a time before 1970 gives a time far in the future.
func Time(id uuid.UUID) time.Time {
	var stamp [8]byte
	copy(stamp[len(stamp)-timeBytes:], id[:timeBytes])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:]))).UTC() //nolint:gosec // 48 bits fit.
}

// IsV7 tells whether id has version 7 and the RFC variant.
func IsV7(id uuid.UUID) bool {
	return id[versionByte]&versionMask == versionSeven && id[variantByte]&variantMask == variantRFC
}
