package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

const replayHelp = `Usage: llmload replay [flags] FILE...

Sends the requests of public trace files as OTLP spans, with their distances in
time kept. Formats:
  azure     CSV TIMESTAMP,ContextTokens,GeneratedTokens; dated, no latency
  mooncake  JSON lines timestamp (ms), input_length, output_length; no dates, no latency
  vllm      JSON object of requests with record_time, first_chunk_time and
            total_chunk_time in seconds; no dates; start = record_time - total_chunk_time;
            out_len is sent as output tokens as it stands
  llmperf   JSON array with ttft_s, end_to_end_latency_s, tokens, error_code; no
            times at all: row i starts at i x 10 s

Where a file holds no latency, --latency model derives it from the tokens with
a fitted speed profile (the truth file says "latency_source":"model"), and
--latency none sends spans without an end, which means "not known".
Trace and span ids depend only on the file name and the row.
`

func replay(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var t target
	o := llmtraffic.ReplayOptions{Format: llmtraffic.FormatAuto, Latency: llmtraffic.LatencyModel}
	var start string
	fs := newFlags("replay", replayHelp, stderr)
	t.register(fs)
	fs.TextVar(&o.Format, "format", o.Format, "auto, azure, mooncake, vllm or llmperf")
	fs.TextVar(&o.Latency, "latency", o.Latency, "for traces without latency: model or none")
	fs.StringVar(&o.Profile, "profile", "anyscale_70b", "speed profile of --latency model (see params_gen.go)")
	fs.StringVar(&o.Service, "service", "", "service name (default replay-FORMAT)")
	fs.StringVar(&o.Model, "model", "", "model name (default: from the format and the file name)")
	fs.StringVar(&o.Provider, "provider", "", "provider name (default: from the format and the file name)")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of --latency model")
	fs.StringVar(&start, "start", "", "event time of the first call (RFC 3339), or original to keep the times of the file; empty: so that the trace ends now")
	if err := parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return fmt.Errorf("%w: name at least one trace file", errUsage)
	}
	if err := t.check(); err != nil {
		return err
	}
	var p llmtraffic.Replay
	for _, name := range fs.Args() {
		if err := load(&p, name, o); err != nil {
			return err
		}
	}
	if err := move(&p, &t, start); err != nil {
		return err
	}
	truth := p.Truth()
	first, last := p.Span()
	return send(ctx, &t, job{
		sources: []llmtraffic.Source{&p}, start: first, end: last,
		truth: func(w io.Writer, _ *llmtraffic.Stats) error { return llmtraffic.WriteLines(w, truth) },
	}, stdout, stderr)
}

func load(p *llmtraffic.Replay, name string, o llmtraffic.ReplayOptions) error {
	f, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return p.Load(f, name, o)
}

func move(p *llmtraffic.Replay, t *target, start string) error {
	switch start {
	case "original":
		if err := p.CheckOriginal(); err != nil {
			return fmt.Errorf("%w: start: %w", errUsage, err)
		}
		return nil
	case "":
		first, last := p.Span()
		p.MoveEndTo(t.endTime(time.Now(), last.Sub(first)))
		return nil
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return fmt.Errorf("%w: start must be an RFC 3339 time or original, got %q", errUsage, start)
	}
	p.MoveTo(at)
	return nil
}
