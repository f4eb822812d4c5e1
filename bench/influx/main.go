// Command influx measures what it costs to write LLM spans to InfluxDB:
// CPU-seconds of a process with one exporter, per million spans, for ours and
// for the one of the contrib distribution, against the same sink.
//
// Each measurement is a process of its own, which decodes OTLP requests and
// hands them to the exporter with its default configuration; the sink is a
// further process, which checks that every span arrived. What decoding alone
// costs is measured in the same way and taken off. The exporters take turns, and
// the least of several rounds counts, because a busy machine only adds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// contribVersion is the version of contrib's exporter in this program.
func contribVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, m := range info.Deps {
		if strings.HasSuffix(m.Path, "opentelemetry-collector-contrib/exporter/influxdbexporter") {
			return m.Version
		}
	}
	return "of unknown version"
}

type options struct {
	spans, batch, rounds, warmup int

	child, sink, profile string
}

func main() {
	var o options
	flag.IntVar(&o.spans, "spans", 200_000, "spans of each measurement")
	flag.IntVar(&o.batch, "batch", 100, "spans per request")
	flag.IntVar(&o.rounds, "rounds", 4, "rounds; the least cost is printed")
	flag.IntVar(&o.warmup, "warmup", 20_000, "spans before each measurement")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of our exporter to this file")
	flag.StringVar(&o.child, "child", "", "for internal use: measure this case, or be the sink")
	flag.StringVar(&o.sink, "sink", "", "for internal use: address of the sink")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-influx:", err)
		os.Exit(1)
	}
}

// The cases.
const (
	caseDecode  = "decode"
	caseOurs    = "ours"
	casePlain   = "ours_plain"
	caseOTel    = "ours_otel"
	caseContrib = "contrib"
	caseSink    = "sink"
)

var titles = []struct{ name, title string }{
	{caseDecode, "decode OTLP only"},
	{caseOurs, "influxdb (ours), schema sentinel, gzip"},
	{casePlain, "influxdb (ours), schema sentinel, uncompressed"},
	{caseOTel, "influxdb (ours), schema otel, gzip"},
	{caseContrib, "influxdb of contrib " + contribVersion()},
}

func run(ctx context.Context, o options) error {
	if o.spans < o.batch || o.batch < 1 || o.rounds < 1 || o.warmup < 0 {
		return fmt.Errorf("want spans >= batch >= 1, rounds >= 1 and warmup >= 0, got %d, %d, %d, %d", o.spans, o.batch, o.rounds, o.warmup)
	}
	switch o.child {
	case "":
		return parent(ctx, o)
	case caseSink:
		return serve(ctx)
	default:
		return measure(ctx, o)
	}
}

func parent(ctx context.Context, o options) (err error) {
	s, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	costs := map[string][]float64{}
	sizes := map[string]result{}
	for round := range o.rounds {
		for _, c := range titles {
			fmt.Fprintf(os.Stderr, "\rround %d of %d: %-12s", round+1, o.rounds, c.name)
			r, err := startChild(ctx, o, c.name, s.url)
			if err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
			costs[c.name] = append(costs[c.name], r.CPU)
			sizes[c.name] = r
		}
	}
	fmt.Fprintln(os.Stderr)
	report(o, costs, sizes)
	return nil
}

func report(o options, costs map[string][]float64, sizes map[string]result) {
	base := slices.Min(costs[caseDecode])
	cost := func(name string) float64 { return slices.Min(costs[name]) - base }
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "case\tleast\tmost\tover decoding\tpoints per span\tbytes sent per span\t\n")
	for _, c := range titles {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t\n", c.title, slices.Min(costs[c.name]), slices.Max(costs[c.name]), cost(c.name), sizes[c.name].Lines, sizes[c.name].Bytes)
	}
	_ = w.Flush()
	fmt.Printf("CPU-seconds per million spans; %d spans a measurement, %d a request, %d rounds\n\n", o.spans, o.batch, o.rounds)
	fmt.Printf("RESULT influx.cpu_s_per_m %.3f cpu_s_per_m\n", cost(caseOurs))
	fmt.Printf("RESULT influx.plain_cpu_s_per_m %.3f cpu_s_per_m\n", cost(casePlain))
	fmt.Printf("RESULT influx.otel_cpu_s_per_m %.3f cpu_s_per_m\n", cost(caseOTel))
	fmt.Printf("RESULT influx.contrib_cpu_s_per_m %.3f cpu_s_per_m\n", cost(caseContrib))
	fmt.Printf("RESULT influx.over_contrib %.3f ratio\n", cost(caseOurs)/cost(caseContrib))
}
