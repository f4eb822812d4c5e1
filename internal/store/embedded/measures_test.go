package embedded

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomMeasures are in the order of time, within an hour.
func randomMeasures(r *rand.Rand, hour int64, n int) (names [][len(dimensionColumns)]string, list []measure) {
	at := hour * nanosPerHour
	for i := range n {
		at = min(at+r.Int64N(2*nanosPerHour/int64(n+1)), (hour+1)*nanosPerHour-1)
		m := measure{nanos: at, failed: r.IntN(4) == 0, known: known(r.Uint32()) & knowsAll}
		for j := range m.tokens {
			if m.known&(1<<j) != 0 {
				m.tokens[j] = []int64{0, 1, -1, 200, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(7)]
			}
		}
		if i%2 == 0 && m.known&7 == 7 {
			m.tokens[2] = m.tokens[0] + m.tokens[1]
		}
		for j, to := range [...]*float64{&m.cost, &m.ttft, &m.latency} {
			if m.known&(knowsCost<<j) != 0 {
				*to = []float64{0, -1.5, 1e300, math.Inf(1), r.Float64()}[r.IntN(5)]
			}
		}
		list = append(list, m)
		names = append(names, [...]string{"service", fmt.Sprint("model-", r.IntN(3)), "", "chat", "é\x00", fmt.Sprint(r.IntN(2))})
	}
	return names, list
}

func encode(hour int64, names [][len(dimensionColumns)]string, list []measure) []byte {
	w := newChunkWriter(hour)
	groups := map[[len(dimensionColumns)]string]int{}
	for i := range list {
		if _, ok := groups[names[i]]; !ok {
			groups[names[i]] = len(groups)
		}
		w.add(groups[names[i]], &names[i], &list[i])
	}
	return w.bytes()
}

func TestChunksKeepWhatTheyAreGiven(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		hour := int64(500_000) - int64(seed%3)*500_010 // before 1970, too
		names, list := randomMeasures(r, hour, r.IntN(200))
		var kinds []measureKind
		i := 0
		require.NoError(t, readChunk(encode(hour, names, list), hour, func(k measureKind) { kinds = append(kinds, k) }, func(kind int, m *measure) error {
			require.Equal(t, list[i], *m)
			require.Equal(t, names[i][1:], kinds[kind].names[:])
			i++
			return nil
		}))
		require.Len(t, list, i)
	}
}

// A chunk that is cut off anywhere is refused, whatever was read of it before.
func TestCutChunksAreRefused(t *testing.T) {
	names, list := randomMeasures(rand.New(rand.NewPCG(1, 3)), 400_000, 20)
	data := encode(400_000, names, list)
	ignore := func(int, *measure) error { return nil }
	for n := range data {
		require.ErrorIs(t, readChunk(data[:n], 400_000, func(measureKind) {}, ignore), errMeasures, "%d bytes", n)
	}
	require.ErrorIs(t, readChunk(append(data, 0), 400_000, func(measureKind) {}, ignore), errMeasures, "a byte too many")
	require.ErrorIs(t, readChunk(append([]byte{9}, data[1:]...), 400_000, func(measureKind) {}, ignore), errMeasures, "another format")
}

func FuzzReadChunk(f *testing.F) {
	for seed := range uint64(4) {
		names, list := randomMeasures(rand.New(rand.NewPCG(seed, 3)), 400_000, 10)
		f.Add(encode(400_000, names, list))
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		kinds, events := 0, 0
		err := readChunk(data, 400_000, func(measureKind) { kinds++ }, func(kind int, m *measure) error {
			if kind >= kinds || hourOf(m.nanos) != 400_000 {
				t.Fatalf("event of kind %d of %d at %d", kind, kinds, m.nanos)
			}
			events++
			return nil
		})
		if err == nil && events > len(data) {
			t.Fatalf("%d events in %d bytes", events, len(data))
		}
	})
}
