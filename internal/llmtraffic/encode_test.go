package llmtraffic

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestEncodedSpanFollowsTheConventions(t *testing.T) {
	o := testOptions()
	o.Services[0].Streaming = 1
	var call Call
	for _, c := range allCalls(t, o, 1) {
		if c.ErrorType == "" && c.Stream && c.Service.Name == "chat-api" {
			call = c
			break
		}
	}
	require.NotNil(t, call.Service)
	b := NewBatch(1)
	b.Add(&call)
	assert.Equal(t, 1, b.Len())
	assert.Equal(t, 1, b.Calls())
	td := b.Take()
	assert.Zero(t, b.Len())

	res := td.ResourceSpans().At(0).Resource().Attributes().AsRaw()
	assert.Equal(t, map[string]any{
		"service.name": "chat-api", "deployment.environment.name": "production", "cloud.region": "eu-west-1", "service.version": "2.14.0",
	}, res)
	s := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, "chat "+call.Model.Name, s.Name())
	assert.Equal(t, ptrace.SpanKindClient, s.Kind())
	assert.Equal(t, ptrace.StatusCodeUnset, s.Status().Code())
	a := s.Attributes().AsRaw()
	for k, want := range map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": call.Model.Provider, "gen_ai.request.model": call.Model.Name,
		"gen_ai.response.model": call.Model.Response, "gen_ai.usage.input_tokens": call.Input, "gen_ai.usage.output_tokens": call.Output,
		"gen_ai.usage.cost": call.Cost, "gen_ai.response.time_to_first_chunk": float64(call.TTFT) / 1e9, "gen_ai.response.id": call.ResponseID,
		"gen_ai.response.finish_reasons": []any{call.FinishReason}, "gen_ai.conversation.id": call.Conversation, "user.id": call.User,
		"tenant.id": call.Tenant, "server.address": call.Model.Server, "gen_ai.request.stream": true,
	} {
		assert.Equal(t, want, a[k], k)
	}
	assert.GreaterOrEqual(t, len(a), 20)
	assert.NotContains(t, a, "error.type")
}

func TestEncodedFailureAndParent(t *testing.T) {
	o := testOptions()
	o.ErrorRate, o.Parents = 1, true
	b := NewBatch(10)
	var c Call
	g, err := NewGenerator(o, 0, 1)
	require.NoError(t, err)
	require.True(t, g.Next(&c))
	b.Add(&c)
	spans := b.Take().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	require.Equal(t, 2, spans.Len())
	parent, call := spans.At(0), spans.At(1)
	assert.Equal(t, parent.SpanID(), call.ParentSpanID())
	assert.Equal(t, parent.TraceID(), call.TraceID())
	assert.Less(t, parent.StartTimestamp(), call.StartTimestamp())
	assert.Greater(t, parent.EndTimestamp(), call.EndTimestamp())
	_, llm := parent.Attributes().Get("gen_ai.operation.name")
	assert.False(t, llm)
	assert.Equal(t, ptrace.StatusCodeError, call.Status().Code())
	kind, _ := call.Attributes().Get("error.type")
	assert.Equal(t, c.ErrorType, kind.Str())
	for _, k := range []string{"429", "timeout", "content_filter", "418"} {
		assert.NotEmpty(t, errorMessage(k))
	}
}

func TestBuildRequests(t *testing.T) {
	for name, o := range map[string]BuildOptions{"llm": {Traffic: testOptions()}, "plain": {Traffic: testOptions(), Plain: true}} {
		t.Run(name, func(t *testing.T) {
			tds, err := BuildRequests(20, 64, o)
			require.NoError(t, err)
			require.Len(t, tds, 20)
			raw, err := BuildEncoded(20, 64, o)
			require.NoError(t, err)
			for i, td := range tds {
				assert.Equal(t, 64, td.SpanCount())
				want, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
				require.NoError(t, err)
				assert.Equal(t, want, raw[i], "the same options give the same bytes")
			}
			span := tds[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			_, llm := span.Attributes().Get("gen_ai.operation.name")
			assert.Equal(t, !o.Plain, llm)
			if o.Plain {
				assert.Equal(t, 20, span.Attributes().Len())
			}
		})
	}
	_, err := BuildRequests(0, 1, BuildOptions{Traffic: testOptions()})
	require.Error(t, err)
}

func BenchmarkGenerate(b *testing.B) {
	o := testOptions()
	o.Rate, o.Duration = 1000, 24*365*3600e9
	g, err := NewGenerator(o, 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	var c Call
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&c)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkGenerateEncoded is the whole way from random numbers to protobuf.
func BenchmarkGenerateEncoded(b *testing.B) {
	o := testOptions()
	o.Rate, o.Duration = 1000, 24*365*3600e9
	g, err := NewGenerator(o, 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	var c Call
	var m ptrace.ProtoMarshaler
	batch, bytes := NewBatch(100), 0
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&c)
		batch.Add(&c)
		if batch.Len() >= 100 {
			out, err := m.MarshalTraces(batch.Take())
			if err != nil {
				b.Fatal(err)
			}
			bytes += len(out)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spans/s")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/span")
}
