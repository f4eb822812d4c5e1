package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// newFlags returns a flag set whose help begins with text.
func newFlags(name, text string, out io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("llmload "+name, flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		_, _ = fmt.Fprintf(out, "%s\n\nFlags:\n", strings.TrimSpace(text))
		fs.PrintDefaults()
	}
	return fs
}

// parse reports bad flags as errUsage and keeps flag.ErrHelp.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // flag returns it bare
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

// headers is a repeatable flag key=value.
type headers map[string]string

func (h headers) String() string { return "" }

func (h headers) Set(text string) error {
	k, v, ok := strings.Cut(text, "=")
	if !ok || strings.TrimSpace(k) == "" {
		return fmt.Errorf("header must be key=value, got %q", text)
	}
	h[strings.ToLower(strings.TrimSpace(k))] = v
	return nil
}

// target holds the flags about the receiving collector.
type target struct {
	opt     llmtraffic.SenderOptions
	size    int
	speed   float64
	truth   string
	summary string
}

func (t *target) register(fs *flag.FlagSet) {
	t.opt.Headers = headers{}
	t.opt.Protocol = llmtraffic.ProtocolGRPC
	fs.StringVar(&t.opt.Endpoint, "endpoint", "", "collector, host:port or URL (default localhost:4317 for grpc, localhost:4318 for http)")
	fs.TextVar(&t.opt.Protocol, "protocol", t.opt.Protocol, "OTLP transport: grpc or http (binary protobuf)")
	fs.BoolVar(&t.opt.Insecure, "insecure", true, "do not use TLS; a URL with http:// or https:// decides by itself")
	fs.Var(headers(t.opt.Headers), "header", "header `key=value` sent with every request; may be repeated")
	fs.DurationVar(&t.opt.Timeout, "timeout", 30*time.Second, "time limit of one attempt")
	fs.IntVar(&t.opt.MaxRetries, "retries", 10, "attempts after the first for errors that may pass (UNAVAILABLE, 429, 503 ...); -1 for none")
	fs.IntVar(&t.size, "spans-per-request", 100, "spans in a full export request")
	fs.Float64Var(&t.speed, "speed", 0, "event time per wall time: 1 is real time, 60 sends an hour in a minute; 0 is as fast as possible")
	fs.StringVar(&t.truth, "truth", "", "write the labels to this `file` (JSON lines)")
	fs.StringVar(&t.summary, "summary-json", "", "write the summary to this `file` (JSON)")
}

func (t *target) check() error {
	if t.opt.Endpoint == "" {
		t.opt.Endpoint = "localhost:4317"
		if t.opt.Protocol == llmtraffic.ProtocolHTTP {
			t.opt.Endpoint = "localhost:4318"
		}
	}
	switch {
	case t.size < 1 || t.size > 100_000:
		return fmt.Errorf("%w: spans-per-request must be in 1..100000, got %d", errUsage, t.size)
	case t.speed < 0 || t.speed != t.speed:
		return fmt.Errorf("%w: speed must be 0 or above, got %v", errUsage, t.speed)
	case t.opt.Timeout <= 0:
		return fmt.Errorf("%w: timeout must be above 0, got %s", errUsage, t.opt.Timeout)
	}
	return nil
}

// endTime is the event time at which a run ends whose last call should not lie
// in the future: now, or with a speed the wall time at which it will be done.
func (t *target) endTime(now time.Time, duration time.Duration) time.Time {
	if t.speed > 0 {
		return now.Add(time.Duration(float64(duration) / t.speed))
	}
	return now
}
