package feedback

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const day = 24 * time.Hour

func id(n uint64) (u uuid.UUID) {
	binary.BigEndian.PutUint64(u[8:], n)
	return u
}

// said is a verdict on a latency that was so many times the expected one.
func said(n uint64, v store.Verdict, times float64) *store.Feedback {
	f := &store.Feedback{
		ID: id(n), AnomalyID: id(1000 + n), Time: now, Verdict: v, Service: "chat", Model: "gpt-4",
		Type: anomaly.TypeLatencySpike, Method: anomaly.MethodMAD, Metric: "latency_ms", Value: 100 * times, Baseline: 100,
	}
	if v == store.VerdictMute {
		f.Until = now.Add(time.Hour)
	}
	return f
}

func (m *Memory) take(f *store.Feedback) bool {
	return m.Learn(f, ClassOf(f.Method), Deviation(f.Value, f.Baseline, 0), later(f.Time, now))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// latency is a single call that took so many times what was expected.
func latency(times float64) *Finding {
	return &Finding{
		Subject: Subject{Service: "chat", Model: "gpt-4", Type: anomaly.TypeLatencySpike},
		Metric:  "latency_ms", Class: ClassCall, Deviation: math.Log(times),
	}
}

func TestWithoutFeedbackAllIsMarked(t *testing.T) {
	var m Memory
	assert.Equal(t, Mark, m.Judge(latency(1e9), now))
	assert.Zero(t, m.Tolerance(latency(1), 1, now))
	m.Expire(now)
	assert.Zero(t, testing.AllocsPerRun(100, func() { m.Judge(latency(5), now) }))
}

func TestWhatWasCalledFalseIsToleratedAndWhatIsClearlyWorseIsNot(t *testing.T) {
	var m Memory
	require.True(t, m.take(said(1, store.VerdictFalse, 3)))
	for times, want := range map[float64]Decision{1.5: Tolerate, 3: Tolerate, 3.7: Tolerate, 3.8: Mark, 20: Mark, 1. / 3: Mark} {
		assert.Equal(t, want, m.Judge(latency(times), now), "%v times the expected latency", times)
	}
	assert.InDelta(t, math.Log(3)*1.2, m.Tolerance(latency(1), 1, now), 1e-12)
	assert.Zero(t, m.Tolerance(latency(1), -1, now), "nothing was said about the other side")
}

func TestEachVerdictReachesABitFurtherUpToACap(t *testing.T) {
	var m Memory
	reach := func() float64 { return math.Exp(m.Tolerance(latency(1), 1, now)) }
	for n, want := range []float64{3.74, 4.17, 4.66, 5.20, 5.20, 5.20} {
		require.True(t, m.take(said(uint64(n+1), store.VerdictFalse, 3)))
		assert.InDelta(t, want, reach(), .005, "after %d verdicts", n+1)
	}
	for n := range uint64(100) {
		m.take(said(100+n, store.VerdictFalse, 3))
	}
	assert.InDelta(t, 5.2, reach(), .005, "however many")
	assert.Equal(t, maxPerSubject, m.Len())
}

func TestOnlyTheLikeOfItIsTolerated(t *testing.T) {
	var m Memory
	m.take(said(1, store.VerdictFalse, 3))
	for name, change := range map[string]func(*Finding){
		"service": func(f *Finding) { f.Service = "search" },
		"model":   func(f *Finding) { f.Model = "gpt-5" },
		"type":    func(f *Finding) { f.Type = anomaly.TypeCostAnomaly },
		"metric":  func(f *Finding) { f.Metric = "ttft_ms" },
		"class":   func(f *Finding) { f.Class = ClassLevel },
		"method":  func(f *Finding) { f.Class = "error_burst" },
		"side":    func(f *Finding) { f.Deviation = -f.Deviation },
	} {
		f := latency(3)
		change(f)
		assert.Equal(t, Mark, m.Judge(f, now), name)
	}
}

func TestALevelThatIsNormalMakesSingleCallsAtItNormal(t *testing.T) {
	var m Memory
	f := said(1, store.VerdictFalse, 3)
	f.Method = anomaly.MethodCUSUM
	m.take(f)
	level := latency(3)
	level.Class = ClassOf("trend")
	assert.Equal(t, Tolerate, m.Judge(level, now), "whichever method sees the level")
	assert.Equal(t, Tolerate, m.Judge(latency(3), now))
}

func TestItemsThatAreJudgedByThemselvesTeachNothing(t *testing.T) {
	var m Memory
	f := said(1, store.VerdictFalse, 3)
	f.Type, f.Method, f.Metric, f.Value, f.Baseline = anomaly.TypeSecurityThreat, "threshold", "prompt_injection_score", .97, 0
	m.take(f)
	threat := latency(1)
	threat.Type, threat.Class, threat.Metric, threat.Deviation = anomaly.TypeSecurityThreat, ClassOf(f.Method), f.Metric, Deviation(.97, 0, .01)
	assert.Equal(t, Mark, m.Judge(threat, now))
	mute := said(2, store.VerdictMute, 3)
	mute.Type, mute.Method = f.Type, f.Method
	m.take(mute)
	assert.Equal(t, Mute, m.Judge(threat, now), "but can be muted")
}

func TestTrueTakesTheToleranceBack(t *testing.T) {
	reach := func(list ...*store.Feedback) float64 {
		var m Memory
		for i, f := range list {
			f.ID, f.Time = id(uint64(i+1)), now.Add(time.Duration(i)*time.Second)
			m.take(f)
		}
		return math.Exp(m.Tolerance(latency(1), 1, now))
	}
	no, yes := store.VerdictFalse, store.VerdictTrue
	same := said(1, no, 3)
	confirmed := said(2, yes, 3)
	confirmed.AnomalyID = same.AnomalyID
	assert.InDelta(t, 1, reach(same, confirmed), 1e-9, "who has changed his mind")
	assert.InDelta(t, 1, reach(said(1, no, 3), said(2, yes, 3)), 1e-9, "another one of that size")
	assert.InDelta(t, 1, reach(said(1, no, 3), said(2, no, 4), said(3, yes, 2.9)), 1e-9, "a smaller one")
	assert.InDelta(t, 3, reach(said(1, no, 3), said(2, yes, 10)), 1e-9, "a larger one takes the reserve only")
	assert.InDelta(t, 3.74, reach(said(1, yes, 3), said(2, no, 3), said(3, no, 3)), 5e-3, "what is called false later counts, less one verdict")
}

func TestAConfirmedSizeIsAlwaysMarked(t *testing.T) {
	var m Memory
	for n := range uint64(5) {
		m.take(said(n+1, store.VerdictFalse, 3))
	}
	assert.Equal(t, Tolerate, m.Judge(latency(4), now))
	f := said(6, store.VerdictTrue, 3.5)
	f.Time = now.Add(time.Second)
	m.take(f)
	assert.Equal(t, Mark, m.Judge(latency(4), now))
	assert.Equal(t, Mark, m.Judge(latency(3.5), now))
	assert.Equal(t, Tolerate, m.Judge(latency(3.4), now))
}

func TestVerdictsFade(t *testing.T) {
	var m Memory
	m.take(said(1, store.VerdictFalse, 3))
	for after, want := range map[time.Duration]Decision{7 * day: Tolerate, 10 * day: Tolerate, 11 * day: Mark, 31 * day: Mark} {
		assert.Equal(t, want, m.Judge(latency(3), now.Add(after)), "the same after %v", after)
	}
	assert.Equal(t, Tolerate, m.Judge(latency(1.5), now.Add(14*day)), "smaller ones later")
	m.Expire(now.Add(29 * day))
	assert.Equal(t, 1, m.Len())
	m.Expire(now.Add(30 * day))
	assert.Zero(t, m.Len())
	assert.Empty(t, m.subjects)
}

func TestMuteLastsUntilItsEnd(t *testing.T) {
	var m Memory
	m.take(said(1, store.VerdictMute, 3))
	other := latency(1000)
	other.Metric, other.Class = "ttft_ms", ClassLevel
	assert.Equal(t, Mute, m.Judge(other, now.Add(time.Hour-1)), "whatever is found of service, model and type")
	assert.Equal(t, Mark, m.Judge(other, now.Add(time.Hour)))

	f := said(2, store.VerdictTrue, 3)
	f.AnomalyID, f.Time = id(1001), now.Add(time.Minute)
	m.take(f)
	assert.Equal(t, Mark, m.Judge(other, now.Add(2*time.Minute)), "a verdict on the anomaly ends it")

	long := said(3, store.VerdictMute, 3)
	long.Until = now.Add(1000 * day)
	m.take(long)
	assert.Equal(t, Mark, m.Judge(other, now.Add(life)), "none is longer than feedback counts")
}

func TestToMuteDoesNotUndoWhatWasSaid(t *testing.T) {
	var m Memory
	m.take(said(1, store.VerdictFalse, 3))
	f := said(2, store.VerdictMute, 3)
	f.AnomalyID, f.Time = id(1001), now.Add(time.Minute)
	m.take(f)
	assert.Equal(t, Mute, m.Judge(latency(9), now.Add(2*time.Minute)))
	assert.Equal(t, Tolerate, m.Judge(latency(3), now.Add(2*day)))
}

func TestNeitherOrderNorRepetitionMatters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []*store.Feedback
		for n := range uint64(20) {
			f := said(n+1, [...]store.Verdict{store.VerdictFalse, store.VerdictFalse, store.VerdictTrue, store.VerdictMute}[rng.IntN(4)], 1+5*rng.Float64())
			f.AnomalyID, f.Time = id(rng.Uint64N(8)), now.Add(-time.Duration(rng.IntN(20))*day)
			list = append(list, f)
		}
		var a, b Memory
		for _, f := range list {
			require.True(t, a.take(f))
			require.False(t, a.take(f), "a second time")
		}
		for _, i := range rng.Perm(len(list)) {
			b.take(list[i])
		}
		require.Equal(t, a.Append(nil), b.Append(nil))
	}
}

func TestVerdictsThatAreOfNoUse(t *testing.T) {
	for name, change := range map[string]func(*store.Feedback){
		"unknown verdict": func(f *store.Feedback) { f.Verdict = "perhaps" },
		"too old":         func(f *store.Feedback) { f.Time = now.Add(-life) },
		"long name":       func(f *store.Feedback) { f.Service = strings.Repeat("x", MaxName+1) },
	} {
		var m Memory
		f := said(1, store.VerdictFalse, 3)
		change(f)
		assert.False(t, m.take(f), name)
		assert.Zero(t, m.Len(), name)
	}
	var m Memory
	f := said(1, store.VerdictFalse, 3)
	f.Time = now.Add(maxAhead + 1)
	assert.False(t, m.Learn(f, ClassCall, 1, now), "from the future")
}

func TestTheNewestVerdictsAreKept(t *testing.T) {
	var m Memory
	// Newest first, as a store yields them.
	for n := range uint64(MaxVerdicts + 500) {
		f := said(n+1, store.VerdictFalse, 3)
		f.Service, f.Time = strconv.FormatUint(n/10, 10), now.Add(-time.Duration(n)*time.Minute)
		assert.Equal(t, n < MaxVerdicts, m.take(f), n)
	}
	assert.Equal(t, MaxVerdicts, m.Len())
	f := said(1<<40, store.VerdictFalse, 3)
	f.Time = now.Add(time.Second)
	assert.True(t, m.take(f), "a newer one finds room")
	assert.Equal(t, MaxVerdicts, m.Len())

	b := m.Append(nil)
	var again Memory
	require.NoError(t, again.Read(b))
	assert.Equal(t, m.Len(), again.Len())
	f = said(1<<41, store.VerdictFalse, 3)
	f.Service, f.Time = "another", now.Add(-MaxVerdicts*time.Minute)
	assert.False(t, again.take(f), "what was left out stays out after a restart")
}

func TestTheNewestVerdictsOfASubjectAreKept(t *testing.T) {
	var m Memory
	for n := range uint64(maxPerSubject + 8) {
		f := said(n+1, store.VerdictFalse, float64(100-n))
		f.Time = now.Add(time.Duration(n) * time.Second)
		assert.True(t, m.take(f))
	}
	assert.Equal(t, maxPerSubject, m.Len())
	assert.InDelta(t, math.Log(92)*1.5, m.Tolerance(latency(1), 1, now), 1e-9)
	assert.False(t, m.take(said(1, store.VerdictFalse, 100)), "an older one")
}

func TestDeviation(t *testing.T) {
	assert.InDelta(t, math.Log(3), Deviation(300, 100, 0), 1e-12)
	assert.InDelta(t, math.Log(.5), Deviation(0, 1, 1), 1e-12)
	assert.InDelta(t, -.5, Deviation(-.3, .2, .01), 1e-12, "no ratio")
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		assert.Zero(t, Deviation(v, 1, 1))
		assert.Zero(t, Deviation(1, v, 1))
	}
	var m Memory
	f := said(1, store.VerdictFalse, 3)
	f.Value = math.NaN()
	m.take(f)
	assert.Equal(t, Tolerate, m.Judge(latency(math.NaN()), now), "what has no size is all alike")
	assert.Equal(t, Mark, m.Judge(latency(1.1), now))
}

func some(t testing.TB) *Memory {
	t.Helper()
	m := &Memory{}
	for n, v := range []store.Verdict{store.VerdictFalse, store.VerdictTrue, store.VerdictMute, store.VerdictFalse} {
		f := said(uint64(n+1), v, float64(n+2))
		f.Model = strconv.Itoa(n % 2)
		require.True(t, m.take(f))
	}
	return m
}

func TestReadTakesWhatAppendWrote(t *testing.T) {
	m, again := some(t), &Memory{}
	b := m.Append(nil)
	require.NoError(t, again.Read(b))
	assert.Equal(t, m.subjects, again.subjects)
	assert.Equal(t, m.Len(), again.Len())
	var none Memory
	require.NoError(t, none.Read((&Memory{}).Append(nil)))
	assert.Zero(t, none.Len())
}

// seal puts the checksum right, so that a test gets behind it.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b[:len(b)-4], crc32.Checksum(b[:len(b)-4], castagnoli))
}

func TestReadRefusesWhatItCannotUse(t *testing.T) {
	good := some(t).Append(nil)
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i]++
		m := some(t)
		require.ErrorIs(t, m.Read(bad), ErrMalformed, "byte %d", i)
		require.Equal(t, good, m.Append(nil), "the memory stays as it was")
		require.ErrorIs(t, m.Read(good[:i]), ErrMalformed, "cut at %d", i)
	}
	newer := append([]byte(nil), good...)
	newer[4] = version + 1
	require.ErrorContains(t, (&Memory{}).Read(seal(newer)), "version must be 1, got 2")
}

func FuzzRead(f *testing.F) {
	f.Add(some(f).Append(nil))
	f.Add((&Memory{}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 9 {
			return
		}
		var m Memory
		if m.Read(seal(append([]byte(nil), b...))) != nil {
			return
		}
		m.Judge(latency(3), now)
		m.Expire(now)
		var again Memory
		require.NoError(t, again.Read(m.Append(nil)))
		require.Equal(t, m.Len(), again.Len())
	})
}

func BenchmarkJudge(b *testing.B) {
	var m Memory
	for n := range uint64(maxPerSubject) {
		m.take(said(n+1, store.VerdictFalse, 3))
	}
	f := latency(3)
	b.ReportAllocs()
	for b.Loop() {
		m.Judge(f, now)
	}
}

func TestRecentRemembersTheNewest(t *testing.T) {
	var r Recent
	_, _, ok := r.Find(id(1))
	assert.False(t, ok)
	for n := range uint64(recentSize + 10) {
		r.Add(id(n), ClassCall, float64(n))
	}
	_, _, ok = r.Find(id(9))
	assert.False(t, ok, "the oldest give way")
	class, d, ok := r.Find(id(10))
	assert.True(t, ok)
	assert.Equal(t, ClassCall, class)
	assert.InDelta(t, 10, d, 0)
	_, _, ok = r.Find(id(recentSize + 9))
	assert.True(t, ok)
	assert.Len(t, r.ring, recentSize)
}
