package questions

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

type row = map[string]any

// One call from the first look at an empty store to the verdict on an anomaly.
func TestWhatAPersonOnCallDoes(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	assert.Equal(t, true, get[row](r, "/api/v1/overview")["empty"])

	stream, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/v1/stream?min_confidence=0.5", http.NoBody)
	require.NoError(t, err)
	resp, err := r.client.Do(stream)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan(), "the stream is open")

	now := time.Now().UTC().Truncate(time.Millisecond)
	events := make([]genai.Event, 90)
	for i := range events {
		events[i] = makeEvent(i, now.Add(-time.Duration(len(events)-i)*20*time.Second))
	}
	require.NoError(t, r.writer.WriteEvents(t.Context(), events))
	found := []anomaly.Anomaly{makeAnomaly(1, &events[60]), makeAnomaly(2, &events[63])}
	found[1].RelatedAlerts = append(found[1].RelatedAlerts, found[0].ID)
	require.NoError(t, r.writer.WriteAnomalies(t.Context(), found))
	var told []string
	for len(told) < 2 && lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			told = append(told, id[strings.IndexByte(id, '-')+1:])
		}
	}
	assert.Equal(t, []string{found[0].ID.String(), found[1].ID.String()}, told)

	o := get[row](r, "/api/v1/overview")
	assert.Equal(t, "warning", o["status"])
	assert.EqualValues(t, 90, o["calls"])
	assert.EqualValues(t, 9, o["failed"])
	assert.Len(t, o["active"], 1, "the newest of one complaint")

	services := get[[]row](r, "/api/v1/services")
	require.Len(t, services, 3)
	assert.EqualValues(t, 30, services[0]["calls"])
	assert.NotNil(t, services[0]["last_seen"])
	models := get[[]row](r, "/api/v1/models?service=chat-0")
	require.Len(t, models, 1)
	assert.InDelta(t, 7.5, models[0]["cost_usd"], 1e-9)

	stats := get[[]row](r, "/api/v1/stats?hours=1&step=1m&group_by=service")
	calls := 0.
	for _, s := range stats {
		calls += s["calls"].(float64)
	}
	assert.InDelta(t, 90, calls, 0)
	all := get[[]row](r, "/api/v1/stats?step=all&tenant=t&environment=prod")
	require.Len(t, all, 1)
	assert.InEpsilon(t, 144, all[0]["latency_ms"].(row)["p50"], 0.03)

	detail := get[row](r, "/api/v1/anomalies/"+found[1].ID.String())
	assert.Equal(t, events[63].ID.String(), detail["event"].(row)["event_id"])
	assert.Len(t, detail["spans"], 3)
	assert.Len(t, detail["values"], 30)
	assert.Len(t, detail["similar"], 1)
	assert.Len(t, detail["related"], 1)
	trace := get[row](r, "/api/v1/traces/"+events[60].TraceID.String())
	assert.EqualValues(t, 3, trace["calls"])
	assert.Len(t, trace["anomalies"], 1)
	session := get[row](r, "/api/v1/sessions/"+url.PathEscape("session/2"))
	assert.EqualValues(t, 30, session["calls"])
	assert.Len(t, session["anomalies"], 2)
	assert.Len(t, get[[]row](r, "/api/v1/telemetry?failed=true&session_id=session/2"), 3)
	assert.Len(t, get[[]row](r, "/api/v1/anomalies?trace_id="+events[60].TraceID.String()), 1)

	// The verdict reaches the engine, and the overview.
	e := &engine{
		expects: store.Baseline{Time: now, Service: "chat-0", Model: "gpt-4", Metric: "latency_ms", Samples: 64, Expected: 150, Lower: 50, Upper: 300},
		learned: make(chan store.Feedback, 4),
	}
	unregister, err := r.storage.(store.EngineHost).RegisterEngine(t.Context(), e)
	require.NoError(t, err)
	baselines := get[[]row](r, "/api/v1/baselines")
	require.Len(t, baselines, 1)
	assert.Equal(t, "anomaly/test", baselines[0]["engine"])
	assert.Len(t, get[row](r, "/api/v1/baselines/"+baselines[0]["key"].(string))["points"], 1)
	require.Equal(t, http.StatusCreated, r.do(http.MethodPost, "/api/v1/anomalies/"+found[1].ID.String()+"/feedback", []byte(`{"verdict":"mute","for":"2h"}`), nil))
	select {
	case f := <-e.learned:
		assert.Equal(t, found[1].ID, f.AnomalyID)
		assert.Equal(t, store.VerdictMute, f.Verdict)
	case <-time.After(20 * time.Second):
		t.Fatal("the engine was not told")
	}
	unregister()
	assert.Len(t, get[[]row](r, "/api/v1/feedback"), 1)
	assert.Empty(t, get[row](r, "/api/v1/overview")["active"])
	assert.Equal(t, http.StatusNotFound, r.do(http.MethodGet, "/api/v1/anomalies/6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", nil, nil))
}

// A reader that pages through what was there when it began sees each of it
// exactly once and in order, while others write before, into and behind it.
func TestPagesUnderConcurrentWrites(t *testing.T) {
	t.Parallel()
	n := 100_000
	if testing.Short() || raced {
		n = 10_000
	}
	r := start(t, nil)
	end := time.Now().UTC().Truncate(time.Second)
	begin := end.Add(-3 * time.Hour)
	at := func(i, of int) time.Time { return begin.Add(time.Duration(i) * 3 * time.Hour / time.Duration(of)) }
	const batch = 1000
	for i := 0; i < n; i += batch {
		events := make([]genai.Event, batch)
		for j := range events {
			events[j] = makeEvent(i+j, at((i+j)/7*7, n)) // seven share a time
		}
		require.NoError(t, r.writer.WriteEvents(t.Context(), events))
	}
	number := make(map[string]int, n)
	for i := range n {
		e := makeEvent(i, end)
		number[e.ID.String()] = i
	}
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		written := 0
		defer func() { stopped <- written }()
		for i := n; ; i += 100 {
			events := make([]genai.Event, 100)
			for j := range events {
				events[j] = makeEvent(i+j, begin.Add(time.Duration((i+j)*7919%14_400)*time.Second-time.Hour/2))
			}
			select {
			case <-stop:
				return
			default:
			}
			if !assert.NoError(t, r.writer.WriteEvents(t.Context(), events)) {
				return
			}
			written += len(events)
		}
	}()
	for _, order := range []string{"false", "true"} {
		seen := make([]int, n)
		target := "/api/v1/telemetry?limit=5000&ascending=" + order + "&start=" + begin.Format(time.RFC3339Nano) + "&end=" + end.Format(time.RFC3339Nano)
		var last time.Time
		pages := 0
		for next := ""; ; pages++ {
			var page struct {
				Data []struct {
					ID   string    `json:"event_id"`
					Time time.Time `json:"timestamp"`
				} `json:"data"`
				Metadata struct {
					Next string `json:"next_cursor"`
				} `json:"metadata"`
			}
			r.do(http.MethodGet, target+next, nil, &page)
			for _, e := range page.Data {
				require.False(t, e.Time.Before(begin) || !e.Time.Before(end))
				if !last.IsZero() {
					require.False(t, (order == "true") == e.Time.Before(last) && !e.Time.Equal(last), "order")
				}
				last = e.Time
				if i, there := number[e.ID]; there {
					seen[i]++
				}
			}
			if page.Metadata.Next == "" {
				break
			}
			next = "&cursor=" + page.Metadata.Next
		}
		for i := range seen {
			require.Equal(t, 1, seen[i], "event %d", i)
		}
		t.Logf("ascending=%s: %d pages", order, pages+1)
	}
	close(stop)
	written := <-stopped
	assert.Positive(t, written, "nothing was written meanwhile")
	t.Logf("%d events were written meanwhile", written)
}

// raced is true under the race detector.
var raced bool
