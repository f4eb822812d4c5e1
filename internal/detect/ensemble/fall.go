package ensemble

import (
	"math"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

const (
	// fallOffset, as a ratio of the level, keeps a fall to nothing finite.
	fallOffset = .05
	// fallRate is the least weight of a value in that level.
	fallRate = .01
	// fallMemory, fallBound and fallFloor are those of what is usual.
	fallMemory, fallBound, fallFloor = 15, 3, 1e-9
	// fallAgain is how much more a fall counts that the next value confirms.
	fallAgain = 2.8
)

// falls compares sizes as ratios. The size of a value is the value itself, or its
// opposite in a series below 0, and 0 where that is negative.
type falls struct {
	// typical is a mean of the sizes.
	typical float32
	// last are the last three sizes, the newest first, and log the logarithm of
	// the newest.
	last [3]float32
	log  float32
	// usual follows the logarithms up to the last but one.
	usual track
}

// observe returns by how many powers of e the n-th size is below the last one
// and below what is usual, whichever is less. Or, if that is more, by how many
// the last two are below the two before, times fallAgain. It is 0 where nothing
// has fallen. It learns size.
func (f *falls) observe(n uint64, size float64) float64 {
	if n == 0 {
		f.typical = float32(size)
	}
	typical := float64(f.typical)
	typical += atLeast(1/float64(n+1), fallRate) * (size - typical)
	f.typical = float32(typical)
	offset := fallOffset*typical + math.SmallestNonzeroFloat32
	log := detect.Ln(size + offset)
	a, b, c := float64(f.last[0]), float64(f.last[1]), float64(f.last[2])
	usual, last := float64(f.usual.centre), float64(f.log)
	f.last = [3]float32{float32(size), f.last[0], f.last[1]}
	f.log = float32(log)
	switch n {
	case 0:
		return 0
	case 1:
		f.usual.centre = float32(last)
		usual = last
	}
	f.usual.follow(last, n, fallMemory, fallBound, fallFloor)
	fall := 0.
	if size < a && log < usual {
		fall = min(detect.Ln(a+offset), usual) - log
	}
	if before, now := min(b, c), max(size, a); n >= 3 && now < before {
		fall = max(fall, fallAgain*detect.Ln((before+offset)/(now+offset)))
	}
	return fall
}
