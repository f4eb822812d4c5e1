package llmtraffic

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sort"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// LatencyMode says what to do with traces that hold no latency.
type LatencyMode string

// The modes.
const (
	// LatencyModel derives latency and TTFT from the token counts with a fitted
	// speed profile; the truth file marks such rows "model".
	LatencyModel LatencyMode = "model"
	// LatencyNone sends spans without an end, which means "not known"; the
	// event time is then the start.
	LatencyNone LatencyMode = "none"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *LatencyMode) UnmarshalText(text []byte) error {
	switch v := LatencyMode(text); v {
	case LatencyModel, LatencyNone:
		*m = v
		return nil
	default:
		return fmt.Errorf("latency must be model or none, got %q", text)
	}
}

// ReplayOptions say how rows become calls.
type ReplayOptions struct {
	// Service, Provider and Model name the calls; empty ones are derived from
	// the format and the file name.
	Service, Provider, Model string
	Format                   Format
	Latency                  LatencyMode
	// Profile is the speed profile of LatencyModel; default anyscale_70b.
	Profile string
	Seed    uint64
	// MaxRows bounds the rows of one file; default 5 000 000.
	MaxRows int
}

// ReplayTruth is one request in the truth file of a replay.
type ReplayTruth struct {
	EventID string `json:"event_id"`
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Service string `json:"service"`
	Model   string `json:"model"`
	// Start and End are event times; End is absent when the latency is not known.
	Start        time.Time  `json:"start"`
	End          *time.Time `json:"end,omitempty"`
	InputTokens  int64      `json:"input_tokens"`
	OutputTokens int64      `json:"output_tokens"`
	// LatencySource is file, model or none.
	LatencySource string   `json:"latency_source"`
	LatencyMillis *float64 `json:"latency_ms,omitempty"`
	TTFTMillis    *float64 `json:"ttft_ms,omitempty"`
	ErrorType     string   `json:"error_type,omitempty"`
}

// Replay holds the calls of trace files in the order of their event time.
type Replay struct {
	calls    []Call
	info     []rowInfo
	relative bool
	pos      int
}

type rowInfo struct {
	file   string
	line   int
	source string
}

// Load reads one trace and adds its calls. All files of a replay share one
// clock, so that they are moved together.
func (p *Replay) Load(r io.Reader, name string, o ReplayOptions) error {
	if o.MaxRows <= 0 {
		o.MaxRows = 5_000_000
	}
	if o.Profile == "" {
		o.Profile = "anyscale_70b"
	}
	if o.Latency == "" {
		o.Latency = LatencyModel
	}
	table := Parameters()
	speed := table.Speed(o.Profile)
	if speed.Name == "" {
		return fmt.Errorf("speed profile %q is not known", o.Profile)
	}
	base := filepath.Base(name)
	r, format, err := resolveFormat(r, base, o.Format)
	if err != nil {
		return err
	}
	o.Format = format
	svc, model := replayNames(base, &o)
	count := 0
	for row, err := range ReadTrace(r, base, o.Format) {
		if err != nil {
			return err
		}
		if count++; count > o.MaxRows {
			return fmt.Errorf("%s:%d: more than %d rows", base, row.Line, o.MaxRows)
		}
		if len(p.calls) > 0 && row.Relative != p.relative {
			return fmt.Errorf("%s: traces with dates and traces without cannot be replayed together", base)
		}
		c, source := replayCall(base, &row, &o, speed, table.PrefillShare())
		c.Service, c.Model = svc, model
		p.calls = append(p.calls, c)
		p.info = append(p.info, rowInfo{base, row.Line, source})
		p.relative = row.Relative
	}
	if count == 0 {
		return fmt.Errorf("%s: no rows", base)
	}
	sort.Stable(byTime{p})
	return nil
}

// replayNames settles the resource and the model of a file.
func replayNames(base string, o *ReplayOptions) (*Service, *Model) {
	provider, model := traceModel(base, o.Format)
	service := "replay-" + string(o.Format)
	if o.Service != "" {
		service = o.Service
	}
	if o.Provider != "" {
		provider = o.Provider
	}
	if o.Model != "" {
		model = o.Model
	}
	return &Service{Name: service, Environment: "replay"}, &Model{Name: model, Response: model, Provider: provider}
}

func replayCall(base string, row *Row, o *ReplayOptions, speed SpeedProfile, prefill float64) (Call, string) {
	c := Call{
		Start: row.Start.UnixNano(), Input: row.InputTokens, Output: row.OutputTokens, Cost: -1, ErrorType: row.ErrorType,
		FinishReason: "stop", Incident: -1,
	}
	// Ids depend only on the file's name and the row, so that each request can
	// be looked up and a second replay stores nothing twice.
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], uint64(row.Index))
	sum := sha256.Sum256(append([]byte(base+"\x00"), key[:]...))
	copy(c.TraceID[:], sum[:16])
	copy(c.SpanID[:], sum[16:24])

	latency, ttft, source := row.Latency, row.TTFT, "file"
	switch {
	case row.ErrorType != "":
		c.FinishReason, c.Output = "", -1
		if latency == 0 {
			source = "none"
		}
	case latency > 0:
	case o.Latency == LatencyModel:
		rng := rand.New(rand.NewPCG(o.Seed, binary.BigEndian.Uint64(sum[24:])))
		first := speed.TTFTMedian * math.Exp(speed.TTFTSigma*rng.NormFloat64()) * (1 + prefill*(float64(row.InputTokens)/ReferenceInputTokens-1))
		rest := float64(max(row.OutputTokens-1, 0)) * speed.TPOTMedian * math.Exp(speed.TPOTSigma*rng.NormFloat64())
		latency, ttft, source = min(seconds(first+rest), maxLatency), min(seconds(first), maxLatency), "model"
	default:
		source = "none"
	}
	if source != "none" {
		c.End = c.Start + int64(latency)
	}
	if ttft > 0 {
		c.TTFT, c.Stream = int64(ttft), true
	}
	return c, source
}

type byTime struct{ *Replay }

func (b byTime) Len() int           { return len(b.calls) }
func (b byTime) Less(i, j int) bool { return b.calls[i].Time() < b.calls[j].Time() }
func (b byTime) Swap(i, j int) {
	b.calls[i], b.calls[j] = b.calls[j], b.calls[i]
	b.info[i], b.info[j] = b.info[j], b.info[i]
}

// Len is the number of calls.
func (p *Replay) Len() int { return len(p.calls) }

// Span returns the first and the last event time.
func (p *Replay) Span() (first, last time.Time) {
	if len(p.calls) == 0 {
		return time.Time{}, time.Time{}
	}
	return time.Unix(0, p.calls[0].Time()).UTC(), time.Unix(0, p.calls[len(p.calls)-1].Time()).UTC()
}

var errRelative = errors.New("the trace holds no dates: original times cannot be kept")

// CheckOriginal reports whether the times of the files can be kept.
func (p *Replay) CheckOriginal() error {
	if p.relative {
		return errRelative
	}
	return nil
}

// MoveTo shifts all event times so that the first one is at start.
func (p *Replay) MoveTo(start time.Time) {
	first, _ := p.Span()
	p.shift(start.UnixNano() - first.UnixNano())
}

// MoveEndTo shifts all event times so that the last one is at end.
func (p *Replay) MoveEndTo(end time.Time) {
	_, last := p.Span()
	p.shift(end.UnixNano() - last.UnixNano())
}

func (p *Replay) shift(d int64) {
	for i := range p.calls {
		p.calls[i].Start += d
		if p.calls[i].End != 0 {
			p.calls[i].End += d
		}
	}
}

// Next implements [Source].
func (p *Replay) Next(c *Call) bool {
	if p.pos >= len(p.calls) {
		return false
	}
	*c = p.calls[p.pos]
	p.pos++
	return true
}

// Truth returns what a store must hold after the replay, in sending order.
func (p *Replay) Truth() []ReplayTruth {
	out := make([]ReplayTruth, len(p.calls))
	for i := range p.calls {
		c, in := &p.calls[i], &p.info[i]
		t := ReplayTruth{
			EventID: genai.NewEventID(c.TraceID, c.SpanID).String(), TraceID: c.TraceID.String(), SpanID: c.SpanID.String(),
			File: in.file, Line: in.line, Service: c.Service.Name, Model: c.Model.Name, Start: time.Unix(0, c.Start).UTC(),
			InputTokens: c.Input, OutputTokens: max(c.Output, 0), LatencySource: in.source, ErrorType: c.ErrorType,
		}
		if c.End != 0 {
			end, ms := time.Unix(0, c.End).UTC(), float64(c.End-c.Start)/1e6
			t.End, t.LatencyMillis = &end, &ms
		}
		if c.TTFT > 0 {
			ms := float64(c.TTFT) / 1e6
			t.TTFTMillis = &ms
		}
		out[i] = t
	}
	return out
}

// MarshalText implements encoding.TextMarshaler.
func (m LatencyMode) MarshalText() ([]byte, error) { return []byte(m), nil }
