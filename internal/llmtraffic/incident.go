package llmtraffic

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Kind names an incident.
type Kind string

// The kinds of incident; see [Kinds] for factor, length and effect.
const (
	KindLatencySpike    Kind = "latency_spike"
	KindLatencyShift    Kind = "latency_shift"
	KindTTFTShift       Kind = "ttft_shift"
	KindTokenSurge      Kind = "token_surge"
	KindCostSurge       Kind = "cost_surge"
	KindErrorBurst      Kind = "error_burst"
	KindSilence         Kind = "silence"
	KindThroughputDrop  Kind = "throughput_drop"
	KindThroughputSurge Kind = "throughput_surge"
	KindDrift           Kind = "drift"
	KindQualityDrop     Kind = "quality_drop"
	KindHallucination   Kind = "hallucination"
	KindPromptInjection Kind = "prompt_injection"
	KindRefusalBurst    Kind = "refusal_burst"
	KindAgentLoop       Kind = "agent_loop"
	KindInputDrift      Kind = "input_drift"
	KindVerbosity       Kind = "verbosity_shift"
	KindRefusalSurge    Kind = "refusal_surge"
	KindTopicDrift      Kind = "topic_drift"
)

// KindInfo documents a kind and holds its defaults.
type KindInfo struct {
	Kind   Kind
	Effect string
	// Factor multiplies the affected number; for error_burst, hallucination,
	// prompt_injection, refusal_burst, refusal_surge, agent_loop and topic_drift
	// it is the share of calls that are affected.
	Factor float64
	Length time.Duration
	// Metric is the metric that changes first.
	Metric string
	// Expected are the anomaly types that count as having found it.
	Expected []string
}

var kinds = []KindInfo{
	{KindLatencySpike, "duration of each call x factor", 20, 2 * time.Minute, "latency_ms", []string{"latency_spike"}},
	{KindLatencyShift, "duration of each call x factor, tokens unchanged", 4, 30 * time.Minute, "latency_ms", []string{"latency_spike"}},
	{KindTTFTShift, "time to first token x factor", 8, 30 * time.Minute, "ttft_ms", []string{"latency_spike"}},
	{KindTokenSurge, "input and output tokens x factor; duration and cost follow", 8, 10 * time.Minute, "total_tokens", []string{"token_usage_spike"}},
	{KindCostSurge, "cost x factor, tokens unchanged", 20, 10 * time.Minute, "cost_usd", []string{"cost_anomaly"}},
	{KindErrorBurst, "share of failing calls = factor", .6, 5 * time.Minute, "error_rate", []string{"error_rate_increase"}},
	{KindSilence, "no calls", 0, 20 * time.Minute, "throughput", []string{"throughput_degradation"}},
	{KindThroughputDrop, "request rate x factor", .15, 20 * time.Minute, "throughput", []string{"throughput_degradation"}},
	{KindThroughputSurge, "request rate x factor", 6, 20 * time.Minute, "throughput", []string{"throughput_surge", "throughput_spike", "throughput_degradation"}},
	{KindDrift, "output tokens grow evenly to x factor over the whole length; duration and cost follow", 3, time.Hour, "output_tokens", []string{"output_drift", "concept_drift", "token_usage_spike", "latency_spike", "cost_anomaly"}},
	{KindQualityDrop, "scores of the evaluator relevance x factor; the series carries them all the time", .7, 20 * time.Minute, "evaluation.relevance.score", []string{"quality_degradation"}},
	{KindHallucination, "share of calls that the evaluator hallucination labels hallucinated = factor, 2 % at other times", .5, 20 * time.Minute, "evaluation.hallucination.failure_rate", []string{"hallucination"}},
	{KindPromptInjection, "share of calls with sentinel.prompt_injection.score .97 = factor", .2, 10 * time.Minute, "prompt_injection_score", []string{"security_threat"}},
	{KindRefusalBurst, "share of calls that end with content_filter = factor", .5, 10 * time.Minute, "refusal_rate", []string{"security_threat"}},
	{KindAgentLoop, "share of calls followed by the same tool call in one conversation = factor", 1, 10 * time.Minute, "agent_loop", []string{"cost_anomaly"}},
	{KindInputDrift, "input tokens x factor, output tokens as before; time to first token and cost follow", 2.5, time.Hour, "input_tokens", []string{"input_drift"}},
	{KindVerbosity, "output tokens x factor at the same input; duration and cost follow", 2, time.Hour, "output_tokens", []string{"concept_drift", "output_drift"}},
	{KindRefusalSurge, "share of answers cut off by the content filter = factor", .3, time.Hour, "finish_reason", []string{"output_drift"}},
	{KindTopicDrift, "prompts and answers about another subject; seen only with texts in the spans", 1, time.Hour, "prompt", []string{"embedding_drift"}},
}

// isShare reports whether the factor of the kind is a share of calls.
func (k Kind) isShare() bool {
	switch k {
	case KindErrorBurst, KindHallucination, KindPromptInjection, KindRefusalBurst, KindRefusalSurge, KindAgentLoop, KindTopicDrift:
		return true
	}
	return false
}

// Kinds lists all kinds with their defaults.
func Kinds() []KindInfo { return slices.Clone(kinds) }

func kindInfo(k Kind) (KindInfo, error) {
	names := make([]string, len(kinds))
	for i, info := range kinds {
		if info.Kind == k {
			return info, nil
		}
		names[i] = string(info.Kind)
	}
	return KindInfo{}, fmt.Errorf("incident kind must be one of %s, got %q", strings.Join(names, ", "), k)
}

// Incident is a labelled change of one series. A call is affected when it
// starts in [Start, End).
type Incident struct {
	ID       string    `json:"id"`
	Kind     Kind      `json:"kind"`
	Service  string    `json:"service"`
	Model    string    `json:"model"`
	Metric   string    `json:"metric"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Factor   float64   `json:"factor"`
	Expected []string  `json:"expected"`
}

// strength is the factor at unix nanosecond t: the ramp of a drift, else the
// factor itself.
func (in *Incident) strength(t int64) float64 {
	if in.Kind != KindDrift {
		return in.Factor
	}
	s, e := in.Start.UnixNano(), in.End.UnixNano()
	return 1 + (in.Factor-1)*float64(t-s)/float64(max(e-s, 1))
}

func (in *Incident) validate() error {
	var errs []error
	if in.Service == "" || in.Model == "" {
		errs = append(errs, errors.New("incident needs service and model"))
	}
	if !in.Start.Before(in.End) {
		errs = append(errs, fmt.Errorf("incident end must be after start, got %s .. %s", in.Start, in.End))
	}
	if in.Factor < 0 || in.Factor > 1e6 {
		errs = append(errs, fmt.Errorf("incident factor must be in 0..1e6, got %v", in.Factor))
	}
	if in.Kind.isShare() && in.Factor > 1 {
		errs = append(errs, fmt.Errorf("factor of %s must be in 0..1, got %v", in.Kind, in.Factor))
	}
	return errors.Join(errs...)
}

// SeriesKey names a series by service and model.
type SeriesKey struct{ Service, Model string }

// Schedule places one incident of each kind in the second half of the run, on
// different series in the order given; with more incidents than series but
// one, series are used again later. The last series stays untouched. Lengths
// shrink in short runs so that incidents on the same series cannot overlap.
func Schedule(list []Kind, series []SeriesKey, start time.Time, length time.Duration) ([]Incident, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(series) == 0 {
		return nil, errors.New("incidents need at least one series")
	}
	usable := series[:max(len(series)-1, 1)]
	half := length / 2
	rounds := (len(list) + len(usable) - 1) / len(usable)
	slot := half / time.Duration(rounds)
	out := make([]Incident, 0, len(list))
	for i, k := range list {
		info, err := kindInfo(k)
		if err != nil {
			return nil, err
		}
		round, pos := i/len(usable), i%len(usable)
		inRound := min(len(usable), len(list)-round*len(usable))
		// Onsets spread over the first half of the slot.
		offset := slot / 10
		if inRound > 1 {
			offset += slot * 2 / 5 * time.Duration(pos) / time.Duration(inRound-1)
		}
		at := start.Add(half + time.Duration(round)*slot + offset)
		l := min(info.Length, slot*2/5)
		out = append(out, Incident{
			ID: fmt.Sprintf("inc-%02d-%s", i+1, k), Kind: k, Service: usable[pos].Service, Model: usable[pos].Model, Metric: info.Metric,
			Start: at.UTC(), End: at.Add(l).UTC(), Factor: info.Factor, Expected: info.Expected,
		})
	}
	return out, nil
}

// ParseKinds reads a comma-separated list of kinds; "all" stands for every
// kind, "none" and "" for no incident.
func ParseKinds(text string) ([]Kind, error) {
	switch text {
	case "", "none":
		return nil, nil
	case "all":
		out := make([]Kind, len(kinds))
		for i := range kinds {
			out[i] = kinds[i].Kind
		}
		return out, nil
	}
	var out []Kind
	for _, s := range strings.Split(text, ",") {
		k := Kind(strings.TrimSpace(s))
		if _, err := kindInfo(k); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// ReadIncidents reads an incident file: JSON lines with kind, service, model,
// at (offset from the start of the run, for example "1h20m"), and optionally
// id, length and factor. Empty lines and lines that begin with # are skipped.
func ReadIncidents(r io.Reader, name string, start time.Time) ([]Incident, error) {
	sc := bufio.NewScanner(r)
	var out []Incident
	for line := 1; sc.Scan(); line++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		in, err := parseIncident(text, start)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if in.ID == "" {
			in.ID = fmt.Sprintf("inc-%02d-%s", len(out)+1, in.Kind)
		}
		out = append(out, in)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

func parseIncident(text string, start time.Time) (Incident, error) {
	var f struct {
		ID, Service, Model string
		Kind               Kind
		At, Length         string
		Factor             *float64
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Incident{}, err
	}
	info, err := kindInfo(f.Kind)
	if err != nil {
		return Incident{}, err
	}
	at, err := time.ParseDuration(f.At)
	if err != nil || at < 0 {
		return Incident{}, fmt.Errorf("at must be a duration of 0 or above, got %q", f.At)
	}
	length := info.Length
	if f.Length != "" {
		if length, err = time.ParseDuration(f.Length); err != nil {
			return Incident{}, fmt.Errorf("length must be a duration, got %q", f.Length)
		}
	}
	factor := info.Factor
	if f.Factor != nil {
		factor = *f.Factor
	}
	in := Incident{
		ID: f.ID, Kind: f.Kind, Service: f.Service, Model: f.Model, Metric: info.Metric,
		Start: start.Add(at).UTC(), End: start.Add(at + length).UTC(), Factor: factor, Expected: info.Expected,
	}
	return in, in.validate()
}
