package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Append encodes a value. It panics on a Go type that AMQP has no type for: that is a fault of the caller's code.
func Append(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, codeNull)
	case bool:
		if v {
			return append(dst, codeTrue)
		}
		return append(dst, codeFalse)
	case uint32:
		switch {
		case v == 0:
			return append(dst, codeUint0)
		case v <= math.MaxUint8:
			return append(dst, codeSmallUint, byte(v))
		}
	case uint64:
		switch {
		case v == 0:
			return append(dst, codeUlong0)
		case v <= math.MaxUint8:
			return append(dst, codeSmallUlong, byte(v))
		}
	case []byte:
		if len(v) <= math.MaxUint8 {
			return append(append(dst, codeBinary8, byte(len(v))), v...)
		}
	case string:
		if len(v) <= math.MaxUint8 {
			return append(append(dst, codeString8, byte(len(v))), v...)
		}
	case Symbol:
		if len(v) <= math.MaxUint8 {
			return append(append(dst, codeSymbol8, byte(len(v))), v...)
		}
	case List:
		if len(v) == 0 {
			return append(dst, codeList0)
		}
	case Described:
		return Append(Append(append(dst, codeDescribed), v.Descriptor), v.Value)
	case composite:
		return appendComposite(dst, v)
	}
	code := fullCode(value)
	return appendBody(append(dst, code), code, value)
}

// fullCode is the constructor that takes every value of the type.
func fullCode(value any) byte {
	switch v := value.(type) {
	case nil:
		return codeNull
	case bool:
		return codeBool
	case uint8:
		return codeUbyte
	case uint16:
		return codeUshort
	case uint32:
		return codeUint
	case uint64:
		return codeUlong
	case int8:
		return codeByte
	case int16:
		return codeShort
	case int32:
		return codeInt
	case int64:
		return codeLong
	case float32:
		return codeFloat
	case float64:
		return codeDouble
	case Char:
		return codeChar
	case Decimal:
		return map[int]byte{4: codeDecimal32, 8: codeDecimal64, 16: codeDecimal128}[len(v)]
	case time.Time:
		return codeTimestamp
	case UUID:
		return codeUUID
	case []byte:
		return codeBinary32
	case string:
		return codeString32
	case Symbol:
		return codeSymbol32
	case List:
		return codeList32
	case Map:
		return codeMap32
	case Array:
		return codeArray32
	}
	panic(fmt.Sprintf("amqp: no AMQP type for %T", value))
}

// appendBody writes what follows the constructor fullCode.
func appendBody(dst []byte, code byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case uint8:
		return append(dst, v)
	case uint16:
		return binary.BigEndian.AppendUint16(dst, v)
	case uint32:
		return binary.BigEndian.AppendUint32(dst, v)
	case uint64:
		return binary.BigEndian.AppendUint64(dst, v)
	case int8:
		return append(dst, byte(v))
	case int16:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case int32:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case int64:
		return binary.BigEndian.AppendUint64(dst, uint64(v))
	case float32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
	case Char:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case Decimal:
		return append(dst, v...)
	case time.Time:
		return binary.BigEndian.AppendUint64(dst, uint64(v.UnixMilli()))
	case UUID:
		return append(dst, v[:]...)
	case []byte:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case string:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case Symbol:
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	case List:
		return sized(dst, len(v), func(dst []byte) []byte {
			for _, item := range v {
				dst = Append(dst, item)
			}
			return dst
		})
	case Map:
		return sized(dst, 2*len(v), func(dst []byte) []byte {
			for _, entry := range v {
				dst = Append(Append(dst, entry.Key), entry.Value)
			}
			return dst
		})
	case Array:
		return sized(dst, len(v), func(dst []byte) []byte {
			if len(v) == 0 {
				return append(dst, codeNull)
			}
			element := fullCode(v[0])
			dst = append(dst, element)
			for _, item := range v {
				dst = appendBody(dst, element, item)
			}
			return dst
		})
	}
	if code != codeNull {
		panic(fmt.Sprintf("amqp: no AMQP type for %T", value))
	}
	return dst
}

// sized writes the size and the count of a compound value around its items.
func sized(dst []byte, count int, items func([]byte) []byte) []byte {
	const width = 4
	at := len(dst)
	dst = append(dst, make([]byte, 2*width)...)
	dst = items(dst)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-width))
	binary.BigEndian.PutUint32(dst[at+width:], uint32(count))
	return dst
}
