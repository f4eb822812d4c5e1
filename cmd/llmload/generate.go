package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

const generateHelp = `Usage: llmload generate [flags]

Sends generated LLM calls as OTLP spans (gen_ai.* conventions). Token counts,
speeds, gaps and the daily rhythm are fitted to public traces; the same seed
gives the same calls. Each incident changes one series (service, model) in the
second half of the run; the first half and all other series stay clean.

Incidents (--incidents): none, all, a comma-separated list of the kinds below,
or a file of JSON lines such as
  {"kind":"latency_spike","service":"chat-api","model":"gpt-4o","at":"40m","length":"2m","factor":20}
`

type generateFlags struct {
	target
	rate, errorRate      float64
	duration             time.Duration
	start                string
	services, models     int
	seed                 uint64
	incidents            string
	parents, flat, texts bool
	users, tenants, par  int
}

func (g *generateFlags) register(fs *flag.FlagSet) {
	fs.Float64Var(&g.rate, "rate", 10, "mean calls per second of event time, all series together")
	fs.DurationVar(&g.duration, "duration", time.Hour, "length of the run in event time")
	fs.StringVar(&g.start, "start", "", "event time of the first call (RFC 3339); empty: so that the run ends now")
	fs.IntVar(&g.services, "services", 4, "number of services")
	fs.IntVar(&g.models, "models", 3, "number of models of each service")
	fs.Uint64Var(&g.seed, "seed", 1, "seed: the same seed and flags give the same calls")
	fs.StringVar(&g.incidents, "incidents", "none", "`list` of kinds, file, all or none")
	fs.BoolVar(&g.parents, "with-parents", false, "put an HTTP server span around each call")
	fs.BoolVar(&g.flat, "flat", false, "no daily rhythm")
	fs.BoolVar(&g.texts, "texts", false, "made-up texts of prompts and answers in the spans")
	fs.Float64Var(&g.errorRate, "error-rate", .005, "share of failing calls outside incidents, 0..1")
	fs.IntVar(&g.users, "users", 500, "size of the pool of user ids")
	fs.IntVar(&g.tenants, "tenants", 8, "size of the pool of tenant ids")
	fs.IntVar(&g.par, "concurrency", 1, "connections sending side by side; each service stays on one of them, in order")
}

// options turns the flags into a run that ends at end unless --start is given.
func (g *generateFlags) options(end time.Time) (llmtraffic.Options, error) {
	o := llmtraffic.DefaultOptions(end)
	if g.services < 1 || g.services > 100_000 || g.models < 1 || g.models > 10_000 {
		return o, fmt.Errorf("%w: services must be in 1..100000 and models in 1..10000, got %d and %d", errUsage, g.services, g.models)
	}
	if g.par < 1 || g.par > 1024 {
		return o, fmt.Errorf("%w: concurrency must be in 1..1024, got %d", errUsage, g.par)
	}
	o.Seed, o.Rate, o.Duration, o.ErrorRate = g.seed, g.rate, g.duration, g.errorRate
	o.Parents, o.FlatRate, o.Texts, o.Users, o.Tenants = g.parents, g.flat, g.texts, g.users, g.tenants
	o.Services, o.Models = llmtraffic.Services(g.services), llmtraffic.Models(g.models)
	o.Start = end.Add(-g.duration)
	if g.start != "" {
		at, err := time.Parse(time.RFC3339, g.start)
		if err != nil {
			return o, fmt.Errorf("%w: start must be an RFC 3339 time, got %q", errUsage, g.start)
		}
		o.Start = at
	}
	var err error
	if o.Incidents, err = readIncidents(g.incidents, &o); err != nil {
		return o, fmt.Errorf("%w: incidents: %w", errUsage, err)
	}
	if err := o.Validate(); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	return o, nil
}

// readIncidents takes a list of kinds, or the name of a file.
func readIncidents(text string, o *llmtraffic.Options) ([]llmtraffic.Incident, error) {
	if f, err := os.Open(text); err == nil { //nolint:gosec // the user names the file
		defer func() { _ = f.Close() }()
		return llmtraffic.ReadIncidents(f, text, o.Start)
	}
	kinds, err := llmtraffic.ParseKinds(text)
	if err != nil {
		return nil, fmt.Errorf("neither a file nor a list of kinds: %w", err)
	}
	return llmtraffic.Schedule(kinds, o.Series(), o.Start, o.Duration)
}

func kindsHelp() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "\n  %-17s %-7s %-7s %s\n", "kind", "factor", "length", "effect")
	for _, k := range llmtraffic.Kinds() {
		_, _ = fmt.Fprintf(&b, "  %-17s %-7g %-7s %s\n", k.Kind, k.Factor, shortDuration(k.Length), k.Effect)
	}
	return b.String()
}

// shortDuration drops the zero units that Duration.String appends.
func shortDuration(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func lanes(o llmtraffic.Options, n int) ([]llmtraffic.Source, error) {
	n = min(n, len(o.Services))
	out := make([]llmtraffic.Source, n)
	for i := range out {
		g, err := llmtraffic.NewGenerator(o, i, n)
		if err != nil {
			return nil, err
		}
		out[i] = g
	}
	return out, nil
}

func generate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var g generateFlags
	fs := newFlags("generate", generateHelp+kindsHelp(), stderr)
	g.register(fs)
	g.target.register(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, fs.Arg(0))
	}
	if err := g.check(); err != nil {
		return err
	}
	o, err := g.options(g.endTime(time.Now(), g.duration))
	if err != nil {
		return err
	}
	sources, err := lanes(o, g.par)
	if err != nil {
		return err
	}
	return send(ctx, &g.target, job{
		sources: sources, start: o.Start, end: o.Start.Add(o.Duration),
		incidents: func(s *llmtraffic.Stats) []llmtraffic.TruthLine { return llmtraffic.Truth(&o, s) },
		truth: func(w io.Writer, s *llmtraffic.Stats) error {
			return llmtraffic.WriteLines(w, llmtraffic.Truth(&o, s))
		},
	}, stdout, stderr)
}
