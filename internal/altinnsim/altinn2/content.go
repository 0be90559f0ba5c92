package altinn2

import (
	"bytes"
	"crypto/md5" //nolint:gosec // that is what the contract compares
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"io"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// blockSize is what a content repeats, so that its checksum is cheap and a seek is nothing.
const blockSize = 64 << 10

// pattern is the content of an attachment that is made up. It is never held in memory.
type pattern struct {
	block  []byte
	size   int64
	offset int64
}

// Open reads an attachment's content.
func (a Attachment) Open() io.ReadSeeker {
	if a.Content != nil {
		return bytes.NewReader(a.Content)
	}
	return &pattern{block: blockOf(a.ID, min(a.Size, blockSize)), size: a.Size}
}

func blockOf(id string, size int64) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	state := h.Sum64()
	block := make([]byte, 0, size+8)
	for int64(len(block)) < size {
		state++
		block = binary.LittleEndian.AppendUint64(block, world.Mix(state))
	}
	return block[:size]
}

// Read implements io.Reader.
func (p *pattern) Read(into []byte) (int, error) {
	if p.offset >= p.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(into) && p.offset < p.size {
		at := p.offset % blockSize
		length := min(int64(len(p.block))-at, p.size-p.offset)
		copied := copy(into[n:], p.block[at:at+length])
		n += copied
		p.offset += int64(copied)
	}
	return n, nil
}

var errSeek = errors.New("seek before the beginning")

// Seek implements io.Seeker.
func (p *pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.offset
	case io.SeekEnd:
		offset += p.size
	}
	if offset < 0 {
		return 0, errSeek
	}
	p.offset = offset
	return offset, nil
}

// sumKey is what the checksum of a made-up content depends on.
type sumKey struct {
	id   string
	size int64
}

// Sum is the MD5 of an attachment's content, in lower-case hex. It reads all of it once.
func (s *Store) Sum(a Attachment) string {
	if a.Content != nil {
		return sumOf(a)
	}
	key := sumKey{a.ID, a.Size}
	s.mu.RLock()
	sum, ok := s.sums[key]
	s.mu.RUnlock()
	if ok {
		return sum
	}
	sum = sumOf(a)
	const worth = 64 << 10
	if a.Size > worth {
		s.mu.Lock()
		s.sums[key] = sum
		s.mu.Unlock()
	}
	return sum
}

// sum is Sum for whoever holds the lock.
func (s *Store) sum(a Attachment) string { return sumOf(a) }

func sumOf(a Attachment) string {
	h := md5.New()              //nolint:gosec // that is what the contract compares
	_, _ = io.Copy(h, a.Open()) // neither side fails
	return hex.EncodeToString(h.Sum(nil))
}

// Answered is a message as the export tells it.
func (s *Store) Answered(r Record) Record { return s.withSums(r.answered()) }

// withSums fills in the checksums of attachments that were made up: they are worked out when somebody asks.
func (s *Store) withSums(r Record) Record {
	for i := range r.Attachments {
		if r.Attachments[i].MD5 == "" {
			r = r.clone()
			break
		}
	}
	for i := range r.Attachments {
		if a := &r.Attachments[i]; a.MD5 == "" {
			a.MD5 = s.Sum(*a)
		}
	}
	return r
}
