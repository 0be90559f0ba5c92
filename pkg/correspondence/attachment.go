package correspondence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Attachment is what is told of a file (correspondence reference, 4). Empty members are left out.
type Attachment struct {
	ResourceID string
	// Sender is the sender's URN.
	Sender          string
	SenderPartyUUID uuid.UUID
	// Altinn2SendersReference is kept as the attachment's reference.
	Altinn2SendersReference string
	// Altinn2AttachmentID is the duplicate key: the same id again gives the first file's uuid.
	Altinn2AttachmentID   string
	FileName, DisplayName string
	IsEncrypted           bool
	// Checksum is the MD5 of the bytes in 32 lower-case hex digits.
	Checksum string
	Created  time.Time
}

// query are the parameters, names as the service writes them. `sendersReference` is demanded and ignored.
func (a *Attachment) query() url.Values {
	q := url.Values{
		"sendersReference": {a.Altinn2AttachmentID}, "isEncrypted": {strconv.FormatBool(a.IsEncrypted)},
		"senderPartyUuid": {a.SenderPartyUUID.String()}, "created": {a.Created.UTC().Format(time.RFC3339Nano)},
	}
	for name, value := range map[string]string{
		"resourceId": a.ResourceID, "sender": a.Sender, "altinn2sendersReference": a.Altinn2SendersReference,
		"altinn2AttachmentId": a.Altinn2AttachmentID, "fileName": a.FileName, "displayName": a.DisplayName, "checksum": a.Checksum,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// ErrNoBytes tells that an attachment has no bytes: the service takes none such, nor one of unknown length.
var ErrNoBytes = errors.New("the attachment has no bytes")

// Open gives a file's bytes from the start, and how many there are. It is called once for each attempt to send them.
type Open func() (body io.ReadCloser, length int64, err error)

// UploadAttachment sends a file without holding it and gives its id. It may be repeated: the first upload stands. Errors: *Error,
// ErrNoBytes, and what open fails with.
func (c *Client) UploadAttachment(ctx context.Context, attachment Attachment, open Open) (uuid.UUID, error) {
	id, err := c.upload(ctx, &attachment, open)
	if err != nil {
		return uuid.Nil, fmt.Errorf("upload attachment: %w", err)
	}
	return id, nil
}

func (c *Client) upload(ctx context.Context, attachment *Attachment, open Open) (uuid.UUID, error) {
	body, length, err := open()
	if err != nil {
		return uuid.Nil, err
	}
	if length <= 0 {
		_ = body.Close()
		return uuid.Nil, ErrNoBytes
	}
	target := c.baseURL + migrationPath + "/attachment?" + attachment.query().Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		_ = body.Close()
		return uuid.Nil, fmt.Errorf("request to correspondence: %w", err)
	}
	r.Header.Set(headerContentType, contentTypeBytes)
	// A body without Content-Length is taken for an empty one.
	r.ContentLength = length
	r.GetBody = func() (io.ReadCloser, error) {
		again, sameLength, err := open()
		if err != nil {
			return nil, err
		}
		if sameLength != length {
			_ = again.Close()
			return nil, fmt.Errorf("the attachment had %d bytes and has %d now: %w", length, sameLength, io.ErrUnexpectedEOF)
		}
		return again, nil
	}
	var id uuid.UUID
	if err := send(c.uploads, r, &id); err != nil {
		return uuid.Nil, err
	}
	if id == uuid.Nil {
		return uuid.Nil, errNoID
	}
	return id, nil
}
