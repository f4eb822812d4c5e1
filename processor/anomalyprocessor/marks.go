package anomalyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// marks remembers the last spans of a series that were marked. When a sender
// repeats a batch because something behind this processor failed, its spans
// get the same marks again; judged a second time, they would be taken for the
// continuation of an anomaly that was reported, and nobody would hear of it.
type marks struct {
	ring [4]mark
	next uint8
}

// delivery is what an item is known by when it comes again: the ids of a span,
// or what stands for them. It is of no use with an empty span.
type delivery struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

type mark struct {
	delivery
	found []anomaly.Anomaly
}

func (m *marks) find(d delivery) (found []anomaly.Anomaly, ok bool) {
	if d.span.IsEmpty() {
		return nil, false
	}
	for i := range m.ring {
		if m.ring[i].delivery == d {
			return m.ring[i].found, true
		}
	}
	return nil, false
}

// add remembers the marks of a span. The anomalies must not share memory with
// the telemetry.
func (m *marks) add(d delivery, found []anomaly.Anomaly) {
	m.ring[m.next%uint8(len(m.ring))] = mark{d, found}
	m.next++
}
