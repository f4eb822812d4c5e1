package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"
)

// A chunk of measures holds what aggregations read of the events of one service
// in one hour, in the order of time or of their arrival:
//
//	format (1)  kinds  (kind)*  events  (kind number, time, token counts…, numbers…)*
//
// A kind is what many events share: five names, whether they failed, and which
// numbers are known. Integers are varints, signed ones zigzag, the time is the
// distance to the event before, floats are 8 bytes, little endian.
const (
	measureFormat = 1
	// chunkEvents bounds the events of a chunk.
	chunkEvents = 8192
	// kindDerived: the total is the sum of input and output, and left out.
	kindFailed  = 1
	kindDerived = 2
)

var errMeasures = errors.New("measures cannot be read")

// measureKind is a kind as it is read. The names are those of dimensionColumns without the
// service.
type measureKind struct {
	names [len(dimensionColumns) - 1]string
	flags byte
	known known
}

// chunkWriter makes one chunk.
type chunkWriter struct {
	kinds  map[kindKey]uint64
	header []byte // the kinds
	rows   []byte
	events int64
	last   int64
}

// kindKey is a kind whose names are a group of the caller.
type kindKey struct {
	group int
	flags byte
	known known
}

func newChunkWriter(hour int64) *chunkWriter {
	return &chunkWriter{kinds: map[kindKey]uint64{}, last: hour * nanosPerHour}
}

// add appends an event. One that is older than the one before takes ten bytes for
// the distance, as a negative number in two's complement. names are those of
// the group, which the caller numbers.
func (c *chunkWriter) add(group int, names *[len(dimensionColumns)]string, m *measure) {
	k := kindKey{group: group, known: m.known}
	if m.failed {
		k.flags |= kindFailed
	}
	if m.known&7 == 7 && m.tokens[0]+m.tokens[1] == m.tokens[2] {
		k.flags |= kindDerived
	}
	n, ok := c.kinds[k]
	if !ok {
		n = uint64(len(c.kinds))
		c.kinds[k] = n
		for _, name := range names[1:] {
			c.header = binary.AppendUvarint(c.header, uint64(len(name)))
			c.header = append(c.header, name...)
		}
		c.header = append(c.header, k.flags)
		c.header = binary.AppendUvarint(c.header, uint64(k.known))
	}
	b := binary.AppendUvarint(c.rows, n)
	b = binary.AppendUvarint(b, uint64(m.nanos-c.last))
	for i, v := range m.tokens {
		if k.known&(1<<i) != 0 && (i != 2 || k.flags&kindDerived == 0) {
			b = binary.AppendVarint(b, v)
		}
	}
	for i, v := range [...]float64{m.cost, m.ttft, m.latency} {
		if k.known&(knowsCost<<i) != 0 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	c.rows, c.last = b, m.nanos
	c.events++
}

func (c *chunkWriter) size() int { return len(c.header) + len(c.rows) }

// written is what a chunk holds so far. It stays as it is while the chunk grows:
// nothing is changed that was written once.
type written struct {
	kinds, events uint64
	header, rows  []byte
}

func (c *chunkWriter) written() written {
	return written{uint64(len(c.kinds)), uint64(c.events), c.header, c.rows}
}

// read is [readChunk] for a chunk that is not complete yet.
func (w *written) read(hour int64, kind func(measureKind), event func(kind int, m *measure) error) error {
	kinds, err := (&chunkReader{left: w.header}).kinds(w.kinds, kind)
	if err != nil {
		return err
	}
	return (&chunkReader{left: w.rows}).events(kinds, w.events, hour, event)
}

func (c *chunkWriter) bytes() []byte {
	b := binary.AppendUvarint([]byte{measureFormat}, uint64(len(c.kinds)))
	b = append(b, c.header...)
	b = binary.AppendUvarint(b, uint64(c.events))
	return append(b, c.rows...)
}

// chunkReader reads a chunk. After an error it stays at its end.
type chunkReader struct {
	left []byte
	bad  bool
}

func (r *chunkReader) fail() {
	r.left, r.bad = nil, true
}

func (r *chunkReader) uvarint() uint64 {
	if len(r.left) > 0 && r.left[0] < 0x80 {
		v := r.left[0]
		r.left = r.left[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.left)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.left = r.left[n:]
	return v
}

func (r *chunkReader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}

func (r *chunkReader) bytes(n uint64) []byte {
	if n > uint64(len(r.left)) {
		r.fail()
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *chunkReader) float() float64 {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (r *chunkReader) kind() (k measureKind) {
	for i := range k.names {
		k.names[i] = string(r.bytes(r.uvarint()))
	}
	if b := r.bytes(1); b != nil {
		k.flags = b[0]
	}
	k.known = known(r.uvarint() & knowsAll)
	return k
}

// readChunk calls kind for each kind of a chunk of the hour and then event for
// each event with the number of its kind.
func readChunk(data []byte, hour int64, kind func(measureKind), event func(kind int, m *measure) error) error {
	r := &chunkReader{left: data}
	if f := r.bytes(1); f == nil || f[0] != measureFormat {
		return fmt.Errorf("%w: unknown format", errMeasures)
	}
	kinds, err := r.kinds(r.uvarint(), kind)
	if err != nil {
		return err
	}
	return r.events(kinds, r.uvarint(), hour, event)
}

// kinds reads a number of kinds.
func (r *chunkReader) kinds(n uint64, kind func(measureKind)) ([]measureKind, error) {
	if n > uint64(len(r.left)) {
		return nil, fmt.Errorf("%w: %d kinds", errMeasures, n)
	}
	kinds := make([]measureKind, 0, min(n, 1024))
	for range n {
		k := r.kind()
		if r.bad {
			return nil, fmt.Errorf("%w: kind %d is cut off", errMeasures, len(kinds))
		}
		kinds = append(kinds, k)
		kind(k)
	}
	return kinds, nil
}

// events reads a number of events, which are all that is left.
func (r *chunkReader) events(kinds []measureKind, n uint64, hour int64, event func(kind int, m *measure) error) error {
	m := measure{nanos: hour * nanosPerHour}
	for i := range n {
		n := r.uvarint()
		if n >= uint64(len(kinds)) {
			return fmt.Errorf("%w: event %d is of kind %d of %d", errMeasures, i, n, len(kinds))
		}
		k := &kinds[n]
		m = measure{nanos: m.nanos + int64(r.uvarint()), known: k.known, failed: k.flags&kindFailed != 0}
		for i := range m.tokens {
			switch {
			case k.known&(1<<i) == 0:
			case i == 2 && k.flags&kindDerived != 0:
				m.tokens[2] = m.tokens[0] + m.tokens[1]
			default:
				m.tokens[i] = r.varint()
			}
		}
		for i, to := range [...]*float64{&m.cost, &m.ttft, &m.latency} {
			if k.known&(knowsCost<<i) != 0 {
				*to = r.float()
			}
		}
		if r.bad || hourOf(m.nanos) != hour {
			return fmt.Errorf("%w: event %d is cut off or not of its hour", errMeasures, i)
		}
		if err := event(int(n), &m); err != nil {
			return err
		}
	}
	if r.bad || len(r.left) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errMeasures, len(r.left))
	}
	return nil
}

// addMeasures reads the measures of an hour.
func (a *aggregation) addMeasures(ctx context.Context, conn *sqlite.Conn, p catalogued) error {
	query, args := "SELECT service, data FROM measures WHERE hour = ?", []any{p.hour}
	if service := a.sel.service(); service != "" {
		query, args = query+" AND service = ?", append(args, service)
	}
	var data []byte
	return eachRow(conn, query, args, func(stmt *sqlite.Stmt) error {
		data = slices.Grow(data[:0], stmt.ColumnLen(1))[:stmt.ColumnLen(1)]
		stmt.ColumnBytes(1, data)
		return a.addChunk(ctx, p, stmt.ColumnText(0), func(kind func(measureKind), event func(int, *measure) error) error {
			return readChunk(data, p.hour, kind, event)
		})
	})
}

// addChunk adds the events of a chunk that are asked for.
func (a *aggregation) addChunk(ctx context.Context, p catalogued, service string,
	read func(kind func(measureKind), event func(kind int, m *measure) error) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	want := [len(dimensionColumns)]string{}
	for _, c := range a.sel.names {
		want[slices.Index(dimensionColumns[:], c.column)] = c.text
	}
	a.kinds = a.kinds[:0]
	err := read(func(k measureKind) {
		n := -1
		if a.wants(&k, want[1:]) {
			names := [len(dimensionColumns)]string{service}
			copy(names[1:], k.names[:])
			n = a.group(&names)
		}
		a.kinds = append(a.kinds, n)
	}, func(kind int, m *measure) error {
		if a.kinds[kind] < 0 || m.nanos < a.sel.start || m.nanos >= a.sel.end {
			return nil
		}
		return a.add(a.kinds[kind], m)
	})
	if err != nil {
		return fmt.Errorf("hour %s, service %q: %w", p.name, service, err)
	}
	return nil
}

func (a *aggregation) wants(k *measureKind, names []string) bool {
	if a.sel.failed && k.flags&kindFailed == 0 {
		return false
	}
	for i, name := range names {
		if name != "" && k.names[i] != name {
			return false
		}
	}
	return true
}
