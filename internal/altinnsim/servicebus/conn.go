package servicebus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

const (
	maxFrameSize     = 64 << 10
	minFrameSize     = 512
	channelMax       = 4095
	handshakeTimeout = 30 * time.Second
	writeTimeout     = 30 * time.Second
	flushAt          = 128 << 10
	framesAhead      = 256
)

// Conditions of errors.
const (
	conditionUnauthorized = amqp.Symbol("amqp:unauthorized-access")
	conditionNotFound     = amqp.Symbol("amqp:not-found")
	conditionNotAllowed   = amqp.Symbol("amqp:not-allowed")
	conditionDecode       = amqp.Symbol("amqp:decode-error")
	conditionUnattached   = amqp.Symbol("amqp:session:unattached-handle")
	conditionFraming      = amqp.Symbol("amqp:connection:framing-error")
	conditionForced       = amqp.Symbol("amqp:connection:forced")
	conditionDetached     = amqp.Symbol("amqp:link:detach-forced")
	conditionTooLarge     = amqp.Symbol("amqp:link:message-size-exceeded")
	conditionCredit       = amqp.Symbol("amqp:link:transfer-limit-exceeded")
	conditionLockLost     = amqp.Symbol("com.microsoft:message-lock-lost")
	conditionBusy         = amqp.Symbol("com.microsoft:server-busy")
	conditionUnsupported  = amqp.Symbol("amqp:not-implemented")
)

// errEnd ends a connection that was closed in good order, or cut on purpose.
var errEnd = errors.New("the connection is over")

// conn is one connection. All its state belongs to the goroutine in serve.
type conn struct {
	server *Server
	broker *Broker
	socket net.Conn
	out    []byte

	peerFrame  uint32        // bytes that a frame to the peer may have
	peerIdle   time.Duration // after which the peer gives up; 0: never
	trusted    bool          // authenticated by SASL already
	claims     map[string]claim
	sessions   map[uint16]*session
	wake       chan struct{} // there may be something to deliver
	detach     chan struct{} // end links by force
	lastWrite  time.Time
	closeSent  bool
	deliveries int // numbers in delivery tags of responses
}

func newConn(s *Server, socket net.Conn) *conn {
	return &conn{
		server: s, broker: s.broker, socket: socket, peerFrame: minFrameSize, claims: map[string]claim{}, sessions: map[uint16]*session{},
		wake: make(chan struct{}, 1), detach: make(chan struct{}, 1), lastWrite: time.Now(),
	}
}

// stir makes the connection look for something to deliver.
func (c *conn) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = c.socket.Close() })
	defer stop()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	in := bufio.NewReaderSize(c.socket, maxFrameSize)
	if c.handshake(in) != nil {
		return
	}
	frames := make(chan amqp.Frame, framesAhead)
	failed := make(chan error, 1)
	reading.Go(func() {
		for {
			// The standard lets a peer be silent for twice of what is asked of it.
			_ = c.socket.SetReadDeadline(time.Now().Add(2 * c.broker.options.IdleTimeout)) // fails on a closed socket only
			frame, err := amqp.ReadFrame(in, maxFrameSize)
			if err != nil {
				failed <- err
				return
			}
			select {
			case frames <- frame:
			case <-ctx.Done():
				return
			}
		}
	})
	err := c.loop(ctx, frames, failed)
	if errors.Is(err, amqp.ErrMalformed) {
		c.close(&amqp.Error{Condition: conditionFraming, Description: err.Error()})
	}
	for _, s := range c.sessions {
		s.end()
	}
}

func (c *conn) loop(ctx context.Context, frames <-chan amqp.Frame, failed <-chan error) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		var err error
		select {
		case frame := <-frames:
			err = c.handle(frame)
		case err = <-failed:
			// What came before the end counts.
			for len(frames) > 0 {
				if handled := c.handle(<-frames); handled != nil {
					return handled
				}
			}
		case <-c.wake:
			err = c.deliver()
		case <-c.detach:
			c.detachAll(&amqp.Error{Condition: conditionDetached, Description: "The link was detached by force. Reconnect."})
		case <-ticker.C:
			c.tick(time.Now())
		case <-ctx.Done():
			return errEnd
		}
		if err == nil && (len(frames) == 0 || len(c.out) > flushAt) {
			err = c.flush()
		}
		if err != nil {
			return err
		}
	}
}

// tick keeps an idle connection alive and ends what a token no longer covers.
func (c *conn) tick(now time.Time) {
	if c.peerIdle > 0 && now.Sub(c.lastWrite) >= c.peerIdle/2 {
		c.out = amqp.AppendFrame(c.out, amqp.Frame{})
	}
	for _, s := range c.sessions {
		for _, l := range s.links {
			if !l.detached && !c.allowed(l.node.path, now) {
				s.detach(l, &amqp.Error{Condition: conditionUnauthorized, Description: "ExpiredToken: the token is expired"})
			}
		}
	}
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.lastWrite = time.Now()
	_ = c.socket.SetWriteDeadline(c.lastWrite.Add(writeTimeout)) // fails on a closed socket only, and then so does writing
	_, err := c.socket.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return fmt.Errorf("write to AMQP peer: %w", err)
	}
	return nil
}

func (c *conn) send(channel uint16, body any) {
	c.out = amqp.AppendFrame(c.out, amqp.Frame{Channel: channel, Body: body})
}

// close tells the peer that it is over.
func (c *conn) close(why *amqp.Error) {
	if !c.closeSent {
		c.closeSent = true
		c.send(0, amqp.Close{Error: why})
		_ = c.flush() // the peer may be gone
	}
}

// handshake is protocol headers, SASL and open.
func (c *conn) handshake(in *bufio.Reader) error {
	_ = c.socket.SetDeadline(time.Now().Add(handshakeTimeout)) // fails on a closed socket only
	protocol, err := amqp.ReadProtocolHeader(in)
	if err != nil {
		_, _ = c.socket.Write(amqp.ProtocolHeader(amqp.ProtocolSASL)) // what would have been right
		return err
	}
	if protocol == amqp.ProtocolSASL {
		if err := c.sasl(in); err != nil {
			return err
		}
		if protocol, err = amqp.ReadProtocolHeader(in); err != nil {
			return err
		}
	}
	c.out = append(c.out, amqp.ProtocolHeader(amqp.ProtocolAMQP)...)
	if err := c.flush(); err != nil {
		return err
	}
	if protocol != amqp.ProtocolAMQP {
		return errEnd
	}
	frame, err := amqp.ReadFrame(in, maxFrameSize)
	if err != nil {
		return err
	}
	open, ok := frame.Body.(amqp.Open)
	if !ok || open.MaxFrameSize < minFrameSize {
		return errEnd
	}
	c.peerFrame = min(open.MaxFrameSize, maxFrameSize)
	c.peerIdle = time.Duration(open.IdleTimeout) * time.Millisecond
	c.send(0, amqp.Open{
		ContainerID: uuid.NewString(), MaxFrameSize: maxFrameSize, ChannelMax: channelMax,
		IdleTimeout: uint32(c.broker.options.IdleTimeout.Milliseconds()), //nolint:gosec // New checks it
	})
	_ = c.socket.SetDeadline(time.Time{}) // fails on a closed socket only
	return c.flush()
}

// sasl takes anybody who will present a token, and whoever knows the key.
func (c *conn) sasl(in *bufio.Reader) error {
	const refused = 1
	c.out = append(c.out, amqp.ProtocolHeader(amqp.ProtocolSASL)...)
	c.out = amqp.AppendFrame(c.out, amqp.Frame{
		Type: amqp.TypeSASL, Body: amqp.Mechanisms{Names: []amqp.Symbol{"MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"}},
	})
	if err := c.flush(); err != nil {
		return err
	}
	frame, err := amqp.ReadFrame(in, minFrameSize)
	if err != nil {
		return err
	}
	var outcome amqp.Outcome
	init, ok := frame.Body.(amqp.Init)
	switch {
	case ok && init.Mechanism == "PLAIN":
		c.trusted = bytes.Equal(init.Response, []byte("\x00"+c.broker.options.KeyName+"\x00"+c.broker.options.Key))
		if !c.trusted {
			outcome.Code = refused
		}
	case ok && (init.Mechanism == "MSSBCBS" || init.Mechanism == "ANONYMOUS" || init.Mechanism == "EXTERNAL"):
	default:
		outcome.Code = refused
	}
	c.out = amqp.AppendFrame(c.out, amqp.Frame{Type: amqp.TypeSASL, Body: outcome})
	if err := c.flush(); err != nil {
		return err
	}
	if outcome.Code == refused {
		return errEnd
	}
	return nil
}

// allowed tells whether a token was put that covers an entity.
func (c *conn) allowed(path string, now time.Time) bool {
	if c.trusted || path == cbsPath {
		return true
	}
	for _, claim := range c.claims {
		if claim.covers(path) && now.Before(claim.expires) {
			return true
		}
	}
	return false
}

// handle does what a frame asks for.
func (c *conn) handle(frame amqp.Frame) error {
	switch body := frame.Body.(type) {
	case nil: // a heartbeat
		return nil
	case amqp.Close:
		c.close(nil)
		return errEnd
	case amqp.Begin:
		if frame.Channel > channelMax || c.sessions[frame.Channel] != nil {
			return c.protocolError(conditionNotAllowed, "the channel is taken or beyond channel-max")
		}
		c.sessions[frame.Channel] = newSession(c, frame.Channel, body)
		return nil
	}
	s := c.sessions[frame.Channel]
	if s == nil {
		return c.protocolError(conditionNotAllowed, fmt.Sprintf("a %T on a channel without a session", frame.Body))
	}
	return s.handle(frame)
}

func (c *conn) protocolError(condition amqp.Symbol, description string) error {
	c.close(&amqp.Error{Condition: condition, Description: description})
	return errEnd
}

// deliver sends what queues have to links that have credit.
func (c *conn) deliver() error {
	for _, s := range c.sessions {
		for _, l := range s.links {
			if err := s.pump(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conn) detachAll(why *amqp.Error) {
	for _, s := range c.sessions {
		for _, l := range s.links {
			if l.node.kind == nodeQueue && !l.detached {
				s.detach(l, why)
			}
		}
	}
}
