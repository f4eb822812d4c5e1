package embedded

import (
	"math"
	"slices"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// maxExact is the number of values that are kept as they are. Above it they
	// are counted in a histogram.
	maxExact = 2048
	// octaveBuckets divide each power of two into equal parts, as HdrHistogram
	// does. A bucket stands for its middle, so that no value is further away than
	// half a part of its lower bound.
	octaveBuckets   = 32
	percentileError = 1.0 / (2 * octaveBuckets)
	// mantissaShift leaves the exponent and the bits that number the buckets.
	mantissaShift = 52 - 5
)

// distribution collects the values of one measure. Its zero value is empty.
type distribution struct {
	count         int64
	sum, min, max float64
	// values are all of them, in any order, until there is a histogram.
	values []float64
	hist   *histogram
}

func (d *distribution) add(v float64) {
	if d.count == 0 {
		d.min, d.max = v, v
	} else {
		d.min, d.max = min(d.min, v), max(d.max, v)
	}
	d.count++
	d.sum += v
	switch {
	case d.hist != nil:
		d.hist.add(v)
	case len(d.values) < maxExact:
		d.values = append(d.values, v)
	default:
		d.spill()
		d.hist.add(v)
	}
}

// spill counts the values in a histogram.
func (d *distribution) spill() {
	d.hist = &histogram{}
	for _, v := range d.values {
		d.hist.add(v)
	}
	d.values = nil
}

// bytes is about what the values take in memory.
func (d *distribution) bytes() int {
	n := 8 * cap(d.values)
	if d.hist != nil {
		n += len(d.hist.octaves) * (4*octaveBuckets + 8)
	}
	return n
}

// summary orders the values.
func (d *distribution) summary() store.Distribution {
	s := store.Distribution{Count: d.count, Sum: d.sum, Min: d.min, Max: d.max}
	if d.count == 0 {
		return s
	}
	at := d.hist.value
	if d.hist == nil {
		slices.Sort(d.values)
		at = func(rank int64) float64 { return d.values[rank-1] }
	}
	for _, p := range [...]struct {
		to      *float64
		percent int64
	}{{&s.P50, 50}, {&s.P95, 95}, {&s.P99, 99}} {
		*p.to = min(max(at((d.count*p.percent+99)/100), d.min), d.max)
	}
	return s
}

// histogram counts values in log-linear buckets. Numbers nearer to zero than
// 2.3e-308 count as zero.
type histogram struct {
	octaves []octave // by number, ascending
	last    int      // index of the octave that was used last
}

type octave struct {
	number int32
	counts [octaveBuckets]uint32
}

// bucketOf numbers the buckets in the order of their values.
func bucketOf(v float64) int32 {
	b := int32(math.Float64bits(math.Abs(v)) >> mantissaShift) //nolint:gosec // 16 bits
	if v < 0 {
		return -1 - b
	}
	return b
}

func (h *histogram) add(v float64) {
	b := bucketOf(v)
	h.octave(b >> 5).counts[b&(octaveBuckets-1)]++
}

func (h *histogram) octave(number int32) *octave {
	if h.last < len(h.octaves) && h.octaves[h.last].number == number {
		return &h.octaves[h.last]
	}
	i, found := slices.BinarySearchFunc(h.octaves, number, func(o octave, n int32) int { return int(o.number - n) })
	if !found {
		h.octaves = slices.Insert(h.octaves, i, octave{number: number})
	}
	h.last = i
	return &h.octaves[i]
}

// value is the middle of the bucket that holds the value of a rank, from 1.
func (h *histogram) value(rank int64) float64 {
	for i := range h.octaves {
		o := &h.octaves[i]
		for j, n := range o.counts {
			if rank -= int64(n); rank <= 0 {
				return middle(o.number*octaveBuckets + int32(j)) //nolint:gosec // below 32
			}
		}
	}
	return math.Inf(1) // there are fewer values than that
}

func middle(bucket int32) float64 {
	if bucket < 0 {
		return -middle(-1 - bucket)
	}
	low := math.Float64frombits(uint64(bucket) << mantissaShift)
	if bucket < octaveBuckets {
		return 0
	}
	if high := math.Float64frombits(uint64(bucket+1) << mantissaShift); !math.IsInf(high, 1) && !math.IsInf(low, 1) {
		return low + (high-low)/2
	}
	return low
}
