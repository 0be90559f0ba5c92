package outbox

import (
	"encoding/json"
	"slices"
)

// queue orders rows by the time they may be sent, as container/heap wants it.
type queue []*Row

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is called by container/heap.
func (q *queue) Push(x any) {
	row := x.(*Row) //nolint:forcetypeassert // nothing else is ever pushed
	row.at = len(*q)
	*q = append(*q, row)
}

// Pop is called by container/heap.
func (q *queue) Pop() any {
	old := *q
	row := old[len(old)-1]
	*q = slices.Delete(old, len(old)-1, len(old))
	return row
}

func (r *Row) compare(other *Row) int {
	if c := r.ValidFrom.Compare(other.ValidFrom); c != 0 {
		return c
	}
	if r.order < other.order {
		return -1
	}
	return 1
}

// first are the n rows that are sent next. The caller holds the lock.
func (b *Box) first(n int) []Row {
	sorted := slices.Clone(b.queue)
	slices.SortFunc(sorted, (*Row).compare)
	out := make([]Row, 0, n)
	for _, row := range sorted[:min(n, len(sorted))] {
		out = append(out, *row)
	}
	return out
}

func commands(messages []Message) []Command {
	out := make([]Command, 0, len(messages))
	for _, m := range messages {
		var c Command
		_ = json.Unmarshal(m.Body, &c) // written by this package
		out = append(out, c)
	}
	return out
}
