package embedded

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestPercentilesAreOfTheNearestRank(t *testing.T) {
	for _, c := range []struct {
		n             int
		p50, p95, p99 float64
	}{{1, 1, 1, 1}, {2, 1, 2, 2}, {3, 2, 3, 3}, {4, 2, 4, 4}, {20, 10, 19, 20}, {100, 50, 95, 99}, {101, 51, 96, 100}, {200, 100, 190, 198}} {
		var d distribution
		for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(c.n) {
			d.add(float64(i + 1))
		}
		s := d.summary()
		require.Equal(t, [3]float64{c.p50, c.p95, c.p99}, [3]float64{s.P50, s.P95, s.P99}, "%d values", c.n)
		require.EqualValues(t, c.n, s.Count)
		require.Equal(t, 1.0, s.Min)
		require.Equal(t, float64(c.n), s.Max)
	}
	var none distribution
	require.Zero(t, none.summary())
}

// Whatever the values are, percentiles of the histogram are as near to the true
// ones as they are said to be.
func TestHistogramKeepsItsError(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for name, value := range map[string]func() float64{
		"uniform":     func() float64 { return r.Float64() * 5000 },
		"exponential": func() float64 { return r.ExpFloat64() * 800 },
		"log-normal":  func() float64 { return math.Exp(r.NormFloat64()*4 + 3) },
		"wide":        func() float64 { return math.Float64frombits(r.Uint64()>>2 | 1<<60) },
		"negative":    func() float64 { return -r.ExpFloat64() * 30 },
		"both signs":  func() float64 { return r.NormFloat64() * 1e6 },
		"few":         func() float64 { return float64(r.IntN(3)) },
		"one":         func() float64 { return 1234.5678 },
		"infinite":    func() float64 { return math.Inf(r.IntN(3) - 1) },
	} {
		t.Run(name, func(t *testing.T) {
			var d distribution
			var values []float64
			for range 3 * maxExact {
				v := value()
				values = append(values, v)
				d.add(v)
			}
			require.NotNil(t, d.hist)
			slices.Sort(values)
			s := d.summary()
			for p, got := range map[int]float64{50: s.P50, 95: s.P95, 99: s.P99} {
				want := values[(len(values)*p+99)/100-1]
				if math.IsInf(want, 0) || want == 0 {
					require.Equal(t, want, got, "p%d", p)
				} else {
					require.LessOrEqual(t, math.Abs(got-want), percentileError*math.Abs(want), "p%d is %v, true is %v", p, got, want)
				}
			}
			require.Equal(t, values[0], s.Min)
			require.Equal(t, values[len(values)-1], s.Max)
		})
	}
}

func TestBucketsAreInTheOrderOfTheirValues(t *testing.T) {
	values := []float64{math.Inf(-1), -math.MaxFloat64, -1e10, -1, -1e-300, 0, 5e-324, 1e-300, 0.5, 1, 1.04, 2, 1e10, math.MaxFloat64, math.Inf(1)}
	for i := 1; i < len(values); i++ {
		require.LessOrEqual(t, bucketOf(values[i-1]), bucketOf(values[i]), fmt.Sprint(values[i-1:i+1]))
	}
	require.Equal(t, bucketOf(0), bucketOf(math.Copysign(0, -1)))
}

func FuzzDistribution(f *testing.F) {
	f.Add(1.0, -2.0, 0.0, uint16(3000))
	f.Fuzz(func(t *testing.T, a, b, c float64, n uint16) {
		var d distribution
		list := []float64{a, b, c}
		for i := range int(n) + 1 {
			if math.IsNaN(list[i%3]) {
				t.Skip("unknown values are not added")
			}
			d.add(list[i%3])
		}
		s := d.summary()
		if !(s.Min <= s.P50 && s.P50 <= s.P95 && s.P95 <= s.P99 && s.P99 <= s.Max) {
			t.Fatalf("out of order: %+v", store.Distribution(s))
		}
	})
}
