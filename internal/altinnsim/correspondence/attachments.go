package correspondence

import (
	"crypto/md5" //nolint:gosec // that is what the contract compares
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// file is an attachment. Its bytes are not kept.
type file struct {
	id          uuid.UUID
	altinn2ID   string
	fileName    *string
	displayName *string
	size        int64
	checksum    string // hex MD5 of what was stored first
	created     time.Time
	uploads     int // how often its bytes came
	purged      bool
}

// File is an attachment, as comparisons want to know it.
type File struct {
	ID        uuid.UUID
	Altinn2ID string
	Name      string
	Size      int64
	MD5       string
	Uploads   int
	Purged    bool
}

// files keep attachments. They are safe for concurrent use.
type files struct {
	mu     sync.RWMutex
	byID   map[uuid.UUID]*file
	byName map[string]*file
}

func newFiles() *files {
	f := &files{}
	f.reset()
	return f
}

func (f *files) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID, f.byName = map[uuid.UUID]*file{}, map[string]*file{}
}

func (f *files) has(id uuid.UUID) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.byID[id] != nil
}

func (f *files) get(id uuid.UUID) file {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if found := f.byID[id]; found != nil {
		return *found
	}
	return file{id: id}
}

func (f *files) byAltinn2(id string) (file, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if found := f.byName[id]; found != nil {
		return *found, true
	}
	return file{}, false
}

// add keeps an attachment, or finds the one that has its Altinn 2 id: the first wins.
func (f *files) add(added file) uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first := f.byName[added.altinn2ID]; first != nil {
		first.uploads++
		return first.id
	}
	added.uploads = 1
	f.byID[added.id], f.byName[added.altinn2ID] = &added, &added
	return added.id
}

// put puts an attachment in place under an id of its own.
func (f *files) put(added file) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[added.id] = &added
	if added.altinn2ID != "" {
		f.byName[added.altinn2ID] = &added
	}
}

func (f *files) purge(id uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.byID[id]; found != nil {
		found.purged = true
	}
}

// File is what is known of an attachment.
func (s *Service) File(altinn2ID string) (File, bool) {
	f, ok := s.files.byAltinn2(altinn2ID)
	return File{f.id, f.altinn2ID, deref(f.fileName), f.size, f.checksum, f.uploads, f.purged}, ok
}

var checksumPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// upload is chapter 4: metadata in the query, bytes in the body.
func (s *Service) upload(c *call) error {
	p := readParameters(c.r.URL.Query())
	added, err := s.readMetadata(p)
	if err != nil {
		return err
	}
	if c.r.ContentLength <= 0 {
		// A body without a length is taken for an empty one.
		return errEmptyFile
	}
	sum := md5.New() //nolint:gosec // that is what the contract compares
	if added.size, err = io.Copy(sum, c.r.Body); err != nil {
		return fmt.Errorf("read attachment: %w: %w", err, errUploadFailed)
	}
	added.checksum = hex.EncodeToString(sum.Sum(nil))
	if wanted := p.get("checksum"); wanted != nil && *wanted != added.checksum {
		// Meant as a failed upload; but the way there writes a status for an attachment that is not stored yet.
		return databaseError("attachment %s", added.altinn2ID)
	}
	answer.JSON(c.w, http.StatusOK, s.files.add(added))
	return nil
}

func (s *Service) readMetadata(p parameters) (file, error) {
	f := file{id: s.mint.v4(), fileName: p.get("fileName"), displayName: p.get("displayName")}
	var faults modelFaults
	text := func(name string, must bool, limit int) {
		value := p.get(name)
		switch {
		case value == nil && must:
			faults.add(serverName(name), "The "+serverName(name)+" field is required.")
		case value != nil && limit > 0 && units(*value) > limit:
			faults.add(serverName(name), "The field "+serverName(name)+" must be a string with a maximum length of "+strconv.Itoa(limit)+".")
		}
	}
	text("resourceId", true, maxResource)
	text("sendersReference", true, maxReference) // checked, and then ignored
	text("altinn2AttachmentId", true, 0)
	text("fileName", false, maxShort)
	text("displayName", false, maxShort)
	if resource := p.get("resourceId"); resource != nil && !resourcePattern.MatchString(*resource) {
		faults.add("ResourceId", "The field ResourceId must match the regular expression '"+resourcePattern.String()+"'.")
	}
	if checksum := p.get("checksum"); checksum != nil && !checksumPattern.MatchString(*checksum) {
		faults.add("Checksum", "The Checksum must be a lower-case hexadecimal MD5 hash of 32 characters.")
	}
	typed := func(name string, read func(string) bool) {
		if value := p.get(name); value != nil && !read(strings.TrimSpace(*value)) {
			faults.add(serverName(name), "The value '"+*value+"' is not valid for "+serverName(name)+".")
		}
	}
	typed("senderPartyUuid", func(v string) bool { _, err := uuid.Parse(v); return err == nil })
	typed("isEncrypted", func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") })
	typed("expirationInDays", func(v string) bool { _, err := strconv.ParseInt(v, 10, 32); return err == nil })
	typed("created", func(v string) (ok bool) { f.created, ok = parseInstant(v); return ok })
	f.altinn2ID = deref(p.get("altinn2AttachmentId"))
	if faults.any() {
		return file{}, invalidModel(faults)
	}
	return f, nil
}
