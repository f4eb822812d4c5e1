package evaluate

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAveragePrecision(t *testing.T) {
	tests := []struct {
		name   string
		scores []float64
		labels []bool
		want   float64
	}{
		{"perfect", []float64{1, 5, 2, 4}, []bool{false, true, false, true}, 1},
		{"last", []float64{4, 3, 2, 1}, []bool{false, false, false, true}, .25},
		{"two", []float64{4, 3, 2, 1}, []bool{true, false, true, false}, (1 + 2./3) / 2},
		{"all tied", []float64{1, 1, 1, 1}, []bool{true, false, false, false}, .25},
		{"tie at the top", []float64{2, 2, 1}, []bool{false, true, true}, (.5 + 2./3) / 2},
		{"none", []float64{1, 2}, []bool{false, false}, 0},
	}
	for _, tt := range tests {
		assert.InDelta(t, tt.want, AveragePrecision(tt.scores, tt.labels), 1e-12, tt.name)
	}
}

func TestOnsets(t *testing.T) {
	fired := map[int]bool{1: true, 3: true, 9: true, 15: true, 22: true}
	r := Rule{Join: 6}
	on := func(from int) []int {
		onsets, exceeded := r.Onsets(func(i int) bool { return fired[i] }, from, 30)
		want := 0
		for i := range fired {
			if i >= from && fired[i] {
				want++
			}
		}
		assert.Equal(t, want, exceeded)
		return onsets
	}
	assert.Equal(t, []int{1, 22}, on(0), "each within 6 rows of the one before it, but the last")
	assert.Equal(t, []int{3, 22}, on(2), "what was before is forgotten")
}

func TestFound(t *testing.T) {
	r := Rule{Join: 6, Before: 1, After: 3}
	events := []Event{{First: 10, Last: 12}, {First: 40, Last: 60}}
	found, spurious := r.Found([]int{8, 9, 15, 16, 45, 55}, events)
	assert.Equal(t, []bool{true, true}, found)
	assert.Equal(t, 2, spurious, "rows 8 and 16; a second onset in an event counts as nothing")
	found, spurious = r.Found(nil, events)
	assert.Equal(t, []bool{false, false}, found)
	assert.Zero(t, spurious)
}

func TestDelays(t *testing.T) {
	r := Rule{Before: 1, After: 3}
	events := []Event{{First: 10, Last: 12}, {First: 20, Last: 21}, {First: 30, Last: 40}}
	assert.Equal(t, []int{0, 5}, r.Delays([]int{9, 11, 35, 38}, events), "the second is not found")
	assert.Empty(t, r.Delays(nil, events))
}

func TestEvents(t *testing.T) {
	labels := []bool{true, true, true, false, true, false, true, true}
	assert.Equal(t, []Event{{First: 2, Last: 2}, {First: 4, Last: 4}, {First: 6, Last: 7}}, Events(labels, 2))
	assert.Empty(t, Events(nil, 0))
}

func TestCounts(t *testing.T) {
	c := Counts{Events: 10, Found: 6, Spurious: 2, Sham: 2}
	assert.Equal(t, .75, c.Precision())
	assert.Equal(t, .6, c.Recall())
	assert.Equal(t, .2, c.ShamRecall())
	assert.Equal(t, .5, c.NetRecall())
	assert.InDelta(t, 2*.75*.6/(.75+.6), c.F1(), 1e-12)
	assert.Zero(t, Counts{}.F1())
	assert.Zero(t, Counts{Events: 3, Found: 3, Sham: 3}.NetRecall())
}

func TestThresholds(t *testing.T) {
	assert.Equal(t, []float64{5, 4, 3}, Thresholds([]float64{3, 5, 4, 4, 0, -1}, 1), "distinct and positive")
	assert.Equal(t, []float64{5, 4}, Thresholds([]float64{3, 5, 4, 4, 0, -1}, .5))
}
