package embedded

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// anomalyBody holds what has no column: lists, maps and rarely asked texts.
type anomalyBody struct {
	Methods     []anomaly.Method    `json:"methods,omitempty"`
	Numbers     map[string]*float64 `json:"numbers,omitempty"`
	TraceID     string              `json:"trace_id,omitempty"`
	SpanID      string              `json:"span_id,omitempty"`
	EventID     string              `json:"event_id,omitempty"`
	UserID      string              `json:"user_id,omitempty"`
	Region      string              `json:"region,omitempty"`
	TimeWindow  string              `json:"time_window,omitempty"`
	SampleCount uint64              `json:"sample_count,omitempty"`
	Facts       map[string]string   `json:"facts,omitempty"`
	RootCause   string              `json:"root_cause,omitempty"`
	Remediation []string            `json:"remediation,omitempty"`
	Related     []uuid.UUID         `json:"related_alerts,omitempty"`
	RunbookURL  string              `json:"runbook_url,omitempty"`
}

func bindAnomaly(b *binder, nanos int64, a *anomaly.Anomaly) error {
	body := anomalyBody{
		Methods: a.Details.Methods, TraceID: a.Context.TraceID, SpanID: a.Context.SpanID, EventID: a.Context.EventID,
		UserID: a.Context.UserID, Region: a.Context.Region, TimeWindow: a.Context.TimeWindow, SampleCount: a.Context.SampleCount,
		Facts: a.Context.Additional, RootCause: a.RootCause, Remediation: a.Remediation, Related: a.RelatedAlerts, RunbookURL: a.RunbookURL,
	}
	if len(a.Details.Additional) > 0 {
		body.Numbers = make(map[string]*float64, len(a.Details.Additional))
		for k, v := range a.Details.Additional {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				body.Numbers[k] = nil
			} else {
				body.Numbers[k] = &v
			}
		}
	}
	j, err := json.Marshal(&body)
	if err != nil {
		return fmt.Errorf("encode anomaly %s: %w", a.ID, err)
	}
	b.int(nanos)
	b.bytes(a.ID[:])
	b.int(int64(a.Severity))
	b.name(string(a.Type))
	b.name(a.Service)
	b.name(a.Model)
	b.name(string(a.Method))
	b.name(a.Details.Metric)
	b.float(a.Confidence, true)
	b.float(a.Details.Value, true)
	b.float(a.Details.Baseline, true)
	b.float(a.Details.Threshold, true)
	b.float(a.Details.DeviationSigma, true)
	b.text(string(j))
	if id, ok := parseTrace(a.Context.TraceID); b.skipIf(!ok) {
		b.bytes(id)
	}
	return nil
}

func scanAnomaly(r *row) (anomaly.Anomaly, error) {
	var a anomaly.Anomaly
	a.Time = time.Unix(0, r.int()).UTC()
	r.bytes(a.ID[:])
	a.Severity = anomaly.Severity(r.int())
	a.Type = anomaly.Type(r.named())
	a.Service = r.named()
	a.Model = r.named()
	a.Method = anomaly.Method(r.named())
	a.Details.Metric = r.named()
	a.Confidence = r.float()
	a.Details.Value = r.float()
	a.Details.Baseline = r.float()
	a.Details.Threshold = r.float()
	a.Details.DeviationSigma = r.float()
	var body anomalyBody
	if err := json.Unmarshal([]byte(r.text()), &body); err != nil {
		return a, fmt.Errorf("decode anomaly %s: %w", a.ID, err)
	}
	a.Details.Methods = body.Methods
	if len(body.Numbers) > 0 {
		a.Details.Additional = make(map[string]float64, len(body.Numbers))
		for k, v := range body.Numbers {
			if v == nil {
				a.Details.Additional[k] = math.NaN()
			} else {
				a.Details.Additional[k] = *v
			}
		}
	}
	a.Context = anomaly.Context{
		TraceID: body.TraceID, SpanID: body.SpanID, EventID: body.EventID, UserID: body.UserID, Region: body.Region,
		TimeWindow: body.TimeWindow, SampleCount: body.SampleCount, Additional: body.Facts,
	}
	a.RootCause, a.Remediation, a.RelatedAlerts, a.RunbookURL = body.RootCause, body.Remediation, body.Related, body.RunbookURL
	return a, r.err
}
