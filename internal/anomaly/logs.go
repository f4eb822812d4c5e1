package anomaly

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// MarkLog adds the anomalies to record, which is one of list: the attributes
// for the highest severity and the distinct types on the record, and at the end
// of list a log record of its own for each anomaly, with the ids and the time
// of record. Marks that record carries already are taken into account.
func MarkLog(list plog.LogRecordSlice, record plog.LogRecord, found []Anomaly) {
	if len(found) == 0 {
		return
	}
	summarise(record.Attributes(), found)
	for i := range found {
		found[i].ToLog(appendBeside(list, record))
	}
}

// appendBeside adds a record to the end of list, with the ids and the time of
// observation of record.
func appendBeside(list plog.LogRecordSlice, record plog.LogRecord) plog.LogRecord {
	own := list.AppendEmpty()
	own.SetTraceID(record.TraceID())
	own.SetSpanID(record.SpanID())
	own.SetObservedTimestamp(record.ObservedTimestamp())
	return own
}

// ToLog makes record the carrier of a: event name, time, severity, attributes
// and, as the body, what is known of the cause.
func (a *Anomaly) ToLog(record plog.LogRecord) {
	record.SetEventName(EventName)
	record.SetTimestamp(pcommon.NewTimestampFromTime(a.Time))
	record.SetSeverityNumber(logSeverities[a.Severity])
	record.SetSeverityText(a.Severity.String())
	if a.RootCause != "" {
		record.Body().SetStr(a.RootCause)
	}
	a.ToAttributes(record.Attributes())
}

// logSeverities maps severities to those of logs.
var logSeverities = [...]plog.SeverityNumber{
	SeverityLow: plog.SeverityNumberInfo, SeverityMedium: plog.SeverityNumberWarn,
	SeverityHigh: plog.SeverityNumberError, SeverityCritical: plog.SeverityNumberFatal,
}

// IsLog reports whether record carries an anomaly of its own.
func IsLog(record plog.LogRecord) bool { return record.EventName() == EventName }

// FromLog reads the anomaly that record carries, see [IsLog].
func FromLog(record plog.LogRecord) (Anomaly, error) {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	return FromAttributes(record.Attributes(), at.AsTime())
}

// LogsAsTraces carries the anomalies of ld and their ends over into traces, a
// span with one event for each, so that what reads marked spans reads logs too. They are not
// decoded on the way. The result is empty when ld carries none.
func LogsAsTraces(ld plog.Logs) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if IsLog(record) || record.EventName() == ResolvedEventName {
					logAsSpan(td, record)
				}
			}
		}
	}
	return td
}

func logAsSpan(td ptrace.Traces, record plog.LogRecord) {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(record.EventName())
	span.SetTraceID(record.TraceID())
	span.SetSpanID(record.SpanID())
	span.SetEndTimestamp(at)
	ev := span.Events().AppendEmpty()
	ev.SetName(record.EventName())
	ev.SetTimestamp(at)
	record.Attributes().CopyTo(ev.Attributes())
	if !IsLog(record) {
		return
	}
	severity := ""
	if v, ok := record.Attributes().Get(AttrSeverity); ok {
		severity = v.AsString()
	}
	span.Attributes().PutStr(AttrSeverity, severity)
}

// TracesAsLogs carries the anomalies, and the ends, of spans that are about nothing else over
// into log records, under the same resource and scope.
func TracesAsLogs(td ptrace.Traces) plog.Logs {
	ld := plog.NewLogs()
	for _, rs := range td.ResourceSpans().All() {
		rl := ld.ResourceLogs().AppendEmpty()
		rs.Resource().CopyTo(rl.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			sl := rl.ScopeLogs().AppendEmpty()
			ss.Scope().CopyTo(sl.Scope())
			for _, span := range ss.Spans().All() {
				for a, err := range FromSpan(span) {
					if err == nil {
						a.ToLog(sl.LogRecords().AppendEmpty())
					}
				}
				for r, err := range ResolvedFromSpan(span) {
					if err == nil {
						r.toLog(sl.LogRecords().AppendEmpty())
					}
				}
			}
		}
	}
	return ld
}
