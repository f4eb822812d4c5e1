//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package anomalyprocessor is the collector processor "anomaly". It reads LLM
// calls out of spans, keeps a baseline for each service, model and metric, and
// marks the spans whose values do not fit. It writes to no store: an anomaly
// travels inside the telemetry.
package anomalyprocessor
