package influxdbexporter

import (
	"encoding/hex"
	"hash/maphash"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// reason says why a point was dropped or a request failed. The texts are label
// values.
type reason string

// Reasons for which a point never reaches a request.
const (
	reasonNone        reason = ""
	reasonNoTime      reason = "no_time"
	reasonCrowded     reason = "crowded"
	reasonTooLarge    reason = "too_large"
	reasonUndecodable reason = "undecodable"
	reasonInvalid     reason = "invalid"
)

// schema turns events and anomalies into lines. It is shared by all pushes and
// safe for concurrent use; lines are written with the encoder of the caller.
type schema struct {
	telemetryName, anomalyName string
	eventTags, eventFields     []dim[genai.Event]
	anomalyTags, anomalyFields []dim[anomaly.Anomaly]
	guard                      *seriesGuard
	stamper                    *stamper
	seed                       maphash.Seed
}

func newSchema(c *Config) *schema {
	s := &schema{
		telemetryName: c.Measurements.Telemetry, anomalyName: c.Measurements.Anomaly,
		guard: newSeriesGuard(c.MaxSeries, c.SeriesIdleTimeout), stamper: newStamper(), seed: maphash.MakeSeed(),
	}
	s.eventTags, s.eventFields = splitDims(telemetryDims, c.Tags.Telemetry, telemetryDim)
	s.anomalyTags, s.anomalyFields = splitDims(anomalyDims, c.Tags.Anomaly, anomalyDim)
	return s
}

// line is the encoder of one payload and what it needs to write without
// allocating.
type line struct {
	enc     lineprotocol.Encoder
	scratch []byte
}

// newLine makes an encoder that trusts its caller: names of the configuration
// are validated, tag values are cleaned and tags sorted before they arrive here,
// and checking again would cost a fifth of the time.
func newLine() line {
	var l line
	l.enc.SetLax(true)
	return l
}

// written describes the line that was added.
type written struct {
	// dropped is set when no line was added.
	dropped reason
	// overflow says that tag values were replaced.
	overflow bool
}

// event adds the line of e.
func (s *schema) event(l *line, e *genai.Event) written {
	at := e.Time().UnixNano()
	if e.End == 0 && e.Start == 0 {
		return written{dropped: reasonNoTime}
	}
	mark := len(l.enc.Bytes())
	lv, key := startLine(s, l, s.telemetryName, s.eventTags, e)
	at, ok := s.stamper.stamp(maphash.Bytes(s.seed, key), at, e.ID)
	if !ok {
		return l.undo(mark, reasonCrowded)
	}

	l.float("latency_ms", e.LatencyMillis, e.Has(genai.FieldLatency))
	l.int("prompt_tokens", e.InputTokens, e.Has(genai.FieldInputTokens))
	l.int("response_tokens", e.OutputTokens, e.Has(genai.FieldOutputTokens))
	l.int("total_tokens", e.TotalTokens, e.Has(genai.FieldTotalTokens))
	l.int("cache_read_tokens", e.CacheReadTokens, e.Has(genai.FieldCacheReadTokens))
	l.int("cache_write_tokens", e.CacheWriteTokens, e.Has(genai.FieldCacheWriteTokens))
	l.int("reasoning_tokens", e.ReasoningTokens, e.Has(genai.FieldReasoningTokens))
	l.float("cost_usd", e.CostUSD, e.Has(genai.FieldCost))
	l.float("ttft_ms", e.TTFTMillis, e.Has(genai.FieldTTFT))
	l.int("has_errors", flag(e.Failed), true)
	l.uuid("event_id", e.ID)
	if !e.TraceID.IsEmpty() {
		l.hex("trace_id", e.TraceID[:])
	}
	if !e.SpanID.IsEmpty() {
		l.hex("span_id", e.SpanID[:])
	}
	if !e.ParentSpanID.IsEmpty() {
		l.hex("parent_span_id", e.ParentSpanID[:])
	}
	for i := range s.eventFields {
		l.text(s.eventFields[i].name, s.eventFields[i].get(e))
	}
	l.text("user_id", e.User)
	l.text("session_id", e.Conversation)
	l.text("tenant_id", e.Tenant)
	l.text("agent_name", e.Agent)
	l.text("response_id", e.ResponseID)
	l.text("error_type", e.ErrorType)
	l.text("error_message", e.ErrorMessage)
	return l.end(mark, at, lv)
}

// anomaly adds the line of a.
func (s *schema) anomaly(l *line, a *anomaly.Anomaly) written {
	at := a.Time.UnixNano()
	if at <= 0 {
		return written{dropped: reasonNoTime}
	}
	mark := len(l.enc.Bytes())
	lv, key := startLine(s, l, s.anomalyName, s.anomalyTags, a)
	at, ok := s.stamper.stamp(maphash.Bytes(s.seed, key), at, a.ID)
	if !ok {
		return l.undo(mark, reasonCrowded)
	}

	l.float("confidence", a.Confidence, true)
	l.float("value", a.Details.Value, true)
	l.float("baseline", a.Details.Baseline, true)
	l.float("threshold", a.Details.Threshold, true)
	l.float("deviation_sigma", a.Details.DeviationSigma, true)
	l.int("sample_count", int64(a.Context.SampleCount&(1<<63-1)), true)
	l.uuid("alert_id", a.ID)
	l.text("event_id", a.Context.EventID)
	l.text("trace_id", a.Context.TraceID)
	l.text("span_id", a.Context.SpanID)
	l.text("user_id", a.Context.UserID)
	for i := range s.anomalyFields {
		l.text(s.anomalyFields[i].name, s.anomalyFields[i].get(a))
	}
	l.text("time_window", a.Context.TimeWindow)
	if len(a.Details.Methods) > 1 {
		names := make([]string, len(a.Details.Methods))
		for i, m := range a.Details.Methods {
			names[i] = string(m)
		}
		l.text("methods", strings.Join(names, ","))
	}
	l.text("root_cause", a.RootCause)
	l.text("runbook_url", a.RunbookURL)
	return l.end(mark, at, lv)
}

// startLine writes measurement and tags, with as many tag values as the series
// guard admits. The returned key, the measurement and tags as written, is valid
// until the next write.
func startLine[T any](s *schema, l *line, measurement string, tags []dim[T], v *T) (level, []byte) {
	mark := len(l.enc.Bytes())
	for lv := levelFull; ; lv++ {
		l.enc.StartLine(measurement)
		for i := range tags {
			value := tags[i].get(v)
			if lv == levelAll && tags[i].name != dimSeverity || lv == levelModel && tags[i].name == dimModel {
				value = overflowValue
			}
			if value = cleanTag(value); value != "" {
				l.enc.AddTag(tags[i].name, value)
			}
		}
		key := l.enc.Bytes()[mark:]
		if s.guard.admit(key, lv) || lv == levelAll {
			return lv, key
		}
		l.enc.SetBuffer(l.enc.Bytes()[:mark])
	}
}

// end closes the line that began at mark. A line that the encoder refused is
// taken back; by construction there is none.
func (l *line) end(mark int, nanos int64, lv level) written {
	l.enc.EndLine(time.Unix(0, nanos))
	if l.enc.Err() != nil {
		return l.undo(mark, reasonInvalid)
	}
	return written{overflow: lv != levelFull}
}

func (l *line) undo(mark int, why reason) written {
	l.enc.SetBuffer(l.enc.Bytes()[:mark])
	return written{dropped: why}
}

func (l *line) int(key string, v int64, known bool) {
	if known {
		l.enc.AddField(key, lineprotocol.IntValue(v))
	}
}

func (l *line) float(key string, v float64, known bool) {
	if !known {
		return
	}
	// NaN and the infinities have no form in line protocol: no field.
	if value, ok := lineprotocol.FloatValue(v); ok {
		l.enc.AddField(key, value)
	}
}

func (l *line) text(key, v string) {
	if v == "" {
		return
	}
	l.scratch = append(l.scratch[:0], cleanText(v)...)
	l.bytes(key)
}

func (l *line) hex(key string, id []byte) {
	l.scratch = hex.AppendEncode(l.scratch[:0], id)
	l.bytes(key)
}

func (l *line) uuid(key string, id uuid.UUID) {
	b := l.scratch[:0]
	for i, part := range [...][]byte{id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	l.scratch = b
	l.bytes(key)
}

// bytes adds the string field that lies in scratch.
func (l *line) bytes(key string) {
	if value, err := lineprotocol.NewValueFromBytes(lineprotocol.String, l.scratch); err == nil {
		l.enc.AddField(key, value)
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
