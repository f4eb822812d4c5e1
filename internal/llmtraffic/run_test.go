package llmtraffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic/otlptest"
)

func testLanes(t testing.TB, o Options, n int) []Source {
	t.Helper()
	out := make([]Source, n)
	for i := range out {
		g, err := NewGenerator(o, i, n)
		require.NoError(t, err)
		out[i] = g
	}
	return out
}

func requireBalanced(t *testing.T, c Counts) {
	t.Helper()
	require.Equal(t, c.Spans, c.Accepted+c.Rejected+c.Failed+c.Unsent, "every span is accounted for: %+v", c)
}

func shortOptions() Options {
	o := testOptions()
	o.Duration = 10 * time.Minute
	return o
}

func TestRunDeliversEverySpanInOrderOfItsSeries(t *testing.T) {
	for _, p := range protocols {
		for _, n := range []int{1, 3} {
			t.Run(string(p), func(t *testing.T) {
				r := otlptest.New(t, nil)
				o := shortOptions()
				o.Parents = true
				want := allCalls(t, o, 1)
				var stats Stats
				require.NoError(t, Run(t.Context(), testLanes(t, o, n), newTestSender(t, p, r, nil), RunOptions{SpansPerRequest: 50}, &stats))
				c := stats.Counts()
				requireBalanced(t, c)
				assert.EqualValues(t, len(want), c.Calls)
				assert.EqualValues(t, 2*len(want), c.Accepted)
				assert.Positive(t, c.Bytes)

				last, ids := map[SeriesKey]int64{}, map[string]int{}
				r.Spans(func(service string, s ptrace.Span) {
					ids[s.SpanID().String()]++
					model, llm := s.Attributes().Get("gen_ai.request.model")
					if !llm {
						assert.Equal(t, ptrace.SpanKindServer, s.Kind())
						return
					}
					k := SeriesKey{service, model.Str()}
					require.GreaterOrEqual(t, int64(s.EndTimestamp()), last[k])
					last[k] = int64(s.EndTimestamp())
				})
				assert.Len(t, ids, 2*len(want), "each span arrives once")
			})
		}
	}
}

func TestRunAccountsForFailures(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			// Each fourth request is refused for good, each fourth loses 5 spans,
			// each fourth passes at the second attempt.
			var lost, rejected int64
			retried := map[string]bool{}
			r := otlptest.New(t, func(_ int, td ptrace.Traces) otlptest.Answer {
				first := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
				switch first.SpanID()[0] % 4 {
				case 0:
					lost += int64(td.SpanCount())
					return otlptest.Answer{Code: codes.InvalidArgument}
				case 1:
					rejected += 5
					return otlptest.Answer{Rejected: 5, Message: "five spans are bad"}
				case 2:
					if id := first.SpanID().String(); !retried[id] {
						retried[id] = true
						return otlptest.Answer{Code: codes.Unavailable}
					}
				}
				return otlptest.Answer{}
			})
			var stats Stats
			err := Run(t.Context(), testLanes(t, shortOptions(), 2), newTestSender(t, p, r, nil), RunOptions{SpansPerRequest: 50}, &stats)
			require.NoError(t, err)
			c := stats.Counts()
			requireBalanced(t, c)
			assert.Zero(t, c.Unsent)
			assert.Positive(t, lost)
			assert.Equal(t, lost, c.Failed)
			assert.Equal(t, rejected, c.Rejected)
			assert.EqualValues(t, len(retried), c.Retries)
			assert.Contains(t, stats.Messages(), "partial success: five spans are bad")
			sum := NewSummary(&stats, time.Second)
			assert.False(t, sum.OK())
		})
	}
}

func TestRunEndsWhenTheCollectorDoesNotAnswer(t *testing.T) {
	r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Code: codes.Unavailable} })
	var stats Stats
	s := newTestSender(t, ProtocolGRPC, r, func(o *SenderOptions) { o.MaxRetries = 1 })
	err := Run(t.Context(), testLanes(t, testOptions(), 2), s, RunOptions{}, &stats)
	require.ErrorContains(t, err, "3 requests in a row failed")
	requireBalanced(t, stats.Counts())
	assert.Less(t, stats.Counts().Requests, int64(10))
}

func TestRunEndsWhenTheCollectorRefusesEverything(t *testing.T) {
	r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Code: codes.Unauthenticated} })
	var stats Stats
	err := Run(t.Context(), testLanes(t, testOptions(), 1), newTestSender(t, ProtocolGRPC, r, nil), RunOptions{}, &stats)
	require.ErrorContains(t, err, "20 requests in a row failed")
	requireBalanced(t, stats.Counts())
}

func TestRunStopsGracefully(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := otlptest.New(t, func(n int, _ ptrace.Traces) otlptest.Answer {
		if n == 3 {
			cancel()
			// The answer to the request in flight is still waited for.
			return otlptest.Answer{Delay: 50 * time.Millisecond}
		}
		return otlptest.Answer{}
	})
	var stats Stats
	err := Run(ctx, testLanes(t, testOptions(), 1), newTestSender(t, ProtocolGRPC, r, nil), RunOptions{}, &stats)
	require.ErrorIs(t, err, context.Canceled)
	c := stats.Counts()
	requireBalanced(t, c)
	assert.Zero(t, c.Failed)
	assert.Zero(t, c.Unsent)
	assert.GreaterOrEqual(t, c.Accepted, int64(400))
}

// exporterFunc is an Exporter without a network.
type exporterFunc func(context.Context, ptrace.Traces) (Result, error)

func (f exporterFunc) Send(ctx context.Context, td ptrace.Traces) (Result, error) { return f(ctx, td) }

func TestRunKeepsThePace(t *testing.T) {
	o := testOptions()
	o.Duration, o.Rate = 10*time.Minute, 2
	var mu sync.Mutex
	var early int
	begin := time.Now()
	exp := exporterFunc(func(_ context.Context, td ptrace.Traces) (Result, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range td.ResourceSpans().All() {
			for _, s := range rs.ScopeSpans().At(0).Spans().All() {
				due := begin.Add(s.EndTimestamp().AsTime().Sub(o.Start) / 1200)
				if time.Now().Before(due.Add(-time.Millisecond)) {
					early++
				}
			}
		}
		return Result{}, nil
	})
	var stats Stats
	require.NoError(t, Run(t.Context(), testLanes(t, o, 2), exp, RunOptions{Speed: 1200, Start: o.Start, FlushInterval: 20 * time.Millisecond}, &stats))
	assert.GreaterOrEqual(t, time.Since(begin), 480*time.Millisecond, "ten minutes at speed 1200 take half a second")
	assert.Zero(t, early, "no call is sent before its time")
	assert.Greater(t, stats.Counts().Requests, int64(10), "requests are not held back until they are full")
}

func TestRunChecksItsSpeed(t *testing.T) {
	exp := exporterFunc(func(context.Context, ptrace.Traces) (Result, error) { return Result{}, nil })
	require.Error(t, Run(t.Context(), nil, exp, RunOptions{Speed: 2}, &Stats{}))
	require.Error(t, Run(t.Context(), nil, exp, RunOptions{Speed: -1, Start: epoch}, &Stats{}))
}

func TestMessagesAreBounded(t *testing.T) {
	var s Stats
	for i := range 100 {
		s.message(string(rune('a' + i)))
	}
	assert.LessOrEqual(t, len(s.Messages()), maxMessages+1)
	assert.Equal(t, 100-maxMessages, s.Messages()["other"])
}

func TestTruthAndSummary(t *testing.T) {
	o := testOptions()
	o.Incidents = []Incident{
		{ID: "a", Kind: KindCostSurge, Service: "chat-api", Model: "gpt-4o", Metric: "cost_usd", Start: epoch.Add(time.Hour), End: epoch.Add(70 * time.Minute), Factor: 20, Expected: []string{"cost_anomaly"}},
		{ID: "b", Kind: KindSilence, Service: "chat-api", Model: "gpt-4o-mini", Metric: "throughput", Start: epoch.Add(time.Hour), End: epoch.Add(70 * time.Minute), Expected: []string{"throughput_degradation"}},
	}
	exp := exporterFunc(func(context.Context, ptrace.Traces) (Result, error) { return Result{Bytes: 10}, nil })
	var stats Stats
	require.NoError(t, Run(t.Context(), testLanes(t, o, 1), exp, RunOptions{}, &stats))
	truth := Truth(&o, &stats)
	require.Len(t, truth, 2)
	assert.Equal(t, "gpt-4o-2024-08-06", truth[0].ResponseModel)
	assert.Greater(t, truth[0].Calls, 100)
	assert.False(t, truth[0].FirstEvent.Before(truth[0].Start))
	assert.Zero(t, truth[1].Calls, "silence changes no call")
	assert.Nil(t, truth[1].FirstEvent)

	var file bytes.Buffer
	require.NoError(t, WriteLines(&file, truth))
	again, err := ReadLines[TruthLine](&file, "truth")
	require.NoError(t, err)
	assert.Equal(t, truth, again)
	_, err = ReadLines[TruthLine](bytes.NewReader([]byte("{}\n{")), "truth")
	require.ErrorContains(t, err, "line 2")

	sum := NewSummary(&stats, 2*time.Second)
	sum.Incidents = truth
	assert.True(t, sum.OK())
	var table bytes.Buffer
	require.NoError(t, sum.WriteTable(&table))
	assert.Contains(t, table.String(), "cost_surge")
	js, err := json.Marshal(sum)
	require.NoError(t, err)
	assert.Contains(t, string(js), `"accepted_spans"`)
}

func TestRootCauseDropsWhatDiffers(t *testing.T) {
	inner := errors.New("inner")
	assert.Equal(t, inner, rootCause(errors.Join(&attemptError{err: inner})))
	assert.Equal(t, inner, rootCause(inner))
}
