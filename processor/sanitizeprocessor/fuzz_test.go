package sanitizeprocessor

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func fuzzed(f *testing.F) *sanitizer {
	f.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Text.MaxBytes = minTextBytes
	s, err := newSanitizer(componenttest.NewNopTelemetrySettings(), cfg)
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.shutdown(f.Context())) })
	return s
}

// ids are what must be the same behind the processor as before it.
func ids(td ptrace.Traces) (all []any) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				all = append(all, s.TraceID(), s.SpanID(), s.ParentSpanID(), s.StartTimestamp(), s.EndTimestamp(), s.TraceState().AsRaw(), s.Kind(), s.Status().Code(), s.Events().Len(), s.Links().Len())
			}
		}
	}
	return all
}

// Any spans: no panic, and ids and times are as they were.
func FuzzTraces(f *testing.F) {
	s := fuzzed(f)
	s.cfg.Validation.Enabled = false // nothing is dropped, so that ids can be compared
	seed := func(fill func(ptrace.Span)) {
		td := ptrace.NewTraces()
		fill(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(f, err)
		f.Add(b)
	}
	seed(func(ptrace.Span) {})
	seed(func(s ptrace.Span) {
		call(s)
		s.SetName(email)
		s.Attributes().PutStr("gen_ai.input.messages", `[{"role":"user","content":"`+card+`"},{"role":"tool","content":"{\"a\":\"`+email+`\"}"},`+strings.Repeat(" ", 256))
		s.Attributes().PutEmptySlice("x").AppendEmpty().SetEmptyMap().PutInt("card", 4111111111111111)
		s.Attributes().PutStr("password", "x1")
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil {
			return
		}
		before := ids(td)
		out, err := s.processTraces(t.Context(), td)
		require.NoError(t, err)
		require.Equal(t, before, ids(out))
	})
}

func FuzzLogsAndMetrics(f *testing.F) {
	s := fuzzed(f)
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetEventName("gen_ai.user.message")
	rec.Body().SetEmptyMap().PutStr("content", email)
	b, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(f, err)
	f.Add(b)
	md := pmetric.NewMetrics()
	dp := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	dp.SetSum(1)
	dp.Attributes().PutStr("who", email)
	b, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		if ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data); err == nil {
			before := ld.LogRecordCount()
			out, _ := s.processLogs(t.Context(), ld)
			require.LessOrEqual(t, out.LogRecordCount(), before)
		}
		if md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(data); err == nil {
			before := md.DataPointCount()
			out, _ := s.processMetrics(t.Context(), md)
			require.LessOrEqual(t, out.DataPointCount(), before)
		}
	})
}

// Parts are the text, whatever it is, and cutting keeps JSON what it is.
func FuzzSplitAndTruncate(f *testing.F) {
	for _, s := range []string{
		`[{"a":"b"},{"c":"d\"{"}]`, `{"contents":[{"x":[1,{}]}],"y":[{"z":"\ud83d\ude00"}]}`, `[[{"a":1}]`, `{"a":"` + strings.Repeat(`\u00e9\\`, 90) + `"}`,
		`}]{[{"`, `["` + strings.Repeat("🙂", 200), `[0,{"a":0},0,{"b":1}]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		for _, p := range splitMessages(nil, text) {
			glue := text[p.start:p.end]
			b.WriteString(glue)
			if p.element {
				continue
			}
			back, ok := unwrap(wrapped(glue, p), glue, p)
			require.True(t, ok)
			require.Equal(t, glue, back)
			if json.Valid([]byte(text)) {
				require.True(t, json.Valid([]byte(wrapped(glue, p))), "%q wraps %q", wrapped(glue, p), glue)
			}
		}
		require.Equal(t, text, b.String())

		out, cut := truncateStrings(text, 100)
		require.Equal(t, cut == 0, out == text)
		if json.Valid([]byte(text)) {
			require.True(t, json.Valid([]byte(out)), "%q", out)
		}
		again, cut := truncateStrings(out, 100)
		require.Zero(t, cut)
		require.Equal(t, out, again)
		short, _ := truncate(text, 100)
		require.Equal(t, utf8.ValidString(text), utf8.ValidString(short) && utf8.ValidString(text))
	})
}
