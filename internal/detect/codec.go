package detect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// stateVersion is the version of the serialised form. A change of the form, or
// of what the numbers mean, needs a new one: old states are then refused, and
// detection starts cold.
const stateVersion = 3

// ErrState is wrapped by all errors of [Model.ReadState].
var ErrState = errors.New("detection state")

// Fingerprint identifies the configuration that a state belongs to: everything
// that changes what the numbers of a state mean or how they go on.
func (m *Model) Fingerprint() uint64 { return m.fingerprint }

func fingerprint(c *Config) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	add := func(b ...byte) {
		for _, x := range b {
			h = (h ^ uint64(x)) * 1099511628211
		}
	}
	num := func(x uint64) { add(binary.LittleEndian.AppendUint64(nil, x)...) }
	num(stateVersion)
	num(uint64(c.Scale))
	num(math.Float64bits(c.LogOffset))
	num(uint64(c.Direction))
	num(uint64(c.Window))
	num(uint64(c.MinSamples))
	num(math.Float64bits(c.MinRelative))
	num(math.Float64bits(c.MinAbsolute))
	num(uint64(c.CoolDown))
	num(math.Float64bits(c.LoneScore))
	num(uint64(c.LearnEvery))
	for _, d := range c.Detectors {
		r := lookup(d.Name)
		add([]byte(d.Name)...)
		add(0)
		threshold := d.Threshold
		if threshold == 0 {
			threshold = r.info.DefaultThreshold
		}
		num(math.Float64bits(threshold))
		for _, p := range r.info.Params {
			num(math.Float64bits(param(r, d, p.Name)))
		}
	}
	return h
}

// AppendState appends the serialised s to dst. What follows from the
// rest is left out: the order of the window, and quick.
func (m *Model) AppendState(dst []byte, s *State) []byte {
	le := binary.LittleEndian
	f32 := func(x float32) { dst = le.AppendUint32(dst, math.Float32bits(x)) }
	f64 := func(x float64) { dst = le.AppendUint64(dst, math.Float64bits(x)) }
	dst = append(dst, stateVersion)
	dst = le.AppendUint64(dst, m.fingerprint)
	ring := s.win.ring(m.cfg.Window)
	dst = append(dst, s.win.n, s.win.head)
	for _, y := range ring[:s.win.n] {
		f32(y)
	}
	f32(s.win.pivot)
	f64(s.win.sum)
	f64(s.win.sum2)
	f64(s.mean)
	f64(s.variance)
	f32(s.rho)
	f32(s.prev)
	f32(s.lent)
	dst = le.AppendUint64(dst, uint64(s.learned))
	dst = le.AppendUint16(dst, s.suspect)
	dst = le.AppendUint16(dst, s.doubted)
	dst = append(dst, s.lagN, s.calm, s.longN)
	for _, y := range s.lag {
		f32(y)
	}
	dst = le.AppendUint16(dst, s.runN)
	dst = append(dst, flag(s.inRun)|flag(s.reported)<<1|flag(s.sustained)<<2, byte(s.shiftSide), s.told)
	f32(s.widen)
	f64(s.runMean)
	f64(s.runVar)
	dst = le.AppendUint64(dst, uint64(s.onset))
	dst = le.AppendUint64(dst, uint64(s.lastAlarm))
	dst = le.AppendUint32(dst, s.samples)
	for _, w := range s.words {
		dst = le.AppendUint64(dst, w)
	}
	return dst
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// reader takes numbers off src; after the first failure it yields zeros.
type reader struct {
	src []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.src) < n {
		r.err = fmt.Errorf("%w: truncated", ErrState)
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

func (r *reader) f32() float32 {
	x := math.Float32frombits(r.u32())
	r.check(math.Abs(float64(x)) <= math.MaxFloat32, "number is not finite")
	return x
}

// maxStored bounds what a state can hold; NaN is beyond it.
const maxStored = 1e100

func (r *reader) f64() float64 {
	x := math.Float64frombits(r.u64())
	// A window holds float32s: sums of their squares are far below, and what is
	// above would overflow in the next step.
	r.check(math.Abs(x) <= maxStored, "number is not finite, or too large")
	return x
}

func (r *reader) check(ok bool, what string) {
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrState, what)
	}
}

// ReadState reads into s what AppendState wrote at the start of src, and
// returns the rest of src. States of another version or configuration are
// refused. On error s is empty.
func (m *Model) ReadState(src []byte, s *State) (rest []byte, err error) {
	m.Reset(s)
	r := reader{src: src}
	if v := r.u8(); r.err == nil && v != stateVersion {
		r.err = fmt.Errorf("%w: version must be %d, got %d", ErrState, stateVersion, v)
	}
	r.check(r.u64() == m.fingerprint, "belongs to another configuration")
	m.read(&r, s)
	if r.err != nil {
		m.Reset(s)
		return nil, r.err
	}
	return r.src, nil
}

func (m *Model) read(r *reader, s *State) {
	size := m.cfg.Window
	n, head := r.u8(), r.u8()
	r.check(int(n) <= size && int(head) < size && (int(n) == size || head == n), "window is malformed")
	if r.err != nil {
		return
	}
	s.win.n, s.win.head = n, head
	var ring [MaxWindow + 1]float32
	order := make([]uint8, n)
	for i := range order {
		ring[i], order[i] = r.f32(), uint8(i)
	}
	slices.SortStableFunc(order, func(a, b uint8) int { return cmp.Compare(ring[a], ring[b]) })
	value, born := s.win.slices(size)
	for i, at := range order {
		value[i], born[i] = ring[at], at
	}
	s.win.pivot, s.win.sum, s.win.sum2 = r.f32(), r.f64(), r.f64()
	s.mean, s.variance = r.f64(), r.f64()
	s.rho, s.prev, s.lent, s.learned = r.f32(), r.f32(), r.f32(), int64(r.u64())
	s.suspect, s.doubted, s.lagN, s.calm, s.longN = r.u16(), r.u16(), r.u8(), r.u8(), r.u8()
	r.check(s.lent >= 0 && s.lent <= maxSpread && s.variance >= 0 && s.longN <= longSamples && (int(n) < m.cfg.MinSamples || s.longN > 0), "baseline is malformed")
	r.check(math.Abs(float64(s.rho)) <= 9 && math.Abs(float64(s.prev)) <= winsorCUSUM, "correlation is malformed")
	r.check(s.lagN < 2*lagSize && (s.suspect|s.doubted)>>s.lagN == 0 && s.calm <= calmAfter, "lag is malformed")
	for i := range s.lag {
		s.lag[i] = r.f32()
	}
	s.runN = r.u16()
	flags, side := r.u8(), int8(r.u8())
	s.inRun, s.reported, s.sustained = flags&1 != 0, flags&2 != 0, flags&4 != 0
	s.shiftSide, s.told = side, r.u8()
	r.check(flags <= 7 && side >= -1 && side <= 1 && s.told <= SeverityCritical, "episode is malformed")
	s.widen = r.f32()
	s.runMean, s.runVar = r.f64(), r.f64()
	r.check(s.widen >= 0 && s.widen <= widenMax && s.runVar >= 0, "episode is malformed")
	s.onset, s.lastAlarm = int64(r.u64()), int64(r.u64())
	s.samples = r.u32()
	for i := range s.words {
		s.words[i] = r.u64()
	}
	for _, d := range m.shifts {
		r.check(d.d.valid(m.wordsOf(s, d.i)), "detector state is malformed")
	}
	if r.err == nil {
		m.refresh(s)
	}
}
