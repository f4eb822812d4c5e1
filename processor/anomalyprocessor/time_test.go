package anomalyprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestLateCallIsLearnedFromAndNotMarked(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(1)
	r.send(g.calls(100)...)
	newest := g.at

	late := g.with(slow)
	late.end = newest.Add(-61 * time.Second)
	assert.Empty(t, marked(r.send(late)))
	assert.EqualValues(t, 1, r.counter("events_late_total"))

	justInTime := g.with(slow)
	justInTime.end = newest.Add(-60 * time.Second)
	assert.NotEmpty(t, marked(r.send(justInTime)), "within max_lateness")
	assert.EqualValues(t, 1, r.counter("events_late_total"))
}

func TestLateCallsFillABaseline(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(2)
	first := g.call()
	first.end = epoch.Add(time.Hour)
	r.send(first)
	require.Empty(t, marked(r.send(g.calls(60)...)), "all of them are late")
	require.EqualValues(t, 60, r.counter("events_late_total"))
	spike := g.with(slow)
	spike.end = epoch.Add(time.Hour + time.Second)
	assert.NotEmpty(t, marked(r.send(spike)), "the baseline was learned from late calls")
}

func TestFutureCallIsJudgedAtArrival(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(3)
	r.send(g.calls(100)...)
	arrival := g.at.Add(20 * time.Second)
	r.setClock(arrival)

	ahead := g.with(slow)
	ahead.end = arrival.Add(time.Minute + time.Second)
	a := one(t, r.send(ahead)[0])
	assert.Equal(t, arrival, a.Time, "the time of the call cannot be true")
	assert.EqualValues(t, 1, r.counter("events_clamped_total"))

	// The future did not become the newest event time: what follows is in time.
	require.Empty(t, marked(r.send(g.call())))
	assert.Zero(t, r.counter("events_late_total"))

	skewed := g.call()
	skewed.end = arrival.Add(59 * time.Second)
	r.send(skewed)
	assert.EqualValues(t, 1, r.counter("events_clamped_total"), "within max_future")
}

// Bad clocks give durations that no call has.
func TestImpossibleTimesDoNotAlarm(t *testing.T) {
	at := func(y int) pcommon.Timestamp {
		return pcommon.Timestamp(uint64(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Unix()) * 1e9)
	}
	for name, c := range map[string]struct {
		change func(ptrace.Span)
		reason string
	}{
		"start in 1970":    {func(s ptrace.Span) { s.SetStartTimestamp(1) }, "time_out_of_range"},
		"end in 2300":      {func(s ptrace.Span) { s.SetEndTimestamp(at(2300)) }, "time_out_of_range"},
		"both in 1970":     {func(s ptrace.Span) { s.SetStartTimestamp(1); s.SetEndTimestamp(2) }, "time_out_of_range"},
		"both in 2300":     {func(s ptrace.Span) { s.SetStartTimestamp(at(2300)); s.SetEndTimestamp(at(2300) + 9e9) }, "time_out_of_range"},
		"no times":         {func(s ptrace.Span) { s.SetStartTimestamp(0); s.SetEndTimestamp(0) }, "missing_end"},
		"no start":         {func(s ptrace.Span) { s.SetStartTimestamp(0) }, "missing_start"},
		"no end":           {func(s ptrace.Span) { s.SetEndTimestamp(0) }, "missing_end"},
		"end before start": {func(s ptrace.Span) { s.SetStartTimestamp(s.EndTimestamp() + 1) }, "end_before_start"},
		"highest times":    {func(s ptrace.Span) { s.SetStartTimestamp(1<<64 - 2); s.SetEndTimestamp(1<<64 - 1) }, "time_out_of_range"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newTraffic(4)
			r.send(g.calls(100)...)
			r.setClock(g.at.Add(10 * time.Second))
			bad := g.with(func(x *call) { x.change = c.change })
			assert.Empty(t, marked(r.send(bad)))
			assert.EqualValues(t, 1, r.counter("events_skipped_total", "reason", c.reason))

			// Neither the baseline nor the newest event time took harm.
			a := one(t, r.send(g.with(slow))[0])
			assert.InDelta(t, 800, a.Details.Baseline, 200)
			assert.Zero(t, r.counter("events_late_total"))
		})
	}
}

// In a replay, one call with a wrong clock must not make all others late.
func TestOneWrongClockDoesNotStopAReplay(t *testing.T) {
	for name, change := range map[string]func(*call){
		"no times":   func(c *call) { c.change = func(s ptrace.Span) { s.SetStartTimestamp(0); s.SetEndTimestamp(0) } },
		"hours fast": func(c *call) { c.end = c.end.Add(5 * time.Hour) },
		"years fast": func(c *call) { c.end = c.end.AddDate(10, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			g := newTraffic(6)
			r.send(g.calls(100)...)
			require.Empty(t, marked(r.send(g.with(change))))
			require.Empty(t, marked(r.send(g.calls(20)...)))
			assert.NotEmpty(t, marked(r.send(g.with(slow))))
			assert.Zero(t, r.counter("events_late_total"))
		})
	}
}

func TestEventTimeAdvances(t *testing.T) {
	const lateness = 60
	for name, c := range map[string]struct {
		at   []int64
		late []bool
	}{
		"steady":               {[]int64{100, 110, 105, 50, 49}, []bool{false, false, false, false, true}},
		"sparse":               {[]int64{100, 1100, 2100, 1000, 3100}, []bool{false, false, false, true, false}},
		"gap":                  {[]int64{100, 1100, 1105, 200}, []bool{false, false, false, true}},
		"gap, out of order":    {[]int64{100, 1105, 1100, 200, 1105}, []bool{false, false, false, true, false}},
		"one ahead":            {[]int64{100, 9000, 110, 120, 40}, []bool{false, false, false, false, true}},
		"one ahead, then gap":  {[]int64{100, 9000, 500, 510, 300}, []bool{false, false, false, false, true}},
		"two ahead are a fact": {[]int64{100, 9000, 9001, 110}, []bool{false, false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var ent entry
			for i, at := range c.at {
				assert.Equal(t, c.late[i], ent.advance(at, lateness), "event %d at %d", i, at)
			}
		})
	}
}

func TestIdleSeriesAreForgotten(t *testing.T) {
	r := newRig(t, nil)
	g := newTraffic(5)
	arrival := epoch.Add(24 * time.Hour)
	r.send(g.calls(100)...)
	require.EqualValues(t, 1, r.counter("series"))

	// A replay of old events keeps its series: idle means that nothing arrives.
	assert.Zero(t, r.eng.table.Sweep(arrival.UnixNano(), sweepBudget))
	assert.Zero(t, r.eng.table.Sweep(arrival.Add(time.Hour).UnixNano(), sweepBudget))
	assert.Equal(t, 1, r.eng.table.Sweep(arrival.Add(time.Hour+1).UnixNano(), sweepBudget))
	assert.Zero(t, r.counter("series"))
	assert.EqualValues(t, 1, r.counter("series_evicted_total", "reason", "idle"))
	assert.Empty(t, marked(r.send(g.with(slow))), "it begins anew")
}
