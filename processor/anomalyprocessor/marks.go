package anomalyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// marks remembers the last spans of a series that were marked. When a sender
// repeats a batch because something behind this processor failed, its spans
// get the same marks again; judged a second time, they would be taken for the
// continuation of an anomaly that was reported, and nobody would hear of it.
type marks struct {
	ring [4]mark
	next uint8
}

type mark struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
	found []anomaly.Anomaly
}

func (m *marks) find(ev *genai.Event) (found []anomaly.Anomaly, ok bool) {
	if ev.SpanID.IsEmpty() {
		return nil, false
	}
	for i := range m.ring {
		if m.ring[i].span == ev.SpanID && m.ring[i].trace == ev.TraceID {
			return m.ring[i].found, true
		}
	}
	return nil, false
}

// add remembers the marks of a span. The anomalies must not share memory with
// the telemetry.
func (m *marks) add(ev *genai.Event, found []anomaly.Anomaly) {
	m.ring[m.next%uint8(len(m.ring))] = mark{trace: ev.TraceID, span: ev.SpanID, found: found}
	m.next++
}
