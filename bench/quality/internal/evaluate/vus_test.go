package evaluate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVUSPRByHand(t *testing.T) {
	one := []bool{false, false, true, false, false}
	assert.Equal(t, 1., VUSPR([]float64{0, 0, 5, 0, 0}, one, 2), "perfect without its buffer")
	// Beside the anomaly. Buffers of 0 and 1 points have no neighbours: all five
	// points enter together, .2. With 2, the neighbour weighs a = sqrt(.5): recall
	// a / (1 + a/2) at precision a, and the rest of the recall at (1 + 2a) / 5.
	a := math.Sqrt(.5)
	r := a / (1 + a/2)
	want := (.2 + .2 + r*a + (1-r)*(1+2*a)/5) / 3
	assert.InDelta(t, want, VUSPR([]float64{0, 0, 0, 5, 0}, one, 2), 1e-12)
	// One anomaly of two: half of the points, times half of the anomalies.
	two := []bool{true, false, false, false, false, false, true}
	assert.InDelta(t, .25+.75*2/7, VUSPR([]float64{9, 0, 0, 0, 0, 0, 0}, two, 0), 1e-12)
	assert.Zero(t, VUSPR([]float64{1, 2}, []bool{false, false}, 3))
}

// TestVUSPRWithMeetingBuffers has values that the published implementation gives
// when every score is a threshold.
func TestVUSPRWithMeetingBuffers(t *testing.T) {
	scores, labels := make([]float64, 60), make([]bool, 60)
	for i := range scores {
		scores[i] = float64((i*i*7 + 3*i) % 23)
	}
	for _, i := range []int{7, 8, 9, 14, 15, 40, 41, 42, 43, 58} {
		labels[i] = true
	}
	for longest, want := range map[int]float64{0: .22281389992126963, 4: .2861849681467597, 9: .3960982596416115, 12: .4567786537299826} {
		assert.InDelta(t, want, VUSPR(scores, labels, longest), 1e-9, "%d", longest)
	}
}

func TestVUSPRForgivesNearMissesOnly(t *testing.T) {
	labels := make([]bool, 200)
	for i := 100; i < 104; i++ {
		labels[i] = true
	}
	at := func(row int) float64 {
		scores := make([]float64, len(labels))
		scores[row] = 1
		return VUSPR(scores, labels, 10)
	}
	assert.Greater(t, at(101), at(105))
	assert.Greater(t, at(105), at(108))
	assert.Greater(t, at(108), at(110))
	assert.Equal(t, at(110), at(190))
}

func TestPeriod(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 600)
	for i := range x {
		x[i] = math.Sin(2*math.Pi*float64(i)/24) + .1*r.NormFloat64()
	}
	assert.Equal(t, 24, Period(x))
	assert.Zero(t, Period(make([]float64, 600)), "flat")
	assert.Zero(t, Period([]float64{1, 2}))
	for i := range x {
		x[i] = float64(i)
	}
	assert.Zero(t, Period(x), "a trend has no peak")
}
