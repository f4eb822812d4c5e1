package anomalyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// endMarks remembers the last spans of a series that carry the end of an anomaly,
// for the same reason as marks: sent again, they must carry it again.
type endMarks struct {
	ring [4]endMark
	next uint8
}

type endMark struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
	ended []anomaly.Resolution
}

// find returns the ends that the span of the event carries. A nil e has none.
func (e *endMarks) find(ev *genai.Event) []anomaly.Resolution {
	if e == nil || ev.SpanID.IsEmpty() {
		return nil
	}
	for i := range e.ring {
		if e.ring[i].span == ev.SpanID && e.ring[i].trace == ev.TraceID {
			return e.ring[i].ended
		}
	}
	return nil
}

// addEnds remembers the ends that the span of the event carries.
func (ent *entry) addEnds(ev *genai.Event, ended []anomaly.Resolution) {
	if len(ended) == 0 || ev.SpanID.IsEmpty() {
		return
	}
	if ent.ends == nil {
		ent.ends = &endMarks{}
	}
	ent.ends.ring[ent.ends.next%uint8(len(ent.ends.ring))] = endMark{trace: ev.TraceID, span: ev.SpanID, ended: ended}
	ent.ends.next++
}
