package line

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/google/uuid"
)

// Buffer collects lines. The zero value is empty and ready. It is not safe for
// concurrent use.
type Buffer struct {
	buf []byte
	// fields says that the line has a field already.
	fields bool
	// cut says that a text of the line was shortened.
	cut bool
}

// Bytes returns the lines, valid until the next change of the buffer.
func (b *Buffer) Bytes() []byte { return b.buf }

// Len is the number of bytes of the lines.
func (b *Buffer) Len() int { return len(b.buf) }

// Truncate keeps the first n bytes.
func (b *Buffer) Truncate(n int) { b.buf = b.buf[:n] }

// Reset empties the buffer and puts rest into it, which may be a part of
// Bytes.
func (b *Buffer) Reset(rest []byte) { b.buf = append(b.buf[:0], rest...) }

// start opens a line. The measurement is escaped.
func (b *Buffer) start(measurement []byte) {
	b.buf = append(b.buf, measurement...)
	b.fields, b.cut = false, false
}

// tag adds a tag. The name, with the comma before and the equals sign behind
// it, is escaped; the value is clean and not empty.
func (b *Buffer) tag(name []byte, value string) {
	b.buf = append(b.buf, name...)
	b.buf = appendTagEscaped(b.buf, value)
}

func appendTagEscaped(to []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == ',' || c == '=' || c == ' ' {
			to = append(append(to, s[from:i]...), '\\')
			from = i
		}
	}
	return append(to, s[from:]...)
}

// key begins a field. name ends with the equals sign.
func (b *Buffer) key(name []byte) {
	sep := byte(',')
	if !b.fields {
		sep, b.fields = ' ', true
	}
	b.buf = append(append(b.buf, sep), name...)
}

func (b *Buffer) int(name []byte, v int64) {
	b.key(name)
	b.buf = append(strconv.AppendInt(b.buf, v, 10), 'i')
}

// float adds no field for NaN and the infinities, which have no form in line
// protocol.
func (b *Buffer) float(name []byte, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	b.key(name)
	b.buf = strconv.AppendFloat(b.buf, v, 'g', -1, 64)
}

// flag adds a field that is there only when it is true.
func (b *Buffer) flag(name []byte, v bool) {
	if v {
		b.key(name)
		b.buf = append(b.buf, "true"...)
	}
}

// text adds no field for the empty text.
func (b *Buffer) text(name []byte, v string, limit int) {
	if v != "" {
		b.string(name, v, limit)
	}
}

// string adds a text, even an empty one. Only quotes and backslashes are
// escaped: servers read a line break as itself, and its escaped form as a
// backslash and a letter.
func (b *Buffer) string(name []byte, v string, limit int) {
	b.cut = b.cut || len(v) > limit
	v = cleanText(v, limit)
	b.key(name)
	b.buf = append(b.buf, '"')
	from := 0
	for i := 0; i < len(v); i++ {
		if c := v[i]; c == '"' || c == '\\' {
			b.buf = append(append(b.buf, v[from:i]...), '\\')
			from = i
		}
	}
	b.buf = append(append(b.buf, v[from:]...), '"')
}

func (b *Buffer) hex(name, id []byte) {
	b.key(name)
	b.buf = append(b.buf, '"')
	b.buf = hex.AppendEncode(b.buf, id)
	b.buf = append(b.buf, '"')
}

func (b *Buffer) uuid(name []byte, id uuid.UUID) {
	b.key(name)
	b.buf = append(b.buf, '"')
	for i, part := range [...][]byte{id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]} {
		if i > 0 {
			b.buf = append(b.buf, '-')
		}
		b.buf = hex.AppendEncode(b.buf, part)
	}
	b.buf = append(b.buf, '"')
}

// end closes the line.
func (b *Buffer) end(nanos int64) {
	b.buf = append(b.buf, ' ')
	b.buf = append(strconv.AppendInt(b.buf, nanos, 10), '\n')
}
