package anomalyprocessor

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/feedback"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// defaultOffset is that of metrics that are not in the table: shares, scores,
// rates per minute. Below it a ratio says little.
const defaultOffset = .01

func offsetOf(metric string) float64 {
	if m := metricByName(metric); m != nil {
		return m.logOffset
	}
	return defaultOffset
}

// untellable is a rule that can take back having told of a finding when people do
// not want to hear of it, so that it tells again when it gets worse.
type untellable interface {
	// untell is called while the series is locked. It ignores findings that are
	// not its own.
	untell(st ruleState, f *finding)
}

// suppression is the reason for which a decision keeps a finding back.
func suppression(d feedback.Decision) int {
	if d == feedback.Mute {
		return suppressMuted
	}
	return suppressFeedback
}

// heed keeps back what people do not want to be told of, of all that was found on
// the event. It runs while ent is locked; baselines have learned already.
func (b *batch) heed(ent *entry, key *series.Key, o *outcome) {
	if b.taught.Len() == 0 {
		return
	}
	for i := range b.judges {
		if !o.has(o.alarms, i) {
			continue
		}
		f := b.findingOf(key, i)
		if d := b.taught.Judge(&f, b.now); d != feedback.Mark {
			b.counts.suppressed[suppression(d)]++
			o.kept |= 1 << i
			ent.states[i].Untell(b.before[i])
		}
	}
	left := b.found[:0]
	for i := range b.found {
		f := &b.found[i]
		if f.ended == "" {
			if d := b.judgeFinding(ent, key.Service, b.model, f, b.now); d != feedback.Mark {
				b.counts.suppressed[suppression(d)]++
				continue
			}
		}
		left = append(left, *f)
	}
	b.found = left
}

// findingOf is what the verdict of judge i is compared by with those of people.
func (b *batch) findingOf(key *series.Key, i int) feedback.Finding {
	j, v := &b.judges[i], &b.verdicts[i]
	class, deviation := b.judged(i, v)
	return feedback.Finding{
		Subject: feedback.Subject{Service: key.Service, Model: b.model, Type: j.metric.typ},
		Metric:  j.metric.name, Class: class, Deviation: deviation,
	}
}

// judged says what judge i has judged: the level of the latest calls when a
// detector of shifts is among those that speak, else the call.
func (b *batch) judged(i int, v *detect.Verdict) (class string, deviation float64) {
	j := &b.judges[i]
	class = feedback.ClassCall
	for _, f := range v.Findings[:v.N] {
		if feedback.ClassOf(j.methods[f.Detector]) == feedback.ClassLevel {
			class = feedback.ClassLevel
		}
	}
	return class, feedback.Deviation(v.Level, v.Expected, j.metric.logOffset)
}

// remember notes how an anomaly that is marked was judged, for verdicts on it.
// They are on the call that shows it as well: a level is often seen before it is
// where it stays.
func (b *batch) remember(id uuid.UUID, i int) {
	m, v := b.judges[i].metric, &b.verdicts[i]
	class, deviation := b.judged(i, v)
	if d := feedback.Deviation(m.value(b.event), v.Expected, m.logOffset); d*deviation > 0 && math.Abs(d) > math.Abs(deviation) {
		deviation = d
	}
	b.recent.Add(id, class, deviation)
}

// rememberFinding is remember for findings of rules.
func (e *engine) rememberFinding(id uuid.UUID, f *finding) {
	e.recent.Add(id, feedback.ClassOf(f.method), f.deviation())
}

func (f *finding) deviation() float64 {
	return feedback.Deviation(f.value, f.baseline, offsetOf(f.metric))
}

// judgeFinding decides about the finding of a rule. One that is kept back is not
// remembered as told.
func (e *engine) judgeFinding(ent *entry, service, model string, f *finding, now time.Time) feedback.Decision {
	d := e.taught.Judge(&feedback.Finding{
		Subject: feedback.Subject{Service: service, Model: model, Type: f.typ},
		Metric:  f.metric, Class: feedback.ClassOf(f.method), Deviation: f.deviation(),
	}, now)
	if d == feedback.Mark {
		return d
	}
	for i, r := range e.rules {
		if r, ok := r.(untellable); ok && ent.rules[i] != nil {
			r.untell(ent.rules[i], f)
		}
	}
	return d
}

// heedWindow reports whether the finding of a pass is kept back.
func (e *engine) heedWindow(ctx context.Context, ent *entry, key *series.Key, f *finding, now time.Time) bool {
	if e.taught.Len() == 0 {
		return false
	}
	d := e.judgeFinding(ent, key.Service, key.Model, f, now)
	if d == feedback.Mark {
		return false
	}
	e.tel.builder.AnomaliesSuppressedTotal.Add(ctx, 1, e.tel.suppressed[suppression(d)]...)
	return true
}
