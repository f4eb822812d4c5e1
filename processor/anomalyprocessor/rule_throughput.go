package anomalyprocessor

import (
	"fmt"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

const (
	metricThroughput = "throughput"
	// typeThroughputSurge is no type of the contract: a custom one.
	typeThroughputSurge = anomaly.Type("throughput_surge")

	methodCounts  = anomaly.Method("quasi_poisson")
	methodSilence = anomaly.Method("silence")
)

// throughputRule finds that fewer or more calls come than usual, or none.
type throughputRule struct{ model *rate.Arrivals }

type throughputState rate.ArrivalState

func (s *throughputState) appendState(dst []byte) []byte { return (*rate.ArrivalState)(s).Append(dst) }

func newThroughputRule(cfg *Config) (rule, error) {
	m, err := rate.NewArrivals(cfg.Throughput.model(cfg.CoolDown, cfg.MaxLateness))
	if err != nil {
		return nil, fmt.Errorf("throughput: %w", err)
	}
	return throughputRule{m}, nil
}

func (throughputRule) name() string          { return metricThroughput }
func (r throughputRule) fingerprint() uint64 { return r.model.Fingerprint() }
func (throughputRule) newState() ruleState   { return &throughputState{} }

func (r throughputRule) readState(src []byte) (ruleState, error) {
	s, err := r.model.ReadState(src)
	return (*throughputState)(s), err
}

func (throughputRule) untell(st ruleState, f *finding) {
	if f.metric == metricThroughput {
		(*rate.ArrivalState)(st.(*throughputState)).Untell()
	}
}

func (r throughputRule) call(b *batch, st ruleState, late bool, found []finding) []finding {
	s := (*rate.ArrivalState)(st.(*throughputState))
	if late {
		r.model.Learn(s, b.at)
		return found
	}
	switch signal := r.model.Observe(s, b.at, b.now.UnixNano()); signal {
	case rate.Ongoing:
		b.counts.suppressed[suppressOngoing]++
	case rate.Recovered, rate.Rebased:
		// Only one episode is on at a time, so that it is the one last told.
		f := finding{typ: throughputType(s.Report().Change), metric: metricThroughput, baseline: s.Normal()}
		f.ended = b.endOf(signal == rate.Rebased, metricThroughput)
		return append(found, f)
	case rate.Alarm:
		report := s.Report()
		return append(found, throughputFinding(&report))
	}
	return found
}

func (r throughputRule) pass(st ruleState, now time.Time, found []finding) []finding {
	s := (*rate.ArrivalState)(st.(*throughputState))
	if r.model.Silence(s, now.UnixNano()) == rate.Alarm {
		report := s.Report()
		found = append(found, throughputFinding(&report))
	}
	return found
}

func throughputType(c rate.Change) anomaly.Type {
	if c == rate.Surge {
		return typeThroughputSurge
	}
	return anomaly.TypeThroughputDegradation
}

func throughputFinding(r *rate.ArrivalReport) finding {
	minutes := time.Duration(r.Window).Minutes()
	f := finding{
		typ: throughputType(r.Change), metric: metricThroughput, method: methodCounts,
		severity: anomaly.Severity(r.Severity), confidence: r.Confidence,
		value: r.Rate, baseline: r.Normal, threshold: r.Limit / minutes, sigma: -r.Deviate,
		onset: r.Onset, at: r.At, samples: r.Bins,
		window: "last_" + string(appendNumber(nil, minutes)) + "_minutes",
		detail: map[string]float64{
			"calls": float64(r.Calls), "expected_calls": r.Expected, "limit_calls": r.Limit,
			"window_minutes": minutes, "dispersion": r.Dispersion,
		},
		context: map[string]string{contextSide: "below", "unit": "calls per minute"},
	}
	since := time.Unix(0, r.Onset).UTC().Format(time.RFC3339Nano)
	var cause []byte
	switch {
	case r.Silent:
		f.method = methodSilence
		f.context["silent"] = "true"
		cause = fmt.Appendf(cause, "no call for %s, where ", time.Duration(r.Window).Round(time.Second))
		cause = appendNumber(cause, r.Expected)
		cause = append(cause, " are expected"...)
		f.remediation = []string{"Nothing of this series arrives: look at the service, at its exporter, and at the way from there to here."}
	default:
		if r.Change == rate.Surge {
			f.sigma = r.Deviate
			f.context[contextSide] = "above"
		}
		cause = fmt.Appendf(cause, "%d calls in ", r.Calls)
		cause = appendNumber(cause, minutes)
		cause = append(cause, " minute"...)
		if minutes != 1 {
			cause = append(cause, 's')
		}
		cause = append(cause, ", where "...)
		cause = appendNumber(cause, r.Expected)
		cause = append(cause, " are expected (limit "...)
		cause = appendNumber(cause, r.Limit)
		cause = append(cause, ')')
	}
	f.cause = string(append(append(cause, "; since "...), since...))
	return f
}
