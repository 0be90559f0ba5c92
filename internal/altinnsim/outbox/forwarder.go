package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// How the forwarder delivers.
const (
	listeners      = 16
	requestTimeout = 30 * time.Second
	firstRetry     = 200 * time.Millisecond
	longestRetry   = 5 * time.Second
)

// ErrClosed is a message that came after Close.
var ErrClosed = errors.New("the forwarder is closed")

// Forwarder is a Bus that posts every command to a consumer's syncDialog route, until it is answered 2xx (14). It stands
// in for the queue and its listeners: messages overtake each other, and one that fails holds no other up for long.
type Forwarder struct {
	url, token string
	client     *http.Client
	ctx        context.Context //nolint:containedctx // deliveries outlive the publishing, and live until Close
	cancel     context.CancelFunc
	listeners  sync.WaitGroup

	mu     sync.Mutex
	queue  []delivery
	active int // listeners that run
	round  int // raised by Reset: what was taken in before is forgotten
	closed bool
	counts Forwarded
}

// Forwarded are the forwarder's deliveries.
type Forwarded struct {
	URL       string `json:"url"`
	Waiting   int    `json:"waiting"` // queued, being posted or waiting for a retry
	Delivered int    `json:"delivered"`
	Failed    int    `json:"failed"` // requests that were not answered 2xx
	LastError string `json:"lastError,omitempty"`
}

// NewForwarder makes a forwarder to an absolute URL. The token is sent as a bearer token, "" sends none. client may be
// nil.
func NewForwarder(to, token string, client *http.Client) (*Forwarder, error) {
	parsed, err := url.Parse(to)
	if err != nil {
		return nil, fmt.Errorf("sync command URL: %w", err)
	}
	if parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, fmt.Errorf("sync command URL %q is not an absolute HTTP URL", to)
	}
	if client == nil {
		client = &http.Client{Timeout: requestTimeout}
	}
	f := &Forwarder{url: to, token: token, client: client}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// Publish queues a message.
func (f *Forwarder) Publish(_ context.Context, message Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.counts.Waiting++
	f.enqueue(delivery{message: message, pause: firstRetry})
	return nil
}

// delivery is a message on its way, and how long to wait if it fails again.
type delivery struct {
	message Message
	pause   time.Duration
}

// enqueue lets somebody deliver. The caller holds the lock.
func (f *Forwarder) enqueue(d delivery) {
	f.queue = append(f.queue, d)
	if f.active < listeners {
		f.active++
		f.listeners.Go(f.listen)
	}
}

// listen delivers while there is something to deliver.
func (f *Forwarder) listen() {
	for {
		f.mu.Lock()
		if len(f.queue) == 0 || f.closed {
			f.active--
			f.mu.Unlock()
			return
		}
		next, round := f.queue[0], f.round
		f.queue = f.queue[1:]
		f.mu.Unlock()
		err := f.post(next.message)
		f.mu.Lock()
		f.settle(next, round, err)
		f.mu.Unlock()
	}
}

// settle counts what has become of a delivery, and sees to its repetition. The caller holds the lock.
func (f *Forwarder) settle(d delivery, round int, err error) {
	switch {
	case round != f.round: // it was dropped meanwhile
	case err == nil:
		f.counts.Delivered++
		f.counts.Waiting--
	case !f.closed:
		f.counts.Failed++
		f.counts.LastError = err.Error()
		f.listeners.Go(func() { f.repeat(d, round) })
	}
}

// repeat queues a failed delivery again after its pause.
func (f *Forwarder) repeat(d delivery, round int) {
	if !sleep(f.ctx, d.pause) {
		return
	}
	d.pause = min(2*d.pause, longestRetry)
	f.mu.Lock()
	defer f.mu.Unlock()
	if round == f.round && !f.closed {
		f.enqueue(d)
	}
}

func (f *Forwarder) post(message Message) error {
	request, err := http.NewRequestWithContext(f.ctx, http.MethodPost, f.url, bytes.NewReader(message.Body))
	if err != nil {
		return fmt.Errorf("post command: %w", err)
	}
	request.Header.Set("Content-Type", message.ContentType)
	if f.token != "" {
		request.Header.Set("Authorization", "Bearer "+f.token)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return fmt.Errorf("post command: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)) // so that the connection can be used again
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("post command: answered %s", response.Status)
	}
	return nil
}

// Counts are the deliveries so far.
func (f *Forwarder) Counts() Forwarded {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.counts
	out.URL = f.url
	return out
}

// Reset drops what is on its way and the counts. A request that runs is finished.
func (f *Forwarder) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue, f.counts = nil, Forwarded{}
	f.round++
}

// Close ends all deliveries and waits for them.
func (f *Forwarder) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.listeners.Wait()
}
