package faults

import (
	"hash/fnv"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Lists of Storage's answers.
const (
	memberInstances = "instances"
	memberEvents    = "instanceEvents"
	memberID        = "id"
	memberChanged   = "lastChanged"
	memberNext      = "next"
)

// unheard is an enumeration's value that nobody knows.
const unheard = "Uhoert"

// tokenTicks is the time in a page's continuation token.
var tokenTicks = regexp.MustCompile(`(continuationToken=)-?[0-9]+(%253b)`)

// shaper breaks the shape of Storage's answers. A row is always broken alike.
type shaper struct {
	seed    uint64
	share   float64
	kinds   []Kind
	members []string
}

func (r *rule) shaper() shaper {
	return shaper{seed: r.seed, share: r.share(), kinds: r.Kinds, members: r.Members}
}

// shape breaks answers that are there and are JSON; others go as they are.
func shape(s shaper, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := keep(next, r)
		if root, err := parseTree(whole.body.Bytes()); err == nil && whole.status == http.StatusOK && root.open == '{' {
			s.answer(root)
			whole.replace(root.append(nil))
		}
		whole.send(w)
	})
}

func (s shaper) answer(root *tree) {
	for _, name := range [...]string{memberInstances, memberEvents} {
		list := root.member(name)
		if list == nil {
			continue
		}
		s.list(root, name, list)
		return
	}
	if root.member("appId") != nil || root.member("eventType") != nil {
		s.row(root, 0)
	}
}

// list breaks the rows of a page, or the page itself.
func (s shaper) list(root *tree, name string, list *tree) {
	for i, row := range list.nodes {
		s.row(row, i)
	}
	if n := len(list.nodes); n > 0 && name == memberInstances && list.nodes[n-1].member(memberChanged) == nil {
		next := root.member(memberNext).text()
		if next != "" {
			root.set(memberNext, plainTree(tokenTicks.ReplaceAllString(next, "${1}0${2}")))
		}
	}
	if name == memberEvents && slices.Contains(s.kinds, KindFewerEvents) {
		list.nodes = slices.DeleteFunc(list.nodes, func(event *tree) bool {
			return struck(s.seed, number(event.member(memberID).text()), s.share)
		})
	}
	if slices.Contains(s.kinds, KindNullRows) {
		root.set(name, plainTree(nil))
	}
}

func number(text string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text)) // a hash takes everything
	return sum.Sum64()
}

// row breaks a row, or leaves it alone.
func (s shaper) row(row *tree, index int) {
	kinds := slices.DeleteFunc(slices.Clone(s.kinds), func(k Kind) bool { return k == KindNullRows || k == KindFewerEvents })
	if s.kinds == nil {
		kinds = rowKinds()
	}
	mine := number(row.member(memberID).text())
	if row.member(memberID).text() == "" {
		mine = uint64(index) //nolint:gosec // an index is not negative
	}
	if len(kinds) == 0 || !struck(s.seed, mine, s.share) {
		return
	}
	draw := world.Mix(world.Mix(s.seed) + mine)
	switch kinds[draw%uint64(len(kinds))] {
	case KindBadID:
		row.set(memberID, badID(row.member(memberID).text(), draw>>32))
	case KindNoLastChanged:
		row.remove(memberChanged)
	case KindNoZone:
		row.each(withoutZone)
	case KindUnknownEnum:
		row.each(withUnknownEnum)
	case KindNullList:
		row.each(func(_ string, value *tree) *tree {
			if value.open == '[' {
				return plainTree(nil)
			}
			return value
		})
	case KindMissingMembers:
		for _, path := range s.members {
			removePath(row, strings.Split(path, "."))
		}
	default: // of whole lists
	}
}

// badID draws an id that is none.
func badID(id string, draw uint64) *tree {
	party, guid, _ := strings.Cut(id, "/")
	ids := [...]any{
		"", nil, "ikke-en-id", party, guid, party + "/ikke-en-guid", "-1/" + guid, "99999999999/" + guid, party + "/" + guid + "/0",
	}
	return plainTree(ids[draw%uint64(len(ids))])
}

// withoutZone writes a time as UTC without telling so.
func withoutZone(_ string, value *tree) *tree {
	t, err := time.Parse(time.RFC3339Nano, value.text())
	if err != nil {
		return value
	}
	return plainTree(t.UTC().Format("2006-01-02T15:04:05.9999999"))
}

func withUnknownEnum(name string, value *tree) *tree {
	switch name {
	case "readStatus", "altinnTaskType", "flowType", "fileScanResult", "eventType", "relation", "valueType":
		if value.text() != "" {
			return plainTree(unheard)
		}
	}
	return value
}

// removePath removes a member of members. Of a list, all elements lose it; a number names one element.
func removePath(t *tree, path []string) {
	switch {
	case t == nil:
	case t.open == '[':
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(t.nodes) && len(path) > 1 {
			removePath(t.nodes[i], path[1:])
			return
		}
		for _, node := range t.nodes {
			removePath(node, path)
		}
	case len(path) == 1:
		t.remove(path[0])
	default:
		removePath(t.member(path[0]), path[1:])
	}
}
