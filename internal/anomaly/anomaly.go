// Package anomaly defines what LLM-Sentinel reports: one struct, one JSON form
// and one codec that carries it inside OpenTelemetry data.
package anomaly

import (
	"time"

	"github.com/google/uuid"
)

// Anomaly is one finding about one series. Fields follow the wire JSON that
// alert receivers and the HTTP API see; see [Anomaly.MarshalJSON].
type Anomaly struct {
	// ID identifies the finding. It is deterministic, see [NewID], so that a
	// retried batch or a second replica does not create a second anomaly.
	ID uuid.UUID
	// Time is the event time of the item that the finding is about.
	Time time.Time

	Severity Severity
	Type     Type
	Service  string
	Model    string
	// Method is the detector with the strongest evidence; the others that
	// agreed are in Details.Methods.
	Method Method
	// Confidence is in [0, 1].
	Confidence float64

	Details Details
	Context Context

	// RootCause is empty when no cause is known from facts.
	RootCause   string
	Remediation []string
	// RelatedAlerts are the ids of anomalies with the same cause.
	RelatedAlerts []uuid.UUID
	RunbookURL    string
}

// Details say what was measured and what was expected.
type Details struct {
	// Metric is the contract name of the metric, for example "latency_ms".
	Metric string
	// Value, Baseline and Threshold are in the unit of the metric. Baseline is
	// the expected value, Threshold the limit on the side that was crossed.
	Value     float64
	Baseline  float64
	Threshold float64
	// DeviationSigma is the signed distance from the baseline in robust
	// standard deviations, capped by the detector; NaN when not defined.
	DeviationSigma float64
	// Methods are all detectors that agreed, strongest first.
	Methods []Method
	// Additional holds further numbers of the detectors (for example q1, q3).
	Additional map[string]float64
}

// Context says where the finding came from.
type Context struct {
	// TraceID (32 hex digits), SpanID (16 hex digits) and EventID (UUID) point
	// at the telemetry item; empty for findings about a window.
	TraceID string
	SpanID  string
	EventID string
	UserID  string
	Region  string
	// TimeWindow describes the reference data, for example "last_64_samples".
	TimeWindow string
	// SampleCount is the number of samples that the baseline rests on.
	SampleCount uint64
	// Additional holds further facts as text (for example the operation).
	Additional map[string]string
}

// namespace of anomaly ids: UUIDv5 of the project's module path.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("github.com/llm-devops/llm-sentinel/anomaly"))

// NewID derives the id of an anomaly from its identity: the series
// (service, model, metric), the type and the onset (event time) together with
// the id of the item that showed it (empty for findings about a window).
func NewID(service, model, metric string, t Type, onset time.Time, item string) uuid.UUID {
	b := make([]byte, 0, 128)
	for _, s := range [...]string{service, model, metric, string(t), item} {
		b = append(b, s...)
		b = append(b, 0)
	}
	b = onset.UTC().AppendFormat(b, time.RFC3339Nano)
	return uuid.NewSHA1(namespace, b)
}
