package anomalyprocessor

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/rate"
)

const (
	metricErrorRate  = "error_rate"
	methodErrorBurst = anomaly.Method("error_burst")
)

// errorRateRule finds that more calls fail than usual.
type errorRateRule struct{ model *rate.Errors }

type errorRateState rate.ErrorState

func (s *errorRateState) appendState(dst []byte) []byte { return (*rate.ErrorState)(s).Append(dst) }

func newErrorRateRule(cfg *Config) (rule, error) {
	m, err := rate.NewErrors(cfg.ErrorRate.model(cfg.CoolDown))
	if err != nil {
		return nil, fmt.Errorf("error_rate: %w", err)
	}
	return errorRateRule{m}, nil
}

func (errorRateRule) name() string          { return metricErrorRate }
func (r errorRateRule) fingerprint() uint64 { return r.model.Fingerprint() }
func (r errorRateRule) newState() ruleState { return (*errorRateState)(r.model.NewState()) }

func (r errorRateRule) readState(src []byte) (ruleState, error) {
	s, err := r.model.ReadState(src)
	return (*errorRateState)(s), err
}

func (errorRateRule) pass(_ ruleState, _ time.Time, found []finding) []finding { return found }

func (errorRateRule) untell(st ruleState, f *finding) {
	if f.metric == metricErrorRate {
		(*rate.ErrorState)(st.(*errorRateState)).Untell()
	}
}

func (r errorRateRule) call(b *batch, st ruleState, late bool, found []finding) []finding {
	s := (*rate.ErrorState)(st.(*errorRateState))
	if late {
		r.model.Learn(s, b.event.Failed)
		return found
	}
	switch signal := r.model.Observe(s, b.at, b.event.Failed, b.event.ErrorType); signal {
	case rate.Ongoing:
		b.counts.suppressed[suppressOngoing]++
	case rate.Recovered, rate.Rebased:
		f := finding{typ: anomaly.TypeErrorRateIncrease, metric: metricErrorRate, ended: b.endOf(signal == rate.Rebased, metricErrorRate)}
		f.baseline = r.model.Report(s).Expected
		return append(found, f)
	case rate.Alarm:
		report := r.model.Report(s)
		return append(found, errorRateFinding(&report))
	}
	return found
}

func errorRateFinding(r *rate.ErrorReport) finding {
	f := finding{
		typ: anomaly.TypeErrorRateIncrease, metric: metricErrorRate, method: methodErrorBurst,
		severity: anomaly.Severity(r.Severity), confidence: r.Confidence,
		value: r.Rate, baseline: r.Expected, threshold: r.Limit, sigma: math.NaN(),
		onset: r.Onset, samples: r.Baseline, window: fmt.Sprintf("%d_calls_since_onset", r.Calls),
		detail:  map[string]float64{"errors": float64(r.Failed), "requests": float64(r.Calls)},
		context: map[string]string{contextSide: "above"},
	}
	cause := make([]byte, 0, 256)
	cause = fmt.Appendf(cause, "%d of %d calls failed since %s: ", r.Failed, r.Calls, time.Unix(0, r.Onset).UTC().Format(time.RFC3339Nano))
	cause = append(cause, percent(r.Rate)...)
	cause = append(cause, ", where "...)
	cause = append(cause, percent(r.Expected)...)
	cause = append(cause, " are expected (limit for as many calls "...)
	cause = append(cause, percent(r.Limit)...)
	cause = append(cause, ')')
	if len(r.Kinds) > 0 {
		list := make([]string, 0, len(r.Kinds))
		for _, k := range r.Kinds {
			list = append(list, fmt.Sprintf("%s %d", k.Kind, k.Count))
		}
		counts := strings.Join(list, ", ")
		f.context["error_types"] = counts
		if top := r.Kinds[0]; top.Kind != rate.OtherKind {
			f.context["error_type"] = top.Kind
			f.detail["error_type_count"] = float64(top.Count)
			f.remediation = errorRemediation(top.Kind)
		}
		cause = append(cause, "; error types: "...)
		cause = append(cause, counts...)
	}
	f.cause = string(cause)
	return f
}

// errorAdvice says what an error type is about. The first row of which a word
// occurs in the type applies; the words are as SDKs and HTTP name them.
var errorAdvice = []struct {
	words []string
	line  string
}{
	{[]string{"429", "rate", "quota", "throttl"}, "The provider refuses calls for their number: look at the rate and the quota of this key, and at retries that add to the load."},
	{[]string{"context_length", "max_tokens", "too_long"}, "Prompts are longer than the model takes: look at what is put into the prompt."},
	{[]string{"content_filter", "contentfilter", "safety", "policy"}, "A content filter stops the calls: look at what the prompts have in common."},
	{[]string{"401", "403", "auth", "permission", "api_key", "apikey"}, "The provider does not accept the credentials: look at the key and its rights."},
	{[]string{"404", "not_found", "notfound"}, "The provider does not know what is asked for: look at the name of the model and the address."},
	{[]string{"timeout", "deadline", "timed_out", "408", "504"}, "Calls end without an answer in time: look at the load of the provider, the network, and the deadline of the client."},
	{[]string{"500", "502", "503", "529", "overload", "unavailable", "internal"}, "The provider fails: look at its status page, and at another model or region to fall back to."},
	{[]string{"connect", "dns", "socket", "eof"}, "The provider is not reached: look at the network and the address."},
	{[]string{"400", "422", "invalid", "badrequest", "bad_request"}, "The provider refuses the calls as malformed: look at what changed in the request."},
}

// errorRemediation suggests where to look, as far as the error type tells.
func errorRemediation(kind string) []string {
	kind = strings.ToLower(kind)
	for _, row := range errorAdvice {
		for _, w := range row.words {
			if strings.Contains(kind, w) {
				return []string{row.line}
			}
		}
	}
	return nil
}
