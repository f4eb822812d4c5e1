package sanitizeprocessor

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// limit names a check.
type limit uint8

// The checks, in their order.
const (
	limitLatency limit = iota
	limitCost
	limitTokens
	limitNaN
	limitText
	numLimits
)

var limitNames = [numLimits]string{"latency", "cost", "total_tokens", "not_a_number", "text"}

// violations is a set of limits.
type violations uint8

func (v violations) has(l limit) bool { return v&(1<<l) != 0 }

// check compares the numbers of a call with the limits. What equals a limit
// passes; a number that is not there breaks none.
func (c *ValidationConfig) check(ev *genai.Event, problems genai.Problem) (v violations) {
	if problems&(genai.EndBeforeStart|genai.NegativeDuration|genai.AbsurdDuration) != 0 ||
		ev.Has(genai.FieldLatency) && outside(ev.LatencyMillis, millis(c.Latency.Min), millis(c.Latency.Max)) {
		v |= 1 << limitLatency
	}
	if problems&(genai.NegativeCost|genai.AbsurdCost) != 0 || ev.Has(genai.FieldCost) && outside(ev.CostUSD, c.Cost.Min, c.Cost.Max) {
		v |= 1 << limitCost
	}
	if problems&(genai.NegativeTokens|genai.AbsurdTokens) != 0 ||
		ev.Has(genai.FieldTotalTokens) && (ev.TotalTokens < c.TotalTokens.Min || ev.TotalTokens > c.TotalTokens.Max) {
		v |= 1 << limitTokens
	}
	if problems&genai.NotANumber != 0 {
		v |= 1 << limitNaN
	}
	return v
}

// outside is true for NaN, too.
func outside(x, low, high float64) bool { return !(x >= low && x <= high) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s *sanitizer) action(l limit) Action {
	c := &s.cfg.Validation
	switch l {
	case limitLatency:
		return c.Latency.Action
	case limitCost:
		return c.Cost.Action
	case limitTokens:
		return c.TotalTokens.Action
	case limitNaN:
		return c.NotANumber
	default:
		return s.cfg.Text.Action
	}
}

// judge counts the violations of an item and tells whether it must be dropped.
func (p *pass) judge(v violations) (drop bool) {
	for l := range numLimits {
		if !v.has(l) {
			continue
		}
		a := p.action(l)
		p.tally.failures[l]++
		drop = drop || a == ActionDrop
	}
	return drop && !p.dryRun
}

// tagViolations names the limits on the item, beside those that are named already.
func tagViolations(attrs pcommon.Map, v violations) {
	var names []string
	if old, ok := attrs.Get(genai.AttrSanitizeViolations); ok && old.Type() == pcommon.ValueTypeSlice {
		for i := range min(old.Slice().Len(), int(numLimits)) {
			names = append(names, old.Slice().At(i).AsString())
		}
	}
	for l := range numLimits {
		if v.has(l) && !slices.Contains(names, limitNames[l]) {
			names = append(names, limitNames[l])
		}
	}
	list := attrs.PutEmptySlice(genai.AttrSanitizeViolations)
	list.EnsureCapacity(len(names))
	for _, n := range names {
		list.AppendEmpty().SetStr(n)
	}
}

// durationKeys and costKeys are the attributes by which a call reports what would
// win over the value that is clamped, with their value for a duration of 1 ms.
var durationKeys = map[string]float64{
	"duration_ms": 1, "llm.latency_ms": 1, "gen_ai.client.operation.duration": 1e-3, "gen_ai.latency.e2e": 1e-3,
}

// clampSpan moves what breaks a limit with the action clamp to that limit: the end
// of the span and attributes that report its duration; cost and total tokens in
// their current spelling, which is read first.
func (p *pass) clampSpan(span ptrace.Span, v violations) {
	if p.clamps(v, limitLatency) {
		start, took := span.StartTimestamp(), span.EndTimestamp()-span.StartTimestamp()
		if span.EndTimestamp() < start {
			took = 0
		}
		low, high := pcommon.Timestamp(p.cfg.Validation.Latency.Min), pcommon.Timestamp(p.cfg.Validation.Latency.Max)
		if bounded := min(max(took, low), high); start != 0 && start+bounded >= start {
			span.SetEndTimestamp(start + bounded)
		}
		p.clampDurations(span.Attributes())
	}
	p.clampNumbers(span.Attributes(), v)
}

func (p *pass) clamps(v violations, l limit) bool {
	return v.has(l) && p.action(l) == ActionClamp && !p.dryRun
}

func (p *pass) clampDurations(attrs pcommon.Map) {
	c := &p.cfg.Validation.Latency
	for key, unit := range durationKeys {
		if value, ok := attrs.Get(key); ok {
			clampValue(value, millis(c.Min)*unit, millis(c.Max)*unit)
		}
	}
}

// clampNumbers sets cost and tokens. A cost that was not usable at all, such as a
// negative one, becomes the least.
func (p *pass) clampNumbers(attrs pcommon.Map, v violations) {
	c := &p.cfg.Validation
	if p.clamps(v, limitCost) {
		cost := c.Cost.Min
		if p.event.Has(genai.FieldCost) {
			cost = min(max(p.event.CostUSD, c.Cost.Min), c.Cost.Max)
		} else if p.problems&genai.AbsurdCost != 0 {
			cost = c.Cost.Max
		}
		attrs.PutDouble(genai.AttrUsageCost, cost)
	}
	if p.clamps(v, limitTokens) {
		tokens := c.TotalTokens.Min
		if p.event.Has(genai.FieldTotalTokens) {
			tokens = min(max(p.event.TotalTokens, tokens), c.TotalTokens.Max)
		} else if p.problems&genai.AbsurdTokens != 0 {
			tokens = c.TotalTokens.Max
		}
		attrs.PutInt(genai.AttrUsageTotalTokens, tokens)
	}
}

// clampValue bounds a number; what is none stays.
func clampValue(v pcommon.Value, low, high float64) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		if n := float64(v.Int()); outside(n, low, high) {
			v.SetInt(int64(math.Round(min(max(n, low), high))))
		}
	case pcommon.ValueTypeDouble:
		if f := v.Double(); !math.IsNaN(f) && outside(f, low, high) {
			v.SetDouble(min(max(f, low), high))
		}
	}
}
