package message

import (
	"context"
	"crypto/md5" //nolint:gosec // the contract's checksum (chapter 4); nothing secret depends on it
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// upload sends a message's files, in their order, that were not sent before, and gives the ids of all.
func (d *Deliverer) upload(ctx context.Context, t *task) (map[string]uuid.UUID, error) {
	files := mapping.Attachments(t.message)
	ids := make(map[string]uuid.UUID, len(files))
	if err := d.sent(ctx, t, files, ids); err != nil {
		return nil, err
	}
	for i := range files {
		file := &files[i]
		if _, sent := ids[file.ID]; sent {
			continue
		}
		id, err := d.uploadOnce(ctx, t, file)
		if err != nil {
			return nil, fmt.Errorf("attachment %d of %d: %w", i+1, len(files), err)
		}
		ids[file.ID] = id
	}
	return ids, nil
}

// sent adds the ids of those files that were sent before.
func (d *Deliverer) sent(ctx context.Context, t *task, files []altinn2.Attachment, ids map[string]uuid.UUID) error {
	if len(files) == 0 || t.anew { // then the files may be gone with the item
		return nil
	}
	names := make([]string, len(files))
	for i := range files {
		names[i] = files[i].ID
	}
	kept, err := db.New(d.Pool).MessageAttachments(ctx, names)
	if err != nil {
		return fmt.Errorf("look up %d attachments: %w", len(files), err)
	}
	for _, file := range kept {
		ids[file.Altinn2AttachmentID] = file.AttachmentID
	}
	return nil
}

// uploadOnce sends a file unless somebody in this process is sending it already: messages share files. What another message was refused
// for is not this one's fault: that may have been purged since it was listed, or have another reference.
func (d *Deliverer) uploadOnce(ctx context.Context, t *task, file *altinn2.Attachment) (uuid.UUID, error) {
	for {
		mine := false
		sent, err, _ := d.uploads.Do(file.ID+"\x00"+file.MD5, func() (any, error) {
			mine = true
			return d.send(ctx, t, file)
		})
		if err != nil && !mine && ctx.Err() == nil && isOfMessage(err) {
			continue
		}
		id, _ := sent.(uuid.UUID)
		return id, err //nolint:wrapcheck // send says what was being done
	}
}

// isOfMessage tells whether sending a file may have failed for the sake of the message that it was sent for, not for the file's own or a
// system's.
func isOfMessage(err error) bool {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Reason != ReasonAttachmentChecksum && own.Reason != ReasonAttachmentEmpty
	}
	class := transport.Classify(err)
	return class == transport.Permanent || class == transport.Canceled
}

func (d *Deliverer) send(ctx context.Context, t *task, file *altinn2.Attachment) (uuid.UUID, error) {
	ids := map[string]uuid.UUID{}
	if err := d.sent(ctx, t, []altinn2.Attachment{*file}, ids); err != nil {
		return uuid.Nil, err
	}
	if id, done := ids[file.ID]; done { // since this message looked
		return id, nil
	}
	told, warnings, err := mapping.Upload(t.message, file)
	if err != nil {
		return uuid.Nil, err
	}
	t.warn(warnings...)
	var last *summed
	open := func() (io.ReadCloser, int64, error) {
		content, err := d.Source.OpenContent(ctx, t.number, file.ID)
		if err != nil {
			return nil, 0, err
		}
		last = &summed{Content: content, sum: md5.New()} //nolint:gosec // see the import
		return last, content.Length, nil
	}
	id, err := d.Correspondence.UploadAttachment(transport.WithLoad(ctx, transport.Load{Untimed: true}), told, open)
	switch {
	case errors.Is(err, correspondence.ErrNoBytes):
		return uuid.Nil, &Error{
			Reason: ReasonAttachmentEmpty, Detail: "an attachment has no bytes, and Correspondence takes none such: see to it in Altinn 2",
		}
	case errors.Is(err, altinn2.ErrNoContent):
		return uuid.Nil, &Error{
			Reason: ReasonAttachmentMissing, Detail: "Altinn 2 names an attachment that it does not have: see to it there",
		}
	case err != nil && last.differs(told.Checksum) && answered(err):
		return uuid.Nil, &Error{
			Reason: ReasonAttachmentChecksum,
			Detail: "the bytes of an attachment do not have the checksum that Altinn 2 gives for them: see to it there",
		}
	case err != nil:
		return uuid.Nil, err
	}
	if d.Rehearse {
		return id, nil
	}
	err = db.New(d.Pool).KeepMessageAttachment(ctx, db.KeepMessageAttachmentParams{Altinn2AttachmentID: file.ID, AttachmentID: id})
	if err != nil {
		return uuid.Nil, fmt.Errorf("keep id of attachment: %w", err)
	}
	return id, nil
}

// answered tells whether Correspondence itself ended an upload.
func answered(err error) bool {
	var failure *correspondence.Error
	return errors.As(err, &failure)
}

// summed is the bytes of a file whose checksum is taken as they pass. An answer may come while the transport still reads.
type summed struct {
	*altinn2.Content

	mu   sync.Mutex
	sum  hash.Hash
	read int64
}

// Read implements io.Reader.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Content.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Write(p[:n])
	s.read += int64(n)
	return n, err
}

// differs tells whether all bytes passed, and have another checksum than was told.
func (s *summed) differs(checksum string) bool {
	if s == nil || checksum == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read == s.Length && hex.EncodeToString(s.sum.Sum(nil)) != checksum
}
