package ensemble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// stateVersion is the version of the serialised form. A change of the form, or
// of what the numbers mean, needs a new one: old states are then refused, and
// detection starts cold.
const stateVersion = 2

// ErrState is wrapped by all errors of [State.Read].
var ErrState = errors.New("ensemble state")

// visitor is shown every number of a state in a fixed order. It reads or writes
// them, so that both directions cannot differ.
type visitor interface {
	u8(x *uint8)
	u16(x *uint16)
	u32(x *uint32)
	u64(x *uint64)
	i16(x *int16)
	f32(x *float32)
	f64(x *float64)
}

func (s *State) visit(v visitor) {
	v.u64(&s.n)
	first, last := uint64(s.first), uint64(s.last)
	v.u64(&first)
	v.u64(&last)
	s.first, s.last = int64(first), int64(last)
	v.f32(&s.interval)
	v.f64(&s.origin)
	v.f64(&s.unit)
	v.f64(&s.root)
	v.f64(&s.size)
	v.f64(&s.typical)
	for _, t := range []*track{&s.fast, &s.mid, &s.slow} {
		v.f64(&t.centre)
		v.f64(&t.scale)
	}
	for i := range s.recent {
		v.f32(&s.recent[i])
		v.f32(&s.deviations[i])
	}
	v.f32(&s.profile.grain)
	for i := range s.profile.value {
		v.i16(&s.profile.value[i])
	}
	for i := range s.profile.seen {
		v.u8(&s.profile.seen[i])
	}
	v.f32(&s.steps.all)
	for i := range s.steps.mean {
		v.f32(&s.steps.mean[i])
		v.u8(&s.steps.seen[i])
	}
	for i := range s.shape.bins {
		v.u8(&s.shape.bins[i])
	}
	for i := range s.shape.memory {
		for k := range s.shape.memory[i] {
			v.u8(&s.shape.memory[i][k])
		}
	}
	for i := range s.shape.now {
		v.u8(&s.shape.now[i])
	}
	v.u8(&s.shape.size)
	v.u8(&s.shape.next)
	for i := range s.tails {
		t := &s.tails[i]
		v.f32(&t.mean)
		v.u32(&t.seen)
		v.u32(&t.total)
		v.f32(&t.threshold)
		v.f32(&t.base)
		v.f32(&t.slope)
		for k := range t.rank {
			v.u8(&t.rank[k])
		}
		for k := range t.count {
			v.u16(&t.count[k])
		}
	}
	v.f32(&s.evidence.threshold)
	v.f32(&s.evidence.scale)
	v.u32(&s.evidence.n)
	v.u32(&s.evidence.beyond)
	v.f32(&s.evidence.mean)
	v.f32(&s.evidence.square)
	v.f32(&s.parent)
	v.f32(&s.record)
	v.u16(&s.age)
}

// Append appends the serialised s to dst.
func (s *State) Append(dst []byte) []byte {
	w := writer(append(dst, stateVersion))
	s.visit(&w)
	return w
}

// Read reads into s what Append wrote at the start of src, and returns the rest
// of src. On error s is that of a new series.
func (s *State) Read(src []byte) (rest []byte, err error) {
	*s = State{}
	if len(src) == 0 || src[0] != stateVersion {
		return nil, fmt.Errorf("%w: version must be %d", ErrState, stateVersion)
	}
	r := reader{src: src[1:]}
	s.visit(&r)
	if r.err == nil {
		r.err = s.check()
	}
	if r.err != nil {
		*s = State{}
		return nil, r.err
	}
	return r.src, nil
}

// check reports whether s can have come about by observing values, as far as
// anything relies on it.
func (s *State) check() error {
	malformed := func(what string) error { return fmt.Errorf("%w: %s is malformed", ErrState, what) }
	var now [shapeBins]uint8
	known := min(s.n, shapeSize)
	for i, b := range s.shape.bins {
		if b >= shapeBins {
			return malformed("shape")
		}
		if uint64(i) < known && s.Ready() {
			now[b]++
		}
	}
	if now != s.shape.now || s.shape.size > shapes || s.shape.next >= shapes {
		return malformed("shape")
	}
	for i := range s.shape.memory {
		sum := 0
		for _, c := range s.shape.memory[i] {
			sum += int(c)
		}
		if sum != 0 && sum != shapeSize {
			return malformed("remembered shape")
		}
	}
	for i := range s.tails {
		t := &s.tails[i]
		var sum uint32
		for _, c := range t.count {
			sum += uint32(c)
		}
		if sum != t.total || t.mean < 0 || t.slope < 0 || t.threshold < 0 || t.base < 0 {
			return malformed("tail")
		}
	}
	switch {
	case s.unit < 0 || s.size < 0 || s.typical < 0 || s.interval < 0 || s.evidence.scale < 0 || s.evidence.mean < 0 || s.profile.grain < 0 || s.steps.all < 0 || s.record < 0 || s.parent != 0 && !(s.parent >= leastUnit/2 && s.parent <= maxParentScale):
		return malformed("scale")
	case !s.Ready() && s.n >= s.need() || s.Ready() && s.n < s.need():
		return malformed("warm-up")
	}
	return nil
}

type writer []byte

func (w *writer) u8(x *uint8)    { *w = append(*w, *x) }
func (w *writer) u16(x *uint16)  { *w = binary.LittleEndian.AppendUint16(*w, *x) }
func (w *writer) u32(x *uint32)  { *w = binary.LittleEndian.AppendUint32(*w, *x) }
func (w *writer) u64(x *uint64)  { *w = binary.LittleEndian.AppendUint64(*w, *x) }
func (w *writer) i16(x *int16)   { *w = binary.LittleEndian.AppendUint16(*w, uint16(*x)) }
func (w *writer) f32(x *float32) { *w = binary.LittleEndian.AppendUint32(*w, math.Float32bits(*x)) }
func (w *writer) f64(x *float64) { *w = binary.LittleEndian.AppendUint64(*w, math.Float64bits(*x)) }

// reader takes numbers off src; after the first failure it yields zeros.
type reader struct {
	src []byte
	err error
}

var zeros [8]byte

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.src) < n {
		r.err = fmt.Errorf("%w: truncated", ErrState)
	}
	if r.err != nil {
		return zeros[:n]
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) u8(x *uint8)   { *x = r.take(1)[0] }
func (r *reader) u16(x *uint16) { *x = binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32(x *uint32) { *x = binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64(x *uint64) { *x = binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) i16(x *int16)  { *x = int16(binary.LittleEndian.Uint16(r.take(2))) }

func (r *reader) f32(x *float32) {
	*x = math.Float32frombits(binary.LittleEndian.Uint32(r.take(4)))
	r.number(float64(*x))
}

func (r *reader) f64(x *float64) {
	*x = math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
	r.number(*x)
}

// number refuses what no sum of values can be: larger than any value squared.
func (r *reader) number(x float64) {
	if !(math.Abs(x) <= maxAbs*maxAbs) && r.err == nil {
		r.err = fmt.Errorf("%w: number is out of range", ErrState)
	}
}
