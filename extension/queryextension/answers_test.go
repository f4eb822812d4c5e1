package queryextension

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	statusMiss = "sentinel; fwd=miss"
	statusHit  = "sentinel; hit; detail=memory"
)

// fetch asks with headers and returns the response.
func (a *api) fetch(target string, headers ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	r := request(a.t, http.MethodGet, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return a.do(r)
}

func (a *api) cacheStatus(target string) string {
	a.t.Helper()
	w := a.get(target)
	require.Equal(a.t, http.StatusOK, w.Code, w.Body.String())
	return w.Header().Get(headerCacheStatus)
}

// A new event is there in the first request after its write returned, whatever
// was kept, in relative and in fixed ranges.
func TestKeptAnswersAreNeverStale(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, nil)
	for i, target := range []string{
		pathTelemetry, pathTelemetry + "?hours=1", pathTelemetry + "?start=2026-01-02T00:00:00Z&end=2026-01-03T00:00:00Z",
		pathTelemetry + "?start=2026-01-02T00:00:00Z", pathTelemetry + "?end=2026-01-03T00:00:00Z",
	} {
		for n := range 5 {
			before := a.page(target)
			assert.Equal(t, statusHit, a.cacheStatus(target))
			e := makeEvent(1000*(i+1)+n, 0)
			a.store.addEvents(e)
			after := a.page(target)
			assert.Len(t, after.Data, len(before.Data)+1, target)
			assert.Contains(t, after.ids("event_id"), e.ID.String())
		}
	}
}

// The same under writers and readers at once: each writer must see its own event.
func TestEachWriterSeesItsOwnEventAtOnce(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, nil)
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for n := range 20 {
				e := makeEvent(10_000*(w+1)+n, 0)
				a.store.addEvents(e)
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathTelemetry+"?hours=1", http.NoBody)
				assert.Contains(t, a.do(r).Body.String(), e.ID.String())
			}
		})
	}
	writers.Wait()
}

func TestQuestionsThatAreEqualShareAnAnswer(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 3, nil)
	base := pathTelemetry + "?service=chat-api&limit=2"
	assert.Equal(t, statusMiss, a.cacheStatus(base))
	assert.Equal(t, statusHit, a.cacheStatus(base))
	assert.Equal(t, statusHit, a.cacheStatus(pathTelemetry+"?limit=2&service=chat%2Dapi"), "order and escapes do not matter")
	for _, other := range []string{
		pathTelemetry + "?service=chat-api&limit=1", pathTelemetry + "?service=chat-ap&limit=2", pathAnomalies + "?service=chat-api&limit=2",
		base + "&hours=2", base + "&ascending=true", base + "&start=2026-01-02T00:00:00Z",
	} {
		assert.Equal(t, statusMiss, a.cacheStatus(other), other)
	}
}

// The range of a question that ends now moves with the clock; a kept answer may
// lag behind by a thousandth of it.
func TestAnswersAboutNowMoveWithTheClock(t *testing.T) {
	t.Parallel()
	now := testNow
	a := withEvents(t, 1, nil, func(s *server) { s.now = func() time.Time { return now } })
	for target, drift := range map[string]time.Duration{
		pathTelemetry + "?hours=1":                    3600 * time.Millisecond,
		pathTelemetry:                                 time.Minute,
		pathTelemetry + "?start=2026-01-02T11:59:00Z": time.Second,
		pathTelemetry + "?start=2026-01-01T00:00:00Z&limit=3&hours=oops": 0,
	} {
		now = testNow
		if drift == 0 {
			assert.Equal(t, http.StatusBadRequest, a.get(target).Code)
			continue
		}
		assert.Equal(t, statusMiss, a.cacheStatus(target))
		now = testNow.Truncate(drift).Add(drift)
		assert.Equal(t, statusMiss, a.cacheStatus(target), target)
		now = now.Add(drift - 1)
		assert.Equal(t, statusHit, a.cacheStatus(target), target)
	}
	now = testNow
	fixed := pathTelemetry + "?start=2026-01-02T00:00:00Z&end=2026-01-03T00:00:00Z"
	assert.Equal(t, statusMiss, a.cacheStatus(fixed))
	now = now.Add(24 * time.Hour)
	assert.Equal(t, statusHit, a.cacheStatus(fixed), "a fixed range does not move")
}

func TestRefusalsAndFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, nil)
	a.fails(a.get(pathTelemetry+"?limit=0"), http.StatusBadRequest, codeInvalidLimit)
	a.fails(a.get(pathTelemetry+"?%zz"), http.StatusBadRequest, codeInvalidParameter)
	a.storage.fail(context.DeadlineExceeded)
	a.fails(a.get(pathTelemetry), http.StatusServiceUnavailable, codeStorageUnavailable)
	a.storage.fail(nil)
	assert.Equal(t, statusMiss, a.cacheStatus(pathTelemetry))
	assert.EqualValues(t, 1, a.answers.cache.Stats().Entries)
}

// A storage that cannot tell what changed is asked again after a short time,
// and after a longer one about what is long past.
func TestStorageWithoutVersions(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, map[string]any{"cache": map[string]any{"recent_ttl": "30ms"}})
	a.storage.reader = struct{ store.Reader }{a.store}
	past := pathTelemetry + "?end=2026-01-02T10:59:59Z"
	assert.Equal(t, statusMiss, a.cacheStatus(past))
	recent := a.page(pathTelemetry + "?hours=1")
	e := makeEvent(77, 0)
	a.store.addEvents(e)
	require.Eventually(t, func() bool {
		return len(a.page(pathTelemetry+"?hours=1").Data) == len(recent.Data)+1
	}, 10*time.Second, 5*time.Millisecond)
	assert.Equal(t, statusHit, a.cacheStatus(past))

	a = withEvents(t, 1, map[string]any{"cache": map[string]any{"recent_ttl": "0s"}})
	a.storage.reader = struct{ store.Reader }{a.store}
	for range 2 {
		assert.Equal(t, statusMiss, a.cacheStatus(pathTelemetry))
	}
}

func TestETags(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		a := withEvents(t, 20, map[string]any{"cache": map[string]any{"enabled": enabled}})
		plain, zipped := a.get(pathTelemetry), a.fetch(pathTelemetry, "Accept-Encoding", "gzip")
		tag, ziptag := plain.Header().Get("ETag"), zipped.Header().Get("ETag")
		require.Regexp(t, `^"[0-9a-f]{32}"$`, tag)
		assert.Equal(t, strings.TrimSuffix(tag, `"`)+`-gzip"`, ziptag, "other bytes on the wire, another strong tag")
		assert.Equal(t, "private, no-cache", plain.Header().Get("Cache-Control"))
		assert.Equal(t, []string{"Accept-Encoding"}, plain.Header().Values("Vary"))

		for given, known := range map[string]bool{
			tag: true, ziptag: true, "W/" + tag: true, `"other", ` + tag: true, "*": true,
			`"other"`: false, "": false, strings.Trim(tag, `"`): false, `"`: false,
		} {
			w := a.fetch(pathTelemetry, "If-None-Match", given)
			if !known {
				assert.Equal(t, http.StatusOK, w.Code, given)
				continue
			}
			assert.Equal(t, http.StatusNotModified, w.Code, given)
			assert.Zero(t, w.Body.Len())
			assert.Equal(t, tag, w.Header().Get("ETag"))
			assert.Empty(t, w.Header().Get("Content-Type"))
		}
		a.store.addEvents(makeEvent(500, 0))
		w := a.fetch(pathTelemetry, "If-None-Match", tag)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.NotEqual(t, tag, w.Header().Get("ETag"))
		assert.Empty(t, a.get(pathTelemetry+"?limit=0").Header().Get("ETag"), "errors have none")
	}
}

// All forms of an answer are the same answer, whether just computed or kept.
func TestKeptAnswersServeEveryClient(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		for _, n := range []int{0, 20} {
			a := withEvents(t, n, map[string]any{"cache": map[string]any{"enabled": enabled}})
			want := a.get(pathTelemetry).Body.String()
			for range 2 {
				for _, accept := range []string{"", "gzip"} {
					get := a.fetch(pathTelemetry, "Accept-Encoding", accept)
					body := io.Reader(get.Body)
					length := get.Header().Get("Content-Length")
					assert.Equal(t, length, strconv.Itoa(get.Body.Len()))
					if get.Header().Get("Content-Encoding") == "gzip" {
						zr, err := gzip.NewReader(body)
						require.NoError(t, err)
						body = zr
					}
					got, err := io.ReadAll(body)
					require.NoError(t, err)
					assert.Equal(t, want, string(got))

					r := request(t, http.MethodHead, pathTelemetry, http.NoBody)
					r.Header.Set("Accept-Encoding", accept)
					head := a.do(r)
					assert.Zero(t, head.Body.Len())
					assert.Equal(t, length, head.Header().Get("Content-Length"))
					for _, name := range []string{"Content-Type", "Content-Encoding", "ETag", "Vary"} {
						assert.Equal(t, get.Header().Get(name), head.Header().Get(name), name)
					}
				}
			}
		}
	}
}

func TestCacheMetrics(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 1, nil)
	for range 3 {
		a.get(pathTelemetry)
	}
	memory := func(v int64) []metricdata.DataPoint[int64] {
		return []metricdata.DataPoint[int64]{{Value: v, Attributes: attribute.NewSet(attribute.String("cache", "memory"))}}
	}
	ignore := []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}
	metadatatest.AssertEqualCacheHitsTotal(t, a.telemetry, memory(2), ignore...)
	metadatatest.AssertEqualCacheMissesTotal(t, a.telemetry, memory(1), ignore...)
	metadatatest.AssertEqualCacheInsertsTotal(t, a.telemetry, memory(1), ignore...)
	metadatatest.AssertEqualCacheRemovalsTotal(t, a.telemetry, memory(0), ignore...)
	metadatatest.AssertEqualCacheEntries(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignore...)
	bytes, err := a.telemetry.GetMetric("sentinel_cache_bytes")
	require.NoError(t, err)
	assert.Positive(t, bytes.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	_, err = a.telemetry.GetMetric("sentinel_cache_redis_up")
	require.Error(t, err, "there is no Redis")
}

func TestWaitingForAnotherRequestsAnswerEndsInTime(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"request_timeout": "40ms"})
	a.store.with(func(f *fakeReader) { f.hang = true })
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathTelemetry, http.NoBody)
			w := a.do(r)
			assert.Equal(t, http.StatusRequestTimeout, w.Code, w.Body.String())
		})
	}
	both.Wait()
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add(newAnswer(http.Header{"Content-Type": {typeJSON}, "Link": {"<x>"}}, []byte("{}")).encode())
	f.Add(newAnswer(http.Header{"Content-Type": {typeJSON}}, make([]byte, 2*minGzipBytes)).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAnswer(b)
		if err == nil {
			require.Equal(t, b, a.encode())
		}
	})
}

func TestWrongCacheConfigs(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*CacheConfig){
		"max_bytes must be at least 1048576, got 1":        func(c *CacheConfig) { c.MaxBytes = 1 },
		"recent_ttl must be from 0 to ttl (5m0s), got 10m": func(c *CacheConfig) { c.RecentTTL = 10 * time.Minute },
	} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, cfg.Cache.Validate())
		change(&cfg.Cache)
		require.ErrorContains(t, cfg.Cache.Validate(), says)
	}
	cfg := newConfig(t, map[string]any{"cache": map[string]any{"redis": map[string]any{"password": "hunter2"}}})
	r := cfg.Cache.settings().Redis
	require.NotNil(t, r)
	assert.Equal(t, "hunter2", r.Password)
	assert.Equal(t, "localhost:6379", r.Addr)
	assert.Equal(t, "sentinel:", r.KeyPrefix)
}
