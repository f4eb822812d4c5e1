package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

const (
	// retention is longer than the data, and leaves room for moving the clock.
	retention = 96 * time.Hour
	// quietShare of a core is what an idle store uses.
	quietShare  = .02
	longestWait = 3 * time.Minute
)

// sample are values to ask for, evenly over what was written.
type sample struct {
	r        *rand.Rand
	seen     int
	picked   []genai.Event
	services map[string]int
}

func newSample(seed uint64, n int) sample {
	return sample{r: rand.New(rand.NewPCG(seed, 11)), picked: make([]genai.Event, 0, n), services: map[string]int{}}
}

func (s *sample) add(batch []genai.Event) {
	for i := range batch {
		s.services[batch[i].Service]++
	}
	s.seen++
	e := batch[s.r.IntN(len(batch))]
	if len(s.picked) < cap(s.picked) {
		s.picked = append(s.picked, e)
	} else if i := s.r.IntN(s.seen); i < len(s.picked) { // reservoir sampling
		s.picked[i] = e
	}
}

// service returns the one whose share of the events is nearest to share.
func (s *sample) service(share float64, events int) (name string, got float64) {
	for n, count := range s.services {
		if g := float64(count) / float64(events); name == "" || abs(g-share) < abs(got-share) {
			name, got = n, g
		}
	}
	return name, got
}

func abs(x float64) float64 { return max(x, -x) }

// write measures writing everything.
func (b *bench) write(ctx context.Context) error {
	perEvent := generatorCost(b.o)
	if err := b.open(ctx, nil); err != nil {
		return err
	}
	g := newTraffic(b.o.seed, b.from, b.o.events)
	start, before := time.Now(), cpu()
	var sampling, longest time.Duration
	buf := make([]genai.Event, batchSize)
	anomalies := 0
	for g.n < g.all {
		batch, found := g.batch(buf)
		at := cpu()
		b.sample.add(batch)
		sampling += cpu() - at
		begin := time.Now()
		if err := b.store.WriteEvents(ctx, batch); err != nil {
			return err
		}
		longest = max(longest, time.Since(begin))
		if len(found) > 0 {
			if err := b.store.WriteAnomalies(ctx, found); err != nil {
				return err
			}
			anomalies += len(found)
		}
		b.tell.at("writing", g.n, g.all)
	}
	wall := time.Since(start)
	b.settle()
	spent := cpu() - before - sampling - time.Duration(perEvent*float64(b.o.events))
	st := b.store.Stats()
	if st.Events != int64(b.o.events) || st.Anomalies != int64(anomalies) {
		return fmt.Errorf("%d events and %d anomalies were written, the store has %d and %d", b.o.events, anomalies, st.Events, st.Anomalies)
	}
	b.report.add("ingest_cpu_s_per_m", spent.Seconds()/float64(b.o.events)*1e6, "s")
	b.report.add("ingest_events_per_s", float64(b.o.events)/wall.Seconds(), "per_s")
	b.report.add("ingest_longest_ms", ms(longest), "ms")
	b.report.add("generator_cpu_s_per_m", perEvent/1e3, "s")
	b.report.add("bytes_per_event", float64(st.Bytes)/float64(b.o.events), "bytes")
	b.report.add("rss_mb", resident()/1e6, "MB")
	return nil
}

// generatorCost is the processor time of making one event, in ns.
func generatorCost(o options) float64 {
	n := min(o.events, 500_000)
	g := newTraffic(o.seed, time.Unix(0, 0), n)
	buf := make([]genai.Event, batchSize)
	before := cpu()
	for g.n < g.all {
		g.batch(buf)
	}
	return float64(cpu()-before) / float64(n)
}

// settle waits until background work is done: the lookup of an hour is
// gathered, and its measures are written, some seconds after its last write and
// with rests between.
func (b *bench) settle() {
	start, calm := time.Now(), 0
	for calm < 5 || time.Since(start) < 10*time.Second {
		before := cpu()
		time.Sleep(time.Second)
		if calm++; (cpu() - before).Seconds() >= quietShare {
			calm = 0
		}
		if waited := time.Since(start); waited > longestWait {
			b.report.notes = append(b.report.notes, fmt.Sprintf("Background work was not done %s after the last write.", waited.Round(time.Second)))
			return
		}
		b.tell.say("waiting for background work")
	}
}

// dropDay moves the clock so that retention has 24 hours to drop, then 12 more
// beside a writer.
func (b *bench) dropDay(ctx context.Context) error {
	wall, used, _, err := b.drop(ctx, 24, false)
	if err != nil {
		return err
	}
	b.report.add("drop_day_ms", ms(wall), "ms")
	b.report.add("drop_day_cpu_ms", ms(used), "ms")
	wall, _, longest, err := b.drop(ctx, 36, true)
	if err != nil {
		return err
	}
	b.report.add("drop_half_day_beside_ms", ms(wall), "ms")
	b.report.add("drop_longest_write_ms", ms(longest), "ms")
	return b.close(ctx)
}

// drop opens the store at a time at which the first hours are too old.
func (b *bench) drop(ctx context.Context, hours int, writing bool) (wall, used, longest time.Duration, err error) {
	b.tell.say(fmt.Sprintf("dropping hours up to %d", hours))
	if err := b.close(ctx); err != nil {
		return 0, 0, 0, err
	}
	oldest := b.from.Add(time.Duration(hours) * time.Hour)
	b.now = func() time.Time { return oldest.Add(retention) }
	if err := b.open(ctx, func(c *embedded.Config) { c.SyncInterval = 10 * time.Millisecond }); err != nil {
		return 0, 0, 0, err
	}
	want := b.report.hours - int64(hours)
	g := newTraffic(b.o.seed+9, b.from.Add(span), 1<<30)
	buf := make([]genai.Event, batchSize)
	start, before := time.Now(), cpu()
	for b.store.Stats().Partitions > want {
		if time.Since(start) > longestWait {
			return 0, 0, 0, fmt.Errorf("there are %d hours after %s, want %d", b.store.Stats().Partitions, longestWait, want)
		}
		if !writing {
			time.Sleep(time.Millisecond)
			continue
		}
		batch, _ := g.batch(buf)
		begin := time.Now()
		if err := b.store.WriteEvents(ctx, batch); err != nil {
			return 0, 0, 0, err
		}
		longest = max(longest, time.Since(begin))
	}
	return time.Since(start), cpu() - before, longest, nil
}
