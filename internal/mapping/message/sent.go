package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

// digestSize is how many bytes of an event's digest are kept. Of 48 bits, two different events of one message, in a table of 568
// million messages with ten events each, meet with a chance of some 0.02 %.
const digestSize = 6

// Sent is what was sent of a message's events so far: digests of what makes events equal, sorted, without the persons in them.
type Sent []byte

// has tells whether an event was sent.
func (s Sent) has(digest [digestSize]byte) bool {
	_, found := s.search(digest)
	return found
}

func (s Sent) search(digest [digestSize]byte) (at int, found bool) {
	low, high := 0, len(s)/digestSize
	for low < high {
		middle := (low + high) / 2
		switch bytes.Compare(s[middle*digestSize:(middle+1)*digestSize], digest[:]) {
		case 0:
			return middle * digestSize, true
		case -1:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low * digestSize, false
}

// With adds all entries of a history.
func (s Sent) With(h *History) Sent {
	all := slices.Clone(s)
	add := func(digest [digestSize]byte) {
		if at, found := all.search(digest); !found {
			all = slices.Insert(all, at, digest[:]...)
		}
	}
	for _, e := range h.Statuses {
		add(digestOfStatus(e))
	}
	for _, n := range h.Notifications {
		add(digestOfNotification(n))
	}
	for _, f := range h.Forwardings {
		add(digestOfForwarding(f))
	}
	return all
}

// Len is how many events were sent.
func (s Sent) Len() int { return len(s) / digestSize }

// Kinds of entries, so that none is taken for one of another kind.
const (
	kindStatus = iota + 1
	kindNotification
	kindForwarding
)

func digestOfStatus(e correspondence.StatusEvent) [digestSize]byte {
	k := keyOfStatus(e)
	return digest(kindStatus, k.second, int64(k.status), k.party[:])
}

func digestOfNotification(n correspondence.Notification) [digestSize]byte {
	k := keyOfNotification(n)
	flags := int64(k.channel) << 1
	if k.reminder {
		flags |= 1
	}
	return digest(kindNotification, k.second, flags<<32|int64(k.id), []byte(k.address))
}

func digestOfForwarding(f correspondence.Forwarding) [digestSize]byte {
	k := keyOfForwarding(f)
	number := int64(k.toUser)
	if k.hasUser {
		const present = 1 << 40 // above the number's own bits
		number |= present
	}
	return digest(kindForwarding, k.second, number, append(k.by[:], k.toUserID[:]...))
}

func digest(kind byte, second, number int64, rest []byte) [digestSize]byte {
	const numbers = 16
	text := make([]byte, 1, 1+numbers+len(rest))
	text[0] = kind
	text = binary.BigEndian.AppendUint64(text, uint64(second)) //nolint:gosec // bits, not a number
	text = binary.BigEndian.AppendUint64(text, uint64(number)) //nolint:gosec // bits, not a number
	sum := sha256.Sum256(append(text, rest...))
	return [digestSize]byte(sum[:digestSize])
}
