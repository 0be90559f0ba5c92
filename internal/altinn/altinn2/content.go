package altinn2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/altinn/dialogsync/internal/transport"
)

// maxResumes is how often in a row a broken stream is taken up again without a byte having come in between.
const maxResumes = 3

// Content is the bytes of an attachment as a stream. A connection that breaks is taken up where it broke, so a read fails only when
// that fails too. It must be closed and is for one goroutine.
type Content struct {
	// Length is in bytes.
	Length int64
	// MD5 is the checksum that the export gave, in lower-case hex digits; empty: none.
	MD5 string

	ctx    context.Context //nolint:containedctx // A stream belongs to the call that it is read for, as an answer's body does.
	client *Client
	path   string
	body   io.ReadCloser
	read   int64
	broken int
}

// OpenContent opens an attachment's bytes. Errors: ErrNoContent, *transport.StatusError.
func (c *Client) OpenContent(ctx context.Context, messageID int32, attachmentID string) (*Content, error) {
	content := &Content{
		ctx: ctx, client: c, path: messagePath(messageID) + "/attachments/" + url.PathEscape(attachmentID) + "/content",
	}
	response, err := content.request(0)
	if err != nil {
		return nil, fmt.Errorf("open attachment of message %d: %w", messageID, err)
	}
	if response.ContentLength < 0 {
		_ = response.Body.Close()
		return nil, fmt.Errorf("open attachment of message %d: %w", messageID, errNoLength)
	}
	content.body, content.Length = response.Body, response.ContentLength
	content.MD5 = strings.ToLower(strings.TrimSpace(response.Header.Get("Content-MD5")))
	return content, nil
}

// errNoLength is an answer that does not say how long it is, against the contract.
var errNoLength = errors.New("the export does not say how long the attachment is")

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	for {
		if c.read >= c.Length {
			return 0, io.EOF
		}
		n, err := c.body.Read(p)
		c.read += int64(n)
		switch {
		case n > 0:
			c.broken = 0
			return n, nil // an error that came along comes again
		case err == nil:
			return 0, nil
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err := c.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume asks for the rest.
func (c *Content) resume(cause error) error {
	if c.ctx.Err() != nil || c.broken >= maxResumes {
		return fmt.Errorf("read attachment after %d of %d bytes: %w", c.read, c.Length, cause)
	}
	c.broken++
	_ = c.body.Close()
	c.body = io.NopCloser(strings.NewReader(""))
	response, err := c.request(c.read)
	if err != nil {
		return fmt.Errorf("read attachment after %d of %d bytes: %w", c.read, c.Length, err)
	}
	if c.read > 0 && (response.StatusCode != http.StatusPartialContent || response.ContentLength != c.Length-c.read) ||
		c.read == 0 && response.ContentLength != c.Length {
		_ = response.Body.Close()
		return fmt.Errorf("read attachment after %d of %d bytes: the rest has another length: %w", c.read, c.Length, io.ErrUnexpectedEOF)
	}
	c.body = response.Body
	return nil
}

// request asks for the bytes from an offset on.
func (c *Content) request(from int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.client.content.BaseURL+c.path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request to %s: %w", serviceName, err)
	}
	// Bytes as they are: a compressed answer has no length.
	r.Header.Set("Accept-Encoding", "identity")
	if from > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	response, err := c.client.content.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", serviceName, err)
	}
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusPartialContent {
		return response, nil
	}
	answer, err := transport.ReadAnswer(serviceName, response)
	if err != nil {
		return nil, err
	}
	return nil, refusal(answer, ErrNoContent)
}

// Close gives the connection up.
func (c *Content) Close() error {
	if err := c.body.Close(); err != nil {
		return fmt.Errorf("close attachment: %w", err)
	}
	return nil
}
