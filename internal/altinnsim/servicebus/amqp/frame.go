package amqp

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Types of frames, and the protocol ids of the headers that come before them.
const (
	TypeAMQP byte = 0
	TypeSASL byte = 1

	ProtocolAMQP byte = 0
	ProtocolSASL byte = 3
)

// HeaderSize is the length of a frame's header, and of a protocol header.
const HeaderSize = 8

// Frame is a performative and what follows it. Body is nil in a heartbeat.
type Frame struct {
	Type    byte
	Channel uint16
	Body    any
	Payload []byte
}

// ProtocolHeader is the announcement of AMQP 1.0 by protocol id.
func ProtocolHeader(id byte) []byte { return []byte{'A', 'M', 'Q', 'P', id, 1, 0, 0} }

// ReadProtocolHeader gives the id of the protocol that the peer wants.
func ReadProtocolHeader(in io.Reader) (byte, error) {
	var b [HeaderSize]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return 0, fmt.Errorf("read protocol header: %w", err)
	}
	const id = 4
	if string(b[:]) != string(ProtocolHeader(b[id])) {
		return 0, malformed("protocol header")
	}
	return b[id], nil
}

// ReadFrame reads one frame of at most maxSize bytes. Its payload and binary values are its own memory.
func ReadFrame(in io.Reader, maxSize uint32) (Frame, error) {
	var head [HeaderSize]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	size, offset := binary.BigEndian.Uint32(head[:]), 4*uint32(head[4])
	if size < HeaderSize || size > maxSize || offset < HeaderSize || offset > size {
		return Frame{}, malformed("a frame of %d bytes whose body begins at %d", size, offset)
	}
	rest := make([]byte, size-HeaderSize)
	if _, err := io.ReadFull(in, rest); err != nil {
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	frame := Frame{Type: head[5], Channel: binary.BigEndian.Uint16(head[6:])}
	rest = rest[offset-HeaderSize:]
	if len(rest) == 0 {
		return frame, nil
	}
	v, payload, err := Decode(rest)
	if err != nil {
		return Frame{}, err
	}
	frame.Payload = payload
	frame.Body, err = interpret(v)
	return frame, err
}

// AppendFrame writes one frame. A nil body is a heartbeat.
func AppendFrame(dst []byte, frame Frame) []byte {
	const wordsInHeader = 2
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, wordsInHeader, frame.Type)
	dst = binary.BigEndian.AppendUint16(dst, frame.Channel)
	if frame.Body != nil {
		dst = Append(dst, frame.Body)
	}
	dst = append(dst, frame.Payload...)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}
