package drift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrState is wrapped by all errors of the read methods.
var ErrState = errors.New("drift state")

// version of the serialised form. A change of the form, or of what the numbers
// mean, needs a new one: old states are then refused.
const version = 1

// reader takes numbers off src; after the first failure it yields zeros.
type reader struct {
	src []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrState}, args...)...)
	}
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.src) < n {
		r.fail("truncated")
	}
	if r.err != nil {
		return make([]byte, n)
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// f32 reads a number in [lo, hi].
func (r *reader) f32(lo, hi float64) float32 {
	x := math.Float32frombits(r.u32())
	if !(float64(x) >= lo && float64(x) <= hi) {
		r.fail("%v is not in %v..%v", x, lo, hi)
		return 0
	}
	return x
}

func (r *reader) f64(lo, hi float64) float64 {
	x := math.Float64frombits(r.u64())
	if !(x >= lo && x <= hi) {
		r.fail("%v is not in %v..%v", x, lo, hi)
		return 0
	}
	return x
}

const (
	maxCount = 1e9  // values in a reference
	maxSum   = 1e15 // a sum of squared logarithms
)

func (t *timeline) appendTimeline(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, version)
	dst = le.AppendUint64(dst, uint64(t.curStart))
	dst = le.AppendUint64(dst, uint64(t.prevStart))
	dst = le.AppendUint32(dst, t.curN)
	dst = le.AppendUint32(dst, t.prevN)
	dst = le.AppendUint16(dst, t.windows)
	dst = le.AppendUint32(dst, math.Float32bits(t.effect))
	return le.AppendUint32(dst, math.Float32bits(t.pairs))
}

func (r *reader) timeline(t *timeline) {
	if v := r.u8(); r.err == nil && v != version {
		r.fail("version %d, want %d", v, version)
	}
	t.curStart, t.prevStart = int64(r.u64()), int64(r.u64())
	t.curN, t.prevN = r.u32(), r.u32()
	if t.curN > maxWindow || t.prevN > maxWindow {
		r.fail("windows of %d and %d values", t.prevN, t.curN)
	}
	t.windows = r.u16()
	t.effect, t.pairs = r.f32(0, 1e9), r.f32(0, maxPairs)
}

// AppendState appends the serialised d to dst.
func (d *Dist) AppendState(dst []byte) []byte {
	dst = d.appendTimeline(dst)
	for _, n := range d.counts {
		dst = binary.LittleEndian.AppendUint16(dst, n)
	}
	for _, x := range d.ref {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst
}

// ReadState replaces d, which says how many bins there are, by what AppendState
// wrote to src, and returns the rest of src. On an error d is of no use.
func (d *Dist) ReadState(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.timeline(&d.timeline)
	sums := [2]uint32{}
	bins := len(d.ref)
	for i := range d.counts {
		d.counts[i] = r.u16()
		sums[i/bins] += uint32(d.counts[i])
	}
	if r.err == nil && (sums[0] != d.curN || sums[1] != d.prevN) {
		r.fail("%d and %d values instead of %d and %d", sums[0], sums[1], d.curN, d.prevN)
	}
	var all float64
	for i := range d.ref {
		d.ref[i] = r.f32(0, maxCount)
		all += float64(d.ref[i])
	}
	if r.err == nil && d.windows > 0 && all < 1 {
		r.fail("the reference is empty")
	}
	return r.src, r.err
}

func (m *moments) fields() [7]*float64 {
	return [...]*float64{&m.n, &m.x, &m.y, &m.xx, &m.xy, &m.yy, &m.raw}
}

// AppendState appends the serialised r to dst.
func (r *Relation) AppendState(dst []byte) []byte {
	dst = r.appendTimeline(dst)
	for _, m := range [...]*moments{&r.cur, &r.prev, &r.ref} {
		for _, f := range m.fields() {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*f))
		}
	}
	return dst
}

// ReadState replaces r by what AppendState wrote to src, and returns the rest
// of src. On an error r is of no use.
func (r *Relation) ReadState(src []byte) (rest []byte, err error) {
	in := reader{src: src}
	in.timeline(&r.timeline)
	for _, m := range [...]*moments{&r.cur, &r.prev, &r.ref} {
		for _, f := range m.fields() {
			*f = in.f64(-maxSum, maxSum)
		}
	}
	if in.err == nil && (r.cur.n != float64(r.curN) || r.prev.n != float64(r.prevN) || r.windows > 0 && r.ref.n < 1 || r.ref.n > maxCount) {
		in.fail("sums over %v, %v and %v values", r.cur.n, r.prev.n, r.ref.n)
	}
	if in.err == nil && r.windows > 0 {
		r.line = r.ref.fit()
	}
	return in.src, in.err
}

// AppendState appends the serialised d to dst.
func (d *Centroid) AppendState(dst []byte) []byte {
	dst = d.appendTimeline(dst)
	dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(d.refN))
	for _, v := range [...]*[Dims]float32{&d.cur, &d.prev, &d.ref} {
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
	}
	return dst
}

// ReadState replaces d by what AppendState wrote to src, and returns the rest
// of src. On an error d is of no use.
func (d *Centroid) ReadState(src []byte) (rest []byte, err error) {
	r := reader{src: src}
	r.timeline(&d.timeline)
	d.refN = r.f32(0, maxCount)
	for _, v := range [...]*[Dims]float32{&d.cur, &d.prev, &d.ref} {
		for i := range v {
			v[i] = r.f32(-maxCount, maxCount)
		}
	}
	if r.err == nil && d.windows > 0 && d.refN < 1 {
		r.fail("the reference is empty")
	}
	return r.src, r.err
}
