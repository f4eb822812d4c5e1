package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// fullEvent has a value in every column.
func fullEvent() genai.Event {
	return genai.Event{
		ID: uuid.MustParse("6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"), TraceID: pcommon.TraceID{1, 15: 2}, SpanID: pcommon.SpanID{3}, ParentSpanID: pcommon.SpanID{4},
		Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)), End: pcommon.NewTimestampFromTime(at),
		Service: "chat, \"api\"\nsecond line", ResponseModel: "gpt-4o-2024-08-06", RequestModel: "gpt-4o", Provider: "openai", Operation: "chat",
		Environment: "prod", Region: "eu-west-1", Tenant: "t1", User: "u1", Conversation: "s1", Agent: "planner", ResponseID: "r1", FinishReason: "stop",
		Failed: true, ErrorType: "rate_limit", ErrorMessage: "429: slow down",
		Present: genai.FieldLatency | genai.FieldTTFT | genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens |
			genai.FieldCacheReadTokens | genai.FieldCacheWriteTokens | genai.FieldReasoningTokens | genai.FieldCost,
		LatencyMillis: 812.5, TTFTMillis: 0.1, InputTokens: 120, OutputTokens: 340, TotalTokens: 460,
		CacheReadTokens: 11, CacheWriteTokens: math.MaxInt64, ReasoningTokens: 7, CostUSD: 0.024,
		Metadata: map[string]string{"b": "2", "a": "1"}, PromptText: "Grüße,\n\"x\"", ResponseText: "42",
	}
}

func fullAnomaly() anomaly.Anomaly {
	return anomaly.Anomaly{
		ID: uuid.MustParse("0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11"), Time: at, Severity: anomaly.SeverityHigh, Type: "latency_spike",
		Service: "chat-api", Model: "gpt-4", Method: anomaly.MethodMAD, Confidence: 0.93,
		Details: anomaly.Details{
			Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: 5.4,
			Methods: []anomaly.Method{anomaly.MethodMAD, anomaly.MethodIQR}, Additional: map[string]float64{"q1": 1.5, "undefined": math.NaN()},
		},
		Context: anomaly.Context{
			TraceID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16), EventID: "e", UserID: "u1", Region: "eu",
			TimeWindow: "last_64_samples", SampleCount: math.MaxUint64, Additional: map[string]string{"operation": "chat"},
		},
		RootCause: "a cause", Remediation: []string{"do this", "then that"},
		RelatedAlerts: []uuid.UUID{{1}, {2}}, RunbookURL: "https://example.org/runbook",
	}
}

func write[T any](t *testing.T, open func(*bytes.Buffer) Writer[T], rows ...T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	for i := range rows {
		require.NoError(t, w.Write(&rows[i]))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func events(f Format) func(*bytes.Buffer) Writer[genai.Event] {
	return func(b *bytes.Buffer) Writer[genai.Event] { return Events(b, f) }
}

func anomalies(f Format) func(*bytes.Buffer) Writer[anomaly.Anomaly] {
	return func(b *bytes.Buffer) Writer[anomaly.Anomaly] { return Anomalies(b, f) }
}

// table reads a CSV file as one map for each row.
func table(t *testing.T, file []byte) (rows []map[string]string) {
	t.Helper()
	cells, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	require.NoError(t, err)
	for _, line := range cells[1:] {
		row := map[string]string{}
		for i, name := range cells[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestCSVHasEveryValueOfAnEvent(t *testing.T) {
	row := table(t, write(t, events(CSV), fullEvent()))[0]
	require.Equal(t, map[string]string{
		"time": "2026-01-02T03:04:05.678901234Z", "event_id": "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10",
		"trace_id": "01000000000000000000000000000002", "span_id": "0300000000000000", "parent_span_id": "0400000000000000",
		"service_name": "chat, \"api\"\nsecond line", "model": "gpt-4o-2024-08-06", "request_model": "gpt-4o", "provider": "openai", "operation": "chat",
		"environment": "prod", "region": "eu-west-1", "tenant_id": "t1", "user_id": "u1", "session_id": "s1", "agent_name": "planner",
		"response_id": "r1", "finish_reason": "stop", "failed": "true", "error_type": "rate_limit", "error_message": "429: slow down",
		"latency_ms": "812.5", "ttft_ms": "0.1", "input_tokens": "120", "output_tokens": "340", "total_tokens": "460",
		"cache_read_tokens": "11", "cache_write_tokens": "9223372036854775807", "reasoning_tokens": "7", "cost_usd": "0.024",
		"metadata": `{"a":"1","b":"2"}`, "prompt_text": "Grüße,\n\"x\"", "response_text": "42",
	}, row)
}

func TestCSVHasEveryValueOfAnAnomaly(t *testing.T) {
	row := table(t, write(t, anomalies(CSV), fullAnomaly()))[0]
	require.Equal(t, map[string]string{
		"time": "2026-01-02T03:04:05.678901234Z", "alert_id": "0b7f5d0e-0d6c-4c0c-8a43-5a1f7f6f2c11", "severity": "high", "anomaly_type": "latency_spike",
		"service_name": "chat-api", "model": "gpt-4", "metric": "latency_ms", "detection_method": "mad", "detection_methods": "mad,iqr",
		"confidence": "0.93", "value": "9000", "baseline": "800", "threshold": "2300", "deviation_sigma": "5.4",
		"sample_count": "9223372036854775807", "time_window": "last_64_samples",
		"trace_id": strings.Repeat("a", 32), "span_id": strings.Repeat("b", 16), "event_id": "e", "user_id": "u1", "region": "eu",
		"root_cause": "a cause", "remediation": "do this\nthen that",
		"related_alerts": "01000000-0000-0000-0000-000000000000,02000000-0000-0000-0000-000000000000", "runbook_url": "https://example.org/runbook",
		"details": `{"q1":1.5,"undefined":null}`, "context": `{"operation":"chat"}`,
	}, row)
}

func TestWhatIsNotKnownIsEmptyAndNotZero(t *testing.T) {
	e := genai.Event{End: pcommon.NewTimestampFromTime(at), Service: "s"}
	row := table(t, write(t, events(CSV), e))[0]
	for _, name := range []string{"latency_ms", "input_tokens", "cost_usd", "trace_id", "metadata"} {
		require.Empty(t, row[name], name)
	}
	back, err := parquet.Read[event](bytes.NewReader(write(t, events(Parquet), e)), int64(len(write(t, events(Parquet), e))))
	require.NoError(t, err)
	require.Nil(t, back[0].LatencyMillis)
	require.Nil(t, back[0].InputTokens)
}

func TestJSONLinesAreTheRowsOfTheAPI(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(string(write(t, events(JSONL), fullEvent(), genai.Event{Service: "s"})), "\n"), "\n")
	require.Len(t, lines, 2)
	want, err := json.Marshal(fullEvent())
	require.NoError(t, err)
	require.Equal(t, string(want), lines[0])

	var a anomaly.Anomaly
	require.NoError(t, json.Unmarshal(write(t, anomalies(JSONL), fullAnomaly()), &a))
	require.Equal(t, fullAnomaly().ID, a.ID)
}

func TestParquetHasTheCellsOfCSV(t *testing.T) {
	hostile := fullEvent()
	hostile.Service, hostile.User = "=cmd|' /C calc'!A0", "a\x00b\xff"
	for name, e := range map[string]genai.Event{"full": fullEvent(), "hostile": hostile, "empty": {End: 1}} {
		file := write(t, events(Parquet), e)
		back, err := parquet.Read[event](bytes.NewReader(file), int64(len(file)))
		require.NoError(t, err, name)
		want := eventRow(&e)
		want.User = strings.ToValidUTF8(want.User, "\uFFFD")
		require.Equal(t, []event{want}, back, name)
	}
	a := fullAnomaly()
	file := write(t, anomalies(Parquet), a)
	back, err := parquet.Read[finding](bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	require.Equal(t, []finding{anomalyRow(&a)}, back)
}

func TestFilesWithoutRowsAreStillFiles(t *testing.T) {
	require.True(t, bytes.HasPrefix(write(t, events(CSV)), []byte("time,event_id,")))
	require.Empty(t, write(t, events(JSONL)))
	file := write(t, events(Parquet))
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	require.Zero(t, f.NumRows())
}

// countingWriter keeps nothing.
type countingWriter struct{ n int }

func (c *countingWriter) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

func TestManyRowsAreWrittenInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 400,000 rows")
	}
	var c countingWriter
	w := Events(&c, Parquet)
	e := fullEvent()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, highest := heap(), uint64(0)
	for i := range 400_000 {
		e.User, e.CostUSD = fmt.Sprint("user-", i), float64(i)
		require.NoError(t, w.Write(&e))
		if i%100_000 == 99_999 {
			highest = max(highest, heap())
		}
	}
	require.NoError(t, w.Close())
	require.Less(t, highest-min(before, highest), uint64(128<<20))
	require.Greater(t, c.n, 400_000)
}

var errFull = errors.New("disk full")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestErrorsOfTheFileAreTold(t *testing.T) {
	for _, f := range Formats {
		w := Events(fullWriter{}, f)
		e := fullEvent()
		err := w.Write(&e)
		for i := 0; err == nil && i < 100_000; i++ {
			err = w.Write(&e)
		}
		if err == nil {
			err = w.Close()
		}
		require.ErrorIs(t, err, errFull, f)
	}
}

func TestFormatsHaveNames(t *testing.T) {
	for _, f := range Formats {
		got, err := ParseFormat(string(f))
		require.NoError(t, err)
		require.Equal(t, f, got)
		require.NotEmpty(t, f.ContentType())
	}
	_, err := ParseFormat("xml")
	require.EqualError(t, err, `format must be one of csv, jsonl, parquet, got "xml"`)
}
