package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

const (
	// maxDepth of values in values.
	maxDepth = 32
	// maxEmpty is how many values without a byte of their own an array may have.
	maxEmpty = 1 << 12
)

// Decode reads one value and gives what follows it. Binary values share the input's memory. The error is ErrMalformed
// with what is wrong.
func Decode(in []byte) (value any, rest []byte, err error) {
	d := decoder{in: in}
	value, err = d.value(0)
	return value, d.in, err
}

type decoder struct{ in []byte }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.in) {
		return nil, malformed("%d bytes wanted, %d left", n, len(d.in))
	}
	out := d.in[:n:n]
	d.in = d.in[n:]
	return out, nil
}

func (d *decoder) octet() (byte, error) {
	b, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformed("values are nested too deeply")
	}
	code, err := d.octet()
	if err != nil {
		return nil, err
	}
	if code != codeDescribed {
		return d.body(code, depth)
	}
	descriptor, err := d.value(depth + 1)
	if err != nil {
		return nil, err
	}
	value, err := d.value(depth + 1)
	if err != nil {
		return nil, err
	}
	return Described{Descriptor: descriptor, Value: value}, nil
}

// body reads what follows a constructor. The constructor's high half tells the width.
func (d *decoder) body(code byte, depth int) (any, error) {
	const width, narrow = 4, 1
	switch code >> width {
	case 0x4:
		return empty(code)
	case 0x5:
		return d.fixed(code, narrow)
	case 0x6:
		return d.fixed(code, 2)
	case 0x7:
		return d.fixed(code, 4)
	case 0x8:
		return d.fixed(code, 8)
	case 0x9:
		return d.fixed(code, 16)
	case 0xa, 0xb:
		return d.variable(code)
	case 0xc, 0xd:
		return d.compound(code, depth)
	case 0xe, 0xf:
		return d.array(code, depth)
	}
	return nil, malformed("constructor %#x", code)
}

func empty(code byte) (any, error) {
	switch code {
	case codeNull:
		return nil, nil //nolint:nilnil // AMQP's null is Go's nil
	case codeTrue:
		return true, nil
	case codeFalse:
		return false, nil
	case codeUint0:
		return uint32(0), nil
	case codeUlong0:
		return uint64(0), nil
	case codeList0:
		return List{}, nil
	}
	return nil, malformed("constructor %#x", code)
}

func (d *decoder) fixed(code byte, width int) (any, error) {
	b, err := d.take(width)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeUbyte:
		return b[0], nil
	case codeByte:
		return int8(b[0]), nil
	case codeSmallUint:
		return uint32(b[0]), nil
	case codeSmallUlong:
		return uint64(b[0]), nil
	case codeSmallInt:
		return int32(int8(b[0])), nil
	case codeSmallLong:
		return int64(int8(b[0])), nil
	case codeBool:
		if b[0] > 1 {
			return nil, malformed("boolean %#x", b[0])
		}
		return b[0] == 1, nil
	case codeUshort:
		return binary.BigEndian.Uint16(b), nil
	case codeShort:
		return int16(binary.BigEndian.Uint16(b)), nil
	case codeUint:
		return binary.BigEndian.Uint32(b), nil
	case codeInt:
		return int32(binary.BigEndian.Uint32(b)), nil
	case codeFloat:
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	case codeChar:
		return Char(binary.BigEndian.Uint32(b)), nil
	case codeUlong:
		return binary.BigEndian.Uint64(b), nil
	case codeLong:
		return int64(binary.BigEndian.Uint64(b)), nil
	case codeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case codeTimestamp:
		return timestamp(int64(binary.BigEndian.Uint64(b))), nil
	case codeDecimal32, codeDecimal64, codeDecimal128:
		return Decimal(b), nil
	case codeUUID:
		return UUID(b), nil
	}
	return nil, malformed("constructor %#x", code)
}

// length reads a size or count: one byte or four.
func (d *decoder) length(wide bool) (int, error) {
	if !wide {
		b, err := d.octet()
		return int(b), err
	}
	b, err := d.take(4)
	if err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(b)
	if n > math.MaxInt32 {
		return 0, malformed("length %d", n)
	}
	return int(n), nil
}

func (d *decoder) variable(code byte) (any, error) {
	n, err := d.length(code >= codeBinary32)
	if err != nil {
		return nil, err
	}
	b, err := d.take(n)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeBinary8, codeBinary32:
		return b, nil
	case codeString8, codeString32:
		if !utf8.Valid(b) {
			return nil, malformed("string is not UTF-8")
		}
		return string(b), nil
	case codeSymbol8, codeSymbol32:
		return Symbol(b), nil
	}
	return nil, malformed("constructor %#x", code)
}

// items opens a compound value: its count, and a decoder of its items alone.
func (d *decoder) items(wide bool) (int, *decoder, error) {
	size, err := d.length(wide)
	if err != nil {
		return 0, nil, err
	}
	b, err := d.take(size)
	if err != nil {
		return 0, nil, err
	}
	inner := &decoder{in: b}
	count, err := inner.length(wide)
	return count, inner, err
}

func (d *decoder) compound(code byte, depth int) (any, error) {
	count, inner, err := d.items(code >= codeList32)
	if err != nil {
		return nil, err
	}
	if count > len(inner.in) { // every item has a constructor
		return nil, malformed("%d items in %d bytes", count, len(inner.in))
	}
	list := make(List, 0, count)
	for range count {
		item, err := inner.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	if len(inner.in) > 0 {
		return nil, malformed("%d bytes after the last item", len(inner.in))
	}
	switch code {
	case codeList8, codeList32:
		return list, nil
	case codeMap8, codeMap32:
		if count%2 != 0 {
			return nil, malformed("a map has %d items", count)
		}
		out := make(Map, 0, count/2)
		for i := 0; i < count; i += 2 {
			out = append(out, Entry{Key: list[i], Value: list[i+1]})
		}
		return out, nil
	}
	return nil, malformed("constructor %#x", code)
}

func (d *decoder) array(code byte, depth int) (any, error) {
	if code != codeArray8 && code != codeArray32 {
		return nil, malformed("constructor %#x", code)
	}
	count, inner, err := d.items(code == codeArray32)
	if err != nil {
		return nil, err
	}
	if count > len(inner.in)+maxEmpty {
		return nil, malformed("%d elements in %d bytes", count, len(inner.in))
	}
	element, err := inner.octet()
	if err != nil {
		return nil, err
	}
	var descriptor any
	if element == codeDescribed {
		if descriptor, err = inner.value(depth + 1); err != nil {
			return nil, err
		}
		if element, err = inner.octet(); err != nil {
			return nil, err
		}
	}
	out := make(Array, 0, count)
	for range count {
		item, err := inner.element(element, depth+1)
		if err != nil {
			return nil, err
		}
		if descriptor != nil {
			item = Described{Descriptor: descriptor, Value: item}
		}
		out = append(out, item)
	}
	if len(inner.in) > 0 {
		return nil, malformed("%d bytes after the last element", len(inner.in))
	}
	return out, nil
}

func (d *decoder) element(code byte, depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformed("values are nested too deeply")
	}
	return d.body(code, depth)
}
