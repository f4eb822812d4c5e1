package sanitizeprocessor

import (
	"context"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// processMetrics redacts and checks md in place. Data points get no marks: a new attribute
// would make a new series.
func (s *sanitizer) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	p := s.acquire()
	defer s.release(ctx, p)
	before := p.tally.dropped
	for _, rm := range md.ResourceMetrics().All() {
		p.resource(rm.Resource())
		for _, sm := range rm.ScopeMetrics().All() {
			p.plainAttributes(sm.Scope().Attributes())
			for _, m := range sm.Metrics().All() {
				p.metric(m)
			}
		}
	}
	if p.tally.dropped == before {
		return md, nil
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return points(m) == 0 })
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
	if md.ResourceMetrics().Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

func points(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	default:
		return 0
	}
}

// metric checks and cleans the data points of m. Name, unit and description are the
// programmer's.
func (p *pass) metric(m pmetric.Metric) {
	p.plainAttributes(m.Metadata())
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(p.numberPoint)
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(p.numberPoint)
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(dp pmetric.HistogramDataPoint) bool {
			p.exemplars(dp.Attributes(), dp.Exemplars())
			return p.sums(dp, dp.Flags())
		})
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().RemoveIf(func(dp pmetric.ExponentialHistogramDataPoint) bool {
			p.exemplars(dp.Attributes(), dp.Exemplars())
			return p.sums(dp, dp.Flags())
		})
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(dp pmetric.SummaryDataPoint) bool {
			p.plainAttributes(dp.Attributes())
			// A quantile of nothing is NaN, and right.
			return p.cfg.Validation.Enabled && !finite(dp.Sum()) && !dp.Flags().NoRecordedValue() && p.badPoint(false)
		})
	}
}

// numberPoint checks and cleans a data point and tells whether it must be dropped.
func (p *pass) numberPoint(dp pmetric.NumberDataPoint) (drop bool) {
	p.exemplars(dp.Attributes(), dp.Exemplars())
	if !p.cfg.Validation.Enabled || dp.ValueType() != pmetric.NumberDataPointValueTypeDouble || finite(dp.DoubleValue()) || dp.Flags().NoRecordedValue() {
		return false // a point without a value may hold anything
	}
	f := dp.DoubleValue()
	if p.badPoint(!math.IsNaN(f)) {
		return true
	}
	if p.cfg.Validation.DataPoints == ActionClamp && !p.dryRun {
		dp.SetDoubleValue(math.Copysign(math.MaxFloat64, f))
	}
	return false
}

// histogram is what both kinds of histograms have.
type histogram interface {
	HasSum() bool
	Sum() float64
	RemoveSum()
	HasMin() bool
	Min() float64
	RemoveMin()
	HasMax() bool
	Max() float64
	RemoveMax()
}

// sums checks the sum and the extremes of a histogram, whose counts hold without
// them.
func (p *pass) sums(h histogram, flags pmetric.DataPointFlags) (drop bool) {
	sum, low, high := h.HasSum() && !finite(h.Sum()), h.HasMin() && !finite(h.Min()), h.HasMax() && !finite(h.Max())
	if !p.cfg.Validation.Enabled || flags.NoRecordedValue() || !sum && !low && !high {
		return false
	}
	if p.badPoint(true) {
		return true
	}
	if p.cfg.Validation.DataPoints != ActionClamp || p.dryRun {
		return false
	}
	if sum {
		h.RemoveSum()
	}
	if low {
		h.RemoveMin()
	}
	if high {
		h.RemoveMax()
	}
	return false
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// badPoint counts a data point that is no number and tells whether it must be
// dropped. Only some can be clamped.
func (p *pass) badPoint(clampable bool) (drop bool) {
	action := p.cfg.Validation.DataPoints
	if action == ActionClamp && !clampable {
		action = ActionDrop
	}
	p.tally.points[action]++
	if action != ActionDrop || p.dryRun {
		return false
	}
	p.tally.dropped++
	return true
}

// exemplars redacts the attributes of a data point and those of its exemplars.
func (p *pass) exemplars(attrs pcommon.Map, list pmetric.ExemplarSlice) {
	p.plainAttributes(attrs)
	for _, e := range list.All() {
		p.plainAttributes(e.FilteredAttributes())
	}
}
