package rate

import "math"

// learn takes the bins that are old enough into rate and dispersion.
func (m *Arrivals) learn(s *ArrivalState) {
	lag := min(learnLag, max(m.delay+1, (s.now-s.first)/2))
	for s.learned < s.now-lag {
		i := s.learned
		s.learned++
		if s.change == Steady {
			s.learnBin(s.sum(i, i+1))
		}
		for k, size := range scales {
			if s.learned%size == 0 {
				s.learnWindow(k, size)
			}
		}
	}
}

func (s *ArrivalState) learnBin(n float64) {
	if s.weight >= minBins {
		n = min(n, s.rate+clip*math.Sqrt(s.dispersion(0)*max(s.rate, 1)))
	}
	limit := min(max(rateCalls/max(s.rate, 1e-9), minMemory), maxMemory)
	s.weight = min(s.weight+1, limit)
	s.rate += (n - s.rate) / s.weight
}

// learnWindow compares the window of this length that ends before learned with
// what was forecast when it began.
func (s *ArrivalState) learnWindow(k int, size int64) {
	d := &s.disp[k]
	if expected := d.rate * float64(size); expected > 0 && s.change == Steady {
		now := s.dispersion(k)
		n := s.sum(s.learned-size, s.learned)
		s.worst.fall[k] = max(s.worst.fall[k], fall(n, expected))
		e := n - expected
		expected = max(expected, 1)
		d.sum += min(e*e/expected, clip*clip*now)
		d.n++
		if d.n > dispersionMemory {
			d.sum *= dispersionMemory / d.n
			d.n = dispersionMemory
		}
	}
	d.rate = 0
	if s.change == Steady {
		d.rate = s.known()
	}
}

// dispersion is the index of dispersion of windows of length k. A length that is
// not known well is taken for more uneven than the one below it.
func (s *ArrivalState) dispersion(k int) float64 {
	prior := float64(freshDispersion)
	out := 0.
	for i := range k + 1 {
		d := &s.disp[i]
		out = max(minDispersion, (freshWindows*prior+d.sum)/(freshWindows+d.n))
		prior = longerDispersion * out
	}
	return out
}

// sum counts the calls of the bins from..to-1, without those that were not
// counted in full.
func (s *ArrivalState) sum(from, to int64) float64 {
	if from = max(from, s.first); from >= to {
		return 0
	}
	return float64(s.total[(to-1)%ringLen] - s.total[(from-1)%ringLen])
}

// ready reports that the rate is known well enough to judge by.
func (s *ArrivalState) ready() bool {
	return s.weight >= minBins/2 && s.rate*s.weight >= minCalls
}

// spread is the dispersion of a forecast for a window of n bins: that of the
// calls and that of the rate itself.
func (s *ArrivalState) spread(k int, n float64) float64 {
	return s.dispersion(k) * (1 + n/s.weight)
}

// learnGap learns how uneven the gaps between calls are.
func (s *ArrivalState) learnGap(x float64) {
	if s.gaps >= freshGaps {
		x = min(x, maxGap*s.gap)
	}
	s.gaps = min(s.gaps+1, gapMemory)
	s.gap += (x - s.gap) / s.gaps
	s.gap2 += (x*x - s.gap2) / s.gaps
}

// shape is the shape of the Weibull distribution with the coefficient of
// variation of the gaps, at most 1 (Poisson), by the approximation of Justus and
// others (1978).
func (s *ArrivalState) shape() float64 {
	cv2 := float64(freshGap)
	if s.gap > 0 {
		cv2 = (freshGap*freshGaps + s.gaps*(s.gap2/(s.gap*s.gap)-1)) / (freshGaps + s.gaps)
	}
	return min(max(math.Pow(max(cv2, 1), -1.086/2), .2), 1)
}
