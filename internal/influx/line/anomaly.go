package line

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

type finding = anomaly.Anomaly

// anomalyColumns in the order in which their fields are written.
var anomalyColumns = []column[finding]{
	textDim("service", func(a *finding) *string { return &a.Service }),
	textDim("model", func(a *finding) *string { return &a.Model }),
	dimColumn(ColumnSeverity, func(a *finding) string { return a.Severity.String() },
		func(r *row[finding], s string) (err error) {
			r.item.Severity, err = anomaly.ParseSeverity(s)
			return err
		}),
	dimColumn(ColumnType, func(a *finding) string { return string(a.Type) },
		func(r *row[finding], s string) error { r.item.Type = anomaly.Type(s); return nil }),
	dimColumn("method", func(a *finding) string { return string(a.Method) },
		func(r *row[finding], s string) error { r.item.Method = anomaly.Method(s); return nil }),

	floatColumn("confidence", func(a *finding) *float64 { return &a.Confidence }),
	floatColumn("value", func(a *finding) *float64 { return &a.Details.Value }),
	floatColumn("baseline", func(a *finding) *float64 { return &a.Details.Baseline }),
	floatColumn("threshold", func(a *finding) *float64 { return &a.Details.Threshold }),
	floatColumn("deviation_sigma", func(a *finding) *float64 { return &a.Details.DeviationSigma }),
	newColumn("sample_count", TypeInt,
		func(b *Buffer, c *column[finding], a *finding) {
			b.int(c.key, int64(min(a.Context.SampleCount, math.MaxInt64)))
		},
		func(r *row[finding], x any) error {
			n, err := asInt(x)
			r.item.Context.SampleCount = uint64(max(n, 0))
			return err
		}),
	newColumn(ColumnAlertID, TypeString,
		func(b *Buffer, c *column[finding], a *finding) { b.uuid(c.key, a.ID) },
		func(r *row[finding], x any) (err error) { r.item.ID, err = asUUID(x); r.identified = true; return err }),
	timeColumn(func(a *finding) int64 { return a.Time.UnixNano() }),
	textColumn(ColumnEventID, func(a *finding) *string { return &a.Context.EventID }),
	textColumn(ColumnTraceID, func(a *finding) *string { return &a.Context.TraceID }),
	textColumn("span_id", func(a *finding) *string { return &a.Context.SpanID }),
	textColumn("user_id", func(a *finding) *string { return &a.Context.UserID }),
	textDim("metric", func(a *finding) *string { return &a.Details.Metric }),
	textDim("region", func(a *finding) *string { return &a.Context.Region }),
	textColumn("time_window", func(a *finding) *string { return &a.Context.TimeWindow }),
	jsonColumn("methods",
		func(a *finding) ([]byte, bool) { return jsonList(a.Details.Methods) },
		func(a *finding, b []byte) error { return json.Unmarshal(b, &a.Details.Methods) }),
	jsonColumn("details_additional", encodeNumbers, decodeNumbers),
	jsonColumn("context_additional",
		func(a *finding) ([]byte, bool) { return jsonMap(a.Context.Additional) },
		func(a *finding, b []byte) error { return json.Unmarshal(b, &a.Context.Additional) }),
	textColumn("root_cause", func(a *finding) *string { return &a.RootCause }),
	jsonColumn("remediation",
		func(a *finding) ([]byte, bool) { return jsonList(a.Remediation) },
		func(a *finding, b []byte) error { return json.Unmarshal(b, &a.Remediation) }),
	jsonColumn("related_alerts",
		func(a *finding) ([]byte, bool) { return jsonList(a.RelatedAlerts) },
		func(a *finding, b []byte) error { return json.Unmarshal(b, &a.RelatedAlerts) }),
	textColumn("runbook_url", func(a *finding) *string { return &a.RunbookURL }),
}

// encodeNumbers writes what is not a number or infinite as null.
func encodeNumbers(a *finding) ([]byte, bool) {
	if len(a.Details.Additional) == 0 {
		return nil, false
	}
	numbers := make(map[string]*float64, len(a.Details.Additional))
	for k, v := range a.Details.Additional {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			numbers[k] = nil
		} else {
			numbers[k] = &v
		}
	}
	return jsonMap(numbers)
}

func decodeNumbers(a *finding, b []byte) error {
	var numbers map[string]*float64
	if err := json.Unmarshal(b, &numbers); err != nil || len(numbers) == 0 {
		return err
	}
	a.Details.Additional = make(map[string]float64, len(numbers))
	for k, v := range numbers {
		if v == nil {
			a.Details.Additional[k] = math.NaN()
		} else {
			a.Details.Additional[k] = *v
		}
	}
	return nil
}

func finishAnomaly(r *row[finding]) error {
	switch {
	case !r.identified || r.item.ID == uuid.Nil:
		return fmt.Errorf("%s is missing", ColumnAlertID)
	case !r.item.Severity.Valid():
		return fmt.Errorf("%s is missing", ColumnSeverity)
	case r.timed:
		r.item.Time = time.Unix(0, r.at).UTC()
	default:
		r.item.Time = time.Unix(0, r.point).UTC()
	}
	return nil
}

// unknownAnomaly is an anomaly of which no number is known.
func unknownAnomaly() finding {
	nan := math.NaN()
	return finding{Confidence: nan, Details: anomaly.Details{Value: nan, Baseline: nan, Threshold: nan, DeviationSigma: nan}}
}

// AnomalyColumns describes the columns of an anomaly, without those that end
// with [ExactSuffix].
func AnomalyColumns() []Column { return columnsOf(anomalyColumns) }

// AnomalyDimensions lists what may become a tag of an anomaly.
func AnomalyDimensions() []string { return dimensionsOf(anomalyColumns) }
