package line

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// TestGoldenLines compares with testdata/lines/<case>.txt. UPDATE_GOLDEN=1
// writes these files and fails.
func TestGoldenLines(t *testing.T) {
	event := func(edit func(*genai.Event)) func(*Schema, *Buffer) Written {
		return func(s *Schema, b *Buffer) Written {
			e := usualEvent()
			edit(&e)
			return s.Event(b, &e)
		}
	}
	found := func(a anomaly.Anomaly) func(*Schema, *Buffer) Written {
		return func(s *Schema, b *Buffer) Written { return s.Anomaly(b, &a) }
	}
	custom := someAnomaly(1)
	custom.Type = "my own type"
	for _, c := range []struct {
		name    string
		options func(*Options)
		write   func(*Schema, *Buffer) Written
	}{
		{name: "event_usual", write: event(func(*genai.Event) {})},
		{name: "event_full", options: func(o *Options) { o.IncludeText = true }, write: event(func(e *genai.Event) { *e = fullEvent() })},
		{name: "event_without_text", write: event(func(e *genai.Event) { *e = fullEvent() })},
		{name: "event_least", write: event(func(e *genai.Event) {
			*e = genai.Event{ID: e.ID, End: e.End}
		})},
		{name: "event_without_end", write: event(func(e *genai.Event) {
			e.End, e.ResponseModel = 0, ""
			e.Present &^= genai.FieldLatency
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
		{name: "event_few_tags", options: func(o *Options) { o.TelemetryTags = []string{"service"} }, write: event(func(*genai.Event) {})},
		{name: "event_no_tags", options: func(o *Options) { o.TelemetryTags = nil }, write: event(func(*genai.Event) {})},
		{name: "event_named", options: func(o *Options) { o.Telemetry = "LLM calls, all" }, write: event(func(*genai.Event) {})},
		{name: "anomaly_full", write: found(fullAnomaly())},
		{name: "anomaly_unknown_numbers", write: found(unknown())},
		{name: "anomaly_custom_type", write: found(custom)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var edits []func(*Options)
			if c.options != nil {
				edits = append(edits, c.options)
			}
			var b Buffer
			w := c.write(NewSchema(testOptions(edits...)), &b)
			require.Equal(t, Written{}, w)
			got := string(b.Bytes())
			file := filepath.Join("testdata", "lines", c.name+".txt")
			if updateGolden() {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				t.Error("golden file written")
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
			assert.Len(t, parse(t, b.Bytes()), 1)
		})
	}
}

func TestPointsWithoutTimeAreNotWritten(t *testing.T) {
	s := NewSchema(testOptions())
	var b Buffer
	assert.Equal(t, ReasonNoTime, s.Event(&b, &genai.Event{}).Dropped)
	a := someAnomaly(1)
	a.Time = time.Time{}
	assert.Equal(t, ReasonNoTime, s.Anomaly(&b, &a).Dropped)
	assert.Empty(t, b.Bytes())
}

func TestThePointLiesNearTheTimeOfItsItem(t *testing.T) {
	s := NewSchema(testOptions())
	for i := range 5_000 {
		var b Buffer
		e := usualEvent()
		e.ID = id(i)
		require.Equal(t, Written{}, s.Event(&b, &e))
		point := parse(t, b.Bytes())[0]
		shift := point.nanos - at.UnixNano()
		require.Greater(t, shift, -ShiftBefore.Nanoseconds())
		require.Less(t, shift, ShiftAfter.Nanoseconds())
	}
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	s := NewSchema(testOptions(func(o *Options) { o.IncludeText, o.MaxTextBytes = true, 5001 }))
	var b Buffer
	e := fullEvent()
	e.ErrorMessage = strings.Repeat("é", maxFieldBytes)
	e.ResponseModel = "x" + strings.Repeat("é", maxTagBytes)
	e.PromptText = strings.Repeat("é", 2501)
	e.ResponseText = strings.Repeat("é", 2500)
	require.Equal(t, Written{Cut: true}, s.Event(&b, &e))
	p := parse(t, b.Bytes())[0]
	assert.Equal(t, strings.Repeat("é", maxFieldBytes/2), p.columns["error_message"])
	assert.Equal(t, "x"+strings.Repeat("é", maxTagBytes/2-1), p.columns["model"])
	assert.Equal(t, strings.Repeat("é", 2500), p.columns["prompt_text"])
	assert.Equal(t, strings.Repeat("é", 2500), p.columns["response_text"])
	e = fullEvent()
	assert.Equal(t, Written{}, s.Event(&b, &e), "the next line is not blamed")
}

func TestLargeMapsKeepWhatFits(t *testing.T) {
	s := NewSchema(testOptions())
	var b Buffer
	e := fullEvent()
	e.Metadata = map[string]string{"big": strings.Repeat("x", maxJSONBytes)}
	for i := range 10 {
		e.Metadata[strconv.Itoa(i)] = "kept"
	}
	require.Equal(t, Written{Cut: true}, s.Event(&b, &e))
	got := decodeEvents(t, b.Bytes())[0]
	assert.Len(t, got.Metadata, 10)
	a := fullAnomaly()
	a.Remediation = []string{"first", strings.Repeat("y", maxJSONBytes), "third"}
	b.Reset(nil)
	require.Equal(t, Written{Cut: true}, s.Anomaly(&b, &a))
	assert.Equal(t, []string{"first", "third"}, decodeAnomalies(t, b.Bytes())[0].Remediation)
}

func TestCleanTag(t *testing.T) {
	for in, want := range map[string]string{
		"":         "",
		"gpt-4":    "gpt-4",
		"ünï":      "ünï",
		"a\tb\x7f": "a b ",
		"\xff\xfe": "\uFFFD\uFFFD",
		`a\b`:      `a\b`,
		`a\\b`:     `a/\b`,
		`a\\`:      `a//`,
		`a\,b`:     `a/,b`,
		"ü\\":      "ü/",
		"ü\\\n":    "ü/ ",
	} {
		assert.Equal(t, want, CleanTag(in), "%q", in)
		assert.Equal(t, want, CleanTag(want), "clean is clean")
	}
}

func TestModelsBeyondTheLimitOverflow(t *testing.T) {
	s := NewSchema(testOptions(func(o *Options) { o.MaxSeries = 100 }))
	sets := map[string]bool{}
	overflowed := 0
	for i := range 1000 {
		for range 2 { // the second time it is known, or not admitted again
			var b Buffer
			e := usualEvent()
			e.ResponseModel = fmt.Sprintf("model-%d", i)
			w := s.Event(&b, &e)
			require.Empty(t, w.Dropped)
			if w.Overflow {
				overflowed++
			}
			sets[tagSet(&b)] = true
			require.Equal(t, e.ResponseModel, decodeEvents(t, b.Bytes())[0].ResponseModel, "a field keeps what the tag cannot")
		}
	}
	assert.LessOrEqual(t, len(sets), 100)
	assert.True(t, sets["telemetry,environment=prod,model=__overflow__,operation=chat,provider=openai,service=chat-api"], "the service stays visible")
	assert.Equal(t, 2*(1000-85), overflowed)
	assert.Equal(t, len(sets), s.Series())
}

func TestServicesBeyondTheLimitOverflow(t *testing.T) {
	s := NewSchema(testOptions(func(o *Options) { o.MaxSeries = 100 }))
	sets := map[string]bool{}
	for i := range 1000 {
		var b Buffer
		e := usualEvent()
		e.Service = fmt.Sprintf("service-%d", i)
		e.Provider = ""
		s.Event(&b, &e)
		sets[tagSet(&b)] = true
		require.Equal(t, e, decodeEvents(t, b.Bytes())[0])
		b = Buffer{}
		a := someAnomaly(i)
		a.Service, a.Severity = e.Service, anomaly.Severities()[i%4]
		s.Anomaly(&b, &a)
		sets[tagSet(&b)] = true
		require.Equal(t, a, decodeAnomalies(t, b.Bytes())[0])
	}
	assert.LessOrEqual(t, len(sets), 100)
	assert.True(t, sets["telemetry,environment=__overflow__,model=__overflow__,operation=__overflow__,provider=__overflow__,service=__overflow__"])
	for _, sev := range anomaly.Severities() {
		assert.True(t, sets["anomaly,method=__overflow__,model=__overflow__,service=__overflow__,severity="+sev.String()+",type=__overflow__"])
	}
}

func tagSet(b *Buffer) string {
	set, _, _ := strings.Cut(string(b.Bytes()), " ")
	return set
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	s := NewSchema(testOptions())
	var b Buffer
	e := usualEvent()
	got := testing.AllocsPerRun(1000, func() {
		b.Reset(nil)
		s.Event(&b, &e)
	})
	assert.Zero(t, got, "the same event again")
}

// BenchmarkEvent is one event to one line, 100 tag sets, ever new ids.
func BenchmarkEvent(b *testing.B) {
	s := NewSchema(testOptions())
	e := usualEvent()
	models := make([]string, 100)
	for i := range models {
		models[i] = fmt.Sprintf("model-%d", i)
	}
	var to Buffer
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		to.Reset(nil)
		e.ResponseModel = models[n%len(models)]
		e.ID[0], e.ID[1], e.ID[2] = byte(n), byte(n>>8), byte(n>>16)
		e.End += 100_000 // 10,000 events a second
		s.Event(&to, &e)
		n++
	}
	b.ReportMetric(float64(to.Len()), "B/line")
}
