package anomalyprocessor

import "github.com/llm-devops/llm-sentinel/internal/anomaly"

// endMarks remembers the last spans of a series that carry the end of an anomaly,
// for the same reason as marks: sent again, they must carry it again.
type endMarks struct {
	ring [4]endMark
	next uint8
}

type endMark struct {
	delivery
	ended []anomaly.Resolution
}

// find returns the ends that the item carries. A nil e has none.
func (e *endMarks) find(d delivery) []anomaly.Resolution {
	if e == nil || d.span.IsEmpty() {
		return nil
	}
	for i := range e.ring {
		if e.ring[i].delivery == d {
			return e.ring[i].ended
		}
	}
	return nil
}

// addEnds remembers the ends that the item carries.
func (ent *entry) addEnds(d delivery, ended []anomaly.Resolution) {
	if len(ended) == 0 || d.span.IsEmpty() {
		return
	}
	if ent.ends == nil {
		ent.ends = &endMarks{}
	}
	ent.ends.ring[ent.ends.next%uint8(len(ent.ends.ring))] = endMark{d, ended}
	ent.ends.next++
}
