//go:build e2e

package e2e

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// incidentKind is what a kind of incident must be told as.
type incidentKind struct {
	kind    llmtraffic.Kind
	typ     anomaly.Type
	metrics []string
	// none is the factor with which the incident changes nothing.
	none float64
	// says matches the root cause. Its groups are numbers, named after the facts
	// of the anomaly that they must agree with, see factOf.
	says string
	// named is the size of the change that the anomaly names, injected the one
	// that llmload made, the factor unless set.
	named    func(*anomaly.Anomaly) float64
	injected func(*llmtraffic.TruthLine, *anomaly.Anomaly) float64
	near     func(t *testing.T, injected, named float64)
	// The onset lies less than early before the begin of the incident, and less
	// than late after it: a window may have begun before.
	early, late time.Duration
	// samples is the least number of samples that the baseline rests on.
	samples uint64
	// usual reads the metric of a single call; nil for shares and windows.
	usual func(*event) *float64
	// normal is the share or score that llmload makes without the incident.
	normal float64
}

// Parts of root causes.
const (
	number  = `[0-9.]+)`
	spike   = ` (?P<value>` + number + `(?: is |, with the latest calls at (?P<level>` + number + ` on average: )(?P<ratio>` + number + `x the expected (?P<expected>` + number + ` \((?:limit (?P<limit>` + number + `; )?limits of a single call (?P<lower_limit>` + number + ` to (?P<upper_limit>` + number + `\).*; after (?P<sample_count>[0-9]+) samples`
	counted = `^(?P<calls>[0-9]+) calls in (?P<window_minutes>` + number + ` minutes?, where (?P<expected_calls>` + number + ` are expected \(limit (?P<limit_calls>` + number + `\); since `
	burst   = `\((?P<value_percent>` + number + ` %\), normally (?P<expected_percent>` + number + ` %`
	changed = ` has changed: PSI (?P<psi>` + number + ` \(limit (?P<limit>` + number + `\), KS (?P<ks>` + number + ` over (?P<window_calls>[0-9]+) calls; `
	medians = `median about (?P<median_after>` + number + `, before (?P<median_before>` + number + `;`
)

func detail(name string) func(*anomaly.Anomaly) float64 {
	return func(a *anomaly.Anomaly) float64 { return a.Details.Additional[name] }
}

func value(a *anomaly.Anomaly) float64 { return a.Details.Value }

func valueRatio(a *anomaly.Anomaly) float64 { return a.Details.Value / a.Details.Baseline }

func medianRatio(a *anomaly.Anomaly) float64 {
	return a.Details.Additional["median_after"] / a.Details.Additional["median_before"]
}

// times accepts a ratio that is off by up to the factor.
func times(factor float64) func(*testing.T, float64, float64) {
	return func(t *testing.T, want, got float64) {
		t.Helper()
		assert.Less(t, math.Abs(math.Log(got/want)), math.Log(factor), "%.4g named, %.4g injected", got, want)
	}
}

// share accepts a share that is off by up to the difference.
func share(difference float64) func(*testing.T, float64, float64) {
	return func(t *testing.T, want, got float64) {
		t.Helper()
		assert.InDelta(t, want, got, difference)
	}
}

// rampAt is the factor of an evenly growing drift in the middle of what the
// anomaly looked at.
func rampAt(in *llmtraffic.TruthLine, a *anomaly.Anomaly) float64 {
	onset, _ := time.Parse(time.RFC3339Nano, a.Context.Additional["onset"])
	middle := onset.Add(a.Time.Sub(onset) / 2).Sub(in.Start)
	return 1 + (in.Factor-1)*float64(middle)/float64(in.End.Sub(in.Start))
}

// callsUntil is the number of changed calls up to the anomaly, at an even rate.
func callsUntil(in *llmtraffic.TruthLine, a *anomaly.Anomaly) float64 {
	return float64(in.Calls) * float64(a.Time.Sub(in.Start)) / float64(in.End.Sub(in.Start))
}

func total(e *event) *float64 {
	if e.Prompt.Tokens == nil || e.Response.Tokens == nil {
		return nil
	}
	sum := float64(*e.Prompt.Tokens + *e.Response.Tokens)
	return &sum
}

// incidentKinds has a row for each kind. The tolerances allow for what few calls
// tell: one call of a log-normal size, six of eleven for a share of a half.
var incidentKinds = []incidentKind{
	{
		kind: llmtraffic.KindLatencySpike, typ: anomaly.TypeLatencySpike, metrics: []string{"latency_ms"}, none: 1, says: `^latency_ms` + spike,
		named: detail("ratio"), near: times(2), late: time.Minute, samples: 500, usual: func(e *event) *float64 { return e.LatencyMS },
	},
	{
		kind: llmtraffic.KindLatencyShift, typ: anomaly.TypeLatencySpike, metrics: []string{"latency_ms"}, none: 1, says: `^latency_ms` + spike,
		named: detail("ratio"), near: times(1.5), late: time.Minute, samples: 500, usual: func(e *event) *float64 { return e.LatencyMS },
	},
	{
		kind: llmtraffic.KindTTFTShift, typ: anomaly.TypeLatencySpike, metrics: []string{"ttft_ms"}, none: 1, says: `^ttft_ms` + spike,
		named: detail("ratio"), near: times(2), late: time.Minute, samples: 500, usual: func(e *event) *float64 { return e.TTFTMS },
	},
	{
		kind: llmtraffic.KindTokenSurge, typ: anomaly.TypeTokenUsageSpike, metrics: []string{"total_tokens"}, none: 1, says: `^total_tokens` + spike,
		named: detail("ratio"), near: times(1.5), late: time.Minute, samples: 500, usual: total,
	},
	{
		kind: llmtraffic.KindCostSurge, typ: anomaly.TypeCostAnomaly, metrics: []string{"cost_usd"}, none: 1, says: `^cost_usd` + spike,
		named: detail("ratio"), near: times(1.5), late: time.Minute, samples: 500, usual: func(e *event) *float64 { return e.CostUSD },
	},
	{
		kind: llmtraffic.KindErrorBurst, typ: anomaly.TypeErrorRateIncrease, metrics: []string{"error_rate"},
		says:  `^(?P<errors>[0-9]+) of (?P<requests>[0-9]+) calls failed since \S+: (?P<value_percent>` + number + ` %, where (?P<expected_percent>` + number + ` % are expected \(limit for as many calls (?P<limit_percent>` + number + ` %\); error types: 429 `,
		named: value, near: share(.15), late: time.Minute, samples: 500, normal: .005,
	},
	{
		kind: llmtraffic.KindSilence, typ: anomaly.TypeThroughputDegradation, metrics: []string{"throughput"}, none: 1, says: counted,
		named: valueRatio, near: share(.15), early: time.Minute, late: time.Minute, samples: 30,
	},
	{
		kind: llmtraffic.KindThroughputDrop, typ: anomaly.TypeThroughputDegradation, metrics: []string{"throughput"}, none: 1, says: counted,
		named: valueRatio, near: share(.1), early: time.Minute, late: 2 * time.Minute, samples: 30,
	},
	{
		kind: llmtraffic.KindThroughputSurge, typ: "throughput_surge", metrics: []string{"throughput"}, none: 1, says: counted,
		named: valueRatio, near: times(1.5), early: time.Minute, late: 2 * time.Minute, samples: 30,
	},
	{
		kind: llmtraffic.KindQualityDrop, typ: anomaly.TypeQualityDegradation, metrics: []string{"evaluation.relevance.score"}, none: 1,
		says:  `^evaluator relevance: the latest scores are (?P<value>` + number + ` on average, fallen from the expected (?P<expected>` + number,
		named: valueRatio, near: times(1.15), early: 3 * time.Minute, late: time.Minute, samples: 100, normal: .88,
	},
	{
		kind: llmtraffic.KindHallucination, typ: anomaly.TypeHallucination, metrics: []string{"evaluation.hallucination.failure_rate"}, none: .02,
		says:  `^evaluator hallucination: (?P<hits>[0-9]+) of the latest (?P<items>[0-9]+) results failed ` + burst,
		named: value, near: share(.15), late: time.Minute, samples: 500, normal: .02,
	},
	{
		// A mark of a guard needs no baseline: it rests on no samples.
		kind: llmtraffic.KindPromptInjection, typ: anomaly.TypeSecurityThreat, metrics: []string{"prompt_injection_score"},
		says:  `^the prompt was scored (?P<value>` + number + ` as an attempt of prompt_injection \(limit (?P<limit>` + number + `\)`,
		named: value, injected: func(*llmtraffic.TruthLine, *anomaly.Anomaly) float64 { return .97 }, near: share(1e-9), late: time.Minute,
	},
	{
		kind: llmtraffic.KindRefusalBurst, typ: anomaly.TypeSecurityThreat, metrics: []string{"refusal_rate"},
		says:  `^(?P<hits>[0-9]+) of the latest (?P<items>[0-9]+) calls were refused ` + burst,
		named: value, near: share(.2), late: time.Minute, samples: 500, normal: .001,
	},
	{
		kind: llmtraffic.KindAgentLoop, typ: anomaly.TypeCostAnomaly, metrics: []string{"agent_loop"},
		says:  `^the tool get_weather was called (?P<value>[0-9]+) times with the same arguments and results \(limit (?P<limit>` + number + `\); the conversation has used (?P<conversation_calls>[0-9]+) LLM calls and (?P<conversation_tokens>[0-9]+) tokens`,
		named: value, injected: callsUntil, near: times(1.25), late: time.Minute, samples: 3,
	},
	{
		kind: llmtraffic.KindInputDrift, typ: anomaly.TypeInputDrift, metrics: []string{"input_tokens_psi"}, none: 1,
		says:  `^distribution of input_tokens` + changed + medians,
		named: medianRatio, near: times(1.2), early: 6 * time.Minute, late: 6 * time.Minute, samples: 1000,
	},
	{
		kind: llmtraffic.KindVerbosity, typ: anomaly.TypeConceptDrift, metrics: []string{"output_per_input_ratio"}, none: 1,
		says:  `^output_tokens is (?P<value>` + number + `x what the same input_tokens gave before: about (?P<seen>` + number + ` tokens instead of (?P<expected>` + number + ` over (?P<window_calls>[0-9]+) calls;`,
		named: value, near: times(1.2), early: 6 * time.Minute, late: 6 * time.Minute, samples: 1000,
	},
	{
		kind: llmtraffic.KindRefusalSurge, typ: anomaly.TypeOutputDrift, metrics: []string{"refusal_psi", "finish_reason_psi"},
		says:  `^distribution of (?:refusals|finish reason)` + changed + `share of (?:refused|content_filter) (?P<share_after>` + number + `, before (?P<share_before>` + number + `;`,
		named: detail("share_after"), near: share(.1), early: 6 * time.Minute, late: 6 * time.Minute, samples: 500,
	},
	{
		// All prompts are about something else: the mean vectors of the two sets
		// of topics have little in common, and a window that began before the
		// incident has a part of both.
		kind: llmtraffic.KindTopicDrift, typ: anomaly.TypeEmbeddingDrift, metrics: []string{"prompt_embedding_shift"},
		says:  `^the prompts are about something else: mean vector moved by (?P<value>` + number + ` of the variance \(limit (?P<limit>` + number + `\), cosine to the one before (?P<centroid_cosine>` + number + `, over (?P<window_calls>[0-9]+) calls;`,
		named: detail("centroid_cosine"), injected: func(*llmtraffic.TruthLine, *anomaly.Anomaly) float64 { return .7 }, near: share(.2),
		early: 6 * time.Minute, late: 6 * time.Minute, samples: 500,
	},
	{
		kind: llmtraffic.KindDrift, typ: anomaly.TypeOutputDrift, metrics: []string{"output_tokens_psi"}, none: 1,
		says:  `^distribution of output_tokens` + changed + medians,
		named: medianRatio, injected: rampAt, near: times(1.25), early: time.Minute, late: 12 * time.Minute, samples: 1000,
	},
}

// requireFactsStated: the root cause is of the form of the kind, and its numbers
// are those of the anomaly.
func (k *incidentKind) requireFactsStated(t *testing.T, a *anomaly.Anomaly) {
	t.Helper()
	says := regexp.MustCompile(k.says)
	match := says.FindStringSubmatch(a.RootCause)
	require.NotNil(t, match, a.RootCause)
	for i, name := range says.SubexpNames() {
		if name == "" || match[i] == "" {
			continue
		}
		stated, err := strconv.ParseFloat(match[i], 64)
		require.NoError(t, err, a.RootCause)
		want, ok := factOf(a, name)
		require.True(t, ok, "no fact %s: %s", name, a.RootCause)
		// Three significant digits are stated.
		assert.InDelta(t, want, stated, math.Abs(want)*.006, "%s in %q", name, a.RootCause)
	}
}

// factOf is a number of the anomaly: a detail, or one of the fields, also as a
// percentage.
func factOf(a *anomaly.Anomaly, name string) (float64, bool) {
	if x, ok := a.Details.Additional[name]; ok {
		return x, true
	}
	switch name {
	case "value":
		return a.Details.Value, true
	case "expected":
		return a.Details.Baseline, true
	case "limit":
		return a.Details.Threshold, true
	case "sample_count":
		return float64(a.Context.SampleCount), true
	case "value_percent":
		return 100 * a.Details.Value, true
	case "expected_percent":
		return 100 * a.Details.Baseline, true
	case "limit_percent":
		return 100 * a.Details.Threshold, true
	}
	return 0, false
}
