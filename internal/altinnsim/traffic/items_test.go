package traffic

import (
	"encoding/binary"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
)

// However many items there are, no more than two generations are known, and those that are asked for again and again
// are not forgotten.
func TestItemsAreBounded(t *testing.T) {
	t.Parallel()
	c := New()
	c.items.perShard = 100
	hot := uuid.New()
	id := func(n uint64) (out uuid.UUID) {
		binary.BigEndian.PutUint64(out[:8], n)
		binary.BigEndian.PutUint64(out[8:], n*0x9e3779b97f4a7c15)
		return out
	}
	const all = 100_000
	for n := range uint64(all) {
		c.Touched("GET", "/i", id(n))
		if n%50 == 0 {
			c.Touched("GET", "/i", hot)
		}
	}
	busiest, known, forgotten := c.Busiest(3)
	assert.Equal(t, Busy{ID: hot, Requests: all / 50}, busiest[0])
	assert.LessOrEqual(t, known, 2*itemShards*100)
	assert.Equal(t, all+1, known+forgotten)
	assert.Equal(t, map[string]int{"GET /i": 1}, c.Item(id(all-1)))
	assert.Empty(t, c.Item(id(0)))
}

// A reset may come between numbering an endpoint and counting under it.
func TestCountsThatAResetOvertook(t *testing.T) {
	t.Parallel()
	c := New()
	id := uuid.New()
	n := c.items.number("GET", "/a")
	c.Reset()
	c.items.add(id, n)
	assert.Equal(t, map[string]int{otherEndpointName: 1}, c.Item(id))
}
