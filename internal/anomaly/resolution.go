package anomaly

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// EndReason says why an anomaly is over.
type EndReason string

const (
	// EndRecovered says that the series is back within its limits.
	EndRecovered EndReason = "recovered"
	// EndRebased says that the deviation lasted so long that it is the new normal.
	EndRebased EndReason = "rebased"
)

// Resolution is the end of an anomaly that was reported.
type Resolution struct {
	// IDs are the anomalies that are over, in the order in which they were
	// reported: the first one, then those with which it became more severe.
	// Never empty.
	IDs     []uuid.UUID
	Service string
	Model   string
	Type    Type
	Metric  string
	// Onset and End are event times.
	Onset, End time.Time
	Reason     EndReason
	// Baseline is the new expected value, in the unit of the metric, of a
	// rebased series; NaN otherwise.
	Baseline float64
	// Summary says the same in one line.
	Summary string
}

// wireEnd is the JSON form of a Resolution, with the names of the anomaly's.
type wireEnd struct {
	AlertID         uuid.UUID   `json:"alert_id"`
	AlertIDs        []uuid.UUID `json:"alert_ids"`
	ServiceName     *string     `json:"service_name"`
	Model           *string     `json:"model"`
	AnomalyType     wireName    `json:"anomaly_type"`
	Metric          string      `json:"metric"`
	Onset           time.Time   `json:"onset"`
	End             time.Time   `json:"end"`
	DurationSeconds float64     `json:"duration_seconds"`
	EndReason       EndReason   `json:"end_reason"`
	Baseline        wireFloat   `json:"baseline"`
	Summary         string      `json:"summary"`
}

// MarshalJSON writes the form in which receivers of alerts see an end. alert_id
// is the first of alert_ids.
func (r *Resolution) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireEnd{
		AlertID: r.IDs[0], AlertIDs: r.IDs, ServiceName: optional(r.Service), Model: optional(r.Model),
		AnomalyType: wireName{name: string(r.Type), custom: r.Type.Custom()}, Metric: r.Metric,
		Onset: r.Onset.UTC(), End: r.End.UTC(), DurationSeconds: r.End.Sub(r.Onset).Seconds(),
		EndReason: r.Reason, Baseline: wireFloat(r.Baseline), Summary: r.Summary,
	})
}

// MarkResolved adds one span event for each resolution to span. It leaves the
// attributes of the span alone: a span with an end is no anomalous one.
func MarkResolved(span ptrace.Span, ended []Resolution) {
	for i := range ended {
		r := &ended[i]
		ev := span.Events().AppendEmpty()
		ev.SetName(ResolvedEventName)
		ev.SetTimestamp(pcommon.NewTimestampFromTime(r.End))
		r.toAttributes(ev.Attributes())
	}
}

// MarkResolvedLog adds a log record for each resolution to the end of list,
// with the ids of record, which shows that they are over.
func MarkResolvedLog(list plog.LogRecordSlice, record plog.LogRecord, ended []Resolution) {
	for i := range ended {
		ended[i].toLog(appendBeside(list, record))
	}
}

// toLog makes record the carrier of r.
func (r *Resolution) toLog(record plog.LogRecord) {
	record.SetEventName(ResolvedEventName)
	record.SetTimestamp(pcommon.NewTimestampFromTime(r.End))
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	if r.Summary != "" {
		record.Body().SetStr(r.Summary)
	}
	r.toAttributes(record.Attributes())
}

func (r *Resolution) toAttributes(m pcommon.Map) {
	m.EnsureCapacity(12)
	m.PutStr(AttrID, r.IDs[0].String())
	if len(r.IDs) > 1 {
		list := m.PutEmptySlice(AttrLaterIDs)
		for _, id := range r.IDs[1:] {
			list.AppendEmpty().SetStr(id.String())
		}
	}
	m.PutStr(AttrService, r.Service)
	m.PutStr(AttrModel, r.Model)
	m.PutStr(AttrType, string(r.Type))
	m.PutStr(AttrMetric, r.Metric)
	m.PutStr(AttrOnset, r.Onset.UTC().Format(time.RFC3339Nano))
	m.PutStr(AttrEnd, r.End.UTC().Format(time.RFC3339Nano))
	m.PutDouble(AttrDurationSeconds, r.End.Sub(r.Onset).Seconds())
	m.PutStr(AttrEndReason, string(r.Reason))
	putFloat(m, AttrBaseline, r.Baseline)
	putStr(m, AttrSummary, r.Summary)
}

// ResolvedFromSpan yields the ends that span carries. An event that bears the
// name but cannot be decoded is yielded as an error; the iteration goes on.
func ResolvedFromSpan(span ptrace.Span) iter.Seq2[Resolution, error] {
	return func(yield func(Resolution, error) bool) {
		for _, ev := range span.Events().All() {
			if ev.Name() == ResolvedEventName && !yield(resolutionFrom(ev.Attributes())) {
				return
			}
		}
	}
}

func resolutionFrom(m pcommon.Map) (Resolution, error) {
	r := Resolution{Baseline: math.NaN()}
	var errs error
	text := func(k string) string {
		v, ok := m.Get(k)
		if !ok {
			return ""
		}
		return v.AsString()
	}
	parse := func(k, s string) {
		id, err := uuid.Parse(s)
		if err != nil && errs == nil {
			errs = fmt.Errorf("attribute %s must be a UUID, got %q", k, s)
		}
		r.IDs = append(r.IDs, id)
	}
	at := func(k string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, text(k))
		if err != nil && errs == nil {
			errs = fmt.Errorf("attribute %s must be a time as in RFC 3339, got %q", k, text(k))
		}
		return t
	}
	parse(AttrID, text(AttrID))
	if v, ok := m.Get(AttrLaterIDs); ok {
		for _, s := range getList[string](v) {
			parse(AttrLaterIDs, s)
		}
	}
	r.Service, r.Model, r.Type, r.Metric = text(AttrService), text(AttrModel), Type(text(AttrType)), text(AttrMetric)
	r.Onset, r.End = at(AttrOnset), at(AttrEnd)
	r.Reason, r.Summary = EndReason(text(AttrEndReason)), text(AttrSummary)
	if v, ok := m.Get(AttrBaseline); ok {
		r.Baseline = getFloat(v)
	}
	return r, errs
}
