package anomalyprocessor

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

const (
	// maxEpisodes is the most episodes of a series that are followed at a time.
	maxEpisodes = 24
	// maxEpisodeIDs is the most anomalies of an episode: the first one and
	// those with which it became more severe.
	maxEpisodeIDs = 4
)

// episode is an incident of a series and metric that has begun and not ended.
type episode struct {
	// judge is an index into engine.judges, ruleJudge for that of a rule.
	judge  int
	typ    anomaly.Type
	metric string
	model  string
	onset  int64
	// expected is the expected value when it was reported.
	expected float64
	// ids are the anomalies that were reported of it, none when it was kept
	// back, for example by the cool-down.
	ids []uuid.UUID
}

// ruleJudge stands for the judges of episodes that rules have found.
const ruleJudge = -1

// ending is the end of an episode of a judge.
type ending struct {
	judge    int
	rebased  bool
	expected float64
}

// episodeOf returns the episode of a metric, nil when there is none. Rules
// share metrics: theirs are told by type.
func (ent *entry) episodeOf(judge int, typ anomaly.Type, metric string) *episode {
	for i := range ent.episodes {
		if ep := &ent.episodes[i]; ep.judge == judge && ep.metric == metric && ep.typ == typ {
			return ep
		}
	}
	return nil
}

// begin adds an episode; the oldest of a rule gives way when there are too
// many, and nil is returned when there is none.
func (ent *entry) begin(ep *episode) *episode {
	if len(ent.episodes) >= maxEpisodes {
		oldest := -1
		for i := range ent.episodes {
			if ent.episodes[i].judge == ruleJudge && (oldest < 0 || ent.episodes[i].onset < ent.episodes[oldest].onset) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		ent.episodes[oldest] = *ep
		return &ent.episodes[oldest]
	}
	ent.episodes = append(ent.episodes, *ep)
	return &ent.episodes[len(ent.episodes)-1]
}

// reportedAs notes the id under which the episode was reported.
func (ep *episode) reportedAs(a *anomaly.Anomaly) {
	if len(ep.ids) == 0 {
		ep.model, ep.expected = a.Model, a.Details.Baseline
	}
	if len(ep.ids) == maxEpisodeIDs {
		copy(ep.ids[1:], ep.ids[2:])
		ep.ids = ep.ids[:maxEpisodeIDs-1]
	}
	ep.ids = append(ep.ids, a.ID)
}

// finish removes the episode and returns it; ok is false when there is none.
func (ent *entry) finish(judge int, typ anomaly.Type, metric string) (ep episode, ok bool) {
	found := ent.episodeOf(judge, typ, metric)
	if found == nil {
		return episode{}, false
	}
	ep = *found
	last := len(ent.episodes) - 1
	*found = ent.episodes[last]
	ent.episodes[last] = episode{}
	if ent.episodes = ent.episodes[:last]; last == 0 {
		ent.episodes = nil
	}
	return ep, true
}

// outside returns the judges that are in an episode, and since when.
func (ent *entry) outside() (set uint, since [len(metrics)]int64) {
	for i := range ent.episodes {
		ep := &ent.episodes[i]
		if j := ep.judge; j >= 0 && j < len(since) { // not of a rule
			set |= 1 << j
			since[j] = ep.onset
		}
	}
	return set, since
}

// beginEpisodes takes note of the judges that are outside their limits.
func (b *batch) beginEpisodes(ent *entry, o outcome) {
	began := false
	for i := range b.judges {
		if !o.has(o.anomalous&^o.kept, i) {
			continue
		}
		m := b.judges[i].metric
		if ent.episodeOf(i, m.typ, m.name) == nil {
			began = ent.begin(&episode{judge: i, typ: m.typ, metric: m.name, onset: b.verdicts[i].Onset}) != nil || began
		}
	}
	if began {
		b.peers.update(ent, b.judges, b.cfg.MinSamples)
	}
}

// endEpisodes ends what is over with this event, and returns the ends of
// anomalies that were reported.
func (b *batch) endEpisodes(ctx context.Context, ent *entry, key *series.Key) (out []anomaly.Resolution) {
	for _, e := range b.ended {
		j := &b.judges[e.judge]
		ep, ok := ent.finish(e.judge, j.metric.typ, j.metric.name)
		if !ok || len(ep.ids) == 0 {
			continue
		}
		reason, level := anomaly.EndRecovered, math.NaN()
		if e.rebased {
			reason, level = anomaly.EndRebased, j.metric.tidy(e.expected)
		}
		out = append(out, b.resolution(ctx, key, &ep, b.at, reason, level))
	}
	if len(b.ended) > 0 {
		b.peers.update(ent, b.judges, b.cfg.MinSamples)
	}
	for i := range b.found {
		if b.found[i].ended == "" {
			continue
		}
		if r, ok := b.endFinding(ctx, ent, key, &b.found[i], b.at); ok {
			out = append(out, r)
		}
	}
	return out
}

// note takes note of an anomaly that is reported: it is compared with its
// peers, and its end will refer to it. It runs while ent is locked.
func (e *engine) note(ctx context.Context, ent *entry, judge int, a *anomaly.Anomaly, onset, at int64, provider string) {
	if onset == 0 {
		onset = at
	}
	e.tel.limitedBy(ctx, e.peers.explain(a, subjectOf(a, judge, ent.member, provider, onset, at)))
	ep := ent.episodeOf(judge, a.Type, a.Details.Metric)
	if ep == nil {
		ep = ent.begin(&episode{judge: judge, typ: a.Type, metric: a.Details.Metric, onset: onset})
	}
	if ep == nil {
		return
	}
	if judge == ruleJudge && ep.onset != onset {
		// A rule that does not tell of ends has found another one.
		*ep = episode{judge: judge, typ: a.Type, metric: a.Details.Metric, onset: onset}
	}
	ep.reportedAs(a)
}

// endFinding ends what a rule had found. ok is false when it was not reported.
func (e *engine) endFinding(ctx context.Context, ent *entry, key *series.Key, f *finding, at int64) (r anomaly.Resolution, ok bool) {
	if f.at != 0 {
		at = f.at
	}
	ep, ok := ent.finish(ruleJudge, f.typ, f.metric)
	if !ok || len(ep.ids) == 0 {
		return r, false
	}
	level := math.NaN()
	if f.ended == anomaly.EndRebased {
		level = f.baseline
	}
	return e.resolution(ctx, key, &ep, at, f.ended, level), true
}

// resolution tells the end of an episode that was reported, and counts it.
func (e *engine) resolution(ctx context.Context, key *series.Key, ep *episode, end int64, reason anomaly.EndReason, level float64) anomaly.Resolution {
	e.tel.resolved(ctx, ep.typ, reason)
	onset := ep.onset
	if onset == 0 || onset > end {
		onset = end
	}
	r := anomaly.Resolution{
		IDs: ep.ids, Service: key.Service, Model: ep.model, Type: ep.typ, Metric: ep.metric,
		Onset: time.Unix(0, onset).UTC(), End: time.Unix(0, end).UTC(), Reason: reason, Baseline: level,
	}
	s := make([]byte, 0, 128)
	s = append(s, ep.metric...)
	if reason == anomaly.EndRebased {
		s = append(s, " stays where it is: the new normal is "...)
		s = appendNumber(s, level)
		if !math.IsNaN(ep.expected) {
			s = append(s, ", expected was "...)
			s = appendNumber(s, ep.expected)
		}
	} else {
		s = append(s, " is back within its limits"...)
	}
	s = append(s, ", after "...)
	s = append(s, r.End.Sub(r.Onset).Round(time.Second).String()...)
	r.Summary = string(s)
	return r
}

// appendEpisodes appends the serialised episodes: their number, and for each
// the metric, type, model, onset, expected value and ids.
func appendEpisodes(b []byte, list []episode) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for i := range list {
		ep := &list[i]
		rule := byte(0)
		if ep.judge == ruleJudge {
			rule = 1
		}
		b = append(b, rule)
		b = appendText(b, ep.metric)
		b = appendText(b, string(ep.typ))
		b = appendText(b, ep.model)
		b = binary.LittleEndian.AppendUint64(b, uint64(ep.onset))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(ep.expected))
		b = append(b, byte(len(ep.ids)))
		for _, id := range ep.ids {
			b = append(b, id[:]...)
		}
	}
	return b
}

// readEpisodes reads what appendEpisodes wrote. Those of metrics that are not
// judged any more are left out.
func (e *engine) readEpisodes(b []byte) ([]episode, error) {
	r := reader{b: b}
	n := r.uvarint()
	if r.failed || n > maxEpisodes {
		return nil, refuse("%d episodes of a series, the most is %d", n, maxEpisodes)
	}
	var out []episode
	for range n {
		rule := r.take(1)
		ep := episode{judge: ruleJudge, metric: r.text(), typ: anomaly.Type(r.text()), model: r.text()}
		ep.onset, ep.expected = int64(r.uint64()), math.Float64frombits(r.uint64())
		ids := r.take(1)
		if r.failed || rule[0] > 1 || ids[0] > maxEpisodeIDs {
			return nil, refuse("an episode is malformed")
		}
		for range ids[0] {
			var id uuid.UUID
			copy(id[:], r.take(uint64(len(id))))
			ep.ids = append(ep.ids, id)
		}
		if rule[0] == 0 && !e.judgeOf(&ep) {
			continue
		}
		out = append(out, ep)
	}
	if r.failed || len(r.b) > 0 {
		return nil, refuse("the episodes are malformed")
	}
	return out, nil
}

// judgeOf sets the judge of an episode by its metric.
func (e *engine) judgeOf(ep *episode) bool {
	for i := range e.judges {
		if m := e.judges[i].metric; m.name == ep.metric && m.typ == ep.typ {
			ep.judge, ep.metric = i, m.name
			return true
		}
	}
	return false
}
