package anomalyprocessor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// rootCause states the facts behind the verdict of judge i: what was measured
// and expected, who saw it, since when, and how the other metrics of the same
// call look.
func (b *batch) rootCause(i int, o outcome, e *expectation) string {
	ev, j, v := b.event, &b.judges[i], &b.verdicts[i]
	x := j.metric.value(ev)
	s := make([]byte, 0, 256)
	s = append(s, j.metric.name...)
	s = append(s, ' ')
	s = appendNumber(s, x)
	if v.Level == x {
		s = append(s, " is "...)
	} else {
		// A shift shows in the level of the latest calls, not in this one.
		s = append(s, ", with the latest calls at "...)
		s = appendNumber(s, v.Level)
		s = append(s, " on average: "...)
	}
	s = j.metric.appendRatio(s, v.Level, v.Expected)
	if e.known {
		s = append(s, " ("...)
		// A shift detector measures from the long-term mean: its limit need not
		// lie beyond the expected value, and would only confuse then.
		if v.Level != x && (v.Limit-v.Expected)*float64(v.Side) > 0 {
			s = append(s, "limit "...)
			s = appendNumber(s, v.Limit)
			s = append(s, "; "...)
		}
		s = append(s, "limits of a single call "...)
		s = appendNumber(s, e.lower)
		s = append(s, " to "...)
		s = appendNumber(s, e.upper)
		s = append(s, ')')
	}
	s = append(s, ", "...)
	if v.Level == x {
		s = appendSigma(s, v.Sigma)
	}
	s = append(s, side(v)...)
	s = append(s, "; seen by "...)
	for n, f := range v.Findings[:v.N] {
		if n > 0 {
			s = append(s, ", "...)
		}
		s = append(s, j.methods[f.Detector]...)
	}
	s = append(s, "; since "...)
	s = time.Unix(0, v.Onset).UTC().AppendFormat(s, time.RFC3339Nano)
	s = append(s, "; after "...)
	s = strconv.AppendUint(s, v.Samples, 10)
	s = append(s, " samples"...)
	for k := range b.judges {
		if k == i || !o.has(o.anomalous, k) {
			continue
		}
		m := b.judges[k].metric
		s = append(s, "; same call: "...)
		s = append(s, m.name...)
		s = append(s, ' ')
		s = appendNumber(s, m.value(ev))
		s = append(s, " is "...)
		s = m.appendRatio(s, m.value(ev), b.verdicts[k].Expected)
	}
	if names := b.within(i, o); names != "" {
		s = append(s, "; within limits: "...)
		s = append(s, names...)
	}
	return string(s)
}

// expectation is what a judge expects of the next call, in the unit of its
// metric: within the limits no detector of single values fires.
type expectation struct {
	known         bool
	lower, upper  float64
	value, normal float64
}

func (b *batch) expectation(ent *entry, i int) expectation {
	j := &b.judges[i]
	_, lower, upper, ok := j.model.Expect(ent.states[i])
	// No metric can be negative; the log scale has an offset that can.
	return expectation{
		known: ok, lower: max(0, j.metric.tidy(lower)), upper: upper,
		value: b.verdicts[i].Level, normal: j.metric.tidy(b.verdicts[i].Expected),
	}
}

// Keys of Details.Additional with what was expected: the limits of a single
// call, and the level as a multiple of the expected value.
const (
	detailLower = "lower_limit"
	detailUpper = "upper_limit"
	detailRatio = "ratio"
)

func (e *expectation) addTo(a *anomaly.Anomaly) {
	if e.known {
		a.Details.Additional[detailLower], a.Details.Additional[detailUpper] = e.lower, e.upper
	}
	if e.normal > 0 {
		a.Details.Additional[detailRatio] = e.value / e.normal
	}
}

// appendSigma writes a distance in standard deviations; it is cut at MaxSigma.
func appendSigma(s []byte, sigma float64) []byte {
	sigma = math.Abs(sigma)
	if sigma >= detect.MaxSigma {
		s = append(s, "more than "...)
	}
	s = appendNumber(s, sigma)
	return append(s, " sigma "...)
}

// within lists the metrics of the call that a baseline was there for and that
// are as expected.
func (b *batch) within(i int, o outcome) string {
	var names []string
	for k := range b.judges {
		if k != i && o.normal(k) {
			names = append(names, b.judges[k].metric.name)
		}
	}
	return strings.Join(names, ", ")
}

// normal reports whether judge k found the call as expected, as against having
// too few samples to tell.
func (o outcome) normal(k int) bool {
	return o.has(o.judged, k) && !o.has(o.anomalous, k)
}

// appendRatio writes how x relates to the expected value, as a ratio unless
// the expected value is too small to be the base of one.
func (m *metricRow) appendRatio(s []byte, x, expected float64) []byte {
	expected = m.tidy(expected)
	if expected >= m.logOffset && x > 0 {
		s = appendNumber(s, x/expected)
		s = append(s, "x the expected "...)
		return appendNumber(s, expected)
	}
	s = appendNumber(s, x-expected)
	s = append(s, " off the expected "...)
	return appendNumber(s, expected)
}

// tidy returns zero for what the logarithm and back leave of zero.
func (m *metricRow) tidy(x float64) float64 {
	if math.Abs(x) < 1e-6*m.logOffset {
		return 0
	}
	return x
}

// appendNumber writes x with three significant digits, or as a whole number
// from 100 on, never in exponent form.
func appendNumber(s []byte, x float64) []byte {
	if math.Abs(x) >= 100 {
		return strconv.AppendFloat(s, math.Round(x), 'f', -1, 64)
	}
	var buf [32]byte
	r, err := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], x, 'g', 3, 64)), 64)
	if err != nil {
		r = x
	}
	return strconv.AppendFloat(s, r, 'f', -1, 64)
}

// remediation suggests where to look. A line is there only when the numbers
// of this call support it.
func (b *batch) remediation(i int, o outcome) []string {
	state := func(name string) (high, normal bool) {
		for k := range b.judges {
			if b.judges[k].metric.name == name {
				return o.has(o.anomalous, k) && b.verdicts[k].Side > 0, o.normal(k)
			}
		}
		return false, false
	}
	if b.verdicts[i].Side < 0 {
		return nil
	}
	inputHigh, inputNormal := state("input_tokens")
	outputHigh, outputNormal := state("output_tokens")
	ttftHigh, ttftNormal := state("ttft_ms")
	var out []string
	add := func(ok bool, line string) {
		if ok {
			out = append(out, line)
		}
	}
	switch b.judges[i].metric.name {
	case "latency_ms":
		add(outputHigh, "The answer is longer than usual: limit it, or stream it, if that is not wanted.")
		add(ttftHigh && inputHigh, "The first token is late and the prompt is larger than usual: look at what is put into the prompt.")
		add(ttftHigh && inputNormal, "The first token is late although the prompt is of usual size: look at queueing, rate limits and the network before the model.")
		add(ttftNormal && outputNormal, "The first token came in time and the answer is of usual length: the generation itself is slow, look at the load of the provider.")
	case "ttft_ms":
		add(inputHigh, "The prompt is larger than usual: look at what is put into it.")
		add(inputNormal, "The prompt is of usual size: look at queueing, rate limits and the network before the model.")
	case "cost_usd":
		add(inputHigh || outputHigh, "The call used more tokens than usual: look at what made it so, see the token counts.")
		add(inputNormal && outputNormal, "The token counts are as usual, so a token costs more: look at the model that answered, cached tokens and the price.")
	}
	return out
}
