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
const stateVersion = 4

// ErrState is wrapped by all errors of [State.Read].
var ErrState = errors.New("ensemble state")

// visitor is shown every number of a state in a fixed order. It reads or writes
// them, so that both directions cannot differ.
type visitor interface {
	u8(x *uint8)
	u16(x *uint16)
	u64(x *uint64)
	i8(x *int8)
	i16(x *int16)
	f32(x *float32)
	f64(x *float64)
}

// visit leaves out what derive can tell from the rest.
func (s *State) visit(v visitor) {
	v.u64(&s.n)
	last := uint64(s.last)
	v.u64(&last)
	s.last = int64(last)
	v.f32(&s.interval)
	v.f64(&s.origin)
	v.f64(&s.unit)
	v.f64(&s.root)
	v.f32(&s.serial)
	for _, t := range []*track{&s.fast, &s.mid, &s.slow} {
		v.f32(&t.centre)
		v.f32(&t.scale)
	}
	for i := range s.recent {
		v.f32(&s.recent[i])
	}
	v.f32(&s.falls.typical)
	for i := range s.falls.last {
		v.f32(&s.falls.last[i])
	}
	v.f32(&s.falls.log)
	v.f32(&s.falls.usual.centre)
	v.f32(&s.falls.usual.scale)
	for i := range s.level.deviations {
		v.i8(&s.level.deviations[i])
	}
	v.f32(&s.profile.grain)
	for i := range s.profile.usual {
		v.i16((*int16)(&s.profile.usual[i]))
	}
	v.f32(&s.steps.all)
	for i := range s.steps.mean {
		v.u16((*uint16)(&s.steps.mean[i]))
		v.u8(&s.steps.seen[i])
	}
	for i := range s.shape.past {
		v.u64(&s.shape.past[i])
	}
	for i := range s.shape.memory {
		counts := s.shape.memory[i] & (1<<crossFrom - 1)
		v.u64(&counts)
		s.shape.memory[i] = s.shape.memory[i]>>crossFrom<<crossFrom | counts
	}
	v.u8(&s.shape.size)
	v.u8(&s.shape.next)
	for i := range s.tails {
		t := &s.tails[i]
		v.f32(&t.mean)
		v.u16(&t.seen)
		v.u8(&t.edge)
		v.f32(&t.base)
		v.f32(&t.slope)
		for k := range t.atLeast {
			v.u64(&t.atLeast[k])
		}
	}
	v.f32(&s.evidence.threshold)
	v.f32(&s.evidence.scale)
	v.u16(&s.evidence.n)
	v.u16(&s.evidence.beyond)
	v.u16(&s.peaks.count)
	v.u16(&s.peaks.values)
	for _, m := range []*moments2{&s.evidence.over, &s.peaks.over} {
		v.f32(&m.mean)
		v.f32(&m.square)
	}
	v.f32(&s.parent)
	v.f32(&s.record)
	v.u16(&s.age)
	v.u8(&s.quiet)
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
	s.derive()
	return r.src, nil
}

// check reports whether s can have come about by observing values, as far as
// anything relies on it.
func (s *State) check() error {
	malformed := func(what string) error { return fmt.Errorf("%w: %s is malformed", ErrState, what) }
	for _, w := range s.shape.past {
		if w&0x8888888888888888 != 0 { // a bin of 8 or more
			return malformed("shape")
		}
	}
	if s.shape.size > shapes || s.shape.next >= shapes {
		return malformed("shape")
	}
	for i, m := range s.shape.memory {
		sum := 0
		for k := range shapeBins {
			sum += int(m >> (countBits * k) & countMask)
		}
		if m>>crossFrom != 0 || sum != shapeSize && (sum != 0 || i < int(s.shape.size)) {
			return malformed("remembered shape")
		}
	}
	for i := range s.tails {
		if !s.tails[i].valid() {
			return malformed("tail")
		}
	}
	switch {
	case s.unit < 0 || s.falls.typical < 0 || s.falls.usual.scale < 0 || s.interval < 0 || s.evidence.scale < 0 || s.evidence.over.mean < 0 || s.peaks.over.mean < 0 || s.profile.grain < 0 || s.steps.all < 0 || s.record < 0 || s.parent != 0 && !(s.parent >= leastUnit/2 && s.parent <= maxParentScale):
		return malformed("scale")
	case s.peaks.count >= peaksMemory || s.peaks.values >= peaksSpan:
		return malformed("count of peaks")
	case !(math.Abs(float64(s.serial)) <= 2):
		return malformed("serial correlation")
	case !s.Ready() && s.n >= s.need() || s.Ready() && s.n < s.need():
		return malformed("warm-up")
	}
	return nil
}

// valid reports whether t can have come about by counting.
func (t *tail) valid() bool {
	for b := range tailBins - 1 {
		if t.from(b) < t.from(b+1) {
			return false
		}
	}
	return t.total() <= tailMemory && t.edge <= tailBins && (t.edge == 0) == (t.slope == 0) &&
		t.mean >= 0 && t.slope >= 0 && t.base >= 0
}

// derive fills in what is not serialised.
func (s *State) derive() {
	if !s.Ready() {
		return
	}
	s.level.resum(s.n - 1)
	s.shape.derive(s.n)
}

type writer []byte

func (w *writer) u8(x *uint8)    { *w = append(*w, *x) }
func (w *writer) u16(x *uint16)  { *w = binary.LittleEndian.AppendUint16(*w, *x) }
func (w *writer) u64(x *uint64)  { *w = binary.LittleEndian.AppendUint64(*w, *x) }
func (w *writer) i8(x *int8)     { *w = append(*w, uint8(*x)) }
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
func (r *reader) u64(x *uint64) { *x = binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) i8(x *int8)    { *x = int8(r.take(1)[0]) }
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
