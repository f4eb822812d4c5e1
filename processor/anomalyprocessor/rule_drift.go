package anomalyprocessor

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// driftRule finds lasting changes of what goes into a model, what comes out, how
// the two are related, and what the texts are about. The statistics are those
// of the package drift.
type driftRule struct {
	cfg DriftConfig
	// on says which types are looked for.
	input, output, concept, embedding bool

	// windows is the comparison of numbers, texts that of what is read less often.
	windows, texts drift.Config
	minPSI, least  float64 // of numbers, of categories
	// extractor reads texts and embeddings; nil when they are not looked at.
	extractor *genai.Extractor
}

func newDriftRule(cfg *Config) (rule, error) {
	c := &cfg.Drift
	r := &driftRule{
		cfg:   *c,
		input: c.has(anomaly.TypeInputDrift), output: c.has(anomaly.TypeOutputDrift),
		concept: c.has(anomaly.TypeConceptDrift), embedding: c.has(anomaly.TypeEmbeddingDrift),
		minPSI: c.MinPSI, least: c.MinPSI / 2,
	}
	r.cfg.Types = slices.Sorted(slices.Values(c.Types))
	r.windows = drift.DefaultConfig()
	r.windows.MinSamples, r.windows.MinDuration = c.Window, c.MinDuration
	r.windows.Warmup, r.windows.Memory, r.windows.Significance = c.Warmup, c.Memory, c.Significance
	r.texts = r.windows
	r.texts.MinSamples /= 2
	if err := r.texts.Validate(); err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	if !c.Text || !r.input && !r.output && !r.embedding {
		return r, nil
	}
	var err error
	r.extractor, err = genai.NewExtractor(genai.Options{CaptureText: true, MaxTextBytes: maxDriftTextBytes, Embeddings: r.embedding})
	if err != nil {
		return nil, fmt.Errorf("build the extractor of texts: %w", err)
	}
	return r, nil
}

func (r *driftRule) name() string { return "drift" }

func (r *driftRule) fingerprint() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %v %v %v %v %v %v %v %v", driftStateVersion, r.windows, r.cfg.Types, r.cfg.MinPSI, r.cfg.MinRatio, r.cfg.MinShift,
		r.cfg.Text, r.cfg.TextInterval, r.cfg.MaxTextBytes)
	return h.Sum64()
}

func (r *driftRule) pass(_ ruleState, _ time.Time, found []finding) []finding { return found }

// call adds the call to the windows. A call that failed says nothing about what
// the model does; a late one counts in the distributions only.
func (r *driftRule) call(b *batch, s ruleState, late bool, found []finding) []finding {
	ev, st, c := b.event, s.(*driftState), &r.windows
	if ev.Failed {
		return found
	}
	in, out := ev.Has(genai.FieldInputTokens), ev.Has(genai.FieldOutputTokens)
	if late {
		if in && r.input {
			st.input.Learn(c, drift.NumberBin(ev.InputTokens))
		}
		if out && r.output {
			st.output.Learn(c, drift.NumberBin(ev.OutputTokens))
		}
		return found
	}
	if in && r.input && st.input.Add(c, b.at, drift.NumberBin(ev.InputTokens)) {
		found = r.distribution(b, st, found, &st.input, &featureInputTokens)
	}
	if r.output {
		if out && st.output.Add(c, b.at, drift.NumberBin(ev.OutputTokens)) {
			found = r.distribution(b, st, found, &st.output, &featureOutputTokens)
		}
		if ev.FinishReason != "" && st.finish.Add(c, b.at, finishCategory(ev.FinishReason)) {
			found = r.distribution(b, st, found, &st.finish, &featureFinishReason)
		}
	}
	if r.concept {
		found = r.relations(b, st, in, out, found)
	}
	if r.extractor != nil && (b.at >= st.nextText || st.nextText-b.at > int64(maxTextGap)) {
		found = r.text(b, st, found)
	}
	return found
}

// relations adds the call to the relations of which it has both numbers.
func (r *driftRule) relations(b *batch, st *driftState, in, out bool, found []finding) []finding {
	ev := b.event
	var x, y float64
	if in {
		x = b.ln(&metrics[metricInputTokens])
	}
	if out {
		y = b.ln(&metrics[metricOutputTokens])
	}
	if in && out {
		found = r.relation(b, st, found, relationVerbosity, x, y)
	}
	if out && ev.Has(genai.FieldLatency) && ev.LatencyMillis > 0 {
		found = r.relation(b, st, found, relationLatency, y, detect.Ln(ev.LatencyMillis))
	}
	if in && ev.Has(genai.FieldTTFT) && ev.TTFTMillis > 0 {
		found = r.relation(b, st, found, relationTTFT, x, detect.Ln(ev.TTFTMillis))
	}
	return found
}

func (r *driftRule) relation(b *batch, st *driftState, found []finding, which int, x, y float64) []finding {
	rel := st.relations[which]
	if rel == nil {
		rel = &drift.Relation{}
		st.relations[which] = rel
	}
	if !rel.AddLog(&r.windows, b.at, x, y) {
		return found
	}
	res := rel.Close(&r.windows, r.cfg.MinRatio)
	if !res.Drift || r.quiet(b, st, anomaly.TypeConceptDrift) {
		return found
	}
	return append(found, conceptFinding(&relationSpecs[which], &res, r.cfg.MinRatio))
}

// distribution closes a window of d.
func (r *driftRule) distribution(b *batch, st *driftState, found []finding, d *drift.Dist, f *driftFeature) []finding {
	c, least := &r.windows, r.minPSI
	if f.text {
		c = &r.texts
	}
	if f.category != nil {
		least = r.least
	}
	res := d.Close(c, least)
	if !res.Drift || r.quiet(b, st, f.typ) {
		return found
	}
	return append(found, distributionFinding(f, &res, least))
}

// quiet reports whether a drift of the type is not to be told again, and counts
// it then; else it begins the quiet time.
func (r *driftRule) quiet(b *batch, st *driftState, typ anomaly.Type) bool {
	until := &st.quiet[slices.Index(driftTypes, string(typ))]
	if b.at < *until {
		b.counts.suppressed[suppressOngoing]++
		return true
	}
	*until = b.at + int64(r.cfg.CoolDown)
	return false
}

// finishReasons are the categories of finish reasons; the first stands for all others.
var finishReasons = [...]string{"other", "stop", "length", "tool_calls", "content_filter", "error"}

func finishCategory(reason string) int {
	switch reason {
	case "stop":
		return 1
	case "length":
		return 2
	case "tool_calls":
		return 3
	case "content_filter":
		return 4
	case "error":
		return 5
	}
	return 0
}

func finite(x float64) float64 { return max(-math.MaxFloat64, min(x, math.MaxFloat64)) }
