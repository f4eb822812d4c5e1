package nab

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
)

// file has 20 rows, of which 3 are on probation, and a window of rows 10..14.
func file(scores map[int]float64) File {
	f := File{Scores: make([]float64, 20), Alarms: make([]bool, 20), Windows: []dataset.Window{{First: 10, Last: 14}}}
	for i, s := range scores {
		f.Scores[i] = s
		f.Alarms[i] = s >= .5
	}
	return f
}

var standard = Profiles()[0]

func TestSigmoid(t *testing.T) {
	assert.InDelta(t, .98661, sigmoid(-1), 5e-6)
	assert.Zero(t, sigmoid(0))
	assert.InDelta(t, -.98661, sigmoid(1), 5e-6)
	assert.InDelta(t, -1, sigmoid(3), 1e-6)
	assert.Equal(t, -1., sigmoid(3.01))
}

func TestProbation(t *testing.T) {
	assert.Equal(t, 3, probation(20))
	assert.Equal(t, 604, probation(4032))
	assert.Equal(t, 750, probation(15902))
}

func TestScoresByHand(t *testing.T) {
	s := func(x float64) float64 { return 2/(1+math.Exp(5*x)) - 1 }
	top := s(-1)
	norm := func(raw float64) float64 { return 100 * (raw + 1) / 2 }
	tests := []struct {
		name string
		rows map[int]float64
		want float64
	}{
		{"silence", nil, norm(-1)},
		{"first row of the window", map[int]float64{10: 1}, 100},
		{"last row of the window", map[int]float64{14: 1}, norm(s(-.2) / top)},
		{"the best row of the window counts", map[int]float64{14: 1, 12: 1, 13: 1}, norm(s(-.6) / top)},
		{"before every window", map[int]float64{5: 1}, norm(-1 - .11)},
		{"just behind a window", map[int]float64{15: 1}, norm(-1 + .11*s(.25))},
		{"found, and one row outside", map[int]float64{10: 1, 19: 1}, norm(1 + .11*s(1.25))},
		{"on probation", map[int]float64{0: 1, 2: 1}, norm(-1)},
	}
	for _, tt := range tests {
		o := At([]File{file(tt.rows)}, standard, .5)
		assert.InDelta(t, tt.want, o.Score, 1e-9, tt.name)
		assert.Equal(t, o.Score, AtDefault([]File{file(tt.rows)}, standard).Score, tt.name)
	}
}

func TestProfilesWeigh(t *testing.T) {
	f := []File{file(map[int]float64{5: 1})}
	assert.InDelta(t, -100*.11/2, At(f, Profiles()[0], .5).Score, 1e-9)
	assert.InDelta(t, -100*.22/2, At(f, Profiles()[1], .5).Score, 1e-9)
	assert.InDelta(t, -100*.11/3, At(f, Profiles()[2], .5).Score, 1e-9, "normalised by 2 + 1")
}

func TestOptimise(t *testing.T) {
	// The best threshold leaves out the row at .3.
	o := Optimise([]File{file(map[int]float64{10: .9, 4: .3})}, standard)
	assert.InDelta(t, 100, o.Score, 1e-9)
	assert.Equal(t, .9, o.Threshold)
	assert.Equal(t, Outcome{Threshold: .9, Score: o.Score, Inside: 1, Found: 1}, o)

	// Rows of equal score enter together.
	o = Optimise([]File{file(map[int]float64{10: .9, 4: .9})}, standard)
	assert.InDelta(t, 100*(2-.11)/2, o.Score, 1e-9)
	assert.Equal(t, 1, o.Outside)

	// Silence is the best that this detector can do.
	f := File{Scores: make([]float64, 100), Alarms: make([]bool, 100), Windows: []dataset.Window{{First: 50, Last: 54}}}
	f.Scores[20] = .9
	o = Optimise([]File{f}, standard)
	assert.Zero(t, o.Score)
	assert.True(t, math.IsInf(o.Threshold, 1))
}

func TestTwoFold(t *testing.T) {
	a := file(map[int]float64{10: .9, 4: .3}) // best at .9
	b := file(map[int]float64{10: .5})        // best at .5
	forth, back := TwoFold([]File{a, b}, standard)
	assert.Zero(t, forth.Score, "nothing of b reaches .9")
	assert.InDelta(t, 100, back.Score, 1e-9, "a at .5")
	assert.Equal(t, .5, back.Threshold)
}

func TestFilesWithoutWindows(t *testing.T) {
	f := File{Scores: make([]float64, 20), Alarms: make([]bool, 20)}
	f.Scores[10] = 1
	assert.Zero(t, At([]File{f}, standard, .5).Score)
	o := At([]File{f, file(map[int]float64{10: 1})}, standard, .5)
	assert.InDelta(t, 100*(2-.11)/2, o.Score, 1e-9)
}
