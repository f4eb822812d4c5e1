package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// report prints the tables for people, then one line for each figure.
func report(to io.Writer, doc *document, figures []*figure, o options) error {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "detectors\tseries\tkeys\tns/value\tone by one\tbare array\tp99\tmillion/s on two\t\n")
	for _, f := range figures {
		for _, order := range orderNames {
			fmt.Fprintf(w, "%s\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t\n", f.set, f.series, order, f.table[order], f.single[order], f.slab[order], f.p99[order], f.two[order]/1e6)
		}
	}
	fmt.Fprintf(w, "\t\t\t\t\t\t\t\t\n")
	fmt.Fprintf(w, "detectors\tseries\tbytes/series\tof them live\tallocs/value\tsnapshot bytes\tsave s\trestore s\t\n")
	for _, f := range figures {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%.4f\t%.0f\t%.3f\t%.3f\t\n", f.set, f.series, f.rss, f.heap, f.allocs, f.snapshot, f.save, f.load)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	fmt.Fprintf(&out, "\nProcessor time in the table of series and in a bare array, minimum of %d runs of %d values. In the table %d values are\n", o.runs, o.events, chunk)
	fmt.Fprintf(&out, "looked up together, or one by one. p99 is wall time, one by one, with about 50 ns of clock. On two cores: wall\n")
	fmt.Fprintf(&out, "clock, laying the values ready included. Bytes per series are the growth of the resident set after a collection;\n")
	fmt.Fprintf(&out, "the live heap is beside it.\n")
	for _, f := range figures {
		fmt.Fprintf(&out, "%s, %d series: %.1f alarms per million values\n", f.set, f.series, f.alarms)
	}
	for _, n := range doc.Notes {
		fmt.Fprintln(&out, n)
	}
	fmt.Fprintf(&out, "Load average at the beginning %s, at the end %s\n\n", doc.Load[0], doc.Load[1])
	doc.figures(figures)
	for _, r := range doc.Results {
		fmt.Fprintf(&out, "RESULT %s %s %s\n", r.Name, strconv.FormatFloat(r.Value, 'f', r.digits(), 64), r.Unit)
	}
	if _, err := out.WriteTo(to); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// figures turns what was measured into results. The full set tells of memory
// and throughput, with the largest number of series.
func (d *document) figures(figures []*figure) {
	var largest, step *figure
	for _, f := range figures {
		size := short(f.series)
		d.add(f.set+"_ns_"+size, f.table["uniform"], "ns")
		d.add(f.set+"_zipf_ns_"+size, f.table["zipf"], "ns")
		d.add(f.set+"_single_ns_"+size, f.single["uniform"], "ns")
		d.add(f.set+"_slab_ns_"+size, f.slab["uniform"], "ns")
		d.add(f.set+"_p99_ns_"+size, f.p99["uniform"], "ns")
		if f.set == "step" {
			step = f
		}
		if f.set == "full" {
			largest = f
		}
	}
	if largest == nil {
		return
	}
	size := short(largest.series)
	d.add("events_per_s_"+size, 1e9/largest.table["uniform"], "per_s")
	d.add("two_cores_events_per_s_"+size, largest.two["uniform"], "per_s")
	d.add("bytes_per_series", largest.rss, "bytes")
	d.add("step_bytes_per_series", step.rss, "bytes")
	d.add("heap_bytes_per_series", largest.heap, "bytes")
	d.add("allocs_per_event", largest.allocs, "allocs")
	d.add("snapshot_bytes_per_series", largest.snapshot, "bytes")
	d.add("snapshot_save_s_"+size, largest.save, "s")
	d.add("snapshot_restore_s_"+size, largest.load, "s")
}

// digits after the point that a unit deserves.
func (r result) digits() int {
	switch r.Unit {
	case "s":
		return 3
	case "allocs":
		return 4
	case "ns":
		return 1
	}
	return 0
}

// short writes a number of series as in 100, 10k, 1m.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "m"
	case n >= 1000 && n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}
