package ensemble

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAStateIsTheSameAfterAppendAndRead(t *testing.T) {
	m := newModel(t, Config{})
	values := noise(1, 3000)
	for _, n := range []int{0, 5, 31, 32, 33, 100, 2000} {
		var s, back State
		for i, x := range values[:n] {
			m.Observe(&s, int64(i)*int64(time.Minute), x)
		}
		rest, err := back.Read(append(s.Append(nil), 7))
		require.NoError(t, err, "%d values", n)
		assert.Equal(t, []byte{7}, rest)
		require.Equal(t, s, back)
		for i := n; i < n+200; i++ {
			at := int64(i) * int64(time.Minute)
			require.Equal(t, m.Observe(&s, at, values[i]), m.Observe(&back, at, values[i]))
		}
	}
}

func TestADamagedStateIsRefused(t *testing.T) {
	m := newModel(t, Config{})
	var s State
	for i, x := range noise(1, 500) {
		m.Observe(&s, int64(i)*int64(time.Minute), x)
	}
	blob := s.Append(nil)
	for n := range blob {
		var back State
		_, err := back.Read(blob[:n])
		require.ErrorIs(t, err, ErrState)
		require.Equal(t, State{}, back)
	}
	blob[0]++
	_, err := new(State).Read(blob)
	require.ErrorContains(t, err, "version must be 4")

	s.peaks.count = peaksMemory
	_, err = new(State).Read(s.Append(nil))
	require.ErrorContains(t, err, "count of peaks is malformed")
}

func FuzzRead(f *testing.F) {
	m := newModel(f, Config{})
	var s State
	for i, x := range noise(1, 300) {
		m.Observe(&s, int64(i)*int64(time.Minute), x)
	}
	f.Add(s.Append(nil))
	f.Add((&State{}).Append(nil))
	var child State
	child.Adopt(&Parent{scale: .1, tails: s.tails, evidence: s.evidence, peaks: s.peaks})
	f.Add(child.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		if _, err := s.Read(b); err != nil {
			return
		}
		again := s.Append(nil)
		var back State
		_, err := back.Read(again)
		require.NoError(t, err)
		for i, x := range noise(2, 100) {
			m.Observe(&s, int64(i)*int64(time.Minute), x)
		}
	})
}
