package ensemble

const (
	// peaksMemory and peaksSpan are the numbers of peaks, and of values, at which
	// both counts are halved.
	peaksMemory = 200
	peaksSpan   = 60_000
	// peaksPrior is the weight of the exponential tail that peaks begin with, in
	// peaks.
	peaksPrior = 30
	// peaksShare is the part of the values that are expected to be peaks, before
	// any are known: a fifth of those beyond the threshold. It counts for
	// peaksValues values.
	peaksShare  = .01
	peaksValues = 500
	// peaksMost is the number of mean excesses that one peak counts for at most.
	// There are few, so that a single incident would make all others usual.
	peaksMost = 5
)

// peaks are the values that are news and beyond the threshold of the evidence.
// An excess says how many values show so much, and an incident that lasts is
// many of them; peaks say how many alarms there would be. That is peaks over a
// threshold after runs declustering (Davison & Smith 1990, section 3), with the
// cool-down as what separates clusters. The ratio of both counts is an estimate
// of the extremal index (Leadbetter 1983).
type peaks struct {
	count  uint16 // of the peaks
	values uint16 // among which they were
	over   moments2
}

// rate returns the part of the values that are peaks beyond the threshold by d,
// 0 or more, or by more. scale is that of all values.
func (p *peaks) rate(d, scale float64) float64 {
	k := float64(p.count)
	share := (k + peaksShare*peaksValues) / (float64(p.values) + peaksValues)
	return max(share*p.over.tail(d, k, peaksPrior, scale), leastP)
}

// pass counts a value, peak or not.
func (p *peaks) pass() {
	if p.values++; p.values >= peaksSpan {
		p.halve()
	}
}

// learn counts a peak that is beyond the threshold by d.
func (p *peaks) learn(d, scale float64) {
	p.count++
	p.over.learn(d, 1/float64(p.count), peaksMost, scale)
	if p.count >= peaksMemory {
		p.halve()
	}
}

func (p *peaks) halve() { p.count, p.values = p.count/2, p.values/2 }

// limit makes the counts those of at most so many peaks.
func (p *peaks) limit(count uint16) {
	if p.count > count {
		p.values = uint16(int(p.values) * int(count) / int(p.count))
		p.count = count
	}
}
