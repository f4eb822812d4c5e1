package drift

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// part is what all detectors can do with their state.
type part interface {
	AppendState(dst []byte) []byte
	ReadState(src []byte) (rest []byte, err error)
}

// filled are detectors in the middle of their life, and empty ones to read into.
func filled() (full, empty []part) {
	c := DefaultConfig()
	rng := newRand(11)
	num, cat := NewNumbers(NumberBins), NewCategories(8)
	var rel Relation
	var vec Centroid
	for k := range 3000 {
		at := int64(k) * int64(time.Second)
		x := 400 * math.Exp(.5*rng.NormFloat64())
		if num.Add(&c, at, NumberBin(int64(x))) {
			num.Close(&c, .2)
		}
		if cat.Add(&c, at, rng.IntN(3)) {
			cat.Close(&c, .2)
		}
		if rel.Add(&c, at, x, x*math.Exp(.2*rng.NormFloat64())) {
			rel.Close(&c, 1.3)
		}
		var v Vector
		v.Project(rng.IntN(9), 1)
		if v.Normalise() && vec.Add(&c, at, &v) {
			vec.Close(&c, .05)
		}
	}
	num2, cat2 := NewNumbers(NumberBins), NewCategories(8)
	return []part{&num, &cat, &rel, &vec}, []part{&num2, &cat2, &Relation{}, &Centroid{}}
}

func TestAStateGoesOnAsIfNothingHadHappened(t *testing.T) {
	full, empty := filled()
	for i, p := range full {
		b := p.AppendState([]byte("x"))[1:]
		rest, err := empty[i].ReadState(append(b, 7))
		require.NoError(t, err)
		assert.Equal(t, []byte{7}, rest)
		assert.Equal(t, p, empty[i])
		for n := range b {
			_, err := empty[i].ReadState(b[:n])
			require.ErrorIs(t, err, ErrState)
		}
		b[0]++
		_, err = empty[i].ReadState(b)
		require.ErrorContains(t, err, "version")
	}
}

func TestImpossibleStatesAreRefused(t *testing.T) {
	full, empty := filled()
	for i, p := range full {
		b := p.AppendState(nil)
		for at := range b {
			damaged := append([]byte(nil), b...)
			damaged[at] ^= 0xff
			if _, err := empty[i].ReadState(damaged); err != nil {
				require.ErrorIs(t, err, ErrState)
			}
		}
		// The number of values of the current window disagrees with the counts.
		damaged := append([]byte(nil), b...)
		damaged[17] ^= 1
		if _, ok := p.(*Centroid); !ok {
			_, err := empty[i].ReadState(damaged)
			require.ErrorIs(t, err, ErrState)
		}
	}
}

// Whatever a state says, it is refused or can be gone on with.
func FuzzReadState(f *testing.F) {
	full, _ := filled()
	for _, p := range full {
		f.Add(p.AppendState(nil))
	}
	c := Config{MinSamples: 16, Warmup: 2, Memory: 4, Significance: .01}
	f.Fuzz(func(t *testing.T, src []byte) {
		num, cat := NewNumbers(NumberBins), NewCategories(8)
		for _, d := range []*Dist{&num, &cat} {
			if _, err := d.ReadState(src); err == nil {
				for k := range 100 {
					if d.Add(&c, int64(k), k) {
						d.Close(&c, .2)
					}
				}
			}
		}
		var rel Relation
		if _, err := rel.ReadState(src); err == nil {
			for k := range 100 {
				if rel.Add(&c, int64(k), float64(k), float64(k*k)) {
					rel.Close(&c, 1.3)
				}
			}
		}
		var vec Centroid
		if _, err := vec.ReadState(src); err == nil {
			for k := range 100 {
				if vec.Add(&c, int64(k), &Vector{1}) {
					vec.Close(&c, .05)
				}
			}
		}
	})
}

func TestRelationsLeaveOutWhatHasNoLogarithm(t *testing.T) {
	c := DefaultConfig()
	var r Relation
	for _, x := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		assert.False(t, r.Add(&c, 1, x, 1))
		assert.False(t, r.Add(&c, 1, 1, x))
	}
	assert.Zero(t, r.curN)
}

// The line is that of least squares with exponential weights, computed the long way.
func TestTheLineIsLeastSquares(t *testing.T) {
	c := DefaultConfig()
	c.MinDuration = 0
	rng := newRand(12)
	var r Relation
	type pair struct{ x, y float64 }
	var windows [][]pair
	var current []pair
	for range 128 * 12 {
		p := pair{rng.NormFloat64(), 0}
		p.y = 2 + .5*p.x + .3*max(-3, min(3, rng.NormFloat64()))
		current = append(current, p)
		if r.AddLog(&c, 1, p.x, p.y) {
			r.Close(&c, 1.3)
			windows = append(windows, current)
			current = nil
		}
	}
	windows = windows[:len(windows)-1] // the last one waits
	var w, sx, sy, sxx, sxy float64
	for i, win := range windows {
		weight := math.Pow(c.keep(), float64(len(windows)-1-i))
		for _, p := range win {
			w += weight
			sx, sy, sxx, sxy = sx+weight*p.x, sy+weight*p.y, sxx+weight*p.x*p.x, sxy+weight*p.x*p.y
		}
	}
	slope := (w*sxy - sx*sy) / (w*sxx - sx*sx)
	assert.InDelta(t, slope, r.line.slope, 1e-9)
	assert.InDelta(t, (sy-slope*sx)/w, r.line.my-r.line.slope*r.line.mx, 1e-9)
	assert.InDelta(t, .3, r.line.noise, .02)
}
