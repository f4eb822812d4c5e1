package score

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor"
)

func TestTheKnobIsThatOfTheProcessor(t *testing.T) {
	c := anomalyprocessor.NewFactory().CreateDefaultConfig().(*anomalyprocessor.Config)
	assert.InDelta(t, AlertsPerWeek, c.Trend.AlertsPerWeek, 0)
	assert.InDelta(t, ensemble.DefaultThreshold, c.Trend.Threshold, 0)
}

// A lower bound leaves some of the alarms of a higher one, and nothing else.
func TestTheKnobOnlyTakesAlarmsAway(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var times []int64
	var values []float64
	for i := range 3000 {
		x := 100 + 10*r.NormFloat64()
		if i%400 == 399 {
			x += 60
		}
		times = append(times, int64(i)*int64(time.Minute))
		values = append(values, x)
	}
	all := Run(Methods()[0], times, values)
	many, few := Run(Knob(100), times, values), Run(Knob(2), times, values)
	count := func(s Scored) (n int) {
		for i, a := range s.Alarms {
			if a {
				n++
				require.True(t, all.Alarms[i])
			}
		}
		return n
	}
	assert.Equal(t, all.Scores, few.Scores)
	assert.Positive(t, count(many))
	assert.Greater(t, count(many), count(few))
}
