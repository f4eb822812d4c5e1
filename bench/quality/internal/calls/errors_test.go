package calls

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor"
)

func requests(rows, calls int, step time.Duration) dataset.Requests {
	r := dataset.Requests{Name: "s", Group: "g", Step: step, Start: 1_700_000_000e9, Counts: make([]int, rows)}
	for i := range r.Counts {
		r.Counts[i] = calls
	}
	return r
}

// TestRuleIsThatOfTheProduct compares with the default configuration of the
// processor.
func TestRuleIsThatOfTheProduct(t *testing.T) {
	c := anomalyprocessor.NewFactory().CreateDefaultConfig().(*anomalyprocessor.Config)
	require.True(t, c.ErrorRate.Enabled)
	assert.Equal(t, rate.ErrorConfig{
		PriorRate: c.ErrorRate.PriorRate, FalseAlarms: c.ErrorRate.FalseAlarms, MinRequests: c.ErrorRate.MinRequests,
		MinIncrease: c.ErrorRate.MinIncrease, RebaseAfter: int64(c.ErrorRate.RebaseAfter), CoolDown: int64(c.CoolDown),
	}, errorRule())
	assert.Contains(t, levels, c.ErrorRate.FalseAlarms)
	assert.Equal(t, rate.ArrivalConfig{
		Drop: c.Throughput.Drop, Surge: c.Throughput.Surge, Silence: c.Throughput.Silence, Threshold: c.Throughput.Threshold,
		DropRatio: c.Throughput.DropRatio, SurgeRatio: c.Throughput.SurgeRatio, MinSilence: int64(c.Throughput.MinSilence),
		LiveAfter: int64(c.Throughput.LiveAfter), Lateness: int64(c.MaxLateness), RebaseAfter: int64(c.Throughput.RebaseAfter),
		CoolDown: int64(c.CoolDown),
	}, arrivalRule())
}

// counter scores a value by itself.
type counter struct{ seen []float64 }

func (c *counter) Judge(_ time.Time, x float64) score.Judgement {
	c.seen = append(c.seen, x)
	return score.Judgement{Score: x, Evidence: x, Alarm: x > .5}
}

func TestJudgeByHand(t *testing.T) {
	m, err := rate.NewErrors(errorRule())
	require.NoError(t, err)
	r := requests(5, 200, time.Minute)
	r.Counts[2], r.Counts[3] = 0, 10
	j := judge(&r, []float64{0, 0, 1, 1, 0}, []*rate.Errors{m}, 1)
	assert.Equal(t, 610, j.calls)
	assert.Equal(t, []int{200, 200, 0, 10, 200}, j.total)
	assert.Equal(t, []int{0, 0, 0, 10, 0}, j.failed)
	assert.Equal(t, [][]bool{{false, false, false, true, false}}, j.alarms)

	c := &counter{}
	s := j.ratio(score.Method{New: func() score.Scorer { return c }}, r.RowTimes())
	assert.Equal(t, []float64{0, 0, 1, 0}, c.seen, "the step without calls is left out")
	assert.Equal(t, []float64{0, 0, 0, 1, 0}, s.Scores)
	assert.Equal(t, []bool{false, false, false, true, false}, s.Alarms)
}

func TestBurstsKeepToTheRules(t *testing.T) {
	for seed := range uint64(50) {
		base := baseShares(int(seed), 1200, 0)
		p := base[0]
		assert.True(t, p >= .005 && p <= .03, "%v", p)
		share, events := bursts(base, seed)
		assert.Len(t, events, 5)
		inside := 0
		for _, e := range events {
			n := e.Last - e.First + 1
			assert.True(t, n >= 3 && n <= 12, "%v", e)
			assert.GreaterOrEqual(t, e.First, 300)
			inside += n
			for i := e.First; i <= e.Last; i++ {
				assert.True(t, share[i] >= p+.2 && share[i] <= p+.6, "%v", share[i])
			}
		}
		raised := 0
		for _, x := range share {
			if x > p {
				raised++
			}
		}
		assert.Equal(t, inside, raised)
	}
}

func TestUnevenSharesHaveTheSameMean(t *testing.T) {
	even, uneven := baseShares(3, 20000, 0), baseShares(3, 20000, UnevenSpread)
	mean, logs, squares := 0., 0., 0.
	for i, x := range uneven {
		mean += x / even[i] / 20000
		l := math.Log(x / even[i])
		logs, squares = logs+l/20000, squares+l*l/20000
	}
	assert.InDelta(t, 1, mean, .02)
	assert.InDelta(t, UnevenSpread, math.Sqrt(squares-logs*logs), .02)
}

// always fires on every value.
type always struct{}

func (always) Judge(time.Time, float64) score.Judgement {
	return score.Judgement{Score: 1, Evidence: 1, Alarm: true}
}

func TestBenchErrors(t *testing.T) {
	series := []dataset.Requests{requests(1200, 50, 10*time.Second), requests(400, 50, 10*time.Second)}
	alwaysFires := score.Method{New: func() score.Scorer { return always{} }}
	r, err := BenchErrors(series, alwaysFires, 0)
	require.NoError(t, err)
	again, err := BenchErrors(series, alwaysFires, 0)
	require.NoError(t, err)
	assert.Equal(t, r, again)

	d := r.Default.Point
	assert.Equal(t, 24, d.Total.Events, "3 runs of 5 and of 3")
	assert.Equal(t, 80_000, r.Calls)
	assert.GreaterOrEqual(t, d.Total.Recall(), .9)
	assert.Zero(t, d.Total.Sham)
	assert.Zero(t, d.AlertsPer1000h)
	assert.LessOrEqual(t, d.Delay, 2)
	assert.GreaterOrEqual(t, r.At10.Point.Total.Found, d.Total.Found)
	assert.Len(t, r.Levels, len(levels))

	assert.Zero(t, r.Ratio.Default.Total.Found, "one onset, before everything")
	assert.Equal(t, 1., r.Ratio.Default.Duty)
	assert.Zero(t, r.Ratio.At10.Total.Events, "no threshold is admissible")
}

// TestBurstsWithoutCallsAreNotFound: where nothing is called, nothing fails.
func TestBurstsWithoutCallsAreNotFound(t *testing.T) {
	r := requests(400, 0, 10*time.Second)
	for i := range 100 {
		r.Counts[i] = 50
	}
	m, err := score.Find("z60")
	require.NoError(t, err)
	out, err := BenchErrors([]dataset.Requests{r}, m, 0)
	require.NoError(t, err)
	assert.Zero(t, out.Default.Point.Total.Found)
	assert.Zero(t, out.Ratio.Default.Total.Found)
	assert.Equal(t, 9, out.Default.Point.Total.Events)
}
