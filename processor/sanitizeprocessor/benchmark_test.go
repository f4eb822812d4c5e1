package sanitizeprocessor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const benchSpans = 100

// BenchmarkSpan is the cost of one span, in batches of 100 clean ones.
func BenchmarkSpan(b *testing.B) {
	http := func(s ptrace.Span, _ int) {
		s.SetName("GET /orders")
		a := s.Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutInt("http.response.status_code", 200)
		a.PutStr("server.address", "orders")
	}
	numbers := func(s ptrace.Span, i int) {
		call(s)
		a := s.Attributes()
		a.PutStr("gen_ai.provider.name", "openai")
		a.PutStr("gen_ai.response.model", "gpt-4o-2024-08-06")
		a.PutStr("gen_ai.response.id", fmt.Sprintf("chatcmpl-%026d", i))
		a.PutStr("gen_ai.conversation.id", fmt.Sprintf("0af76519-16cd-43dd-8448-%012d", i))
		a.PutStr("server.address", "api.openai.com")
		a.PutInt("server.port", 443)
		a.PutEmptySlice("gen_ai.response.finish_reasons").AppendEmpty().SetStr("stop")
	}
	text := func(s ptrace.Span, i int) {
		numbers(s, i)
		words := strings.Repeat("the quick brown fox jumps over the lazy dog, ", 22)
		s.Attributes().PutStr("gen_ai.input.messages", fmt.Sprintf(`[{"role":"user","parts":[{"type":"text","content":"%d %s"}]}]`, i, words))
	}
	off := func(c *Config) { c.PromptInjection.Enabled = false }
	fresh := func(c *Config) { off(c); c.Cache.Entries = 0 }
	for _, c := range []struct {
		name   string
		fill   func(ptrace.Span, int)
		change func(*Config)
	}{
		{"http", http, nil},
		{"call", numbers, nil},
		{"call_1KB_known", text, nil},
		{"call_1KB_new_without_injection", text, fresh},
		{"call_1KB_new", text, func(c *Config) { c.Cache.Entries = 0 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := createDefaultConfig().(*Config)
			if c.change != nil {
				c.change(cfg)
			}
			s, err := newSanitizer(componenttest.NewNopTelemetrySettings(), cfg)
			require.NoError(b, err)
			td := ptrace.NewTraces()
			list := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			for i := range benchSpans {
				c.fill(list.AppendEmpty(), i)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.processTraces(b.Context(), td); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchSpans, "ns/span")
		})
	}
}
