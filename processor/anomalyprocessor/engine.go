package anomalyprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/feedback"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// sweepBudget bounds the series removed in one sweep; each removal holds the
// lock of a shard for well under a microsecond.
const sweepBudget = 10_000

// maxSnapshotDuty is the inverse of the share of time that may be spent on
// snapshots.
const maxSnapshotDuty = 10

// engine is the detection of one component id. It is safe for concurrent use.
//
// State that changes with the data sits in the table, under the lock of a
// shard; the other fields do not change after newEngine.
type engine struct {
	cfg *Config
	id  component.ID
	log *zap.Logger
	tel *telemetry
	// extractor reads what a call is judged by, details all that a report tells.
	extractor *genai.Extractor
	details   *genai.Extractor
	judges    []judge
	rules     []rule
	table     *series.Table[entry]
	aliases   *aliases
	// conversations is nil when nobody looks for runaway agents.
	conversations *conversations
	batches       sync.Pool
	// now is the clock of arrival: it bounds the future, ages idle series and
	// times snapshots. Detection runs on event time.
	now func() time.Time
	// peers is nil when nothing asks for them.
	peers *peers
	// taught is what people have said about anomalies, recent how those were
	// judged that were marked last.
	taught feedback.Memory
	recent feedback.Recent

	// outlets are where the spans that the engine makes itself may go.
	outMu   sync.Mutex
	outlets []*outlet

	// Set by start, cleared by shutdown.
	snapshots  *snapshots
	unregister func()
	cancel     context.CancelFunc
	done       sync.WaitGroup
}

// judge is one metric that is judged.
type judge struct {
	metric  *metricRow
	model   *detect.Model
	methods []anomaly.Method
	// log: on the log scale.
	log bool
}

// entry is what is kept for one service and model.
type entry struct {
	// newest is the latest event time that is believed, unix ns; 0 before the
	// first event. ahead is a later one that no second event has confirmed yet,
	// else 0.
	newest, ahead int64
	// touched is newest when the memory of peers was told of the series.
	touched int64
	// states are the baselines in the order of engine.judges; nil until the
	// series has a value for the metric.
	states [len(metrics)]*detect.State
	// rules are the states of engine.rules, nil until the series has a call.
	rules [maxRules]ruleState
	// alias is the name that the series was asked for by last, nil for none, and
	// noted the event time at which that was looked up.
	alias *alias
	noted int64
	// marks are the last marks made, nil until there is one.
	marks *marks
	// episodes are those that have begun and not ended; ends are the last ones
	// told of, nil until there is one.
	episodes []episode
	ends     *endMarks
	// member is the series in the memory of peers.
	member *member
	// parent is what the series began with, nil when it had no parent or has
	// outgrown it.
	parent *parentage
}

// advance takes note of an event at the given time and reports whether it is
// late.
//
// One wrong clock must not move the series into the future: in a replay, or
// while a backlog is worked off, all that follows would be late. So a jump
// ahead counts when a second event confirms it.
func (ent *entry) advance(at int64, lateness int64) (late bool) {
	switch {
	case ent.newest == 0:
		ent.newest = at
		return false
	case ent.newest-at > lateness:
		return true
	case at-ent.newest <= lateness:
		ent.newest, ent.ahead = max(ent.newest, at), 0
		return false
	}
	if ent.ahead != 0 && at-ent.ahead >= -lateness {
		ent.newest = min(ent.ahead, at)
	}
	ent.ahead = 0
	if at-ent.newest > lateness {
		ent.ahead = at
	} else {
		ent.newest = max(ent.newest, at)
	}
	return false
}

func newEngine(set processor.Settings, cfg *Config) (*engine, error) {
	extractor, err := genai.NewExtractor(genai.Options{MeasuresOnly: true})
	if err != nil {
		return nil, fmt.Errorf("build the extractor of measures: %w", err)
	}
	details, err := genai.NewExtractor(genai.Options{})
	if err != nil {
		return nil, fmt.Errorf("build the extractor of LLM events: %w", err)
	}
	peers := newPeers(&cfg.Peers, cfg.ColdStart.Parent)
	table, err := newTable(cfg, peers)
	if err != nil {
		return nil, err
	}
	e := &engine{cfg: cfg, id: set.ID, log: set.Logger, extractor: extractor, details: details, table: table, aliases: newAliases(), now: time.Now}
	for _, p := range cfg.plans() {
		model, err := detect.NewModel(p.model)
		if err != nil {
			return nil, fmt.Errorf("build the model of %s: %w", p.metric.name, err)
		}
		j := judge{metric: p.metric, model: model, log: p.model.Scale == detect.Log}
		for _, d := range p.model.Detectors {
			j.methods = append(j.methods, anomaly.Method(d.Name))
		}
		e.judges = append(e.judges, j)
	}
	e.peers = peers
	if e.rules, err = newRules(cfg); err != nil {
		return nil, err
	}
	if cfg.Agents.Enabled {
		if e.conversations, err = newConversations(cfg); err != nil {
			return nil, err
		}
	}
	if e.tel, err = newTelemetry(set.TelemetrySettings, e.judges); err != nil {
		return nil, err
	}
	e.batches.New = func() any { return &batch{engine: e} }
	return e, nil
}

func newTable(cfg *Config, peers *peers) (*series.Table[entry], error) {
	options := series.Options[entry]{MaxSeries: cfg.MaxSeries, IdleTimeout: cfg.IdleTimeout, LiveFor: min(series.DefaultLiveFor, cfg.IdleTimeout)}
	if peers != nil {
		options.OnEvict = peers.onEvict
	}
	table, err := series.NewTable(options)
	if err != nil {
		return nil, fmt.Errorf("build the table of series: %w", err)
	}
	return table, nil
}

func (e *engine) start(ctx context.Context, host component.Host) error {
	if e.cfg.Storage != nil {
		client, err := storageClient(ctx, host, *e.cfg.Storage, e.id)
		if err != nil {
			return err
		}
		e.snapshots = &snapshots{engine: e, client: client}
		e.snapshots.load(ctx)
	}
	err := e.tel.observe(e)
	if err == nil {
		err = e.register(ctx, host)
	}
	if err != nil {
		e.tel.builder.Shutdown()
		if e.snapshots != nil {
			_ = e.snapshots.client.Close(ctx)
		}
		return err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	e.done.Go(func() { e.maintain(background) })
	return nil
}

// shutdown stops the background work and writes the last snapshot. No data
// arrives any more: the collector stops what sends to a processor first.
func (e *engine) shutdown(ctx context.Context) error {
	if e.cancel == nil {
		return nil
	}
	e.leave()
	e.cancel()
	e.cancel = nil
	e.done.Wait()
	e.tel.builder.Shutdown()
	if e.snapshots == nil {
		return nil
	}
	err := e.snapshots.save(ctx)
	if cerr := e.snapshots.client.Close(ctx); cerr != nil && err == nil {
		err = fmt.Errorf("close the storage: %w", cerr)
	}
	e.snapshots = nil
	return err
}

// maintain forgets idle series, lets the rules judge what no call shows, and
// takes snapshots until ctx ends.
func (e *engine) maintain(ctx context.Context) {
	sweep := time.NewTicker(max(minIdleTimeout, min(time.Minute, e.cfg.IdleTimeout/8)))
	defer sweep.Stop()
	snapshot := time.NewTimer(e.cfg.SnapshotInterval)
	defer snapshot.Stop()
	pass := time.NewTicker(passInterval)
	defer pass.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			e.table.Sweep(e.now().UnixNano(), sweepBudget)
			e.taught.Expire(e.now())
		case <-pass.C:
			if e.conversations != nil {
				e.conversations.sweep(e.now())
			}
			e.emit(ctx, e.pass(ctx, e.now()))
		case <-snapshot.C:
			begin := time.Now()
			if e.snapshots != nil {
				_ = e.snapshots.save(ctx) // reported by save
			}
			// A storage that is slow, or a very large state, gets pauses.
			snapshot.Reset(max(e.cfg.SnapshotInterval, maxSnapshotDuty*time.Since(begin)))
		}
	}
}
