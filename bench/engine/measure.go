package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/llm-devops/llm-sentinel/internal/series"
)

// figure is what was measured with one set of detectors and number of series.
type figure struct {
	set    string
	series int
	// The processor time for one value by order of keys, on one core, ns: in the
	// table by chunks and one by one, and in an array.
	table, single, slab map[string]float64
	// p99 is the wall time for one value that 1 % exceed, ns, the clock included.
	p99 map[string]float64
	// two is the number of values a second, by the wall clock, on two cores.
	two map[string]float64
	// rss and heap are the bytes for one series in the table, after a
	// collection: of the resident set, and of live objects.
	rss, heap float64
	allocs    float64
	// alarms per million values: the noise should give next to none.
	alarms float64
	// save and load are the seconds for a snapshot of all series, snapshot the
	// bytes of one.
	save, load, snapshot float64
}

func measure[S any](name string, m engine[S], n int, o options) (*figure, error) {
	defer debug.FreeOSMemory()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f := &figure{set: name, series: n, table: map[string]float64{}, single: map[string]float64{}, slab: map[string]float64{}, p99: map[string]float64{}, two: map[string]float64{}}
	l := newLoad(n)
	blobs := warm(m, l.values)
	if err := measureTable(f, m, l, blobs, o); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	slab, err := newSlabHolder(m, n, blobs)
	if err != nil {
		return nil, err
	}
	for _, order := range orderNames {
		f.slab[order], _ = newRunner[S](m, slab, l, order).fastest(o)
	}
	return f, nil
}

func measureTable[S any](f *figure, m engine[S], l *load, blobs [][]byte, o options) error {
	debug.FreeOSMemory()
	rss, heap := resident(), liveHeap()
	table, err := newTableHolder(m, l.keys, blobs)
	if err != nil {
		return err
	}
	debug.FreeOSMemory()
	n := float64(len(l.keys))
	f.rss, f.heap = (resident()-rss)/n, (liveHeap()-heap)/n
	var before, after runtime.MemStats
	total, alarms := 0, 0
	var mallocs uint64
	for _, order := range orderNames {
		r := newRunner[S](m, table, l, order)
		runtime.ReadMemStats(&before)
		var hits int
		f.table[order], hits = r.fastest(o)
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		total += r.judged
		alarms += hits
		one := newRunner[S](m, oneByOne[S]{table.Table}, l, order)
		f.single[order], _ = one.fastest(o)
		f.p99[order] = one.p99(o.events)
		f.two[order] = onTwoCores(m, table, l, order, o)
	}
	f.allocs = float64(mallocs) / float64(total)
	f.alarms = float64(alarms) / float64(total) * 1e6
	return measureSnapshot(f, m, &table, l.keys, o)
}

// measureSnapshot saves table, drops it, and restores it: no more than two copies
// of the states are in memory.
func measureSnapshot[S any](f *figure, m engine[S], table *tableHolder[S], keys []series.Key, o options) error {
	f.save, f.load = math.Inf(1), math.Inf(1)
	var parts [][]byte
	for range o.runs {
		clear(parts) // not in memory twice
		runtime.GC()
		begin := cpuNanos()
		parts = table.snapshot(m)
		f.save = min(f.save, (cpuNanos()-begin)/1e9)
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	f.snapshot = float64(size) / float64(len(keys))
	table.Table = nil // its memory is needed now
	for range o.runs {
		fresh, err := series.NewTable(series.Options[S]{MaxSeries: 2 * len(keys), Init: m.Init})
		if err != nil {
			return err
		}
		runtime.GC()
		begin := cpuNanos()
		if err := (tableHolder[S]{Table: fresh}).Load(m, keys, parts); err != nil {
			return fmt.Errorf("restore the snapshot: %w", err)
		}
		f.load = min(f.load, (cpuNanos()-begin)/1e9)
	}
	return nil
}

// runner feeds a holder. Values and keys of a chunk are laid ready before the
// clock runs.
type runner[S any] struct {
	m      engine[S]
	h      holder[S]
	l      *load
	order  []uint32
	next   int
	judged int
	warmth byte

	ids    [chunk]uint32
	keys   [chunk]series.Key
	values [chunk]float64
}

func newRunner[S any](m engine[S], h holder[S], l *load, order string) *runner[S] {
	return &runner[S]{m: m, h: h, l: l, order: l.orders[order]}
}

func (r *runner[S]) prepare() (at, step int64) {
	step = int64(interval) / int64(len(r.l.keys))
	at = epoch + history*int64(interval) + int64(r.judged)*step
	for i := range chunk {
		id := r.order[(r.next+i)&(len(r.order)-1)]
		r.ids[i] = id
		r.keys[i] = r.l.keys[id]
		// A name that has just been read from telemetry is in the cache.
		r.warmth += r.keys[i].Service[0] + r.keys[i].Model[0]
		r.values[i] = r.l.values[(r.next+i)%len(r.l.values)]
	}
	r.next += chunk
	r.judged += chunk
	return at, step
}

// once judges events values and returns the processor time for one.
func (r *runner[S]) once(events int) (ns float64, alarms int) {
	n := 0
	for ; n < events; n += chunk {
		at, step := r.prepare()
		begin := cpuNanos()
		alarms += r.h.Judge(r.m, r.keys[:], r.ids[:], r.values[:], at, step)
		ns += cpuNanos() - begin
	}
	return ns / float64(n), alarms
}

// fastest is the minimum of the runs.
func (r *runner[S]) fastest(o options) (ns float64, alarms int) {
	ns = math.Inf(1)
	for range o.runs {
		once, hits := r.once(o.events)
		ns = min(ns, once)
		alarms += hits
	}
	return ns, alarms
}

// p99 times each value by itself.
func (r *runner[S]) p99(events int) float64 {
	const longest = 1 << 16 // ns; longer ones count as this
	counts := make([]int, longest+1)
	n := 0
	for n < events {
		at, step := r.prepare()
		for i := range chunk {
			begin := time.Now()
			r.h.Judge(r.m, r.keys[i:i+1], r.ids[i:i+1], r.values[i:i+1], at, step)
			counts[min(int(time.Since(begin)), longest)]++
			at += step
			n++
		}
	}
	above := 0
	for ns := longest; ns >= 0; ns-- {
		if above += counts[ns]; above > n/100 {
			return float64(ns)
		}
	}
	return 0
}

// onTwoCores returns the values judged in a second when two threads share the
// table, by the wall clock. Laying the values ready is part of it.
func onTwoCores[S any](m engine[S], table tableHolder[S], l *load, order string, o options) (perSecond float64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for range o.runs {
		var wg sync.WaitGroup
		begin := time.Now()
		for half := range 2 {
			wg.Go(func() {
				table := table.another()
				r := newRunner[S](m, table, l, order)
				r.next = half * len(r.order) / 2
				for r.judged < o.events/2 {
					at, step := r.prepare()
					table.Judge(m, r.keys[:], r.ids[:], r.values[:], at, step)
				}
			})
		}
		wg.Wait()
		perSecond = max(perSecond, float64(o.events)/time.Since(begin).Seconds())
	}
	return perSecond
}

// cpuNanos is the processor time of this process.
func cpuNanos() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the resident set of this process in bytes.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return math.NaN()
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return math.NaN()
	}
	return pages * float64(os.Getpagesize())
}

func liveHeap() float64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// availableMemory is what the system can give without swapping, 0 when it is
// not known.
func availableMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			kb, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	f := strings.Fields(string(text))
	return strings.Join(f[:min(len(f), 3)], " ")
}

// perSeries is about what one series needs at the peak: its state twice, or
// once and its snapshot, with the names and the orders of the load.
const perSeries = 2*uint64(unsafe.Sizeof(fullState{})) + 1024

// fit reduces the sizes that need more than three quarters of the free memory.
func fit(sizes []int, free uint64) (fitting []int, notes []string) {
	for _, n := range sizes {
		want := n
		for free != 0 && uint64(n)*perSeries > free/4*3 && n > 1 {
			n /= 2
		}
		if n != want {
			notes = append(notes, fmt.Sprintf("REDUCED: %d instead of %d series, %d MB of memory are free", n, want, free>>20))
		}
		fitting = append(fitting, n)
	}
	return fitting, notes
}
