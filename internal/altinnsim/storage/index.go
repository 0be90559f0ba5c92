package storage

import (
	"cmp"
	"slices"
	"sort"
)

// slot is where a row lies in the store: its row id less one.
type slot uint32

// position is a place in the order of a list: last-changed time, then row id, both ascending.
type position struct {
	changed int64
	id      RowID
}

func (p position) before(q position) bool { return p.compare(q) < 0 }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.changed, q.changed), cmp.Compare(p.id, q.id))
}

// maxBlock is how many rows a block holds before it is split. An insert moves at most that many.
const maxBlock = 2048

// index keeps the rows of one organisation in list order. It asks at for the position of a row, so a row must be taken
// out before its time changes.
type index struct {
	at     func(slot) position
	blocks [][]slot
	count  int
}

func newIndex(at func(slot) position) *index { return &index{at: at} }

// cursor is a place between the rows of an index.
type cursor struct{ block, offset int }

// seek is the place before the first row that does not come before p.
func (x *index) seek(p position) cursor {
	b := sort.Search(len(x.blocks), func(i int) bool {
		block := x.blocks[i]
		return !x.at(block[len(block)-1]).before(p)
	})
	if b == len(x.blocks) {
		return cursor{block: b}
	}
	block := x.blocks[b]
	return cursor{block: b, offset: sort.Search(len(block), func(i int) bool { return !x.at(block[i]).before(p) })}
}

// next is the row after the cursor, and moves it.
func (x *index) next(c *cursor) (slot, bool) {
	if c.block >= len(x.blocks) {
		return 0, false
	}
	s := x.blocks[c.block][c.offset]
	if c.offset++; c.offset == len(x.blocks[c.block]) {
		*c = cursor{block: c.block + 1}
	}
	return s, true
}

// previous is the row before the cursor, without moving it.
func (x *index) previous(c cursor) (slot, bool) {
	if c.offset > 0 {
		return x.blocks[c.block][c.offset-1], true
	}
	if c.block == 0 || len(x.blocks) == 0 {
		return 0, false
	}
	block := x.blocks[c.block-1]
	return block[len(block)-1], true
}

func (x *index) insert(s slot) {
	x.count++
	if len(x.blocks) == 0 {
		x.blocks = append(x.blocks, append(make([]slot, 0, maxBlock), s))
		return
	}
	c := x.seek(x.at(s))
	if c.block == len(x.blocks) {
		c.block--
		c.offset = len(x.blocks[c.block])
	}
	block := slices.Insert(x.blocks[c.block], c.offset, s)
	x.blocks[c.block] = block
	if len(block) >= maxBlock {
		x.split(c.block)
	}
}

func (x *index) split(b int) {
	block := x.blocks[b]
	half := len(block) / 2
	upper := append(make([]slot, 0, maxBlock), block[half:]...)
	x.blocks[b] = block[:half]
	x.blocks = append(x.blocks, nil)
	copy(x.blocks[b+2:], x.blocks[b+1:])
	x.blocks[b+1] = upper
}

func (x *index) remove(s slot) {
	c := x.seek(x.at(s))
	if c.block == len(x.blocks) || x.blocks[c.block][c.offset] != s {
		return
	}
	x.count--
	block := x.blocks[c.block]
	block = append(block[:c.offset], block[c.offset+1:]...)
	x.blocks[c.block] = block
	if len(block) == 0 {
		x.blocks = append(x.blocks[:c.block], x.blocks[c.block+1:]...)
	}
}

// load adds many rows at once.
func (x *index) load(added []slot) {
	slices.SortFunc(added, func(a, b slot) int { return x.at(a).compare(x.at(b)) })
	if x.count > 0 && len(added) < x.count/64 {
		for _, s := range added {
			x.insert(s)
		}
		return
	}
	x.rebuild(x.merged(added))
}

func (x *index) merged(added []slot) []slot {
	if x.count == 0 {
		return added
	}
	all := make([]slot, 0, x.count+len(added))
	for _, block := range x.blocks {
		for _, s := range block {
			for len(added) > 0 && x.at(added[0]).before(x.at(s)) {
				all, added = append(all, added[0]), added[1:]
			}
			all = append(all, s)
		}
	}
	return append(all, added...)
}

func (x *index) rebuild(all []slot) {
	const fill = maxBlock * 3 / 4
	x.blocks, x.count = x.blocks[:0], len(all)
	for len(all) > 0 {
		n := min(fill, len(all))
		x.blocks = append(x.blocks, append(make([]slot, 0, n), all[:n]...))
		all = all[n:]
	}
}

// end is the place after all rows.
func (x *index) end() cursor { return cursor{block: len(x.blocks)} }

func (c cursor) before(d cursor) bool {
	return c.block < d.block || c.block == d.block && c.offset < d.offset
}
