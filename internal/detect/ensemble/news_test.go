package ensemble

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told returns at which of the evidences there is news, in a series with values
// so far apart.
func told(t *testing.T, c Config, step time.Duration, evidence ...float64) (news []int) {
	t.Helper()
	m := newModel(t, c)
	s := State{interval: float32(step), age: coolMost}
	for i, e := range evidence {
		if m.news(&s, e) {
			news = append(news, i)
		}
	}
	return news
}

// after returns an incident, n values that show something, and another like it.
func after(n int, between float64) []float64 {
	e := []float64{8}
	for range n {
		e = append(e, between)
	}
	return append(e, 8)
}

func TestTheCoolDownIsATimeWithinBoundsInValues(t *testing.T) {
	const something = 3 // so that it is not quiet
	for _, c := range []struct {
		step  time.Duration
		steps int
	}{
		{time.Hour, 10},
		{24 * time.Hour, coolLeast},
		{10 * time.Minute, 60},
		{time.Minute, coolMost},
	} {
		n := c.steps
		assert.NotContains(t, told(t, Config{}, c.step, after(n-1, something)...), n, "%v: too early", c.step)
		assert.Contains(t, told(t, Config{}, c.step, after(n, something)...), n+1, "%v", c.step)
	}
	assert.Len(t, told(t, Config{CoolDown: -1}, time.Minute, 8, 3, 8), 3, "no cool-down")
}

func TestTwentyQuietValuesEndTheCoolDown(t *testing.T) {
	assert.NotContains(t, told(t, Config{}, time.Minute, after(quietRun-1, .5)...), quietRun)
	assert.Contains(t, told(t, Config{}, time.Minute, after(quietRun, .5)...), quietRun+1)
}

func TestMoreEvidenceIsNewsDuringTheCoolDown(t *testing.T) {
	assert.Equal(t, []int{0}, told(t, Config{}, time.Minute, 8, 8.9))
	assert.Equal(t, []int{0, 1}, told(t, Config{}, time.Minute, 8, 9))
	assert.Equal(t, []int{0}, told(t, Config{}, time.Minute, 20, 21.9), "a tenth more at least")
	assert.Equal(t, []int{0, 1}, told(t, Config{}, time.Minute, 20, 22))
}

func TestTheRankOfWhatComesAgainStaysHigh(t *testing.T) {
	values := noise(21, 4000)
	for i := 1000; i < len(values); i += 200 {
		values[i] += 100
	}
	v := feed(t, values)
	first, last := v[1000], v[3800]
	require.Less(t, last.Evidence, .7*first.Evidence)
	assert.InDelta(t, 10, last.Deviation, 3, "standard deviations")
	assert.Greater(t, last.Rank(), last.Evidence+2)
	higher := 0
	for i := 2000; i < len(v); i++ {
		if i%200 != 0 && v[i].Rank() > last.Rank() {
			higher++
		}
	}
	assert.LessOrEqual(t, higher, 2, "ordinary values with a higher rank")
}
