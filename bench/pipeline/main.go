// Command pipeline measures what a pipeline costs: CPU-seconds of the collector
// process per million spans, for pipelines with and without our components.
//
// Each pipeline runs as a process of its own, all at the same time, and gets the
// same spans over a few OTLP/gRPC connections, in short slices in turn. So a
// machine whose speed drifts slows all of them alike, and ratios compare
// neighbours in time. Costs are medians over the rounds, ratios are those of the
// sums. Idle neighbours make each pipeline a little dearer than it would be
// alone: the ratios are the result, the absolute figures depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

type options struct {
	binary string
	spans  int
	batch  int
	rounds int
	warmup int
	conns  int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/otelcol-sentinel", "collector to measure")
	flag.IntVar(&o.spans, "spans", 600_000, "spans per pipeline, all rounds together")
	flag.IntVar(&o.batch, "batch", 100, "spans per request")
	flag.IntVar(&o.rounds, "rounds", 10, "rounds; medians are printed")
	flag.IntVar(&o.warmup, "warmup", 30_000, "spans sent to each pipeline before the measurement")
	flag.IntVar(&o.conns, "connections", 4, "OTLP/gRPC connections that send at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-pipeline:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.spans < o.batch || o.batch < 1 || o.rounds < 1 || o.conns < 1 {
		return fmt.Errorf("want spans >= batch >= 1, rounds >= 1 and connections >= 1, got %d, %d, %d, %d", o.spans, o.batch, o.rounds, o.conns)
	}
	// Two hours of event time that end now hold all spans twice over, so that
	// none lies in the future, where its time would be clamped.
	traffic := llmtraffic.DefaultOptions(time.Now())
	traffic.Start = time.Now().Add(-2 * time.Hour)
	traffic.Rate = float64(o.spans+o.warmup) * 2 / time.Hour.Seconds()
	llm, err := newLoad(o, llmtraffic.BuildOptions{Traffic: traffic})
	if err != nil {
		return fmt.Errorf("make LLM spans: %w", err)
	}
	plain, err := newLoad(o, llmtraffic.BuildOptions{Traffic: traffic, Plain: true})
	if err != nil {
		return fmt.Errorf("make plain spans: %w", err)
	}
	cases := []*measured{
		{name: "nop", title: "otlp → nop", load: llm, config: nopConfig},
		{name: "anomaly", title: "otlp → anomaly → nop", load: llm, config: anomalyConfig},
		{name: "genai", title: "otlp → genai → nop", load: llm, config: genaiConfig},
		{name: "sanitize", title: "otlp → sanitize → nop", load: llm, config: sanitizeConfig},
		{name: "default", title: "otlp → memory_limiter → sanitize → genai → anomaly → llm_storage", load: llm, config: defaultConfig},
		{name: "plain_nop", title: "otlp → nop, no LLM spans", load: plain, config: nopConfig},
		{name: "plain", title: "otlp → anomaly → nop, no LLM spans", load: plain, config: anomalyConfig},
	}
	defer func() {
		for _, c := range cases {
			err = errors.Join(err, c.stop())
		}
	}()
	for _, c := range cases {
		if err := c.start(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "\rround %d of %d", round+1, o.rounds)
		if err := measure(ctx, cases, round); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr)
	report(o, cases)
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// ratio compares what two pipelines spent in all rounds together: their slices
// lie side by side in time, and the sum is finer than the clock of one round.
func ratio(a, b *measured) float64 {
	return sum(a.costs) / sum(b.costs)
}

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

func report(o options, cases []*measured) {
	by := map[string]*measured{}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "pipeline\tmedian\tmin\tmax\tbytes per span\t\n")
	for _, c := range cases {
		by[c.name] = c
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%d\t\n", c.title, median(c.costs), slices.Min(c.costs), slices.Max(c.costs), c.load.bytesPerSpan)
	}
	_ = w.Flush()
	fmt.Printf("CPU-seconds of the collector per million spans; %d spans a request, %d connections, %d spans a pipeline in %d rounds\n\n", o.batch, o.conns, o.spans, o.rounds)
	fmt.Printf("RESULT pipeline.nop %.3f cpu_s_per_m\n", median(by["nop"].costs))
	fmt.Printf("RESULT pipeline.anomaly %.3f cpu_s_per_m\n", median(by["anomaly"].costs))
	fmt.Printf("RESULT pipeline.anomaly_over_nop %.3f ratio\n", ratio(by["anomaly"], by["nop"]))
	fmt.Printf("RESULT pipeline.genai_over_nop %.3f ratio\n", ratio(by["genai"], by["nop"]))
	fmt.Printf("RESULT pipeline.sanitize_over_nop %.3f ratio\n", ratio(by["sanitize"], by["nop"]))
	fmt.Printf("RESULT pipeline.plain_over_nop %.3f ratio\n", ratio(by["plain"], by["plain_nop"]))
	fmt.Printf("RESULT pipeline.default %.3f cpu_s_per_m\n", median(by["default"].costs))
}
