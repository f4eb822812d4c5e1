package genai

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestUsualSpansAllocateNothing(t *testing.T) {
	x := newTestExtractor(t, Options{})
	res := Resource{Service: "chat-api", Environment: "prod"}
	scope := pcommon.NewInstrumentationScope()
	var ev Event

	call := fullSpan()
	failed := callSpan()
	failed.Status().SetCode(ptrace.StatusCodeError)
	failed.Status().SetMessage("429 rate limit")
	failed.Attributes().PutStr(AttrErrorType, "RateLimitError")
	e := failed.Events().AppendEmpty()
	e.SetName("exception")
	e.Attributes().PutStr("exception.type", "Error")

	for name, s := range map[string]ptrace.Span{"call": call, "failed call": failed, "other": otherSpan()} {
		is, _ := x.FromSpan(&res, scope, s, &ev)
		require.Equal(t, name != "other", is, name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { x.FromSpan(&res, scope, s, &ev) }), name)
	}
}

func BenchmarkCallSpan(b *testing.B) { benchmark(b, Options{}, fullSpan()) }

func BenchmarkCallSpanMeasuresOnly(b *testing.B) {
	benchmark(b, Options{MeasuresOnly: true}, fullSpan())
}

func BenchmarkOtherSpan(b *testing.B) { benchmark(b, Options{}, otherSpan()) }

func BenchmarkCallSpanWithText(b *testing.B) {
	s := fullSpan()
	s.Attributes().PutStr(AttrInputMessages, `[{"role":"user","parts":[{"type":"text","content":"What is the capital of France?"}]}]`)
	s.Attributes().PutStr(AttrOutputMessages, `[{"role":"assistant","parts":[{"type":"text","content":"Paris."}],"finish_reason":"stop"}]`)
	benchmark(b, Options{CaptureText: true}, s)
}

func BenchmarkLogRecord(b *testing.B) {
	x := newTestExtractor(b, Options{})
	res := Resource{Service: "claude-code"}
	scope := pcommon.NewInstrumentationScope()
	rec := newRecord(b, "claude_code.api_request", attrs{
		"event.name": "api_request", "session.id": "s-1", "user.id": "u-1", "organization.id": "o-1", "model": "claude-opus-4-6",
		"cost_usd": 0.0123, "duration_ms": 2500, "input_tokens": 11, "output_tokens": 12, "cache_read_tokens": 16, "request_id": "req-1",
	})
	var ev Event
	b.ReportAllocs()
	for b.Loop() {
		x.FromLog(&res, scope, rec, &ev)
	}
}

// BenchmarkOtherLogRecord is what a record that tells of no call costs.
func BenchmarkOtherLogRecord(b *testing.B) {
	x := newTestExtractor(b, Options{})
	rec := newRecord(b, "", attrs{"http.route": "/", "code.function.name": "main", "thread.id": 1, "log.file.name": "a.log"})
	rec.Body().SetStr("GET /v1/things took 12 ms and all is well")
	for b.Loop() {
		x.LogCall(rec)
	}
}

func BenchmarkMetric(b *testing.B) {
	x := newTestExtractor(b, Options{})
	scope := pcommon.NewInstrumentationScope()
	m := histogram(b, "gen_ai.client.token.usage", "{token}", 2, 54, attrs{
		"gen_ai.token.type": "input", "gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
	})
	b.ReportAllocs()
	for b.Loop() {
		for range x.FromMetric(nil, scope, m) {
			continue
		}
	}
}

func benchmark(b *testing.B, o Options, s ptrace.Span) {
	b.Helper()
	x := newTestExtractor(b, o)
	res := Resource{Service: "chat-api", Environment: "prod"}
	scope := pcommon.NewInstrumentationScope()
	var ev Event
	b.ReportAllocs()
	for b.Loop() {
		x.FromSpan(&res, scope, s, &ev)
	}
}

// BenchmarkIterate is the floor: a walk over the attributes without a look at them.
func BenchmarkIterate(b *testing.B) {
	a := fullSpan().Attributes()
	n := 0
	for b.Loop() {
		for k := range a.All() {
			n += len(k)
		}
	}
	_ = n
}

func BenchmarkEventID(b *testing.B) {
	for b.Loop() {
		NewEventID(testTrace, testSpan)
	}
}

// Nothing is left of the event that stood there before.
func TestReadOverwritesTheEventWholly(t *testing.T) {
	for _, measuresOnly := range []bool{false, true} {
		x := newTestExtractor(t, Options{MeasuresOnly: measuresOnly})
		for name, span := range map[string]ptrace.Span{"poor": callSpan(), "rich": fullSpan()} {
			var fresh, used Event
			v := reflect.ValueOf(&used).Elem()
			for i := range v.NumField() {
				fill(t, v.Field(i))
				require.False(t, v.Field(i).IsZero(), v.Type().Field(i).Name)
			}
			x.FromSpan(nil, pcommon.NewInstrumentationScope(), span, &fresh)
			x.FromSpan(nil, pcommon.NewInstrumentationScope(), span, &used)
			require.Equal(t, fresh, used, name)
			require.Equal(t, UnknownService, used.Service)
		}
	}
}

// fill makes v something else than zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Array:
		v.Index(0).SetUint(1)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	default:
		t.Fatalf("no value of kind %v", v.Kind())
	}
}
