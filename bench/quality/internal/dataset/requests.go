package dataset

import (
	"fmt"
	"slices"
	"time"
)

// Requests are the arrivals of single calls in steps of equal length.
type Requests struct {
	// Name is unique within its set, Group the source.
	Name, Group string
	// Step is the length of a step, Start the beginning of the first one in unix
	// nanoseconds.
	Step  time.Duration
	Start int64
	// Times of the calls of each step, in unix nanoseconds and in order. Nil
	// where a source tells only how many there are; then Counts has that.
	Times  [][]int64
	Counts []int
}

// Rows is the number of steps.
func (r *Requests) Rows() int { return max(len(r.Times), len(r.Counts)) }

// Count is the number of calls of a step.
func (r *Requests) Count(row int) int {
	if r.Times != nil {
		return len(r.Times[row])
	}
	return r.Counts[row]
}

// At is the time of call k of a step. Where the source has only their number,
// they are spread evenly over the step.
func (r *Requests) At(row, k int) int64 {
	if r.Times != nil {
		return r.Times[row][k]
	}
	return r.Start + int64(row)*int64(r.Step) + (2*int64(k)+1)*int64(r.Step)/int64(2*r.Counts[row])
}

// RowTimes are the beginnings of the steps.
func (r *Requests) RowTimes() []int64 {
	out := make([]int64, r.Rows())
	for i := range out {
		out[i] = r.Start + int64(i)*int64(r.Step)
	}
	return out
}

// maxMeanRate is the mean rate in calls a second to which busier ServeGen series
// are thinned: a thousand calls a second over two weeks take too long to draw
// one by one, and fewer calls make nothing easier to find.
const maxMeanRate = .5

// Thinning is the part of the calls of a series of rates to keep.
func Thinning(s *Series) float64 {
	sum := 0.
	for _, x := range s.Values {
		sum += x
	}
	return min(1, maxMeanRate*float64(len(s.Values))/max(sum, 1e-9))
}

// CallsAt counts the calls of other rates in the steps of s, of which the part
// thin is kept.
func CallsAt(s *Series, rates []float64, thin float64) Requests {
	r := Requests{Name: s.Name, Group: s.Group, Step: s.Step, Start: s.Times[0], Counts: make([]int, len(rates))}
	for i, x := range rates {
		r.Counts[i] = int(x*thin*s.Step.Seconds() + .5)
	}
	return r
}

// Arrivals reads the requests of the Azure and Mooncake traces below dir, one by
// one, and the numbers of those of ServeGen.
func Arrivals(dir string) ([]Requests, error) {
	rates, err := ServeGen(dir)
	if err != nil {
		return nil, err
	}
	var out []Requests
	for i := range rates {
		s := &rates[i]
		out = append(out, CallsAt(s, s.Values, Thinning(s)))
	}
	for _, trace := range []struct {
		name string
		read func(string, func(time.Duration, float64, float64) error) error
	}{{"azure-conv", azure}, {"mooncake-conversation", mooncake}} {
		r := Requests{Name: trace.name, Group: trace.name, Step: requestStep, Start: at(0)}
		err := trace.read(dir, func(offset time.Duration, _, _ float64) error {
			i := int(offset / requestStep)
			if i < 0 {
				return fmt.Errorf("request %v before the first", -offset)
			}
			for len(r.Times) <= i {
				r.Times = append(r.Times, []int64{})
			}
			r.Times[i] = append(r.Times[i], at(offset))
			return nil
		})
		if err != nil {
			return nil, err
		}
		// The last step is cut off by the end of the trace.
		r.Times = r.Times[:max(0, len(r.Times)-1)]
		for _, t := range r.Times {
			slices.Sort(t)
		}
		out = append(out, r)
	}
	return out, nil
}
