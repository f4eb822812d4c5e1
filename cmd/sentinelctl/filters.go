package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// filters are flags that become parameters of the API. The server checks their
// values; only what has a form of its own here is checked here.
type filters struct {
	set   *pflag.FlagSet
	texts map[string]*string // by parameter
	flags map[string]string  // flag names by parameter
	since time.Duration
}

func newFilters(set *pflag.FlagSet) *filters {
	return &filters{set: set, texts: map[string]*string{}, flags: map[string]string{}}
}

// text adds a flag for a parameter.
func (f *filters) text(flag, parameter, usage string) {
	f.texts[parameter], f.flags[parameter] = f.set.String(flag, "", usage), flag
}

func (f *filters) series() {
	f.text("service", "service", "exact name of the service")
	f.text("model", "model", "exact name of the model")
}

func (f *filters) calls() {
	f.series()
	f.text("provider", "provider", "exact name of the provider")
	f.text("operation", "operation", "for example chat or embeddings")
	f.text("environment", "environment", "deployment environment")
	f.text("tenant", "tenant", "id of the tenant")
}

func (f *filters) events() {
	f.calls()
	f.text("trace", "trace_id", "id of the trace, 32 hex digits")
	f.text("session", "session_id", "id of the conversation")
	f.text("user-id", "user_id", "id of the user of the application")
}

func (f *filters) anomalies() {
	f.series()
	f.text("trace", "trace_id", "id of the trace, 32 hex digits")
	f.findings()
}

// findings are what a stream of anomalies can be filtered by, beside the series.
func (f *filters) findings() {
	f.text("severity", "severity", "low, medium, high or critical")
	f.text("type", "anomaly_type", "type of anomaly, for example latency_spike")
	f.text("min-confidence", "min_confidence", "0 to 1")
}

// times adds the time range.
func (f *filters) times() {
	f.set.DurationVar(&f.since, "since", 0, "how far back, for example 90m; the server's default is 24h")
	f.text("start", "start", "RFC 3339 time, inclusive")
	f.text("end", "end", "RFC 3339 time, exclusive")
}

func (f *filters) values(now time.Time) (url.Values, error) {
	v := url.Values{}
	for parameter, text := range f.texts {
		if f.set.Changed(f.flags[parameter]) {
			v.Set(parameter, *text)
		}
	}
	if f.since == 0 {
		return v, nil
	}
	switch {
	case f.since < 0:
		return nil, fmt.Errorf("--since must be positive, got %s", f.since)
	case v.Has("start"):
		return nil, fmt.Errorf("--since must not be given together with --start %s", v.Get("start"))
	}
	v.Set("start", now.Add(-f.since).UTC().Format(time.RFC3339Nano))
	return v, nil
}

func setInt(v url.Values, name string, n int) { v.Set(name, strconv.Itoa(n)) }
