package storageextension

import (
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/extension/storageextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// pullBatch is the number of baselines of one write.
	pullBatch = 1000
	// pullOverlap is the event time by which a series may lie behind the newest
	// one of its engine and still be asked for. What was written already is told
	// by the time of the series, not by this.
	pullOverlap = time.Hour
	// maxRemembered bounds the series of an engine of which the puller knows what
	// it has written. Of others an unchanged baseline may be written again.
	maxRemembered = 200_000
)

// puller writes the baselines of the engines to the backend. It has one
// goroutine.
type puller struct {
	engines   *engines
	backend   *observed
	telemetry *metadata.TelemetryBuilder
	storage   metric.MeasurementOption
	log       *zap.Logger
	report    func(error)
	maxSeries int

	seed  maphash.Seed
	batch []store.Baseline
	// round counts the pulls. When there are more series than one may write, they
	// take turns: share is the number of turns.
	round, share uint64
	failing      bool
}

// pulled is what is known of an engine from pulls before.
type pulled struct {
	newest time.Time
	// written is the time of the newest baseline of each series, by the hash of
	// its name, unix ns.
	written map[uint64]int64
}

// run pulls at each interval until ctx ends.
func (p *puller) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.engines.teachAgain()
			p.pull(ctx)
		}
	}
}

// tally is the account of one pull.
type tally struct {
	// Series that had a call, those that were written, and those that were not.
	seen, written, skipped int
	err                    error
}

// pull writes the baselines of the series that had a call since the last pull.
func (p *puller) pull(ctx context.Context) {
	if !p.backend.Capabilities().Baselines {
		return
	}
	p.share = max(p.share, 1)
	var t tally
	for _, r := range p.engines.all() {
		p.pullEngine(ctx, r, &t)
		if t.err != nil && r.ctx.Err() == nil {
			break
		}
		t.err = nil // an engine that leaves is no failure
	}
	p.round++
	p.share = 1
	if t.seen > p.maxSeries {
		// The turns are by hash, and so not of equal size: a quarter more of them
		// than need be, so that next to none is too large.
		p.share = uint64(1 + t.seen*5/4/p.maxSeries)
	}
	if t.skipped > 0 {
		p.telemetry.StorageBaselinesSkippedTotal.Add(ctx, int64(t.skipped), p.storage)
	}
	p.tell(t.err)
}

func (p *puller) tell(err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return // we or the engine stop
	case err != nil && !p.failing:
		p.log.Warn("baselines are not written", zap.Error(err))
	case err == nil && p.failing:
		p.log.Info("baselines are written again")
	}
	p.failing = err != nil
	p.report(err)
}

// pullEngine writes the baselines of one engine.
func (p *puller) pullEngine(ctx context.Context, r *registration, t *tally) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)() //nolint:contextcheck // ends with either of two contexts

	since := r.pulled.newest
	if !since.IsZero() {
		since = since.Add(-pullOverlap)
	}
	next := pulled{newest: r.pulled.newest, written: make(map[uint64]int64, len(r.pulled.written))}
	p.batch = p.batch[:0]
	var series uint64
	var service, model string
	first, take := true, false
	flush := func() bool {
		if len(p.batch) > 0 {
			t.err = p.backend.WriteBaselines(ctx, p.batch)
			p.batch = p.batch[:0]
		}
		return t.err == nil
	}
	r.use(func(e store.Engine) {
		e.Baselines(since, func(b store.Baseline) bool {
			if first || b.Service != service || b.Model != model {
				first, service, model = false, b.Service, b.Model
				series = p.hash(b.Service, b.Model)
				if len(p.batch) >= pullBatch && !flush() {
					return false
				}
				take = p.due(r, series, b.Time, &next, t)
			}
			if take {
				p.batch = append(p.batch, b)
			}
			return true
		})
		if t.err == nil {
			flush()
		}
	})
	if t.err == nil { // else all of it is written again, which changes nothing
		r.pulled = next
	}
}

// due decides whether the baselines of a series are written now.
func (p *puller) due(r *registration, series uint64, at time.Time, next *pulled, t *tally) bool {
	if at.After(next.newest) {
		next.newest = at
	}
	last, known := r.pulled.written[series]
	if known && len(next.written) < maxRemembered {
		next.written[series] = last
	}
	if known && last == at.UnixNano() {
		return false
	}
	t.seen++
	if t.written >= p.maxSeries || !p.turn(series) {
		t.skipped++
		return false
	}
	t.written++
	if len(next.written) < maxRemembered {
		next.written[series] = at.UnixNano()
	}
	return true
}

// turn reports whether a series has its turn. Who shares one changes, so that a
// turn that is too large leaves out others each time.
func (p *puller) turn(series uint64) bool {
	mixed := bits.RotateLeft64(series, int(p.round/p.share%64))
	return mixed%p.share == p.round%p.share
}

func (p *puller) hash(service, model string) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.WriteString(service)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(model)
	return h.Sum64()
}
