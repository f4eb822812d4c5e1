package sanitizeprocessor

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/llm-devops/llm-sentinel/processor/sanitizeprocessor/internal/metadata"
)

func keyOf(n int) partKey { return partKey{hash: uint64(n)} }

func TestTheCacheForgetsWhatWasUsedLongestAgo(t *testing.T) {
	c := newLRU(3, 1000, func(s string) int { return len(s) })
	for n := range 3 {
		c.put(keyOf(n), "x")
	}
	_, ok := c.get(keyOf(0))
	require.True(t, ok)
	c.put(keyOf(3), "y")
	_, ok = c.get(keyOf(1))
	assert.False(t, ok, "1 was used longest ago")
	for _, n := range []int{0, 2, 3} {
		_, ok = c.get(keyOf(n))
		assert.True(t, ok, n)
	}
	assert.Equal(t, 3, c.len())
}

func TestTheCacheIsBoundedInBytes(t *testing.T) {
	c := newLRU(100, 10, func(s string) int { return len(s) })
	for n := range 50 {
		c.put(keyOf(n), "1234")
		assert.LessOrEqual(t, c.bytes, 10)
	}
	assert.Equal(t, 2, c.len())
	c.put(keyOf(60), "longer than all of it")
	_, ok := c.get(keyOf(60))
	assert.False(t, ok)
	c.put(keyOf(49), "1")
	assert.Equal(t, 5, c.bytes, "what is replaced is not counted twice")
	var off *lru[string]
	off.put(keyOf(1), "x")
	_, ok = off.get(keyOf(1))
	assert.False(t, ok)
	assert.Zero(t, off.len())
}

// Two parts with the same hash and another length or tenant are not mixed up.
func TestPartsAreToldApartByLengthAndTenant(t *testing.T) {
	c := newLRU(10, 100, func(s string) int { return len(s) })
	c.put(partKey{hash: 1, length: 2, scope: 3}, "a")
	for _, k := range []partKey{{1, 3, 3}, {1, 2, 4}, {2, 2, 3}} {
		_, ok := c.get(k)
		assert.False(t, ok, k)
	}
}

// Batches at once, on the same caches; run with -race.
func TestConcurrentBatches(t *testing.T) {
	tel := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	cfg := createDefaultConfig().(*Config)
	cfg.Cache.Entries = 4
	var sink consumertest.TracesSink
	p, err := NewFactory().CreateTraces(t.Context(), set, cfg, &sink)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range 30 {
				td := ptrace.NewTraces()
				span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
				call(span)
				span.Attributes().PutStr("gen_ai.prompt", strings.Repeat("word ", 60+n%7)+email)
				assert.NoError(t, p.ConsumeTraces(t.Context(), td))
			}
		})
	}
	wg.Wait()
	for _, td := range sink.AllTraces() {
		v, _ := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Get("gen_ai.prompt")
		assert.True(t, strings.HasSuffix(v.Str(), " [EMAIL_REDACTED]"))
	}
	assert.Equal(t, 120, sink.SpanCount())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, tel.Shutdown(t.Context()))
}
