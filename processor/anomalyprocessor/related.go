package anomalyprocessor

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// reportLogSize is the number of latest anomalies that further ones can be
// related to.
const reportLogSize = 256

// reportLog keeps the latest anomalies that were reported, in a ring.
type reportLog struct {
	ring [reportLogSize]reported
	n    uint64
}

// reported is what relates an anomaly to others.
type reported struct {
	id                       uuid.UUID
	service, model, provider string
	typ                      anomaly.Type
	metric                   string
	// onset and at are event times: of the beginning, and of the report.
	onset, at int64
}

// family groups the types that one cause shows in.
func family(t anomaly.Type) anomaly.Type {
	switch t {
	case anomaly.TypeThroughputDegradation, anomaly.TypeErrorRateIncrease:
		return anomaly.TypeLatencySpike
	case anomaly.TypeCostAnomaly:
		return anomaly.TypeTokenUsageSpike
	case anomaly.TypeOutputDrift, anomaly.TypeConceptDrift, anomaly.TypeEmbeddingDrift:
		return anomaly.TypeInputDrift
	case anomaly.TypeQualityDegradation:
		return anomaly.TypeHallucination
	}
	return t
}

// kin reports whether r and s can have one cause: types of a family, at about
// the same time, and a provider, a model or a service in common.
func (r *reported) kin(s *reported, window int64) bool {
	if family(r.typ) != family(s.typ) || r.id == s.id {
		return false
	}
	if !nearby(r.onset, s.onset, window) && !nearby(r.at, s.at, window) {
		return false
	}
	return r.service == s.service || sameName(r.model, s.model) || sameName(r.provider, s.provider)
}

func nearby(a, b, window int64) bool { return a-b <= window && b-a <= window }

// sameName compares names, of which an empty one is not known.
func sameName(a, b string) bool { return a == b && a != "" }

// relate returns the ids of at most room anomalies that were reported before r
// and are kin to it, the latest of them, in the order of their onset; and takes
// note of r. The lock of p is held.
func (p *peers) relate(r *reported, room int) []uuid.UUID {
	l := &p.log
	var kin []*reported
	for i := range min(l.n, reportLogSize) {
		other := &l.ring[(l.n-1-i)%reportLogSize]
		switch {
		case !r.kin(other, p.window):
		case len(kin) >= room:
			p.limited[limitRelated]++
		default:
			kin = append(kin, other)
		}
	}
	slices.SortFunc(kin, func(a, b *reported) int {
		return cmp.Or(cmp.Compare(a.onset, b.onset), bytes.Compare(a.id[:], b.id[:]))
	})
	var ids []uuid.UUID
	for _, k := range kin {
		ids = append(ids, k.id)
	}
	next := &l.ring[l.n%reportLogSize]
	if l.n >= reportLogSize && nearby(next.at, r.at, p.window) {
		p.limited[limitMemory]++ // it is needed still
	}
	*next = *r
	l.n++
	return ids
}
