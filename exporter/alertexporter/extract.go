package alertexporter

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// extract calls found for each anomaly in td at or above least, and bad for
// each event that cannot be decoded. It allocates nothing when no span of td
// is marked.
func extract(td ptrace.Traces, least anomaly.Severity, found func(anomaly.Anomaly), bad func(error)) {
	for i := 0; i < td.ResourceSpans().Len(); i++ {
		scopes := td.ResourceSpans().At(i).ScopeSpans()
		for j := 0; j < scopes.Len(); j++ {
			spans := scopes.At(j).Spans()
			for k := 0; k < spans.Len(); k++ {
				if span := spans.At(k); span.Events().Len() > 0 {
					extractSpan(span, least, found, bad)
				}
			}
		}
	}
}

func extractSpan(span ptrace.Span, least anomaly.Severity, found func(anomaly.Anomaly), bad func(error)) {
	v, marked := span.Attributes().Get(anomaly.AttrSeverity)
	if !marked {
		return
	}
	// The span carries the highest severity of its anomalies. A value that
	// cannot be read must not hide the events.
	if highest, err := anomaly.ParseSeverity(v.AsString()); err == nil && highest < least {
		return
	}
	for a, err := range anomaly.FromSpan(span) {
		switch {
		case err != nil:
			bad(err)
		case a.Severity >= least:
			a.Time = eventTime(a.Time, span)
			found(a)
		}
	}
}

// eventTime replaces a missing time, because deduplication compares times and
// would take all anomalies at 1970 for one incident.
func eventTime(at time.Time, span ptrace.Span) time.Time {
	if at.UnixNano() != 0 {
		return at
	}
	if span.EndTimestamp() != 0 {
		return span.EndTimestamp().AsTime()
	}
	return time.Now().UTC()
}

// pack puts one anomaly into traces of its own, the form in which it waits in
// a queue, in memory or on disk.
func pack(a anomaly.Anomaly) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(anomaly.EventName)
	anomaly.MarkSpan(span, []anomaly.Anomaly{a})
	return td
}

var errPacked = errors.New("want exactly one anomaly in a queued notification")

// unpack reads what pack wrote.
func unpack(td ptrace.Traces) (anomaly.Anomaly, error) {
	var (
		out  anomaly.Anomaly
		n    int
		errs error
	)
	extract(td, anomaly.SeverityLow,
		func(a anomaly.Anomaly) { out, n = a, n+1 },
		func(err error) { errs = errors.Join(errs, err) })
	switch {
	case errs != nil:
		return out, fmt.Errorf("decode queued notification: %w", errs)
	case n != 1:
		return out, fmt.Errorf("%w, got %d", errPacked, n)
	}
	return out, nil
}
