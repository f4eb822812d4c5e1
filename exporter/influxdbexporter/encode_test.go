package influxdbexporter

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func testLine() *line {
	l := newLine()
	return &l
}

func fullEvent() genai.Event {
	return genai.Event{
		ID:      uuid.MustParse("6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"),
		TraceID: pcommon.TraceID{1, 2, 3}, SpanID: pcommon.SpanID{4, 5}, ParentSpanID: pcommon.SpanID{6},
		Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)), End: pcommon.NewTimestampFromTime(at),
		Service: "chat-api", Environment: "prod", Region: "eu-west-1", Tenant: "t1", Operation: "chat", Provider: "openai",
		RequestModel: "gpt-4", ResponseModel: "gpt-4-0613", ResponseID: "resp-1", FinishReason: "stop", Conversation: "s1", User: "u1", Agent: "planner",
		Present: genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCacheReadTokens |
			genai.FieldCacheWriteTokens | genai.FieldReasoningTokens | genai.FieldCost | genai.FieldTTFT | genai.FieldLatency,
		InputTokens: 120, OutputTokens: 340, TotalTokens: 460, CacheReadTokens: 20, CacheWriteTokens: 5, ReasoningTokens: 100,
		CostUSD: 0.024, TTFTMillis: 210.5, LatencyMillis: 812.5,
	}
}

// TestGoldenLines compares with testdata/lines/<case>.txt. UPDATE_GOLDEN=1
// writes these files and fails.
func TestGoldenLines(t *testing.T) {
	event := func(edit func(*genai.Event)) func(*schema, *line) written {
		return func(s *schema, l *line) written {
			e := fullEvent()
			edit(&e)
			return s.event(l, &e)
		}
	}
	found := func(edit func(*anomaly.Anomaly)) func(*schema, *line) written {
		return func(s *schema, l *line) written {
			a := finding(1)
			edit(&a)
			return s.anomaly(l, &a)
		}
	}
	for _, c := range []struct {
		name   string
		config func(*Config)
		write  func(*schema, *line) written
	}{
		{name: "event_full", write: event(func(*genai.Event) {})},
		{name: "event_least", write: event(func(e *genai.Event) {
			*e = genai.Event{ID: e.ID, End: e.End}
		})},
		{name: "event_without_end", write: event(func(e *genai.Event) {
			e.End = 0
			e.Present &^= genai.FieldLatency
		})},
		{name: "event_failed", write: event(func(e *genai.Event) {
			e.Failed, e.ErrorType, e.ErrorMessage = true, "rate_limit", "429: \"slow down\"\nretry\tlater\\"
		})},
		{name: "event_zero_is_not_missing", write: event(func(e *genai.Event) {
			e.Present = genai.FieldCost | genai.FieldOutputTokens
			e.CostUSD, e.OutputTokens = 0, 0
		})},
		{name: "event_not_a_number", write: event(func(e *genai.Event) {
			e.CostUSD, e.TTFTMillis, e.LatencyMillis = math.NaN(), math.Inf(1), math.Inf(-1)
		})},
		{name: "event_odd_tags", write: event(func(e *genai.Event) {
			e.Service, e.ResponseModel, e.Environment = "a b,c=d", "x\ny\x00\xffz", `c:\`
		})},
		{name: "event_few_tags", config: func(c *Config) { c.Tags.Telemetry = []string{"service"} }, write: event(func(*genai.Event) {})},
		{name: "event_no_tags", config: func(c *Config) { c.Tags.Telemetry = nil }, write: event(func(*genai.Event) {})},
		{name: "event_named", config: func(c *Config) { c.Measurements.Telemetry = "LLM calls" }, write: event(func(*genai.Event) {})},
		{name: "anomaly_full", write: found(func(a *anomaly.Anomaly) {
			a.Details.Methods = []anomaly.Method{anomaly.MethodZScore, anomaly.MethodIQR}
			a.Context.EventID, a.Context.TraceID, a.Context.SpanID = "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", "0102", "03"
			a.Context.UserID, a.Context.Region = "u1", "eu-west-1"
			a.RootCause, a.RunbookURL = "provider slow", "https://example.com/runbook"
		})},
		{name: "anomaly_unknown_numbers", write: found(func(a *anomaly.Anomaly) {
			a.Details = anomaly.Details{Metric: "latency_ms", Value: math.NaN(), Baseline: math.NaN(), Threshold: math.NaN(), DeviationSigma: math.NaN()}
			a.Confidence = math.NaN()
		})},
		{name: "anomaly_custom_type", write: found(func(a *anomaly.Anomaly) { a.Type = "my own type" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			if c.config != nil {
				c.config(cfg)
			}
			l := testLine()
			w := c.write(newSchema(cfg), l)
			require.Equal(t, written{}, w)
			got := string(l.enc.Bytes())
			file := filepath.Join("testdata", "lines", c.name+".txt")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				t.Error("golden file written")
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
			assert.Equal(t, 1, decodable(t, l.enc.Bytes()))
		})
	}
}

// decodable counts the lines of a payload and fails when one cannot be read.
func decodable(t *testing.T, payload []byte) int {
	t.Helper()
	d := lineprotocol.NewDecoderWithBytes(payload)
	n := 0
	for d.Next() {
		_, err := d.Measurement()
		require.NoError(t, err)
		for {
			k, _, err := d.NextTag()
			require.NoError(t, err)
			if k == nil {
				break
			}
		}
		for {
			k, _, err := d.NextField()
			require.NoError(t, err)
			if k == nil {
				break
			}
		}
		_, err = d.Time(lineprotocol.Nanosecond, time.Time{})
		require.NoError(t, err)
		n++
	}
	return n
}

func TestPointsWithoutTimeAreNotWritten(t *testing.T) {
	s, l := newSchema(createDefaultConfig().(*Config)), testLine()
	assert.Equal(t, reasonNoTime, s.event(l, &genai.Event{}).dropped)
	a := finding(1)
	a.Time = time.Time{}
	assert.Equal(t, reasonNoTime, s.anomaly(l, &a).dropped)
	assert.Empty(t, l.enc.Bytes())
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	s, l := newSchema(createDefaultConfig().(*Config)), testLine()
	e := fullEvent()
	e.Failed, e.ErrorMessage = true, strings.Repeat("é", maxFieldBytes)
	e.ResponseModel = "x" + strings.Repeat("é", maxTagBytes)
	require.Equal(t, written{}, s.event(l, &e))
	assert.Equal(t, 1, decodable(t, l.enc.Bytes()))
	text := string(l.enc.Bytes())
	assert.Contains(t, text, `error_message="`+strings.Repeat("é", maxFieldBytes/2)+`"`)
	assert.Contains(t, text, "model=x"+strings.Repeat("é", maxTagBytes/2-1)+",")
}

func TestCleanTag(t *testing.T) {
	for in, want := range map[string]string{
		"":         "",
		"gpt-4":    "gpt-4",
		"ünï":      "ünï",
		"a\tb\x7f": "a b ",
		"\xff\xfe": "\uFFFD\uFFFD",
		`a\b`:      `a\b`,
		`a\\`:      `a/`,
		"ü\\":      "ü/",
		"ü\n":      "ü ",
	} {
		assert.Equal(t, want, cleanTag(in), "%q", in)
	}
}

func TestModelsBeyondTheLimitOverflow(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.MaxSeries = 100
	s := newSchema(cfg)
	sets := map[string]bool{}
	overflowed := 0
	for i := range 1000 {
		for range 2 { // the second time it is known, or not admitted again
			l := testLine()
			e := fullEvent()
			e.ResponseModel = fmt.Sprintf("model-%d", i)
			w := s.event(l, &e)
			require.Empty(t, w.dropped)
			if w.overflow {
				overflowed++
			}
			sets[tagSet(l)] = true
		}
	}
	assert.LessOrEqual(t, len(sets), cfg.MaxSeries)
	assert.True(t, sets["telemetry,environment=prod,model=__overflow__,operation=chat,provider=openai,service=chat-api"], "the service stays visible")
	assert.Equal(t, 2*(1000-85), overflowed)
	assert.Equal(t, len(sets), s.guard.len())
}

func TestServicesBeyondTheLimitOverflow(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.MaxSeries = 100
	s := newSchema(cfg)
	sets := map[string]bool{}
	for i := range 1000 {
		l := testLine()
		e := fullEvent()
		e.Service = fmt.Sprintf("service-%d", i)
		s.event(l, &e)
		sets[tagSet(l)] = true
		l = testLine()
		a := finding(i)
		a.Service, a.Severity = e.Service, anomaly.Severities()[i%4]
		s.anomaly(l, &a)
		sets[tagSet(l)] = true
	}
	assert.LessOrEqual(t, len(sets), cfg.MaxSeries)
	assert.True(t, sets["telemetry,environment=__overflow__,model=__overflow__,operation=__overflow__,provider=__overflow__,service=__overflow__"])
	for _, sev := range anomaly.Severities() {
		assert.True(t, sets["anomaly,method=__overflow__,model=__overflow__,service=__overflow__,severity="+sev.String()+",type=__overflow__"])
	}
}

func tagSet(l *line) string {
	set, _, _ := strings.Cut(string(l.enc.Bytes()), " ")
	return set
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	s, l := newSchema(createDefaultConfig().(*Config)), testLine()
	e := fullEvent()
	got := testing.AllocsPerRun(1000, func() {
		l.enc.SetBuffer(l.enc.Bytes()[:0])
		s.event(l, &e)
	})
	assert.Zero(t, got, "the same event again")
}

// FuzzEncode: whatever the texts are, the line is one line and its values are
// those that the cleaning promises.
func FuzzEncode(f *testing.F) {
	f.Add("chat-api", "gpt-4", "message")
	f.Add("a b,c=d\\", "\xff\x00\n", "line\nbreak \"quoted\" \\")
	f.Add("", strings.Repeat("é", maxTagBytes), strings.Repeat("\\", maxFieldBytes))
	f.Fuzz(func(t *testing.T, service, model, text string) {
		s, l := newSchema(createDefaultConfig().(*Config)), testLine()
		e := fullEvent()
		e.Service, e.ResponseModel, e.ErrorMessage = service, model, text
		require.Equal(t, written{}, s.event(l, &e))
		a := finding(1)
		a.Service, a.Type, a.RootCause = service, anomaly.Type(model), text
		require.Equal(t, written{}, s.anomaly(l, &a))

		d := lineprotocol.NewDecoderWithBytes(l.enc.Bytes())
		for _, want := range []string{"telemetry", "anomaly"} {
			require.True(t, d.Next())
			name, err := d.Measurement()
			require.NoError(t, err)
			require.Equal(t, want, string(name))
			tags := map[string]string{}
			for {
				k, v, err := d.NextTag()
				require.NoError(t, err)
				if k == nil {
					break
				}
				tags[string(k)] = string(v)
			}
			require.Equal(t, cleanTag(service), tags["service"])
			for {
				k, v, err := d.NextField()
				require.NoError(t, err)
				if k == nil {
					break
				}
				if string(k) == "error_message" || string(k) == "root_cause" {
					require.Equal(t, cleanText(text), v.StringV())
				}
			}
		}
		require.False(t, d.Next())
	})
}
