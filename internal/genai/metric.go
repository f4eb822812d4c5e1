package genai

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// MeasureKind is what a data point of an LLM metric measures.
type MeasureKind uint8

// The kinds of measures. Tokens are counts, times are in seconds and costs in US
// dollars. Whether input tokens contain cached ones follows the emitter.
const (
	// MeasureNone is that of metrics that say nothing about LLM calls.
	MeasureNone MeasureKind = iota
	MeasureInputTokens
	MeasureOutputTokens
	MeasureTotalTokens
	MeasureCacheReadTokens
	MeasureCacheWriteTokens
	MeasureReasoningTokens
	MeasureToolTokens
	// MeasureDuration is that of a call, or of what Operation says.
	MeasureDuration
	MeasureTTFT
	// MeasureTPOT is the time for each token, or chunk, after the first.
	MeasureTPOT
	MeasureCost
	MeasureRequests
	MeasureErrors
	MeasureQueueTime
	MeasureRunning // requests that are being served
	MeasureWaiting // requests that wait for it
	// MeasureCacheUsage is the part of the key-value cache in use, in [0, 1].
	MeasureCacheUsage
	MeasurePreemptions
	// MeasureInferenceCalls and MeasureToolCalls are those of one run of an agent
	// or workflow.
	MeasureInferenceCalls
	MeasureToolCalls
	// MeasureDeploymentState is 0 healthy, 1 partly out of order, 2 out of order.
	MeasureDeploymentState
	MeasureCooldowns // times that a gateway took a deployment out of use

	measureKinds
)

var measureKindNames = [measureKinds]string{
	"none", "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens",
	"reasoning_tokens", "tool_tokens", "duration", "ttft", "tpot", "cost", "requests", "errors", "queue_time",
	"running", "waiting", "cache_usage", "preemptions", "inference_calls", "tool_calls", "deployment_state", "cooldowns",
}

// String is the name of the kind as used in labels.
func (k MeasureKind) String() string {
	if k < measureKinds {
		return measureKindNames[k]
	}
	return "unknown"
}

// isTime reports whether values are seconds.
func (k MeasureKind) isTime() bool {
	return k == MeasureDuration || k == MeasureTTFT || k == MeasureTPOT || k == MeasureQueueTime
}

// Measure is one data point of an LLM metric in normalised form. Strings share
// memory with the telemetry.
type Measure struct {
	Kind MeasureKind
	// Service is [UnknownService] when the resource names none. Provider and
	// Operation are canonical. Model is the one that answered, else the one that
	// was asked for. What the point does not say is empty.
	Service, Provider, Model, Operation string
	// TokenType is the type of token in the words of the emitter; ErrorType is
	// that of calls that failed.
	TokenType, ErrorType string
	// Conversation and User are reported by coding agents only.
	Conversation, User string
	// Value is the number, or the sum of a histogram or summary, of which Count
	// is the number of observations. Count is 0 for other points.
	Value float64
	Count uint64
	// Start is 0 when it is not known.
	Start, Time pcommon.Timestamp
	// Cumulative: Value and Count are totals since Start. Otherwise they are what
	// was added since the point before or, with Gauge, the state at Time.
	Cumulative, Gauge bool
	// Problem is why a point was refused. Its value is not to be used.
	Problem Problem
}

// MetricKind tells by its name what a metric measures; it is [MeasureNone] if
// that is nothing about LLM calls, and [MeasureTotalTokens] if an attribute of
// each point tells the type of the tokens.
func (x *Extractor) MetricKind(m pmetric.Metric) MeasureKind {
	if r := x.metrics.find(m.Name()); r != nil {
		return r.kind
	}
	return MeasureNone
}

// FromMetric reads the data points of an LLM metric, one measure each; there are
// none for other metrics. A nil res is a resource about which nothing is known.
// Points that are marked as having no value are left out; those that are refused
// are there with a problem and without a value, and those of a type of token that
// is not known are of [MeasureNone]. Buckets are not read.
func (x *Extractor) FromMetric(res *Resource, _ pcommon.InstrumentationScope, m pmetric.Metric) iter.Seq[Measure] {
	return func(yield func(Measure) bool) {
		rule := x.metrics.find(m.Name())
		if rule == nil {
			return
		}
		if res == nil {
			res = &unknownResource
		}
		r := pointReader{x: x, rule: rule, scale: rule.scaleOf(m.Unit()), service: res.Service}
		r.each(m, yield)
	}
}

// metricProgram is a compiled table of metrics.
type metricProgram struct {
	names      index
	rules      []metricRule
	points     index
	pointRules [][]pointRule
}

func (t *table) metricProgram() (*metricProgram, error) {
	p := &metricProgram{}
	var errs []error
	for i, r := range t.metrics {
		if r.name == "" || len(r.name) > maxKey || r.kind == MeasureNone || p.names.value(r.name) >= 0 {
			errs = append(errs, fmt.Errorf("metric rule %d: %q needs a kind and a name of its own of 1 to %d bytes", i, r.name, maxKey))
			continue
		}
		p.names.add(r.name, len(p.rules))
		p.rules = append(p.rules, r)
	}
	for f, keys := range t.points {
		for rank, k := range keys {
			p.points.add(k, len(p.pointRules))
			at := p.points.value(k)
			if at == len(p.pointRules) {
				p.pointRules = append(p.pointRules, nil)
			}
			p.pointRules[at] = append(p.pointRules[at], pointRule{pointField(f), uint8(254 - rank)})
		}
	}
	p.names.build()
	p.points.build()
	return p, errors.Join(errs...)
}

// find looks for the rule of a metric, under its name or that with the suffix
// that Prometheus gives to counters.
func (p *metricProgram) find(name string) *metricRule {
	at := p.names.find(name)
	if base, ok := strings.CutSuffix(name, "_total"); at < 0 && ok {
		at = p.names.find(base)
	}
	if at < 0 {
		return nil
	}
	return &p.rules[at]
}

// scaleOf is by what values in the unit of the metric must be multiplied.
func (r *metricRule) scaleOf(unit string) float64 {
	if r.kind.isTime() {
		switch unit {
		case "ms":
			return 1e-3
		case "us":
			return 1e-6
		case "ns":
			return 1e-9
		}
	}
	return 1
}

// pointReader reads the points of one metric.
type pointReader struct {
	x       *Extractor
	rule    *metricRule
	scale   float64
	service string
}

// point is what points of all types have.
type point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
	Flags() pmetric.DataPointFlags
}

func (r *pointReader) each(m pmetric.Metric, yield func(Measure) bool) {
	cumulative := func(t pmetric.AggregationTemporality) bool { return t == pmetric.AggregationTemporalityCumulative }
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			if !r.yield(p, numberOf(p), 0, Measure{Gauge: true}, yield) {
				return
			}
		}
	case pmetric.MetricTypeSum:
		as := Measure{Gauge: !m.Sum().IsMonotonic() && cumulative(m.Sum().AggregationTemporality())}
		as.Cumulative = !as.Gauge && cumulative(m.Sum().AggregationTemporality())
		for _, p := range m.Sum().DataPoints().All() {
			if !r.yield(p, numberOf(p), 0, as, yield) {
				return
			}
		}
	case pmetric.MetricTypeHistogram:
		as := Measure{Cumulative: cumulative(m.Histogram().AggregationTemporality())}
		for _, p := range m.Histogram().DataPoints().All() {
			if !r.yield(p, p.Sum(), p.Count(), as, yield) {
				return
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		as := Measure{Cumulative: cumulative(m.ExponentialHistogram().AggregationTemporality())}
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			if !r.yield(p, p.Sum(), p.Count(), as, yield) {
				return
			}
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			if !r.yield(p, p.Sum(), p.Count(), Measure{Cumulative: true}, yield) {
				return
			}
		}
	}
}

func numberOf(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// yield hands out one point and reports whether to go on.
func (r *pointReader) yield(p point, value float64, count uint64, as Measure, yield func(Measure) bool) bool {
	if p.Flags().NoRecordedValue() {
		return true
	}
	as.Kind, as.Operation, as.Service = r.rule.kind, r.rule.operation, r.service
	if as.Service == "" {
		as.Service = UnknownService
	}
	as.Time, as.Start = p.Timestamp(), p.StartTimestamp()
	if as.Time == 0 {
		as.Problem |= MissingEnd
	} else if as.Time < minTime || as.Time >= maxTime || as.Start != 0 && (as.Start < minTime || as.Start >= maxTime) {
		as.Problem |= TimeOutOfRange
		as.Time, as.Start = 0, 0
	}
	r.names(p.Attributes(), &as)
	value, problem := believableMeasure(as.Kind, value*r.scale)
	as.Problem |= problem
	if as.Problem == 0 {
		as.Value, as.Count = value, count
	}
	return yield(as)
}

// maxMeasure bounds sums: above it a float64 cannot count any more.
const maxMeasure = 1 << 53

func believableMeasure(k MeasureKind, v float64) (float64, Problem) {
	v, p, ok := finite(v)
	switch {
	case !ok:
		return 0, p
	case v >= 0 && v <= maxMeasure:
		return v, 0
	case k == MeasureCost && v < 0:
		return 0, NegativeCost
	case k == MeasureCost:
		return 0, AbsurdCost
	case k.isTime() && v < 0:
		return 0, NegativeDuration
	case k.isTime():
		return 0, AbsurdDuration
	case v < 0:
		return 0, NegativeTokens
	}
	return 0, AbsurdTokens
}

// names reads the attributes of a point.
func (r *pointReader) names(attrs pcommon.Map, m *Measure) {
	var best [pointFields]uint8
	for k, v := range attrs.All() {
		at := r.x.metrics.points.find(k)
		if at < 0 {
			continue
		}
		for _, rule := range r.x.metrics.pointRules[at] {
			s, _, ok := scalarOf(v).name(rule.field == pointErrorType || rule.field == pointUser)
			if !ok || rule.prio <= best[rule.field] {
				continue
			}
			switch rule.field {
			case pointProvider:
				if s = r.x.provider(s); s == "" {
					continue
				}
				m.Provider = s
			case pointModel:
				m.Model = cleanModel(s)
			case pointOperation:
				if r.rule.operation != "" {
					continue
				}
				m.Operation = r.x.operation(s)
			case pointTokenType:
				if !r.rule.typed {
					continue
				}
				m.TokenType, m.Kind = s, tokenKind(s)
			case pointErrorType:
				m.ErrorType = s
			case pointConversation:
				m.Conversation = s
			case pointUser:
				m.User = s
			}
			best[rule.field] = rule.prio
		}
	}
}

// tokenKind is the kind that a type of token stands for; a type that is not
// known is no part of what is counted.
func tokenKind(s string) MeasureKind {
	for k, spellings := range tokenTypes {
		if contains(spellings, s) {
			return MeasureKind(k)
		}
	}
	return MeasureNone
}
