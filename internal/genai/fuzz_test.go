package genai

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func FuzzFromSpan(f *testing.F) {
	var m ptrace.ProtoMarshaler
	withText := fullSpan()
	withText.Attributes().PutStr(AttrInputMessages, `[{"role":"user","parts":[{"type":"text","content":"h\u00e9"}]}]`)
	withText.Attributes().PutStr("gen_ai.prompt.0.content", "x")
	withText.Attributes().PutStr("llm.invocation_parameters", `{"model":"m","stream":true}`)
	bad := callSpan()
	bad.Attributes().PutDouble(AttrUsageInputTokens, math.NaN())
	bad.Attributes().PutStr(AttrUsageOutputTokens, "-1e309")
	bad.SetEndTimestamp(1)
	exception(bad)
	for _, s := range []ptrace.Span{fullSpan(), otherSpan(), withText, bad} {
		td := ptrace.NewTraces()
		s.CopyTo(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		raw, err := m.MarshalTraces(td)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	const maxText = 64
	plain := newTestExtractor(f, Options{})
	texts := newTestExtractor(f, Options{CaptureText: true, MaxTextBytes: maxText})
	lean := newTestExtractor(f, Options{MeasuresOnly: true})
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := ptrace.ProtoUnmarshaler{}
		td, err := u.UnmarshalTraces(raw)
		if err != nil {
			return
		}
		for _, rs := range td.ResourceSpans().All() {
			res := plain.Resource(rs.Resource())
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					var ev, full, again Event
					is, problems := plain.FromSpan(&res, ss.Scope(), s, &ev)
					isFull, _ := texts.FromSpan(&res, ss.Scope(), s, &full)
					var few Event
					leanRes := lean.Resource(rs.Resource())
					isLean, _ := lean.FromSpan(&leanRes, ss.Scope(), s, &few)
					var marks Marks
					ReadMarks(s, &marks)
					if len(marks.Evaluations) > maxEvaluations || len(marks.Threat.Types) > maxThreatTypes {
						t.Fatal("marks must be bounded")
					}
					if len(ReadTool(s).Name) > maxNameBytes || len(PromptTail(s, 100)) > 100 {
						t.Fatal("texts must be bounded")
					}
					if is != isFull || is != isLean {
						t.Fatal("what is read must not decide what is a call")
					}
					if !is {
						if problems != 0 {
							t.Fatal("problems of another span")
						}
						continue
					}
					checkInvariants(t, &ev)
					checkInvariants(t, &full)
					few.ErrorMessage = ""
					if _, messages := s.Attributes().Get(AttrOutputMessages); messages {
						few.FinishReason = ev.FinishReason // which measures do not parse them for
					}
					if fmt.Sprintf("%+v", few) != fmt.Sprintf("%+v", measured(ev)) { // as text, since NaN differs from itself
						t.Fatalf("measures differ: %+v, %+v", few, measured(ev))
					}
					if problems&^AllProblems != 0 {
						t.Fatalf("unknown problem %b", problems)
					}
					if plain.FromSpan(&res, ss.Scope(), s, &again); again.ID != ev.ID {
						t.Fatal("the id must be deterministic")
					}
					if limit := maxText + len(truncatedSuffix); len(full.PromptText) > limit || len(full.ResponseText) > limit {
						t.Fatal("text is too long")
					}
				}
			}
		}
	})
}

func FuzzFromLog(f *testing.F) {
	var m plog.ProtoMarshaler
	withBody := newRecord(f, "", attrs{"event.name": eventOperationDetails, AttrInputMessages: `[{"parts":[{"content":"x"}]}]`})
	if err := withBody.Body().SetEmptyMap().FromRaw(attrs{AttrRequestModel: "m", AttrUsageInputTokens: "7"}); err != nil {
		f.Fatal(err)
	}
	for _, rec := range []plog.LogRecord{
		withBody,
		newRecord(f, "claude_code.api_request", attrs{"model": "m", "duration_ms": "1e3", "cost_usd": 0.1, "input_tokens": -1}),
		newRecord(f, "codex.api_request", attrs{"error.message": "no"}),
		newRecord(f, "codex.sse_event", attrs{"event.kind": "response.completed", "input_token_count": "3"}),
		newRecord(f, "gemini_cli.api_response", attrs{"finish_reasons": []any{"STOP"}, "response_text": "yes"}),
		newRecord(f, "other", nil),
	} {
		ld := plog.NewLogs()
		rec.CopyTo(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		raw, err := m.MarshalLogs(ld)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	const maxText = 64
	x := newTestExtractor(f, Options{CaptureText: true, MaxTextBytes: maxText})
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := plog.ProtoUnmarshaler{}
		ld, err := u.UnmarshalLogs(raw)
		if err != nil {
			return
		}
		for _, rl := range ld.ResourceLogs().All() {
			res := x.Resource(rl.Resource())
			for _, sl := range rl.ScopeLogs().All() {
				for _, rec := range sl.LogRecords().All() {
					var ev, again Event
					is, problems := x.FromLog(&res, sl.Scope(), rec, &ev)
					if is && x.LogCall(rec) == "" {
						t.Fatal("a call that could not be one")
					}
					if !is {
						if problems != 0 {
							t.Fatal("problems of another record")
						}
						continue
					}
					checkInvariants(t, &ev)
					if ev.Start > ev.End {
						t.Fatal("ends before it starts")
					}
					if x.FromLog(&res, sl.Scope(), rec, &again); again.ID != ev.ID {
						t.Fatal("the id must be deterministic")
					}
					if limit := maxText + len(truncatedSuffix); len(ev.PromptText) > limit || len(ev.ResponseText) > limit {
						t.Fatal("text is too long")
					}
				}
			}
		}
	})
}

func FuzzFromMetric(f *testing.F) {
	var marshal pmetric.ProtoMarshaler
	for _, m := range sampleMetrics(f) {
		md := pmetric.NewMetrics()
		m.CopyTo(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
		raw, err := marshal.MarshalMetrics(md)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	x := newTestExtractor(f, Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := pmetric.ProtoUnmarshaler{}
		md, err := u.UnmarshalMetrics(raw)
		if err != nil {
			return
		}
		for _, rm := range md.ResourceMetrics().All() {
			res := x.Resource(rm.Resource())
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for got := range x.FromMetric(&res, sm.Scope(), m) {
						if x.MetricKind(m) == MeasureNone || got.Kind >= measureKinds || got.Service == "" {
							t.Fatalf("no measure: %+v", got)
						}
						if !(got.Value >= 0 && got.Value <= maxMeasure) || got.Cumulative && got.Gauge {
							t.Fatalf("impossible: %+v", got)
						}
						if got.Problem != 0 && (got.Value != 0 || got.Count != 0) || got.Problem == 0 && got.Time == 0 {
							t.Fatalf("refused, but with a value: %+v", got)
						}
					}
				}
			}
		}
	})
}

func FuzzNormalize(f *testing.F) {
	var m ptrace.ProtoMarshaler
	flat := callSpan()
	for k, v := range map[string]string{
		"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.contents.1.message_content.text": "x",
		"gen_ai.completion.0.tool_calls.0.arguments": `{"a":`, "langfuse.observation.usage_details": `{"input":1,"output":2}`,
		"gen_ai.usage.cache_read_tokens": "7", "ai.usage.promptTokens": "3",
	} {
		flat.Attributes().PutStr(k, v)
	}
	for _, s := range []ptrace.Span{fullSpan(), flat} {
		td := ptrace.NewTraces()
		s.CopyTo(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		raw, err := m.MarshalTraces(td)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	x := newTestExtractor(f, Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := ptrace.ProtoUnmarshaler{}
		td, err := u.UnmarshalTraces(raw)
		if err != nil {
			return
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					var ev, again Event
					if is, _ := x.FromSpan(nil, ss.Scope(), s, &ev); !is {
						continue
					}
					Normalize(s.Attributes(), &ev)
					n := s.Attributes().Len()
					if is, _ := x.FromSpan(nil, ss.Scope(), s, &again); !is {
						t.Fatal("no call any more")
					}
					Normalize(s.Attributes(), &again)
					if s.Attributes().Len() != n {
						t.Fatal("normalised again, it changes again")
					}
					if ev.InputTokens != again.InputTokens || ev.OutputTokens != again.OutputTokens || ev.RequestModel != again.RequestModel ||
						ev.Operation != again.Operation || ev.Provider != again.Provider || ev.Present != again.Present {
						t.Fatalf("reads as another call: %+v, %+v", ev, again)
					}
				}
			}
		}
	})
}

func FuzzCanonicalModel(f *testing.F) {
	for _, s := range []string{"us.anthropic.claude-opus-4-6-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "\x1b[1mopus[1m]\x1b[22m", "a/b@latest", "a/\n@latest"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := CanonicalModel(s)
		if CanonicalModel(once) != once {
			t.Fatalf("%q becomes %q", once, CanonicalModel(once))
		}
		if once == "" && strings.TrimSpace(s) != "" && !strings.Contains(s, "\x1b") {
			t.Fatalf("nothing is left of %q", s)
		}
	})
}

func checkInvariants(t *testing.T, ev *Event) {
	t.Helper()
	if ev.ID == uuid.Nil || ev.Service == "" {
		t.Fatal("an event has an id and a service")
	}
	for i, n := range []int64{ev.InputTokens, ev.OutputTokens, ev.TotalTokens, ev.CacheReadTokens, ev.CacheWriteTokens, ev.ReasoningTokens} {
		if n < 0 || n > 2*maxTokens || n != 0 && !ev.Has(FieldInputTokens<<i) {
			t.Fatalf("token count %d is %d", i, n)
		}
	}
	for i, n := range []float64{ev.CostUSD, ev.TTFTMillis, ev.LatencyMillis} {
		if !(n >= 0) || math.IsInf(n, 0) || n != 0 && !ev.Has(FieldCost<<i) {
			t.Fatalf("number %d is %v", i, n)
		}
	}
	for _, at := range []uint64{uint64(ev.Start), uint64(ev.End)} {
		if at != 0 && (at < uint64(minTime) || at >= uint64(maxTime)) {
			t.Fatalf("time %d", at)
		}
	}
	if !ev.Failed && (ev.ErrorType != "" || ev.ErrorMessage != "") {
		t.Fatal("an error without a failure")
	}
	if _, err := ev.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a":[{"b":"x"}]}`)
	f.Add(`{"a":[{"b":"\ud83d`)
	f.Add("[[[[{]}")
	paths := make([][]step, 0, 4)
	for _, p := range []string{"a[].b", "*", "[].a.b", "a"} {
		steps, err := parsePath(p)
		if err != nil {
			f.Fatal(err)
		}
		paths = append(paths, steps)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		for _, steps := range paths {
			var c content
			j := jsonText{s: text}
			j.walk(steps, &sink{})
			j = jsonText{s: text}
			j.walk(steps, &sink{content: &c, prio: 1, limit: 16})
		}
		for range 4 {
			text = unescape(text)
		}
	})
}
