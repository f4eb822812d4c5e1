package anomalyprocessor

import (
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// maxTextGap is the longest event time between two looks at a series whose calls
// carry no text. It doubles from text_interval up to this, so that such series
// cost next to nothing.
const maxTextGap = 10 * time.Minute

// text reads texts and embeddings of the call. None of it is kept: only lengths,
// categories and sums of vectors are.
func (r *driftRule) text(b *batch, st *driftState, found []finding) []finding {
	ev := &b.content
	b.from.read(r.extractor, nil, ev)
	defer func() { *ev = genai.Event{} }()
	if ev.PromptText == "" && ev.ResponseText == "" && len(ev.PromptEmbedding)+len(ev.ResponseEmbedding) == 0 {
		st.gap = min(max(2*st.gap, time.Second), maxTextGap)
		st.nextText = b.at + int64(st.gap)
		return found
	}
	st.gap, st.nextText = 0, b.at+int64(r.cfg.TextInterval)
	if st.text == nil {
		st.text = newDriftText()
	}
	prompt := lastBytes(firstBytes(ev.PromptText, maxDriftTextBytes), r.cfg.MaxTextBytes)
	answer := firstBytes(ev.ResponseText, r.cfg.MaxTextBytes)
	found = r.inputText(b, st, prompt, len(ev.PromptText), found)
	found = r.outputText(b, st, answer, len(ev.ResponseText), found)
	if r.embedding {
		found = r.vector(b, st, &st.text.prompt, &featurePrompt, prompt, ev.PromptEmbedding, found)
		found = r.vector(b, st, &st.text.response, &featureResponse, answer, ev.ResponseEmbedding, found)
	}
	return found
}

// bytesPerToken turns the length of a text into a number of tokens, roughly, for
// series without token counts.
const bytesPerToken = 4

func (r *driftRule) inputText(b *batch, st *driftState, prompt string, length int, found []finding) []finding {
	if !r.input || prompt == "" {
		return found
	}
	if !b.event.Has(genai.FieldInputTokens) && st.input.Add(&r.windows, b.at, drift.NumberBin(int64(length/bytesPerToken))) {
		found = r.distribution(b, st, found, &st.input, &featureInputTokens)
	}
	d := &st.text.promptLanguage
	if d.Add(&r.texts, b.at, int(drift.DetectLanguage(prompt))) {
		found = r.distribution(b, st, found, d, &featurePromptLanguage)
	}
	return found
}

func (r *driftRule) outputText(b *batch, st *driftState, answer string, length int, found []finding) []finding {
	if !r.output || answer == "" {
		return found
	}
	if !b.event.Has(genai.FieldOutputTokens) && st.output.Add(&r.windows, b.at, drift.NumberBin(int64(length/bytesPerToken))) {
		found = r.distribution(b, st, found, &st.output, &featureOutputTokens)
	}
	d := &st.text.responseLanguage
	if d.Add(&r.texts, b.at, int(drift.DetectLanguage(answer))) {
		found = r.distribution(b, st, found, d, &featureResponseLanguage)
	}
	refused := 0
	if b.event.FinishReason == "content_filter" || drift.Refuses(answer) {
		refused = 1
	}
	if d = &st.text.refusal; d.Add(&r.texts, b.at, refused) {
		found = r.distribution(b, st, found, d, &featureRefusal)
	}
	return found
}

// vector adds the embedding of the call, or else the projection of its text. A
// series whose calls carry embeddings is judged by those alone.
func (r *driftRule) vector(b *batch, st *driftState, d *driftVector, f *driftFeature, text string, embedding []float32, found []finding) []finding {
	var v drift.Vector
	switch {
	case len(embedding) > 0:
		if !d.given {
			*d = driftVector{given: true}
		}
		for i, x := range embedding {
			v.Project(i, float64(x))
		}
		if !v.Normalise() {
			return found
		}
	case d.given || text == "" || !drift.TextVector(text, &v):
		return found
	}
	if !d.Add(&r.texts, b.at, &v) {
		return found
	}
	res := d.Close(&r.texts, r.cfg.MinShift)
	if !res.Drift || r.quiet(b, st, anomaly.TypeEmbeddingDrift) {
		return found
	}
	return append(found, embeddingFinding(f, d.given, &res, r.cfg.MinShift))
}

func firstBytes(s string, n int) string { return s[:min(len(s), n)] }

func lastBytes(s string, n int) string { return s[max(0, len(s)-n):] }
