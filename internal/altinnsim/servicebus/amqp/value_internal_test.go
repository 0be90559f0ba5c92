package amqp

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return raw
}

// The encodings of the specification (1.6), the short forms too that are not written here.
func TestDecode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]any{
		"40":                                  nil,
		"41":                                  true,
		"42":                                  false,
		"5600":                                false,
		"5601":                                true,
		"50ff":                                uint8(255),
		"600102":                              uint16(258),
		"43":                                  uint32(0),
		"5207":                                uint32(7),
		"7000000100":                          uint32(256),
		"44":                                  uint64(0),
		"5307":                                uint64(7),
		"80ffffffffffffffff":                  uint64(math.MaxUint64),
		"51fe":                                int8(-2),
		"61fffe":                              int16(-2),
		"54fe":                                int32(-2),
		"71fffffffe":                          int32(-2),
		"55fe":                                int64(-2),
		"81fffffffffffffffe":                  int64(-2),
		"723f800000":                          float32(1),
		"823ff0000000000000":                  float64(1),
		"7300000041":                          Char('A'),
		"7401020304":                          Decimal{1, 2, 3, 4},
		"8300000000000003e8":                  time.Unix(1, 0).UTC(),
		"a0020102":                            []byte{1, 2},
		"b0000000020102":                      []byte{1, 2},
		"a10161":                              "a",
		"b10000000161":                        "a",
		"a30161":                              Symbol("a"),
		"b30000000161":                        Symbol("a"),
		"45":                                  List{},
		"c0030241 40":                         List{true, nil},
		"d0000000060000000241 40":             List{true, nil},
		"c1040241 5207":                       Map{{true, uint32(7)}},
		"e00602a3 0161 0162":                  Array{Symbol("a"), Symbol("b")},
		"e0 07 02 00 5307 50 01 02":           Array{Described{uint64(7), uint8(1)}, Described{uint64(7), uint8(2)}},
		"00 5324 45":                          Described{uint64(0x24), List{}},
		"98 00112233445566778899aabbccddeeff": UUID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		"f0 0000000d 00000002 71 00000001 fffffffe": Array{int32(1), int32(-2)},
		"00 a3 07 666f6f3a626172 a1 03 62617a":      Described{Symbol("foo:bar"), "baz"},
	} {
		got, rest, err := Decode(fromHex(t, in))
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
		assert.Empty(t, rest, in)
	}
}

func TestDecodeMalformed(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing":                       "",
		"an unknown constructor":        "3f",
		"an unknown fixed one":          "5f00",
		"a number cut short":            "700001",
		"a string cut short":            "a10561",
		"a string that is not UTF-8":    "a101ff",
		"a boolean of 2":                "5602",
		"more items than bytes":         "c00209 40",
		"a list with something after":   "c0 03 01 40 40",
		"a map of one":                  "c1 02 01 40",
		"an array of very many nothing": "f0 00000005 7fffffff 40",
		"a length beyond reason":        "b0 ffffffff",
		"a descriptor alone":            "00 5324",
	} {
		_, _, err := Decode(fromHex(t, in))
		require.ErrorIs(t, err, ErrMalformed, name)
	}
	_, _, err := Decode(bytes.Repeat([]byte{codeDescribed}, 1000))
	require.ErrorIs(t, err, ErrMalformed, "nested for ever")
}

func anyValue() *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just(any(nil)), rapid.Bool().AsAny(), rapid.Uint8().AsAny(), rapid.Uint16().AsAny(), rapid.Uint32().AsAny(), rapid.Uint64().AsAny(),
		rapid.Int8().AsAny(), rapid.Int16().AsAny(), rapid.Int32().AsAny(), rapid.Int64().AsAny(), rapid.Float64().AsAny(),
		rapid.StringN(0, 300, -1).AsAny(), rapid.SliceOfN(rapid.Byte(), 0, 300).AsAny(),
		rapid.Map(rapid.StringMatching(`[a-z:-]{0,20}`), func(s string) any { return Symbol(s) }),
		rapid.Map(rapid.Int64Range(-1<<40, 1<<40), func(n int64) any { return timestamp(n) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(b []byte) any { return UUID(b) }),
	)
	var nested *rapid.Generator[any]
	nested = rapid.Deferred(func() *rapid.Generator[any] {
		return rapid.OneOf(leaf, leaf, leaf,
			rapid.Map(rapid.SliceOfN(nested, 0, 4), func(v []any) any { return List(v) }),
			rapid.Map(rapid.SliceOfN(nested, 0, 3), func(v []any) any {
				m := Map{}
				for i, item := range v {
					m = append(m, Entry{Key: Symbol(strings.Repeat("k", i+1)), Value: item})
				}
				return m
			}),
			rapid.Map(rapid.SliceOfN(rapid.Int64(), 1, 4), func(v []int64) any {
				a := Array{}
				for _, n := range v {
					a = append(a, n)
				}
				return a
			}),
			rapid.Map(nested, func(v any) any { return Described{Descriptor: uint64(0x1234), Value: v} }),
		)
	})
	return nested
}

// What is written is read as it was, whatever follows it.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := anyValue().Draw(t, "value")
		tail := rapid.SliceOf(rapid.Byte()).Draw(t, "tail")
		got, rest, err := Decode(append(Append(nil, want), tail...))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Len(t, rest, len(tail))
	})
}

// No bytes make it panic, and no frame does.
func TestAnyBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "spoilt") {
			in = Append(nil, anyValue().Draw(t, "value"))
			for range rapid.IntRange(0, 3).Draw(t, "times") {
				in[rapid.IntRange(0, len(in)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
			}
		}
		if v, _, err := Decode(in); err == nil {
			_, _ = interpret(v)
		}
		_, _ = ParseMessage(in)
		_, _ = ReadFrame(bytes.NewReader(AppendFrame(nil, Frame{Payload: in})), 1<<20)
	})
}

func TestFrames(t *testing.T) {
	t.Parallel()
	id, format, count, channel := uint32(7), uint32(0), uint32(3), uint16(9)
	for _, body := range []any{
		Open{ContainerID: "c", Hostname: "h", MaxFrameSize: 1000, ChannelMax: 5, IdleTimeout: 250, Properties: Map{{Symbol("product"), "p"}}},
		Begin{RemoteChannel: &channel, NextOutgoingID: 1, IncomingWindow: 2, OutgoingWindow: 3, HandleMax: 4},
		Attach{Name: "n", Handle: 1, Role: RoleReceiver, SenderSettleMode: SenderSettled, ReceiverSettling: ReceiverSecond, InitialDeliveryCount: &count, MaxMessageSize: 9},
		Flow{NextIncomingID: &id, IncomingWindow: 1, NextOutgoingID: 2, OutgoingWindow: 3, Handle: &count, DeliveryCount: &id, LinkCredit: &count, Drain: true, Echo: true},
		Transfer{Handle: 1, DeliveryID: &id, DeliveryTag: []byte("tag"), MessageFormat: &format, Settled: true, More: true, Aborted: true},
		Disposition{Role: RoleReceiver, First: 1, Last: &id, Settled: true, State: Rejected{Error: &Error{Condition: "a:b", Description: "d", Info: Map{{Symbol("k"), "v"}}}}},
		Disposition{First: 1, State: Modified{DeliveryFailed: true, UndeliverableHere: true, Annotations: Map{{Symbol("k"), int32(1)}}}},
		Disposition{First: 1, State: Accepted{}},
		Disposition{First: 1, State: Released{}},
		Detach{Handle: 1, Closed: true, Error: &Error{Condition: "a:b"}},
		End{Error: &Error{Condition: "a:b"}},
		Close{},
		Mechanisms{Names: []Symbol{"A", "B"}},
		Init{Mechanism: "PLAIN", Response: []byte{0, 1}},
		Outcome{Code: 1},
	} {
		raw := AppendFrame(nil, Frame{Channel: 3, Body: body, Payload: []byte("rest")})
		frame, err := ReadFrame(bytes.NewReader(raw), uint32(len(raw)))
		require.NoError(t, err)
		assert.Equal(t, Frame{Channel: 3, Body: body, Payload: []byte("rest")}, frame)
		_, err = ReadFrame(bytes.NewReader(raw), uint32(len(raw)-1))
		require.ErrorIs(t, err, ErrMalformed, "a frame that is too large")
	}
	heartbeat, err := ReadFrame(bytes.NewReader(AppendFrame(nil, Frame{})), 8)
	require.NoError(t, err)
	assert.Equal(t, Frame{}, heartbeat)
	_, err = ReadFrame(bytes.NewReader(AppendFrame(nil, Frame{Body: Described{Descriptor: uint64(describesBegin), Value: List{}}})), 100)
	require.ErrorIs(t, err, ErrMalformed, "a mandatory field is missing")
	_, err = ReadFrame(bytes.NewReader(AppendFrame(nil, Frame{Body: Described{Descriptor: uint64(describesDetach), Value: List{"x"}}})), 100)
	require.ErrorIs(t, err, ErrMalformed, "a field has the wrong type")
}

func TestProtocolHeader(t *testing.T) {
	t.Parallel()
	id, err := ReadProtocolHeader(bytes.NewReader([]byte("AMQP\x03\x01\x00\x00")))
	require.NoError(t, err)
	assert.Equal(t, ProtocolSASL, id)
	for _, bad := range []string{"AMQP\x00\x00\x09\x01", "GET / HT"} {
		_, err := ReadProtocolHeader(strings.NewReader(bad))
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	ttl, at := uint32(5000), timestamp(1772439242110)
	want := Message{
		Header:              Header{Durable: true, Priority: 7, TTL: &ttl, DeliveryCount: 2},
		DeliveryAnnotations: Map{{Symbol("d"), int32(1)}},
		Annotations:         Map{{Symbol("a"), int64(1)}},
		Properties: Properties{
			MessageID: "m", UserID: []byte("u"), To: "t", Subject: "s", ReplyTo: "r", CorrelationID: uint64(9), ContentType: "application/json",
			ContentEncoding: "e", Expires: &at, Created: &at, GroupID: "g", GroupSequence: &ttl, ReplyToGroupID: "rg",
		},
		Application: Map{{"n", "v"}},
		Body:        append(Data([]byte("one")), Data([]byte("two"))...),
	}
	got, err := ParseMessage(want.Append(nil))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	data, value, err := got.Content()
	require.NoError(t, err)
	assert.Equal(t, [][]byte{[]byte("one"), []byte("two")}, data)
	assert.Nil(t, value)

	valued := Message{Body: Value(Map{{"k", int32(1)}})}
	_, value, err = valued.Content()
	require.NoError(t, err)
	assert.Equal(t, Map{{"k", int32(1)}}, value)
}
