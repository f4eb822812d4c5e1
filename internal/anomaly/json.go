package anomaly

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
)

// wire is the JSON form of the contract. Absent values are null on output and
// may be missing on input; NaN and infinity are null.
type wire struct {
	AlertID         *uuid.UUID   `json:"alert_id"`
	Timestamp       *time.Time   `json:"timestamp"`
	Severity        Severity     `json:"severity"`
	AnomalyType     wireName     `json:"anomaly_type"`
	ServiceName     *string      `json:"service_name"`
	Model           *string      `json:"model"`
	DetectionMethod wireName     `json:"detection_method"`
	Confidence      wireFloat    `json:"confidence"`
	Details         *wireDetails `json:"details"`
	Context         *wireContext `json:"context"`
	RootCause       *string      `json:"root_cause"`
	Remediation     []string     `json:"remediation"`
	RelatedAlerts   []uuid.UUID  `json:"related_alerts"`
	RunbookURL      *string      `json:"runbook_url"`
}

type wireDetails struct {
	Metric         string         `json:"metric"`
	Value          wireFloat      `json:"value"`
	Baseline       wireFloat      `json:"baseline"`
	Threshold      wireFloat      `json:"threshold"`
	DeviationSigma wireFloat      `json:"deviation_sigma"`
	Additional     map[string]any `json:"additional"`
}

type wireContext struct {
	TraceID     *string           `json:"trace_id"`
	UserID      *string           `json:"user_id"`
	Region      *string           `json:"region"`
	TimeWindow  string            `json:"time_window"`
	SampleCount uint64            `json:"sample_count"`
	Additional  map[string]string `json:"additional"`
}

// Keys of Details.Additional and Context.Additional that hold typed fields.
const (
	additionalMethods = "detection_methods"
	additionalEventID = "event_id"
	additionalSpanID  = "span_id"
)

// wireFloat is a number whose NaN and infinities are null.
type wireFloat float64

func (f wireFloat) MarshalJSON() ([]byte, error) {
	if v := float64(f); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

func (f *wireFloat) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = wireFloat(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// wireName is a name of the contract as a string, or {"custom": name}.
type wireName struct {
	name   string
	custom bool
}

func (n wireName) MarshalJSON() ([]byte, error) {
	if n.custom {
		return json.Marshal(map[string]string{"custom": n.name})
	}
	return json.Marshal(n.name)
}

func (n *wireName) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var c struct {
			Custom *string `json:"custom"`
		}
		if err := json.Unmarshal(b, &c); err != nil {
			return err
		}
		if c.Custom == nil {
			return errors.New(`want a name or {"custom": name}`)
		}
		*n = wireName{name: *c.Custom, custom: true}
		return nil
	}
	return json.Unmarshal(b, &n.name)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// MarshalJSON writes the wire form of the contract.
func (a Anomaly) MarshalJSON() ([]byte, error) {
	ts := a.Time.UTC()
	id := a.ID
	w := wire{
		AlertID: &id, Timestamp: &ts, Severity: a.Severity,
		AnomalyType: wireName{string(a.Type), a.Type.Custom()},
		ServiceName: &a.Service, Model: &a.Model,
		DetectionMethod: wireName{string(a.Method), a.Method.Custom()},
		Confidence:      wireFloat(a.Confidence),
		Details: &wireDetails{
			Metric: a.Details.Metric, Value: wireFloat(a.Details.Value), Baseline: wireFloat(a.Details.Baseline),
			Threshold: wireFloat(a.Details.Threshold), DeviationSigma: wireFloat(a.Details.DeviationSigma),
			Additional: make(map[string]any, len(a.Details.Additional)+1),
		},
		Context: &wireContext{
			TraceID: optional(a.Context.TraceID), UserID: optional(a.Context.UserID), Region: optional(a.Context.Region),
			TimeWindow: a.Context.TimeWindow, SampleCount: a.Context.SampleCount,
			Additional: make(map[string]string, len(a.Context.Additional)+2),
		},
		RootCause: optional(a.RootCause), Remediation: a.Remediation, RelatedAlerts: a.RelatedAlerts, RunbookURL: optional(a.RunbookURL),
	}
	for k, v := range a.Details.Additional {
		w.Details.Additional[k] = wireFloat(v)
	}
	if len(a.Details.Methods) > 0 {
		w.Details.Additional[additionalMethods] = a.Details.Methods
	}
	for k, v := range a.Context.Additional {
		w.Context.Additional[k] = v
	}
	if a.Context.EventID != "" {
		w.Context.Additional[additionalEventID] = a.Context.EventID
	}
	if a.Context.SpanID != "" {
		w.Context.Additional[additionalSpanID] = a.Context.SpanID
	}
	if w.Remediation == nil {
		w.Remediation = []string{}
	}
	if w.RelatedAlerts == nil {
		w.RelatedAlerts = []uuid.UUID{}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the wire form. Unknown fields are ignored; a missing
// required field is an error that names it.
func (a *Anomaly) UnmarshalJSON(b []byte) error {
	var w wire
	w.Confidence = wireFloat(math.NaN())
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("anomaly: %w", err)
	}
	var missing []string
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"alert_id", w.AlertID != nil},
		{"timestamp", w.Timestamp != nil},
		{"severity", w.Severity.Valid()},
		{"anomaly_type", w.AnomalyType.name != ""},
		{"service_name", w.ServiceName != nil},
		{"model", w.Model != nil},
		{"detection_method", w.DetectionMethod.name != ""},
		{"details", w.Details != nil},
		{"context", w.Context != nil},
	} {
		if !f.ok {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("anomaly: missing %s", strings.Join(missing, ", "))
	}
	*a = Anomaly{
		ID: *w.AlertID, Time: w.Timestamp.UTC(), Severity: w.Severity, Type: Type(w.AnomalyType.name),
		Service: *w.ServiceName, Model: *w.Model, Method: Method(w.DetectionMethod.name), Confidence: float64(w.Confidence),
		Details: Details{
			Metric: w.Details.Metric, Value: float64(w.Details.Value), Baseline: float64(w.Details.Baseline),
			Threshold: float64(w.Details.Threshold), DeviationSigma: float64(w.Details.DeviationSigma),
		},
		Context: Context{
			TraceID: deref(w.Context.TraceID), UserID: deref(w.Context.UserID), Region: deref(w.Context.Region),
			TimeWindow: w.Context.TimeWindow, SampleCount: w.Context.SampleCount,
		},
		RootCause: deref(w.RootCause), RunbookURL: deref(w.RunbookURL),
	}
	if len(w.Remediation) > 0 {
		a.Remediation = w.Remediation
	}
	if len(w.RelatedAlerts) > 0 {
		a.RelatedAlerts = w.RelatedAlerts
	}
	for k, v := range w.Details.Additional {
		switch x := v.(type) {
		case float64:
			setFloat(&a.Details.Additional, k, x)
		case nil:
			setFloat(&a.Details.Additional, k, math.NaN())
		case []any:
			if k != additionalMethods {
				continue
			}
			for _, m := range x {
				if s, ok := m.(string); ok {
					a.Details.Methods = append(a.Details.Methods, Method(s))
				}
			}
		}
	}
	for k, v := range w.Context.Additional {
		switch k {
		case additionalEventID:
			a.Context.EventID = v
		case additionalSpanID:
			a.Context.SpanID = v
		default:
			if a.Context.Additional == nil {
				a.Context.Additional = map[string]string{}
			}
			a.Context.Additional[k] = v
		}
	}
	return nil
}

func setFloat(m *map[string]float64, k string, v float64) {
	if *m == nil {
		*m = map[string]float64{}
	}
	(*m)[k] = v
}
