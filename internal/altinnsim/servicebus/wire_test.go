package servicebus_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

// wire is a connection on which frames are written by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (b *bundle) dial(t *testing.T) *wire {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.server.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return &wire{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (w *wire) write(raw []byte) {
	w.t.Helper()
	_, err := w.conn.Write(raw)
	require.NoError(w.t, err)
}

func (w *wire) send(body any) {
	w.t.Helper()
	w.write(amqp.AppendFrame(nil, amqp.Frame{Body: body}))
}

// next is the next frame's body; nil is a heartbeat.
func (w *wire) next() any {
	w.t.Helper()
	frame, err := amqp.ReadFrame(w.in, 1<<20)
	require.NoError(w.t, err)
	return frame.Body
}

func (w *wire) protocol(id byte) {
	w.t.Helper()
	w.write(amqp.ProtocolHeader(id))
	got, err := amqp.ReadProtocolHeader(w.in)
	require.NoError(w.t, err)
	require.Equal(w.t, id, got)
}

// login gives the SASL outcome's code.
func (w *wire) login(key string) uint8 {
	w.t.Helper()
	w.protocol(amqp.ProtocolSASL)
	require.IsType(w.t, amqp.Mechanisms{}, w.next())
	w.write(amqp.AppendFrame(nil, amqp.Frame{
		Type: amqp.TypeSASL, Body: amqp.Init{Mechanism: "PLAIN", Response: []byte("\x00" + servicebus.DefaultKeyName + "\x00" + key)},
	}))
	outcome, ok := w.next().(amqp.Outcome)
	require.True(w.t, ok)
	return outcome.Code
}

// open goes on to a session.
func (w *wire) open(idle, window uint32) {
	w.t.Helper()
	require.Zero(w.t, w.login(servicebus.DefaultKey))
	w.protocol(amqp.ProtocolAMQP)
	w.send(amqp.Open{ContainerID: "c", MaxFrameSize: 4096, ChannelMax: 1, IdleTimeout: idle})
	require.IsType(w.t, amqp.Open{}, w.next())
	w.send(amqp.Begin{IncomingWindow: window, OutgoingWindow: 100, HandleMax: 10})
	require.IsType(w.t, amqp.Begin{}, w.next())
}

func terminus(t *testing.T, address string) *amqp.Terminus {
	t.Helper()
	const source = 0x28
	raw := amqp.Append(nil, amqp.Described{Descriptor: uint64(0x12), Value: amqp.List{
		"n", uint32(0), true, nil, nil, amqp.Described{Descriptor: uint64(source), Value: amqp.List{address}},
	}})
	frame, err := amqp.ReadFrame(bufio.NewReader(&oneFrame{raw: raw}), 1<<10)
	require.NoError(t, err)
	attach, ok := frame.Body.(amqp.Attach)
	require.True(t, ok)
	return attach.Source
}

// oneFrame puts a frame's header before a body.
type oneFrame struct{ raw []byte }

func (o *oneFrame) Read(into []byte) (int, error) {
	return copy(into, amqp.AppendFrame(nil, amqp.Frame{Payload: o.raw})), nil
}

func TestProtocolHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	w := b.dial(t)
	w.write([]byte("GET / HTTP/1.1\r\n"))
	id, err := amqp.ReadProtocolHeader(w.in)
	require.NoError(t, err)
	assert.Equal(t, amqp.ProtocolSASL, id, "it says what would have been right")
	assert.EqualValues(t, 1, b.dial(t).login("wrong"))
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	w := setup(t, servicebus.QueueOptions{}).dial(t)
	w.open(500, 100)
	assert.Nil(t, w.next())
}

// A session's window and a link's credit are both kept to, and draining uses the credit up.
func TestFlowControl(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	b.publish(t, 5)
	w := b.dial(t)
	w.open(0, 2)
	w.send(amqp.Attach{Name: "n", Role: amqp.RoleReceiver, Source: terminus(t, queueName), ReceiverSettling: amqp.ReceiverSecond})
	require.IsType(t, amqp.Attach{}, w.next())
	credit := func(window, received, n uint32, drain bool) {
		w.send(amqp.Flow{
			NextIncomingID: new(received), IncomingWindow: window, OutgoingWindow: 100, Handle: new(uint32(0)), DeliveryCount: new(received),
			LinkCredit: new(n), Drain: drain, Echo: true,
		})
	}
	kinds := func() (transfers int) {
		for {
			switch body := w.next().(type) {
			case amqp.Transfer:
				transfers++
			case amqp.Flow:
				if !body.Drain {
					continue // the echo
				}
				assert.Zero(t, *body.LinkCredit)
				return transfers
			}
		}
	}
	credit(2, 0, 10, false)
	for range 3 { // an echo and two transfers, and no third: the window
		w.next()
	}
	credit(100, 2, 1, true)
	assert.Equal(t, 1, kinds(), "one more credit, one more message")
	credit(100, 3, 10, true)
	assert.Equal(t, 2, kinds(), "what there is, and the rest is given back")

	// Dispositions of several at once, the last by settling without a word.
	w.send(amqp.Disposition{Role: amqp.RoleReceiver, First: 0, Last: new(uint32(3)), State: amqp.Accepted{}})
	for id := range uint32(4) {
		assert.Equal(t, amqp.Disposition{First: id, Settled: true, State: amqp.Accepted{}}, w.next())
	}
	w.send(amqp.Disposition{Role: amqp.RoleReceiver, First: 4, Settled: true})
	require.Eventually(t, func() bool { return b.queue.Counts().Completed == 5 }, patience, moment)

	w.send(amqp.Transfer{Handle: 9})
	closed, ok := w.next().(amqp.Close)
	require.True(t, ok)
	assert.Equal(t, amqp.Symbol("amqp:session:unattached-handle"), closed.Error.Condition)
}
