package genaiprocessor

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
	"github.com/llm-devops/llm-sentinel/internal/price"
)

// Findings about cost, written as anomalies of low severity.
const (
	// TypeCostMismatch: the cost that the emitter reports is off ours.
	TypeCostMismatch anomaly.Type = "cost_mismatch"
	// TypeUnpricedModel: the price book has no price.
	TypeUnpricedModel anomaly.Type = "unpriced_model"

	methodPriceBook anomaly.Method = "price_book"

	metricCost   string = "cost_usd"
	metricTokens string = "total_tokens"
)

// pricer says what calls cost.
type pricer struct {
	source  *price.Source
	auditor *price.Auditor
	config  *PricesConfig
	stop    context.CancelFunc
	done    sync.WaitGroup

	mismatch, unpriced metric.MeasurementOption
}

// newPricer is nil where prices are not wanted.
func newPricer(cfg *PricesConfig, logger *zap.Logger) (*pricer, error) {
	if !cfg.Enabled {
		return nil, nil
	}
	source, err := price.Open(price.Options{
		File: cfg.File, ReloadInterval: cfg.ReloadInterval, Rules: cfg.Rules,
		OnReload: func(b *price.Book) { logger.Info("price file read", zap.String("version", b.Version())) },
		OnError: func(err error) {
			logger.Warn("price file cannot be used, the prices read before stay in force", zap.Error(err))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	return &pricer{
		source: source, config: cfg, mismatch: label("finding", "mismatch"), unpriced: label("finding", "unpriced"),
		auditor: price.NewAuditor(price.AuditOptions{Tolerance: cfg.Tolerance, Period: cfg.Period, MaxModels: cfg.MaxModels}),
	}, nil
}

// start follows the price file until shutdown.
func (p *pricer) start(ctx context.Context) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.done.Go(func() { p.source.Run(ctx) })
}

func (p *pricer) shutdown() {
	if p.stop != nil {
		p.stop()
		p.done.Wait()
	}
}

// price writes what the call costs, and what is odd about it.
func (e *engine) price(ctx context.Context, it *item, now time.Time) {
	p, ev := e.pricer, &it.event
	if ev.Present&(genai.FieldInputTokens|genai.FieldOutputTokens) == 0 || ev.Operation == ledger.OperationFetch {
		return // what was used is not known
	}
	if _, priced := it.attrs.Get(genai.AttrCostUSD); priced {
		return // by a collector before this one
	}
	quote, err := p.quote(it.attrs, ev)
	reported := 0.0
	if ev.Has(genai.FieldCost) {
		reported = ev.CostUSD
	}
	provider, model := ev.Provider, ev.Model()
	found := p.auditor.Check(now, provider, model, reported, quote, err)
	switch {
	case err == nil && reported > 0 && p.config.PreferReported:
		e.telemetry.builder.LlmCostUsdTotal.Add(ctx, reported)
	case err == nil:
		it.attrs.PutDouble(genai.AttrCostUSD, quote.USD)
		it.attrs.PutStr(genai.AttrCostPriceVersion, quote.Version)
		e.telemetry.builder.LlmCostUsdTotal.Add(ctx, quote.USD)
	case price.IsUnpriced(err):
		it.attrs.PutBool(genai.AttrCostUnpriced, true)
	}
	if found.Mismatch {
		it.attrs.PutDouble(genai.AttrCostGap, found.Gap)
		e.telemetry.builder.LlmCostFindingsTotal.Add(ctx, 1, p.mismatch)
	}
	if found.Unpriced {
		e.telemetry.builder.LlmCostFindingsTotal.Add(ctx, 1, p.unpriced)
	}
	if !found.First {
		return
	}
	a := p.anomaly(ev, reported, quote, found)
	it.mark(a)
	e.logger.Warn(a.RootCause+" (told once for each model and period, counted)",
		zap.String("type", string(a.Type)), zap.String("provider", printable(provider)), zap.String("model", printable(model)),
		zap.Float64("reported_usd", reported), zap.Float64("price_usd", quote.USD))
}

// quote prices the model that answered or, where that has no price, the one
// that was asked for.
func (p *pricer) quote(attrs pcommon.Map, ev *genai.Event) (price.Quote, error) {
	r := price.Request{
		Provider: ev.Provider, Model: ev.Model(), ServiceTier: ev.ServiceTier, Time: ev.Time(),
		Usage: price.Usage{
			Input: ev.InputTokens, CacheRead: ev.CacheReadTokens, CacheWrite: ev.CacheWriteTokens,
			CacheWrite5m: ev.CacheWrite5mTokens, CacheWrite1h: ev.CacheWrite1hTokens,
			InputAudio: ev.AudioInputTokens, InputImage: ev.ImageInputTokens,
			Output: ev.OutputTokens, OutputAudio: ev.AudioOutputTokens, Reasoning: ev.ReasoningTokens,
		}.Consistent(),
	}
	if v, ok := attrs.Get(genai.AttrServerAddress); ok {
		r.Endpoint = v.Str()
	}
	q, err := p.source.Book().Quote(r)
	if price.IsUnpriced(err) && ev.RequestModel != "" && ev.RequestModel != r.Model {
		r.Model = ev.RequestModel
		if other, second := p.source.Book().Quote(r); second == nil {
			return other, nil
		}
	}
	return q, err
}

func (p *pricer) anomaly(ev *genai.Event, reported float64, quote price.Quote, found price.Audit) anomaly.Anomaly {
	a := anomaly.Anomaly{
		Time: ev.Time(), Severity: anomaly.SeverityLow, Service: ev.Service, Model: ev.Model(),
		Method: methodPriceBook, Confidence: 1,
		Details: anomaly.Details{DeviationSigma: math.NaN(), Methods: []anomaly.Method{methodPriceBook}},
		Context: anomaly.Context{EventID: ev.ID.String(), UserID: ev.User, Region: ev.Region, SampleCount: 1},
	}
	if !ev.TraceID.IsEmpty() {
		a.Context.TraceID = ev.TraceID.String()
	}
	if !ev.SpanID.IsEmpty() {
		a.Context.SpanID = ev.SpanID.String()
	}
	if ev.Provider != "" {
		a.Context.Additional = map[string]string{"provider": ev.Provider}
	}
	if found.Unpriced {
		a.Type = TypeUnpricedModel
		a.Details.Metric, a.Details.Value = metricTokens, float64(ev.TotalTokens)
		a.RootCause = "the price book has no price for this model, so that its calls have no cost"
		a.Remediation = []string{"add a rule under prices::rules, or a newer price file under prices::file"}
	} else {
		a.Type = TypeCostMismatch
		a.Details.Metric, a.Details.Value, a.Details.Baseline = metricCost, reported, quote.USD
		a.Details.Threshold = quote.USD * (1 + math.Copysign(p.config.Tolerance, found.Gap))
		a.RootCause = "the cost that the application reports is off the price book"
		a.Remediation = []string{"check which price table is out of date, that of the application or that of prices::file"}
	}
	a.ID = anomaly.NewID(a.Service, a.Model, a.Details.Metric, a.Type, a.Time, a.Context.EventID)
	return a
}

// mark adds an anomaly to the item.
func (it *item) mark(a anomaly.Anomaly) {
	if it.log {
		anomaly.MarkLog(it.records, it.record, []anomaly.Anomaly{a})
		return
	}
	anomaly.MarkSpan(it.span, []anomaly.Anomaly{a})
}

// printable bounds what telemetry says before it is logged.
func printable(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
