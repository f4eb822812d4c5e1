package anomaly

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
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
		own := list.AppendEmpty()
		own.SetTraceID(record.TraceID())
		own.SetSpanID(record.SpanID())
		own.SetObservedTimestamp(record.ObservedTimestamp())
		found[i].ToLog(own)
	}
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
