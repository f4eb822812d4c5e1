package anomalyprocessor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

const methodTrend = anomaly.Method("trend")

// trendRule judges the geometric mean of the calls of a time step. Single calls
// spread widely, so that a shift of the whole has to be large before it shows
// in them; the mean of a minute is far steadier, and has a rhythm of the day.
type trendRule struct {
	cfg   TrendConfig
	model *ensemble.Model
	rows  []*metricRow
	// judges are the places of the rows among those of single calls, -1 for
	// rows that are not judged there.
	judges []int
	// coolDown is that of single calls, unix ns.
	coolDown int64
}

// trendState has a mean for each row of the rule.
type trendState struct{ means []trendMean }

// trendMean is the step that goes on, and what is known of those before it.
type trendMean struct {
	begin int64 // event time of the first call, unix ns; 0 none
	sum   float64
	calls uint32
	// series is nil until the first step has ended.
	series *ensemble.State
}

func newTrendRule(cfg *Config) (rule, error) {
	r := trendRule{cfg: cfg.Trend, coolDown: int64(cfg.CoolDown)}
	var err error
	r.model, err = ensemble.NewModel(ensemble.Config{
		Threshold: cfg.Trend.Threshold,
		Rate:      min(1, cfg.Trend.AlertsPerWeek*float64(cfg.Trend.Step)/float64(week)),
	})
	if err != nil {
		return nil, fmt.Errorf("trend: %w", err)
	}
	plans := cfg.plans()
	for _, name := range cfg.Trend.Metrics {
		row, judge := metricByName(name), -1
		for i := range plans {
			if plans[i].metric == row {
				judge = i
			}
		}
		r.rows, r.judges = append(r.rows, row), append(r.judges, judge)
	}
	return &r, nil
}

func (*trendRule) name() string { return "trend" }

func (r *trendRule) fingerprint() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%v %v %v %v", r.cfg.Metrics, r.cfg.Step, r.cfg.MinCalls, trendVersion)
	return h.Sum64()
}

func (r *trendRule) newState() ruleState { return &trendState{means: make([]trendMean, len(r.rows))} }

func (s *trendState) appendState(dst []byte) []byte {
	dst = append(dst, trendVersion)
	for i := range s.means {
		m := &s.means[i]
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.begin))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(m.sum))
		dst = binary.LittleEndian.AppendUint32(dst, m.calls)
		if m.series == nil {
			dst = append(dst, 0)
			continue
		}
		dst = m.series.Append(append(dst, 1))
	}
	return dst
}

// trendVersion is that of the serialised form, with that of the states in it. It
// is part of the fingerprint, so that an older snapshot costs the trend only.
const trendVersion = 3

var errTrendState = errors.New("state of trend is malformed")

func (r *trendRule) readState(src []byte) (ruleState, error) {
	s := &trendState{means: make([]trendMean, len(r.rows))}
	if len(src) == 0 || src[0] != trendVersion {
		return nil, errTrendState
	}
	src = src[1:]
	const head = 21
	for i := range s.means {
		if len(src) < head {
			return nil, errTrendState
		}
		m := &s.means[i]
		m.begin = int64(binary.LittleEndian.Uint64(src))
		m.sum = math.Float64frombits(binary.LittleEndian.Uint64(src[8:]))
		m.calls = binary.LittleEndian.Uint32(src[16:])
		known := src[20]
		src = src[head:]
		if known > 1 || m.begin < 0 || !(math.Abs(m.sum) <= math.MaxFloat32) {
			return nil, errTrendState
		}
		if known == 0 {
			continue
		}
		m.series = &ensemble.State{}
		var err error
		if src, err = m.series.Read(src); err != nil {
			return nil, fmt.Errorf("%w: %w", errTrendState, err)
		}
	}
	if len(src) > 0 {
		return nil, errTrendState
	}
	return s, nil
}

func (*trendRule) pass(_ ruleState, _ time.Time, found []finding) []finding { return found }

func (r *trendRule) call(b *batch, st ruleState, late bool, found []finding) []finding {
	if late || b.event.Failed {
		return found
	}
	s := st.(*trendState)
	for i, row := range r.rows {
		if !b.event.Has(row.field) {
			continue
		}
		m := &s.means[i]
		x := row.value(b.event) + row.logOffset
		if !(x > 0) {
			continue
		}
		if m.begin == 0 {
			m.begin = b.at
		} else if b.at-m.begin >= int64(r.cfg.Step) && int(m.calls) >= r.cfg.MinCalls {
			found = r.close(b, i, m, found)
			m.begin, m.sum, m.calls = b.at, 0, 0
		}
		m.sum += b.ln(row)
		m.calls++
	}
	return found
}

// close judges the step of m, which ended before the call of b.
func (r *trendRule) close(b *batch, i int, m *trendMean, found []finding) []finding {
	if m.series == nil {
		m.series = &ensemble.State{}
		if p := b.entry.parent.mean(i); p != nil {
			m.series.Adopt(p)
		}
	}
	row := r.rows[i]
	mean := row.tidy(math.Exp(m.sum/float64(m.calls)) - row.logOffset)
	v := r.model.Observe(m.series, m.begin, mean)
	if !v.Alarm || !row.wants(mean, v.Expected) {
		return found
	}
	if r.told(b, i) {
		b.counts.suppressed[suppressOngoing]++
		return found
	}
	f := r.finding(row, m, mean, &v)
	f.cause = b.entry.parent.tell(m.series.Borrowed(), f.cause, f.detail, f.context)
	return append(found, f)
}

// told reports whether single calls of the metric have told of what is going
// on, or have done so within the cool-down.
func (r *trendRule) told(b *batch, i int) bool {
	if r.judges[i] < 0 || b.entry.states[r.judges[i]] == nil {
		return false
	}
	st := b.entry.states[r.judges[i]]
	at, ever := st.LastAlarm()
	return st.Outside() || ever && b.at-at < max(r.coolDown, 2*int64(r.cfg.Step))
}

// wants reports whether a deviation of the metric is one that matters.
func (m *metricRow) wants(value, expected float64) bool {
	d := value - expected
	switch {
	case m.direction == detect.Up && d < 0, m.direction == detect.Down && d > 0:
		return false
	}
	d = math.Abs(d)
	return d >= m.minAbsolute && d >= m.minRelative*math.Abs(expected)
}

// minDecades is what a detector must say to be named.
const minDecades = 2

func (r *trendRule) finding(row *metricRow, m *trendMean, mean float64, v *ensemble.Verdict) finding {
	f := finding{
		typ: row.typ, metric: row.name, method: methodTrend,
		severity: trendSeverity(mean, v), confidence: min(.99, 1-.5*math.Exp(r.cfg.Threshold-v.Score)),
		value: mean, baseline: v.Expected, threshold: math.NaN(), sigma: math.NaN(),
		onset: m.begin, samples: v.Samples, window: fmt.Sprintf("step_of_%v", r.cfg.Step),
		detail: map[string]float64{
			"evidence": v.Evidence, "p_value": v.P, "calls": float64(m.calls),
			"alerts_per_week": v.Rate * float64(week) / float64(r.cfg.Step),
		},
		context: map[string]string{contextSide: "above"},
	}
	if mean < v.Expected {
		f.context[contextSide] = "below"
	}
	var names []string
	for i, d := range v.Decades {
		if d >= minDecades || i == v.Strongest() {
			names = append(names, ensemble.Name(i))
			f.detail[ensemble.Name(i)+".decades"] = d
		}
	}
	f.context["detectors"] = strings.Join(names, ",")
	cause := make([]byte, 0, 256)
	cause = fmt.Appendf(cause, "The mean %s of %d calls since %s is ", row.name, m.calls, time.Unix(0, m.begin).UTC().Format(time.RFC3339))
	cause = appendNumber(cause, mean)
	cause = fmt.Appendf(cause, " %s, ", row.unit)
	cause = row.appendRatio(cause, mean, v.Expected)
	cause = append(cause, "; one of "...)
	cause = appendNumber(cause, math.Round(1/max(v.P, 1e-9)))
	if v.Cold {
		cause = append(cause, " steps of a series that is as new as this is so unusual"...)
	} else {
		cause = append(cause, " steps of this series is so unusual"...)
	}
	f.cause = string(cause)
	return f
}

// trendSeverity follows the evidence and is capped by the effect, as that of
// single calls is.
func trendSeverity(mean float64, v *ensemble.Verdict) anomaly.Severity {
	step := func(x, a, b, c float64) anomaly.Severity {
		switch {
		case x < a:
			return anomaly.SeverityLow
		case x < b:
			return anomaly.SeverityMedium
		case x < c:
			return anomaly.SeverityHigh
		}
		return anomaly.SeverityCritical
	}
	ratio := math.Inf(1)
	if mean > 0 && v.Expected > 0 {
		ratio = max(mean/v.Expected, v.Expected/mean)
	}
	return min(step(v.Score, 5, 7, 12), step(ratio, 1.25, 2, 4))
}
