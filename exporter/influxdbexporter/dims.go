package influxdbexporter

import (
	"slices"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Names of tags that code refers to.
const (
	dimService  = "service"
	dimModel    = "model"
	dimSeverity = "severity"
)

// What may become a tag. A name of these lists that is not configured as a tag
// is written as a string field.
var (
	telemetryDims = []string{dimService, dimModel, "provider", "operation", "environment", "region", "request_model", "finish_reason"}
	anomalyDims   = []string{dimService, dimModel, dimSeverity, "type", "method", "metric", "region"}
)

// dim reads one dimension of a T.
type dim[T any] struct {
	name string
	get  func(*T) string
}

func telemetryDim(name string) dim[genai.Event] {
	d := dim[genai.Event]{name: name}
	switch name {
	case dimService:
		d.get = func(e *genai.Event) string { return e.Service }
	case dimModel:
		d.get = (*genai.Event).Model
	case "provider":
		d.get = func(e *genai.Event) string { return e.Provider }
	case "operation":
		d.get = func(e *genai.Event) string { return e.Operation }
	case "environment":
		d.get = func(e *genai.Event) string { return e.Environment }
	case "region":
		d.get = func(e *genai.Event) string { return e.Region }
	case "request_model":
		d.get = func(e *genai.Event) string { return e.RequestModel }
	case "finish_reason":
		d.get = func(e *genai.Event) string { return e.FinishReason }
	}
	return d
}

func anomalyDim(name string) dim[anomaly.Anomaly] {
	d := dim[anomaly.Anomaly]{name: name}
	switch name {
	case dimService:
		d.get = func(a *anomaly.Anomaly) string { return a.Service }
	case dimModel:
		d.get = func(a *anomaly.Anomaly) string { return a.Model }
	case dimSeverity:
		d.get = func(a *anomaly.Anomaly) string { return a.Severity.String() }
	case "type":
		d.get = func(a *anomaly.Anomaly) string { return string(a.Type) }
	case "method":
		d.get = func(a *anomaly.Anomaly) string { return string(a.Method) }
	case "metric":
		d.get = func(a *anomaly.Anomaly) string { return a.Details.Metric }
	case "region":
		d.get = func(a *anomaly.Anomaly) string { return a.Context.Region }
	}
	return d
}

// splitDims divides all dimensions into the configured tags, sorted by name as
// the encoder wants them, and the rest.
func splitDims[T any](all, tagged []string, of func(string) dim[T]) (tags, fields []dim[T]) {
	for _, name := range slices.Sorted(slices.Values(all)) {
		if slices.Contains(tagged, name) {
			tags = append(tags, of(name))
		} else {
			fields = append(fields, of(name))
		}
	}
	return tags, fields
}
