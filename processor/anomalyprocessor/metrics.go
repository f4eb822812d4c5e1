package anomalyprocessor

import (
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// metricRow is one number of an LLM call that is judged. A new one is one row in
// the table below.
type metricRow struct {
	// index is the place of the row in the table.
	index int
	// name is part of the public contract: configuration, attributes, ids.
	name  string
	field genai.Field
	value func(*genai.Event) float64
	unit  string
	typ   anomaly.Type

	// logOffset is about the smallest amount that still means something: below
	// it the log scale flattens out, so that 1 token against 3 is no ratio of 3.
	logOffset   float64
	direction   detect.Direction
	minRelative float64
	minAbsolute float64
	// loneScore is the score that a single call out of the ordinary needs, 0
	// for the default of the detectors.
	loneScore float64
}

const (
	metricLatency = iota
	metricTTFT
	metricInputTokens
	metricOutputTokens
	metricTotalTokens
	metricCost
)

// sizeOffset is added to token counts before their logarithm is taken: below it
// a ratio says little.
const sizeOffset = 10

// metrics is the table of all metrics. Its order is the order of evaluation,
// of the anomalies on a span and of the states in a snapshot.
//
// All metrics look up only by default. A fast or cheap call harms nobody, and
// a short prompt is ordinary traffic: the token counts of single calls have a
// long lower tail, which "both" reports as anomalies.
var metrics = [...]metricRow{
	{
		index: metricLatency,
		name:  "latency_ms", field: genai.FieldLatency, value: func(e *genai.Event) float64 { return e.LatencyMillis },
		unit: "ms", typ: anomaly.TypeLatencySpike,
		logOffset: 1, direction: detect.Up, minRelative: .2, minAbsolute: 50,
	},
	{
		// Most prompts are short or cached and some are neither: a single late
		// token says little.
		index: metricTTFT,
		name:  "ttft_ms", field: genai.FieldTTFT, value: func(e *genai.Event) float64 { return e.TTFTMillis },
		unit: "ms", typ: anomaly.TypeLatencySpike,
		logOffset: 1, direction: detect.Up, minRelative: .2, minAbsolute: 50, loneScore: 2,
	},
	{
		index: metricInputTokens,
		name:  "input_tokens", field: genai.FieldInputTokens, value: func(e *genai.Event) float64 { return float64(e.InputTokens) },
		unit: "tokens", typ: anomaly.TypeTokenUsageSpike,
		logOffset: sizeOffset, direction: detect.Up, minRelative: .2, minAbsolute: 50,
	},
	{
		index: metricOutputTokens,
		name:  "output_tokens", field: genai.FieldOutputTokens, value: func(e *genai.Event) float64 { return float64(e.OutputTokens) },
		unit: "tokens", typ: anomaly.TypeTokenUsageSpike,
		logOffset: sizeOffset, direction: detect.Up, minRelative: .2, minAbsolute: 50,
	},
	{
		index: metricTotalTokens,
		name:  "total_tokens", field: genai.FieldTotalTokens, value: func(e *genai.Event) float64 { return float64(e.TotalTokens) },
		unit: "tokens", typ: anomaly.TypeTokenUsageSpike,
		logOffset: sizeOffset, direction: detect.Up, minRelative: .2, minAbsolute: 50,
	},
	{
		index: metricCost,
		name:  "cost_usd", field: genai.FieldCost, value: func(e *genai.Event) float64 { return e.CostUSD },
		unit: "USD", typ: anomaly.TypeCostAnomaly,
		logOffset: 1e-5, direction: detect.Up, minRelative: .2, minAbsolute: 1e-4,
	},
}

func metricByName(name string) *metricRow {
	for i := range metrics {
		if metrics[i].name == name {
			return &metrics[i]
		}
	}
	return nil
}

func metricNames() []string {
	names := make([]string, 0, len(metrics))
	for i := range metrics {
		names = append(names, metrics[i].name)
	}
	return names
}
