package llmtraffic

import (
	"container/heap"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"
)

// Options describe a generated run. The zero value is not usable, see
// [DefaultOptions].
type Options struct {
	Seed     uint64
	Services []Service
	Models   []Model
	// Start and Duration bound the starts of calls, in event time.
	Start    time.Time
	Duration time.Duration
	// Rate is the mean number of calls per second of event time over all series.
	Rate float64
	// ErrorRate is the share of failing calls outside incidents, 0..1. The
	// default .005 is an assumption, see errorMix.
	ErrorRate float64
	// FlatRate turns the daily rhythm off.
	FlatRate bool
	// Texts puts generated texts of prompts and answers into the spans.
	Texts bool
	// Parents adds an HTTP server span around each call.
	Parents bool
	// Users and Tenants are the sizes of the pools of ids.
	Users, Tenants int
	Incidents      []Incident
}

// DefaultOptions are four services with three models each, ten calls a second
// for an hour that ends at end.
func DefaultOptions(end time.Time) Options {
	return Options{
		Seed: 1, Services: Services(4), Models: Models(3), Start: end.Add(-time.Hour), Duration: time.Hour,
		Rate: 10, ErrorRate: .005, Users: 500, Tenants: 8,
	}
}

// Validate reports every setting that cannot be used.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(o.Services) == 0 || len(o.Services) > 100_000 {
		bad("services must be in 1..100000, got %d", len(o.Services))
	}
	if len(o.Models) == 0 || len(o.Models) > 10_000 {
		bad("models must be in 1..10000, got %d", len(o.Models))
	}
	if len(o.Services)*len(o.Models) > 2_000_000 {
		bad("services x models must be at most 2000000, got %d", len(o.Services)*len(o.Models))
	}
	if !(o.Rate > 0) || o.Rate > 1e7 {
		bad("rate must be above 0 and at most 1e7, got %v", o.Rate)
	}
	if o.Duration <= 0 || o.Duration > 10*365*24*time.Hour {
		bad("duration must be above 0 and at most 10 years, got %s", o.Duration)
	}
	if !(o.ErrorRate >= 0 && o.ErrorRate <= 1) {
		bad("error_rate must be in 0..1, got %v", o.ErrorRate)
	}
	if o.Users < 1 || o.Users > 1_000_000 || o.Tenants < 1 || o.Tenants > 1_000_000 {
		bad("users and tenants must be in 1..1000000, got %d and %d", o.Users, o.Tenants)
	}
	if y := o.Start.Year(); y < 1971 || y > 2200 {
		bad("start must lie in 1971..2200, got %s", o.Start)
	}
	known := map[SeriesKey]bool{}
	for _, k := range o.Series() {
		known[k] = true
	}
	for i := range o.Incidents {
		in := &o.Incidents[i]
		if err := in.validate(); err != nil {
			errs = append(errs, err)
		} else if !known[SeriesKey{in.Service, in.Model}] {
			bad("incident %s: series %s / %s is not generated", in.ID, in.Service, in.Model)
		}
	}
	return errors.Join(errs...)
}

// Series lists all series, busiest first.
func (o *Options) Series() []SeriesKey {
	type weighted struct {
		SeriesKey
		w float64
	}
	var list []weighted
	for i := range o.Services {
		for j := range o.Models {
			list = append(list, weighted{SeriesKey{o.Services[i].Name, o.Models[j].Name}, o.Services[i].Weight * o.Models[j].Weight})
		}
	}
	sort.SliceStable(list, func(a, b int) bool { return list[a].w > list[b].w })
	out := make([]SeriesKey, len(list))
	for i := range list {
		out[i] = list[i].SeriesKey
	}
	return out
}

// Generator yields the calls of some services in the order of their event
// time. It is not safe for concurrent use.
type Generator struct {
	end      int64
	arrivals arrivalHeap
	pending  callHeap
	free     []*Call
}

// NewGenerator prepares lane of lanes: services are dealt out in turn, so that
// all lanes together make every call once, and the calls do not depend on the
// number of lanes.
func NewGenerator(o Options, lane, lanes int) (*Generator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if lanes < 1 || lane < 0 || lane >= lanes {
		return nil, fmt.Errorf("lane must be in 0..%d, got %d", lanes-1, lane)
	}
	users := make([]string, o.Users)
	for i := range users {
		users[i] = "user-" + strconv.Itoa(i)
	}
	tenants := make([]string, o.Tenants)
	for i := range tenants {
		tenants[i] = "tenant-" + strconv.Itoa(i)
	}
	bySeries := map[SeriesKey][]indexedIncident{}
	for i := range o.Incidents {
		in := &o.Incidents[i]
		k := SeriesKey{in.Service, in.Model}
		bySeries[k] = append(bySeries[k], indexedIncident{in, i, in.Start.UnixNano(), in.End.UnixNano()})
	}
	var total float64
	for i := range o.Services {
		for j := range o.Models {
			total += o.Services[i].Weight * o.Models[j].Weight
		}
	}
	g := &Generator{end: o.Start.Add(o.Duration).UnixNano()}
	table := Parameters()
	for i := lane; i < len(o.Services); i += lanes {
		for j := range o.Models {
			s := newSeries(&table, &o.Services[i], &o.Models[j], &o, uint64(i)*uint64(len(o.Models))+uint64(j))
			s.rate = o.Rate * s.weight / total
			s.users, s.tenants = users, tenants
			s.incidents = bySeries[SeriesKey{s.svc.Name, s.model.Name}]
			s.evaluator = evaluatorFor(s.incidents)
			s.next = o.Start.UnixNano()
			if s.rate <= 0 {
				continue
			}
			s.advance()
			if s.next < g.end {
				g.arrivals = append(g.arrivals, s)
			}
		}
	}
	heap.Init(&g.arrivals)
	return g, nil
}

// Next returns the next call; false at the end of the run. The call is valid
// until the following Next.
func (g *Generator) Next(c *Call) bool {
	for len(g.arrivals) > 0 && (len(g.pending) == 0 || g.pending[0].End > g.arrivals[0].next) {
		s := g.arrivals[0]
		p := g.take()
		s.draw(p)
		g.pending.push(p)
		s.advance()
		if s.next >= g.end {
			heap.Pop(&g.arrivals)
		} else {
			g.arrivals.down()
		}
	}
	if len(g.pending) == 0 {
		return false
	}
	p := g.pending.pop()
	*c = *p
	g.free = append(g.free, p)
	return true
}

func (g *Generator) take() *Call {
	if n := len(g.free); n > 0 {
		c := g.free[n-1]
		g.free = g.free[:n-1]
		return c
	}
	return &Call{}
}

type arrivalHeap []*series

func (h arrivalHeap) Len() int           { return len(h) }
func (h arrivalHeap) Less(i, j int) bool { return h[i].next < h[j].next }
func (h arrivalHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *arrivalHeap) Push(x any)        { *h = append(*h, x.(*series)) }
func (h *arrivalHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	*h = old[:len(old)-1]
	return s
}

// down restores the order after the first element moved later.
func (h *arrivalHeap) down() { heap.Fix(h, 0) }

// callHeap orders the calls in flight by their end, ties by trace id so that
// the order never depends on the number of lanes.
type callHeap []*Call

func (h callHeap) less(i, j int) bool {
	if h[i].End != h[j].End {
		return h[i].End < h[j].End
	}
	return string(h[i].TraceID[:]) < string(h[j].TraceID[:])
}

func (h *callHeap) push(c *Call) {
	*h = append(*h, c)
	a := *h
	for i := len(a) - 1; i > 0; {
		p := (i - 1) / 2
		if !a.less(i, p) {
			return
		}
		a[i], a[p] = a[p], a[i]
		i = p
	}
}

func (h *callHeap) pop() *Call {
	a := *h
	top := a[0]
	n := len(a) - 1
	a[0] = a[n]
	a[n] = nil
	a = a[:n]
	*h = a
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return top
		}
		if c+1 < n && a.less(c+1, c) {
			c++
		}
		if !a.less(c, i) {
			return top
		}
		a[i], a[c] = a[c], a[i]
		i = c
	}
}
