package correspondence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// mint makes ids, the same ones for the same seed and clock.
type mint struct {
	mu     sync.Mutex
	random *rand.Rand
}

func newMint(seed uint64) *mint {
	m := &mint{}
	m.reset(seed)
	return m
}

func (m *mint) reset(seed uint64) {
	const stream = 0x636f7272
	m.mu.Lock()
	defer m.mu.Unlock()
	m.random = rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // repeatable on purpose
}

// v7 is a version 7 uuid of an instant.
func (m *mint) v7(at time.Time) uuid.UUID {
	id := m.v4()
	ms := max(at.UnixMilli(), 0)
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(ms)<<16)
	copy(id[:6], head[:6])
	id[6] = id[6]&0x0f | 0x70
	return id
}

// v4 is a version 4 uuid.
func (m *mint) v4() uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], m.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], m.random.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// roll is a number from 0 up to, not including, n.
func (m *mint) roll(n int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.Int64N(n)
}

// clockTolerance is how far ahead the source instant of an id may lie (9.2).
const clockTolerance = 15 * time.Second

// DialogID is the id of an item's dialog (9.2).
func DialogID(item uuid.UUID, created, now time.Time) uuid.UUID {
	n := hex.EncodeToString(item[:])
	source := created
	if n[12] == '7' {
		ms, err := strconv.ParseInt(n[:12], 16, 64)
		if err == nil {
			source = time.UnixMilli(ms)
		}
	}
	if source.After(now.Add(clockTolerance)) {
		source = now
	}
	ms := max(source.UnixMilli(), 0)
	sum := sha256.Sum256([]byte(n + ":" + strconv.FormatInt(ms, 10)))
	h := hex.EncodeToString(sum[:])
	t := fmt.Sprintf("%012x", ms)
	variant, err := strconv.ParseUint(h[3:4], 16, 8)
	if err != nil {
		variant = 0
	}
	return uuid.MustParse(fmt.Sprintf("%s-%s-7%s-%x%s-%s", t[:8], t[8:12], h[:3], variant&3|8, h[4:7], h[7:19]))
}
