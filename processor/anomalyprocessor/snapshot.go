package anomalyprocessor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/series"
)

var (
	errNoStorage      = errors.New("storage extension not found")
	errNoStorageKind  = errors.New("extension is no storage extension")
	errStorageRefused = errors.New("storage extension gave no client")
)

// storageName keeps the snapshot apart from other data of the component.
const storageName = "baselines"

func storageClient(ctx context.Context, host component.Host, want, owner component.ID) (storage.Client, error) {
	ext, ok := host.GetExtensions()[want]
	if !ok {
		return nil, fmt.Errorf("%w: %q is not among service::extensions", errNoStorage, want)
	}
	st, ok := ext.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("%w: %q", errNoStorageKind, want)
	}
	client, err := st.GetClient(ctx, component.KindProcessor, owner, storageName)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", errStorageRefused, want, err)
	}
	return client, nil
}

// snapshots saves and loads the baselines of an engine. Its methods are called
// one at a time.
type snapshots struct {
	engine *engine
	client storage.Client
	// failing is set while saving fails, so that a broken storage is logged
	// when it breaks and when it works again, not every interval.
	failing bool
	// feedback is what was written last of what people said.
	feedback []byte
}

// feedbackKey is where what people have said about anomalies is kept. It is apart
// from the baselines: a configuration that judges differently costs those only.
const feedbackKey = "feedback"

// loadFeedback restores what people have said. Without it the engine starts with
// what the llm_storage extension hands over.
func (s *snapshots) loadFeedback(ctx context.Context) {
	e := s.engine
	value, err := s.client.Get(ctx, feedbackKey)
	if err == nil && value != nil {
		if err = e.taught.Read(value); err == nil {
			s.feedback = value
		}
	}
	if err != nil {
		e.tel.builder.SnapshotFailuresTotal.Add(ctx, 1, metric.WithAttributeSet(e.tel.load))
		e.log.Error("what was learned from feedback was not restored", zap.Error(err), zap.Stringer("storage", e.cfg.Storage))
	}
}

// saveFeedback writes what people have said, when there is news.
func (s *snapshots) saveFeedback(ctx context.Context) error {
	if s.engine.taught.Len() == 0 && s.feedback == nil {
		return nil
	}
	value := s.engine.taught.Append(nil)
	if bytes.Equal(value, s.feedback) {
		return nil
	}
	if err := s.client.Set(ctx, feedbackKey, value); err != nil {
		return fmt.Errorf("write the feedback: %w", err)
	}
	s.feedback = value
	return nil
}

// load restores the newest snapshot. Whatever is wrong with it, detection
// starts, with no baselines then.
func (s *snapshots) load(ctx context.Context) {
	e := s.engine
	begin := e.now()
	var records uint64
	h, found, err := loadSnapshot(ctx, s.client, func(h head, r *reader) error {
		n, err := s.restore(h, begin, r)
		records += n
		return err
	})
	if err == nil && records != h.series {
		err = refuse("it holds %d series instead of %d", records, h.series)
	}
	if err != nil {
		// Half a snapshot is worse than none.
		if table, terr := newTable(e.cfg, e.peers); terr == nil {
			e.table = table
		}
		e.tel.builder.SnapshotFailuresTotal.Add(ctx, 1, metric.WithAttributeSet(e.tel.load))
		e.log.Error("baselines were not restored, detection starts cold", zap.Error(err), zap.Stringer("storage", e.cfg.Storage))
	}
	if err == nil || errors.Is(err, errRefused) { // else the storage does not work
		s.loadFeedback(ctx)
	}
	restored := int64(e.table.Len())
	e.tel.builder.SnapshotRestoredSeries.Record(ctx, restored)
	if err != nil || !found {
		return
	}
	took := e.now().Sub(begin)
	e.tel.builder.SnapshotDurationSeconds.Record(ctx, took.Seconds(), metric.WithAttributeSet(e.tel.load))
	e.tel.builder.SnapshotSizeBytes.Record(ctx, int64(h.size))
	fields := []zap.Field{zap.Int64("series", restored), zap.Time("saved_at", h.savedAt), zap.Duration("took", took)}
	if cold := s.coldMetrics(h); len(cold) > 0 {
		fields = append(fields, zap.Strings("cold_metrics", cold))
	}
	e.log.Info("baselines restored", fields...)
}

// slots are what the snapshot keeps of a series, the judges first, then the
// rules, then the episodes that are on, then the parent: their names and what their states can be read by.
func (s *snapshots) slots() []headMetric {
	var out []headMetric
	for i := range s.engine.judges {
		out = append(out, headMetric{name: s.engine.judges[i].metric.name, fingerprint: s.engine.judges[i].model.Fingerprint()})
	}
	for _, r := range s.engine.rules {
		out = append(out, headMetric{name: rulePrefix + r.name(), fingerprint: r.fingerprint()})
	}
	return append(out, headMetric{name: "episodes", fingerprint: 1}, headMetric{name: "parent", fingerprint: 1})
}

// rulePrefix tells the names of rules from those of metrics.
const rulePrefix = "rule:"

// coldMetrics names the metrics and rules whose states the snapshot does not
// hold, or holds for a configuration that judges differently.
func (s *snapshots) coldMetrics(h head) []string {
	var cold []string
	known := s.slotOf(h)
	for i, slot := range s.slots() {
		if !slices.Contains(known, i) {
			cold = append(cold, slot.name)
		}
	}
	return cold
}

// slotOf maps the metrics of a head to slots, -1 for those that are of no use.
func (s *snapshots) slotOf(h head) []int {
	slots := s.slots()
	out := make([]int, len(h.metrics))
	for n, m := range h.metrics {
		out[n] = slices.Index(slots, m)
	}
	return out
}

// restore puts the records of r into the table. The time in which the process
// did not run does not age a series.
func (s *snapshots) restore(h head, now time.Time, r *reader) (records uint64, err error) {
	e := s.engine
	slots := s.slotOf(h)
	pause := max(0, now.Sub(h.savedAt))
	for len(r.b) > 0 {
		key := series.Key{Service: r.text(), Model: r.text()}
		last, newest := int64(r.uint64()), int64(r.uint64())
		set := r.uvarint()
		if r.failed || set>>len(slots) != 0 {
			return records, refuse("a series is malformed")
		}
		ref := e.table.Acquire(key, last+int64(pause))
		ent := ref.Value
		if ref.Overflow {
			ent = nil // max_series is smaller than it was
		} else {
			ent.newest = newest
		}
		err := s.restoreStates(ent, slots, set, r)
		ref.Release()
		if err != nil {
			return records, fmt.Errorf("series of service %q, model %q: %w", key.Service, key.Model, err)
		}
		records++
	}
	return records, nil
}

func (s *snapshots) restoreStates(ent *entry, slots []int, set uint64, r *reader) error {
	for ; set != 0; set &= set - 1 {
		blob := r.bytes()
		if r.failed {
			return refuse("a state is cut short")
		}
		i := slots[bits.TrailingZeros64(set)]
		if i < 0 || ent == nil {
			continue
		}
		if err := s.restoreState(ent, i, blob); err != nil {
			return refuse("state of %s: %w", s.slots()[i].name, err)
		}
	}
	return nil
}

func (s *snapshots) restoreState(ent *entry, slot int, blob []byte) (err error) {
	rule := slot - len(s.engine.judges)
	if rule == len(s.engine.rules) {
		ent.episodes, err = s.engine.readEpisodes(blob)
		// An episode of a metric that starts cold would never end.
		ent.episodes = slices.DeleteFunc(ent.episodes, func(ep episode) bool {
			return ep.judge != ruleJudge && ent.states[ep.judge] == nil
		})
		return err
	}
	if rule == len(s.engine.rules)+1 {
		ent.parent, err = readParent(blob)
		return err
	}
	if rule >= 0 {
		ent.rules[rule], err = s.engine.rules[rule].readState(blob)
		return err
	}
	model := s.engine.judges[slot].model
	st := model.NewState()
	rest, err := model.ReadState(blob, &st)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes left over")
	}
	if err != nil {
		return err
	}
	ent.states[slot] = &st
	return nil
}

// save writes a snapshot. The stream goes on meanwhile: one shard at a time is
// copied, and nothing is locked while the storage works.
func (s *snapshots) save(ctx context.Context) error {
	e := s.engine
	begin := e.now()
	h := head{savedAt: begin, metrics: s.slots()}
	h, err := saveSnapshot(ctx, s.client, h, s.fill)
	if err == nil {
		err = s.saveFeedback(ctx)
	}
	if errors.Is(err, context.Canceled) {
		return err // shutdown goes on with a snapshot of its own
	}
	if err != nil {
		err = fmt.Errorf("save the baselines: %w", err)
		e.tel.builder.SnapshotFailuresTotal.Add(ctx, 1, metric.WithAttributeSet(e.tel.save))
		if !s.failing {
			e.log.Warn("baselines are not saved; the previous snapshot stays valid", zap.Error(err), zap.Stringer("storage", e.cfg.Storage))
		}
		s.failing = true
		return err
	}
	if s.failing {
		e.log.Info("baselines are saved again", zap.Stringer("storage", e.cfg.Storage))
		s.failing = false
	}
	e.tel.builder.SnapshotDurationSeconds.Record(ctx, e.now().Sub(begin).Seconds(), metric.WithAttributeSet(e.tel.save))
	e.tel.builder.SnapshotSizeBytes.Record(ctx, int64(h.size))
	return nil
}

// fill copies all series. It locks one shard of the table at a time.
func (s *snapshots) fill(c *chunks) {
	s.engine.table.Range(func(k series.Key, last int64, ent *entry) bool {
		c.add(func(b []byte) []byte { return s.encode(b, &k, last, ent) })
		return true
	})
}

// encode appends one series.
func (s *snapshots) encode(b []byte, key *series.Key, last int64, ent *entry) []byte {
	b = appendText(b, key.Service)
	b = appendText(b, key.Model)
	b = binary.LittleEndian.AppendUint64(b, uint64(last))
	b = binary.LittleEndian.AppendUint64(b, uint64(ent.newest))
	var set uint64
	for i, st := range ent.states {
		if st != nil {
			set |= 1 << i
		}
	}
	first := len(s.engine.judges)
	for i, st := range ent.rules {
		if st != nil {
			set |= 1 << (first + i)
		}
	}
	if len(ent.episodes) > 0 {
		set |= 1 << (first + len(s.engine.rules))
	}
	if ent.parent != nil {
		set |= 1 << (first + len(s.engine.rules) + 1)
	}
	b = binary.AppendUvarint(b, set)
	var scratch [2048]byte
	add := func(blob []byte) {
		b = binary.AppendUvarint(b, uint64(len(blob)))
		b = append(b, blob...)
	}
	for i, st := range ent.states {
		if st != nil {
			add(s.engine.judges[i].model.AppendState(scratch[:0], st))
		}
	}
	for _, st := range ent.rules {
		if st != nil {
			add(st.appendState(scratch[:0]))
		}
	}
	if len(ent.episodes) > 0 {
		add(appendEpisodes(scratch[:0], ent.episodes))
	}
	if ent.parent != nil {
		add(appendText(appendText(scratch[:0], ent.parent.service), ent.parent.model))
	}
	return b
}
