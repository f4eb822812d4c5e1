package genaiprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/genai/ledger"
)

// engine is what all instances of a component id share.
type engine struct {
	config    *Config
	logger    *zap.Logger
	extractor *genai.Extractor
	ledger    *ledger.Ledger
	telemetry *telemetry
	series    *series
	pricer    *pricer // nil: not wanted
	batches   sync.Pool
	// now is the time of arrival, on which the ledger runs.
	now func() time.Time
}

func newEngine(set processor.Settings, cfg *Config) (*engine, error) {
	x, err := genai.NewExtractor(genai.Options{Signals: true})
	if err != nil {
		return nil, err
	}
	l, err := ledger.New(ledger.Options{
		Window: cfg.Ledger.Window, MaxCalls: cfg.Ledger.MaxCalls, MaxTotals: cfg.Ledger.MaxServices,
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	t, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &engine{
		config: cfg, logger: set.Logger, extractor: x, ledger: l, telemetry: t, now: time.Now,
		series: newSeries(cfg.Ledger.MaxMetricSeries, cfg.Ledger.Window),
	}
	if e.pricer, err = newPricer(&cfg.Prices, set.Logger); err != nil {
		return nil, err
	}
	e.batches.New = func() any { return &batch{} }
	return e, nil
}

func (e *engine) start(ctx context.Context) error {
	e.series.started(e.now())
	if e.pricer != nil {
		e.pricer.start(ctx)
	}
	return e.telemetry.observe(e.ledger)
}

func (e *engine) shutdown() {
	if e.pricer != nil {
		e.pricer.shutdown()
	}
	e.telemetry.builder.Shutdown()
}

// item is a span or log record that tells of a call.
type item struct {
	attrs pcommon.Map
	// span, or with log, record, which is one of records.
	span    ptrace.Span
	log     bool
	records plog.LogRecordSlice
	record  plog.LogRecord
	event   genai.Event
	// entry is the position of its entry.
	entry int
}

// batch is the work on one message. It is used again.
type batch struct {
	entries   []ledger.Entry
	pointers  []*ledger.Entry
	decisions []ledger.Decision
	items     []item
}

// maxKept is the size up to which a batch is kept for use again.
const maxKept = 4096

func (e *engine) take() *batch { return e.batches.Get().(*batch) }

func (e *engine) give(b *batch) {
	if cap(b.entries) > maxKept {
		return
	}
	// Nothing of the telemetry may be held.
	clear(b.entries)
	clear(b.items)
	clear(b.decisions)
	clear(b.pointers)
	b.entries, b.items = b.entries[:0], b.items[:0]
	e.batches.Put(b)
}

// call adds an item that tells of a call.
func (b *batch) call(it item, ev *genai.Event, source ledger.Source) {
	it.event, it.entry = *ev, len(b.entries)
	b.items = append(b.items, it)
	b.entries = append(b.entries, ledger.Entry{})
	b.entries[len(b.entries)-1].SetEvent(ev, source)
}

// decide asks the ledger about the whole batch and writes what it says.
func (e *engine) decide(ctx context.Context, b *batch) {
	if len(b.entries) == 0 {
		return
	}
	b.pointers = b.pointers[:0]
	for i := range b.entries {
		b.pointers = append(b.pointers, &b.entries[i])
	}
	if cap(b.decisions) < len(b.entries) {
		b.decisions = make([]ledger.Decision, len(b.entries))
	}
	b.decisions = b.decisions[:len(b.entries)]
	now := e.now()
	e.ledger.AddBatch(b.pointers, b.decisions, now)
	for i := range b.items {
		it := &b.items[i]
		e.apply(ctx, it, &b.decisions[it.entry], now)
	}
}

// apply writes a decision into the item.
func (e *engine) apply(ctx context.Context, it *item, d *ledger.Decision, now time.Time) {
	if d.Redelivered {
		e.telemetry.builder.LlmRedeliveredTotal.Add(ctx, 1)
	}
	if d.Duplicate != ledger.Counted {
		if !d.Redelivered {
			e.telemetry.builder.LlmDuplicatesTotal.Add(ctx, 1, e.telemetry.duplicates[d.Duplicate]...)
		}
		writeDuplicate(it.attrs, d)
		return
	}
	if d.Usage.Known() || d.Context != (ledger.Context{}) {
		before := it.event
		d.Fill(&it.event)
		writeMerged(it.attrs, &before, &it.event)
	}
	if e.config.Normalize {
		normalize(it.attrs, &it.event)
	}
	if e.pricer != nil {
		e.price(ctx, it, now)
	}
}

// problems counts what was refused.
func (e *engine) problems(ctx context.Context, p genai.Problem) {
	for one := range p.All() {
		e.telemetry.builder.GenaiValuesRefusedTotal.Add(ctx, 1, e.telemetry.problems[one.Index()]...)
	}
}
