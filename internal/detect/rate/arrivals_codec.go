package rate

import "math"

// arrivalVersion is the version of the serialised form. A change of the form, or
// of what the numbers mean, needs a new one.
const arrivalVersion = 2

// Fingerprint identifies what a state means. The options only change how it goes
// on.
func (m *Arrivals) Fingerprint() uint64 { return fingerprint(arrivalVersion) }

// Append appends the serialised state to dst. The counts are left out: nobody
// counts while the state is at rest, so that windows begin anew afterwards.
func (s *ArrivalState) Append(dst []byte) []byte {
	dst = append(dst, arrivalVersion, uint8(s.change), s.scale, s.told)
	dst = appendI64(dst, s.onset)
	dst = appendF64(dst, s.rate, s.weight)
	for i := range s.disp {
		dst = appendF64(dst, s.disp[i].sum, s.disp[i].n)
	}
	dst = appendF64(dst, s.gap, s.gap2, s.gaps)
	dst = appendF64(dst, s.worst.fall[:]...)
	dst = appendF64(dst, s.worst.gap, s.worst.told, s.worst.open)
	for c := Drop; c <= Surge; c++ {
		dst = append(dst, s.lastTold[c])
		dst = appendI64(dst, s.lastAlarm[c])
		dst = appendF64(dst, s.doubt[c])
	}
	return dst
}

// ReadState reads what Append wrote.
func (m *Arrivals) ReadState(src []byte) (*ArrivalState, error) {
	r := &reader{src: src}
	s := &ArrivalState{}
	r.version(arrivalVersion)
	s.change, s.scale, s.told = Change(r.u8()), r.u8(), r.u8()
	r.check(s.change <= Surge && s.scale < numScales && s.told <= Critical && (s.change != Steady || s.told == 0), "episode is malformed")
	s.onset = r.i64()
	s.rate, s.weight = r.f64(math.MaxUint32, "rate is malformed"), r.f64(maxMemory, "rate is malformed")
	r.check(s.change == Steady || s.weight > 0 && s.rate > 0, "rate is malformed")
	for i := range s.disp {
		s.disp[i].sum = r.f64(math.MaxFloat64/1e6, "dispersion is malformed")
		s.disp[i].n = r.f64(dispersionMemory, "dispersion is malformed")
	}
	s.gap, s.gap2 = r.f64(math.MaxFloat64/1e6, "gaps are malformed"), r.f64(math.MaxFloat64/1e6, "gaps are malformed")
	s.gaps = r.f64(gapMemory, "gaps are malformed")
	for i := range s.worst.fall {
		s.worst.fall[i] = r.f64(maxFall, "record is malformed")
	}
	for _, gap := range []*float64{&s.worst.gap, &s.worst.told, &s.worst.open} {
		*gap = r.f64(maxPause, "record is malformed")
	}
	for c := Drop; c <= Surge; c++ {
		s.lastTold[c] = r.u8()
		r.check(s.lastTold[c] <= Critical, "episode is malformed")
		s.lastAlarm[c] = r.i64()
		s.doubt[c] = r.f64(maxDoubt, "doubt is malformed")
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return s, nil
}
