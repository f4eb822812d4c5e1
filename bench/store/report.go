package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// report is what was measured.
type report struct {
	load [2]string
	// aggregates says of what they are, notes what else must be known.
	aggregates string
	notes      []string
	hours      int64
	answers    []answer
	results    []result
	// measured, if set, is told each figure.
	measured func(result)
}

type result struct {
	name  string
	value float64
	unit  string
}

// answer are the times of one kind of question.
type answer struct {
	name          string
	asked         int
	rows          float64
	p50, p99, max time.Duration
	// cpu is the mean processor time.
	cpu time.Duration
}

func (r *report) add(name string, value float64, unit string) {
	x := result{"store." + name, value, unit}
	r.results = append(r.results, x)
	if r.measured != nil {
		r.measured(x)
	}
}

func (r *report) question(name string, times []time.Duration, used time.Duration, rows int) {
	a := answer{
		name: name, asked: len(times), rows: float64(rows) / float64(len(times)),
		p50: percentile(times, .5), p99: percentile(times, .99), max: slices.Max(times),
		cpu: used / time.Duration(len(times)),
	}
	r.answers = append(r.answers, a)
	r.add(name, ms(a.p50), "ms")
	r.add("p99_"+name, ms(a.p99), "ms")
	r.add("cpu_"+name, ms(a.cpu), "ms")
}

// percentile by nearest rank.
func percentile(times []time.Duration, p float64) time.Duration {
	t := slices.Sorted(slices.Values(times))
	return t[max(0, int(math.Ceil(p*float64(len(t))))-1)]
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// print writes the table for people, then one line for each figure.
func (r *report) print(to io.Writer, o options) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d events of %s, batches of %d, one directory, seed %d\n\n", o.events, span, batchSize, o.seed)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "question\tasked\trows\tp50 ms\tp99 ms\tmax ms\tmean CPU ms\t\n")
	for _, a := range r.answers {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", strings.TrimSuffix(a.name, "_ms"), a.asked, a.rows, ms(a.p50), ms(a.p99), ms(a.max), ms(a.cpu))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	fmt.Fprintf(&out, "\n%s Load average at the beginning %s, at the end %s.\n", r.aggregates, r.load[0], r.load[1])
	for _, n := range r.notes {
		fmt.Fprintln(&out, n)
	}
	fmt.Fprintf(&out, "ingest_cpu_s_per_m is processor time of the process with all background work, without the generator.\n\n")
	for _, x := range r.results {
		fmt.Fprintln(&out, "RESULT", x)
	}
	_, err := out.WriteTo(to)
	return err
}

func (r result) String() string {
	return r.name + " " + strconv.FormatFloat(r.value, 'f', r.digits(), 64) + " " + r.unit
}

func (r result) digits() int {
	switch r.unit {
	case "s", "ms":
		return 2
	case "bytes":
		return 1
	}
	return 0
}

// progress tells every few seconds how far the work is.
type progress struct {
	to   io.Writer
	last time.Time
}

const progressEvery = 5 * time.Second

func (p *progress) at(what string, n, of int) {
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		fmt.Fprintf(p.to, "%s: %d of %d\n", what, n, of)
	}
}

func (p *progress) say(what string) {
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		fmt.Fprintln(p.to, what)
	}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	f := strings.Fields(string(text))
	return strings.Join(f[:min(len(f), 3)], " ")
}
