package anomalyprocessor

import (
	"context"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// rule judges an aspect of the calls of a series that is not the size of one
// number: how many fail, how many come, what they look like together. A rule is
// immutable; what it learns of a series is in the ruleState of that series,
// which is used under the lock of the series only.
//
// A new rule is one file and one line in newRules.
type rule interface {
	// name is part of the public contract: configuration and snapshots.
	name() string
	// fingerprint identifies all that changes what a state means. A state of
	// another fingerprint is not restored.
	fingerprint() uint64
	// newState returns the state of a new series.
	newState() ruleState
	// readState reads what appendState wrote. The error says what is wrong.
	readState(src []byte) (ruleState, error)
	// call judges the call b.event at event time b.at and learns from it; it
	// appends what is news to found. Failed calls are shown too. When late is
	// set the call is only to be learned from.
	call(b *batch, st ruleState, late bool, found []finding) []finding
	// pass judges what shows without a call, at the time now of this machine:
	// that nothing comes any more, that a window has closed. It is called every
	// few seconds for each series, and must be quick.
	pass(st ruleState, now time.Time, found []finding) []finding
}

// ruleState is what a rule keeps of one series, bounded in size.
type ruleState interface {
	// appendState appends the serialised state to dst.
	appendState(dst []byte) []byte
}

// newRules builds the rules that cfg asks for, in the order of evaluation.
func newRules(cfg *Config) ([]rule, error) {
	var rules []rule
	for _, r := range []struct {
		enabled bool
		build   func(*Config) (rule, error)
	}{
		{cfg.ErrorRate.Enabled, newErrorRateRule},
		{cfg.Throughput.Drop || cfg.Throughput.Surge || cfg.Throughput.Silence, newThroughputRule},
		{cfg.Evaluations.Enabled, newEvaluationRule},
		{cfg.Security.Enabled, newSecurityRule},
		{len(cfg.Drift.Types) > 0, newDriftRule},
		{len(cfg.Trend.Metrics) > 0, newTrendRule},
	} {
		if !r.enabled {
			continue
		}
		built, err := r.build(cfg)
		if err != nil {
			return nil, err
		}
		rules = append(rules, built)
	}
	return rules, nil
}

// maxRules bounds the rules of an engine.
const maxRules = 16

// finding is what a rule has found: an anomaly without what the engine knows
// itself (ids, series, links to the call). Texts must not share memory with the
// telemetry.
type finding struct {
	typ anomaly.Type
	// metric is the contract name of what was judged, for example "error_rate".
	metric   string
	method   anomaly.Method
	severity anomaly.Severity
	// confidence in [0, 1].
	confidence float64
	// value, baseline and threshold are in the unit of the metric. sigma is NaN
	// when it has no meaning.
	value, baseline, threshold, sigma float64
	// onset is the event time (unix ns) at which it began, at that at which it
	// was seen; 0 means the event time of the call.
	onset, at int64
	// ended is set when the anomaly of this type and metric that was reported
	// last is over; baseline is the new normal of one that has been rebased.
	// Severity and texts have no meaning then. Rules that cannot tell leave it.
	ended anomaly.EndReason
	// samples is the number of items that the baseline rests on.
	samples uint64
	// window describes the reference data, for example "last_10_minutes".
	window  string
	detail  map[string]float64
	context map[string]string
	// cause and remediation are made of facts; empty when none are known.
	cause       string
	remediation []string
}

// judgeRules shows the call to the rules of its series.
func (b *batch) judgeRules(ent *entry, late bool, found []finding) []finding {
	b.entry = ent
	for i, r := range b.rules {
		st := ent.rules[i]
		if st == nil {
			st = r.newState()
			ent.rules[i] = st
		}
		found = r.call(b, st, late, found)
	}
	return found
}

// endReason says how an episode has ended.
func endReason(rebased bool) anomaly.EndReason {
	if rebased {
		return anomaly.EndRebased
	}
	return anomaly.EndRecovered
}

// endOf is endReason; it counts a lasting change that has become the normal
// state of metric. That is rare, so it is recorded at once.
func (b *batch) endOf(rebased bool, metric string) anomaly.EndReason {
	if rebased {
		b.tel.builder.BaselinesRebasedTotal.Add(context.Background(), 1, labels("metric", metric)...)
	}
	return endReason(rebased)
}

// pass lets the rules judge what shows without a call, and emits what they
// found. It locks one shard of the table at a time.
func (e *engine) pass(ctx context.Context, now time.Time) []windowFinding {
	if len(e.rules) == 0 {
		return nil
	}
	var out []windowFinding
	var scratch []finding
	e.table.Range(func(key series.Key, _ int64, ent *entry) bool {
		scratch = scratch[:0]
		for i, r := range e.rules {
			if ent.rules[i] != nil {
				scratch = r.pass(ent.rules[i], now, scratch)
			}
		}
		for i := range scratch {
			if f, news := e.windowFinding(ctx, key, ent, &scratch[i], now); news {
				out = append(out, f)
			}
		}
		return true
	})
	return out
}
