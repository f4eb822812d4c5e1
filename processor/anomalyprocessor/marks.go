package anomalyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

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
	news
}

// news is what a call gives to tell: anomalies, and ends of earlier ones.
type news struct {
	found []anomaly.Anomaly
	ended []anomaly.Resolution
}

func (n *news) mark(span ptrace.Span) {
	anomaly.MarkSpan(span, n.found)
	anomaly.MarkResolved(span, n.ended)
}

func (m *marks) find(ev *genai.Event) (told news, ok bool) {
	if ev.SpanID.IsEmpty() {
		return news{}, false
	}
	for i := range m.ring {
		if m.ring[i].span == ev.SpanID && m.ring[i].trace == ev.TraceID {
			return m.ring[i].news, true
		}
	}
	return news{}, false
}

// add remembers the marks of a span. They must not share memory with the
// telemetry.
func (m *marks) add(ev *genai.Event, told news) {
	m.ring[m.next%uint8(len(m.ring))] = mark{trace: ev.TraceID, span: ev.SpanID, news: told}
	m.next++
}
