package rate

import "math"

// errorVersion is the version of the serialised form. A change of the form, or
// of what the numbers mean, needs a new one.
const errorVersion = 1

// Fingerprint identifies what a state means: the form and the prior. The other
// options only change how it goes on.
func (m *Errors) Fingerprint() uint64 {
	return fingerprint(errorVersion, math.Float64bits(m.cfg.PriorRate))
}

// Append appends the serialised state to dst.
func (s *ErrorState) Append(dst []byte) []byte {
	dst = append(dst, errorVersion, flag(s.hot)|flag(s.on)<<1|flag(s.kinds != nil)<<2, s.told, s.lastTold)
	dst = appendF64(dst, s.failed, s.calls)
	dst = appendU32(dst, s.waitFailed, s.waitCalls)
	dst = appendI64(dst, s.lastAlarm)
	if s.hot {
		for i := range s.sums {
			dst = s.sums[i].append(dst)
		}
	}
	if s.on {
		dst = s.window.append(dst)
		dst = appendF64(dst, s.threshold, s.worst)
	}
	if s.kinds == nil {
		return dst
	}
	for _, name := range s.kinds.names[1:] {
		dst = append(dst, uint8(len(name)))
		dst = append(dst, name...)
	}
	dst = appendU32(dst, s.kinds.counts[:]...)
	dst = append(dst, s.kinds.last[:]...)
	return appendU32(dst, s.kinds.n)
}

func (c *cusum) append(dst []byte) []byte {
	dst = appendF64(dst, c.sum)
	dst = appendI64(dst, c.at)
	return appendU32(dst, c.failed, c.calls)
}

func (c *cusum) read(r *reader) {
	c.sum = r.f64(math.MaxFloat64, "a sum is malformed")
	c.at = r.i64()
	c.failed, c.calls = r.u32(), r.u32()
	r.check(c.failed <= c.calls && (c.sum == 0 || c.failed > 0), "a window is malformed")
}

// ReadState reads what Append wrote.
func (m *Errors) ReadState(src []byte) (*ErrorState, error) {
	r := &reader{src: src}
	s := &ErrorState{}
	r.version(errorVersion)
	f := r.flags(3)
	s.hot, s.on = f&1 != 0, f&2 != 0
	s.told, s.lastTold = r.u8(), r.u8()
	r.check(s.told <= Critical && s.lastTold <= Critical && (!s.hot || !s.on) && (f < 1 || f&4 != 0), "episode is malformed")
	s.failed, s.calls = r.f64(memory, "baseline is malformed"), r.f64(memory, "baseline is malformed")
	s.waitFailed, s.waitCalls = r.u32(), r.u32()
	r.check(s.calls > 0 && s.failed <= s.calls && s.waitFailed <= s.waitCalls, "baseline is malformed")
	s.lastAlarm = r.i64()
	if s.hot {
		for i := range s.sums {
			s.sums[i].read(r)
		}
	}
	if s.on {
		s.window.read(r)
		s.threshold, s.worst = r.f64(1, "episode is malformed"), r.f64(.99, "episode is malformed")
		r.check(s.window.failed > 0 && s.told > 0, "episode is malformed")
	}
	if f&4 != 0 {
		s.kinds = readKinds(r)
	}
	hot, sums := s.hot, s.sums
	m.refresh(s)
	r.check(hot == s.hot && sums == s.sums, "a sum is malformed")
	r.check(!s.on || s.worst > s.null, "episode is malformed")
	if err := r.end(); err != nil {
		return nil, err
	}
	return s, nil
}

func readKinds(r *reader) *kinds {
	k := &kinds{}
	for i := 1; i < maxKinds; i++ {
		n := r.u8()
		r.check(n <= maxKindName, "name of a failure is malformed")
		if r.err != nil {
			return k
		}
		name := string(r.take(int(n)))
		k.names[i] = name
	}
	for i := range k.counts {
		k.counts[i] = r.u32()
	}
	for i := range k.last {
		k.last[i] = r.u8()
		r.check(k.last[i] < maxKinds, "kind of a failure is malformed")
	}
	k.n = r.u32()
	return k
}
