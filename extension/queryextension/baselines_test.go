package queryextension

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

func baselineOf(service, model, metric string, ago time.Duration, expected float64) store.Baseline {
	return store.Baseline{Time: testNow.Add(-ago), Service: service, Model: model, Metric: metric, Samples: 64, Expected: expected, Lower: expected / 2, Upper: expected * 2}
}

func TestBaselines(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	a.store.with(func(f *fakeReader) {
		f.baselines = []store.Baseline{
			baselineOf("a", "m", "latency_ms", 2*time.Hour, 1), baselineOf("a", "m", "latency_ms", time.Hour, 2),
			baselineOf("b", "meta/llama:8b", "cost_usd", time.Hour, 3), baselineOf("c", "m", "latency_ms", time.Hour, 4),
		}
	})
	ext.live = map[string][]store.Baseline{
		"anomaly/one": {baselineOf("c", "m", "latency_ms", 0, 5), baselineOf("d", "m", "latency_ms", 0, 6)},
		"anomaly/two": {baselineOf("c", "m", "latency_ms", 0, 7)},
	}
	list := func(query string) (all []string) {
		rows, _ := data[[]baselineRow](a, pathBaselines+query)
		for _, r := range rows {
			all = append(all, fmt.Sprintf("%s %s %g", r.Key, r.Engine, *r.Expected))
		}
		return all
	}
	assert.Equal(t, []string{
		"a:m:latency_ms  2", "b:meta%2Fllama%3A8b:cost_usd  3", "c:m:latency_ms anomaly/one 5", "c:m:latency_ms anomaly/two 7", "d:m:latency_ms anomaly/one 6",
	}, list(""))
	assert.Equal(t, []string{"a:m:latency_ms  2", "b:meta%2Fllama%3A8b:cost_usd  3"}, list("?limit=2"))
	assert.Equal(t, []string{"d:m:latency_ms anomaly/one 6"}, list("?service=d"))
	assert.Equal(t, []string{"b:meta%2Fllama%3A8b:cost_usd  3"}, list("?metric=cost_usd&model=meta/llama:8b"))
	ext.live = nil
	assert.Equal(t, []string{"c:m:latency_ms  4"}, list("?service=c"))

	// Engines alone are enough.
	a.store.with(func(f *fakeReader) { f.caps.Baselines = false })
	ext.live = map[string][]store.Baseline{"anomaly": {baselineOf("x", "m", "latency_ms", 0, 5)}}
	assert.Equal(t, []string{"x:m:latency_ms anomaly 5"}, list(""))
	got, _ := data[baselineSeries](a, fillKey("x:m:latency_ms"))
	assert.Len(t, got.Points, 1)
}

func fillKey(key string) string { return strings.Replace(pathBaseline, "{key}", key, 1) }

func TestManyLiveBaselines(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	for i := range 1000 {
		ext.live["anomaly"] = append(ext.live["anomaly"], baselineOf(fmt.Sprintf("s%03d", (i*7)%1000), "m", "latency_ms", 0, 1))
	}
	rows, _ := data[[]baselineRow](a, pathBaselines+"?limit=3")
	require.Len(t, rows, 3)
	assert.Equal(t, "s000", rows[0].Service)
	assert.Equal(t, "s002", rows[2].Service)
}

func TestBaselineOverTime(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	ext := newFakeExtension(a.store)
	a.extension = ext
	const service, model = "chat:api", "meta/llama%3b"
	k := series{service, model, "latency_ms"}
	for i := range 3 {
		b := baselineOf(service, model, "latency_ms", time.Duration(i)*10*time.Hour, float64(i))
		a.store.with(func(f *fakeReader) { f.baselines = append(f.baselines, b) })
	}
	ext.live["anomaly"] = []store.Baseline{baselineOf(service, model, "latency_ms", -time.Minute, 9), baselineOf("other", model, "latency_ms", 0, 9)}
	for _, key := range []string{k.key(), url.QueryEscape(k.key())} {
		got, _ := data[baselineSeries](a, fillKey(key)+"?hours=11")
		assert.Equal(t, k.key(), got.Key)
		assert.Equal(t, service, got.Service)
		assert.Equal(t, model, got.Model)
		require.Len(t, got.Points, 3, "two that are kept and the one of the engine")
		assert.InDelta(t, 9, *got.Points[2].Expected, 0)
	}
	got, _ := data[baselineSeries](a, fillKey(k.key())+"?end=2025-01-01T00:00:00Z")
	assert.Empty(t, got.Points, "known, but not then")
	a.fails(a.get(fillKey("a:b:c")), http.StatusNotFound, codeNotFound)
	for _, key := range []string{"a", "a:b", "a:b:", "a:b:c:d", "a%3Ab", "a:b:%00c", strings.Repeat("a", 1025) + ":b:c"} {
		a.fails(a.get(fillKey(key)), http.StatusBadRequest, codeInvalidParameter)
	}

	a.store.with(func(f *fakeReader) {
		f.baselines = nil
		for i := range maxBaselinePoints + 1 {
			f.baselines = append(f.baselines, baselineOf("many", "m", "latency_ms", time.Duration(i)*time.Second, 1))
		}
	})
	a.fails(a.get(fillKey("many:m:latency_ms")), http.StatusBadRequest, codeResponseTooLarge)
	got, _ = data[baselineSeries](a, fillKey("many:m:latency_ms")+"?hours=1")
	assert.Len(t, got.Points, 3601)
}
