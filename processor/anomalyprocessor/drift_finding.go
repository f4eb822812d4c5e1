package anomalyprocessor

import (
	"fmt"
	"math"
	"strconv"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
)

// Methods of drift beside psi: least squares with forgetting, and the maximum
// mean discrepancy.
const (
	methodRLS anomaly.Method = "rls"
	methodMMD anomaly.Method = "mmd"
)

// contextCategory is the category whose share has grown most, contextSource
// what the vectors were made of.
const (
	contextCategory = "category"
	contextSource   = "source"
)

// driftFeature is one thing whose distribution is judged.
type driftFeature struct {
	metric, subject string
	typ             anomaly.Type
	// category names the categories; nil for numbers.
	category func(int) string
	text     bool
	look     string
}

var (
	featureInputTokens = driftFeature{
		metric: "input_tokens_psi", subject: "input_tokens", typ: anomaly.TypeInputDrift,
		look: "compare prompts from before and after the onset: template, retrieved context, length of conversations, callers",
	}
	featurePromptLanguage = driftFeature{
		metric: "prompt_language_psi", subject: "language of prompts", typ: anomaly.TypeInputDrift, category: languageName, text: true,
		look: "find the callers whose prompts are in the language that gained or lost share",
	}
	featureOutputTokens = driftFeature{
		metric: "output_tokens_psi", subject: "output_tokens", typ: anomaly.TypeOutputDrift,
		look: "compare answers from before and after the onset; check for changes of model version, prompt template and output limits",
	}
	featureFinishReason = driftFeature{
		metric: "finish_reason_psi", subject: "finish reason", typ: anomaly.TypeOutputDrift, category: finishName,
		look: "look at calls with the finish reason that gained share: output limit for length, safety settings for content_filter",
	}
	featureResponseLanguage = driftFeature{
		metric: "response_language_psi", subject: "language of answers", typ: anomaly.TypeOutputDrift, category: languageName, text: true,
		look: "compare the language of prompts and answers; check the system prompt",
	}
	featureRefusal = driftFeature{
		metric: "refusal_psi", subject: "refusals", typ: anomaly.TypeOutputDrift, category: refusalName, text: true,
		look: "read answers that decline; check for changes of safety settings, system prompt and model version",
	}
	featurePrompt = driftFeature{
		metric: "prompt_embedding_shift", subject: "prompts", typ: anomaly.TypeEmbeddingDrift,
		look: "read prompts from before and after the onset: new topics, template, callers",
	}
	featureResponse = driftFeature{
		metric: "response_embedding_shift", subject: "answers", typ: anomaly.TypeEmbeddingDrift,
		look: "read answers from before and after the onset; check whether the prompts changed too",
	}
)

func languageName(i int) string { return drift.Language(i).String() }
func finishName(i int) string   { return finishReasons[i] }
func refusalName(i int) string  { return [...]string{"answered", "refused"}[i] }

// relationSpec is a relation between two numbers of a call.
type relationSpec struct{ metric, subject, given, unit, look string }

var relationSpecs = [numRelations]relationSpec{
	relationVerbosity: {"output_per_input_ratio", "output_tokens", "input_tokens", "tokens", "compare answers to similar prompts from before and after the onset; check for changes of model version and system prompt"},
	relationLatency:   {"latency_per_output_ratio", "latency_ms", "output_tokens", "ms", "the sizes of the calls do not explain it: check load, deployment, region and version of the model"},
	relationTTFT:      {"ttft_per_input_ratio", "ttft_ms", "input_tokens", "ms", "the sizes of the prompts do not explain it: check queueing, prompt caching, deployment and version of the model"},
}

// rebasedNote says what happens next.
const rebasedNote = "; this is the reference from now on"

// driftFinding has what all findings of drift share.
func driftFinding(typ anomaly.Type, res *drift.Result) finding {
	return finding{
		typ: typ, severity: anomaly.SeverityMedium, confidence: max(0, min(1, 1-res.P)), sigma: math.NaN(), onset: res.Onset,
		samples: uint64(res.Reference), window: "last_" + strconv.Itoa(int(res.Samples)) + "_calls",
		detail: map[string]float64{
			"p_value": res.P, "statistic": finite(res.Statistic), "design_effect": finite(res.DesignEffect),
			"window_calls": res.Samples, "reference_calls": math.Round(res.Reference),
		},
		context: map[string]string{},
	}
}

// rank is the severity of a change that is so many times the smallest one.
func rank(times float64) anomaly.Severity {
	switch {
	case times >= 5:
		return anomaly.SeverityHigh
	case times >= 1.5:
		return anomaly.SeverityMedium
	}
	return anomaly.SeverityLow
}

func distributionFinding(f *driftFeature, res *drift.Result, least float64) finding {
	out := driftFinding(f.typ, res)
	chance := res.PSI - res.Effect
	out.metric, out.method, out.severity = f.metric, anomaly.MethodPSI, rank(res.Effect/least)
	out.value, out.baseline, out.threshold = res.PSI, chance, least+chance
	out.detail["psi"], out.detail["ks"], out.detail["js"] = res.PSI, res.KS, res.JS
	var change string
	if f.category == nil {
		before, after := drift.NumberOf(int(res.Before)), drift.NumberOf(int(res.After))
		out.detail["median_before"], out.detail["median_after"] = before, after
		change = fmt.Sprintf("median about %.4g, before %.4g", after, before)
	} else {
		name := f.category(res.Category)
		out.detail["share_before"], out.detail["share_after"] = res.Before, res.After
		out.context[contextCategory] = name
		change = fmt.Sprintf("share of %s %.3g, before %.3g", name, res.After, res.Before)
	}
	out.cause = fmt.Sprintf("distribution of %s has changed: PSI %.3g (limit %.3g), KS %.3g over %d calls; %s%s",
		f.subject, res.PSI, out.threshold, res.KS, int(res.Samples), change, rebasedNote)
	out.remediation = []string{f.look}
	return out
}

func conceptFinding(s *relationSpec, res *drift.Result, least float64) finding {
	out := driftFinding(anomaly.TypeConceptDrift, res)
	ratio := finite(res.Effect)
	out.metric, out.method = s.metric, methodRLS
	out.severity = rank(math.Abs(math.Log(ratio)) / math.Log(least))
	out.value, out.baseline, out.threshold = ratio, 1, least
	if ratio < 1 {
		out.threshold = 1 / least
	}
	out.sigma = math.Sqrt(max(0, res.Statistic))
	if ratio < 1 {
		out.sigma = -out.sigma
	}
	out.detail["expected"], out.detail["seen"] = finite(res.Before), finite(res.After)
	out.cause = fmt.Sprintf("%s is %.3gx what the same %s gave before: about %.4g %s instead of %.4g over %d calls%s",
		s.subject, ratio, s.given, res.After, s.unit, res.Before, int(res.Samples), rebasedNote)
	out.remediation = []string{s.look}
	return out
}

func embeddingFinding(f *driftFeature, given bool, res *drift.Result, least float64) finding {
	out := driftFinding(f.typ, res)
	out.metric, out.method, out.severity = f.metric, methodMMD, rank(res.Effect/least)
	out.value, out.threshold = res.Effect, least
	out.detail["centroid_cosine"] = res.Cosine
	out.context[contextSource] = "hashed text"
	if given {
		out.context[contextSource] = "embedding"
	}
	out.cause = fmt.Sprintf("the %s are about something else: mean vector moved by %.3g of the variance (limit %.3g), cosine to the one before %.3g, over %d calls%s",
		f.subject, res.Effect, least, res.Cosine, int(res.Samples), rebasedNote)
	out.remediation = []string{f.look}
	return out
}
