package queryextension

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// sse is one event of a stream.
type sse struct{ event, id, data string }

// streamClient reads a stream as a browser does.
type streamClient struct {
	t    *testing.T
	resp *http.Response
	r    *bufio.Reader
}

func (s *started) stream(t *testing.T, query, last string) *streamClient {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+pathStream+query, http.NoBody)
	require.NoError(t, err)
	if last != "" {
		r.Header.Set(headerLastEventID, last)
	}
	resp, err := newClient().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, typeEvents, resp.Header.Get("Content-Type"))
	return &streamClient{t, resp, bufio.NewReader(resp.Body)}
}

// next is the next event; comments and the rest are skipped.
func (c *streamClient) next() sse {
	c.t.Helper()
	var e sse
	for {
		line, err := c.r.ReadString('\n')
		require.NoError(c.t, err)
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.event = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e != (sse{}) {
				return e
			}
		}
	}
}

func (c *streamClient) nextID() string {
	c.t.Helper()
	e := c.next()
	require.Equal(c.t, "anomaly", e.event, e)
	var a anomaly.Anomaly
	require.NoError(c.t, json.Unmarshal([]byte(e.data), &a))
	require.Equal(c.t, eventID(&a), e.id)
	return a.ID.String()
}

func startStreaming(t *testing.T, options map[string]any) (*started, *fakeExtension) {
	t.Helper()
	var ext *fakeExtension
	s := startWith(t, options, func(r *fakeReader) component.Component {
		ext = newFakeExtension(r)
		return ext
	})
	return s, ext
}

func TestStreamTellsOfNewAnomalies(t *testing.T) {
	t.Parallel()
	s, ext := startStreaming(t, nil)
	old := makeAnomaly(0, time.Hour)
	ext.store.with(func(f *fakeReader) { f.anomalies = append(f.anomalies, old) })
	c, critical := s.stream(t, "", ""), s.stream(t, "?severity=critical&service=chat-api&model=gpt-4&anomaly_type=latency-spike&min_confidence=0.9", "")
	<-ext.subscribed
	<-ext.subscribed
	one, two, three := makeAnomaly(1, 0), makeAnomaly(2, 0), makeAnomaly(3, 0)
	two.Severity, three.Severity, three.Confidence = anomaly.SeverityCritical, anomaly.SeverityCritical, 0.5
	ext.found(0, one, two)
	ext.found(7, three)
	assert.Equal(t, []string{one.ID.String(), two.ID.String()}, []string{c.nextID(), c.nextID()})
	assert.Equal(t, sse{"missed", "", `{"count":7}`}, c.next())
	assert.Equal(t, three.ID.String(), c.nextID())
	assert.Equal(t, two.ID.String(), critical.nextID())
	assert.Equal(t, "missed", critical.next().event, "what was missed may have been of interest")
	for _, wrong := range []func(*anomaly.Anomaly){
		func(a *anomaly.Anomaly) { a.Service = "x" }, func(a *anomaly.Anomaly) { a.Model = "x" }, func(a *anomaly.Anomaly) { a.Type = "x" },
	} {
		a := two
		wrong(&a)
		ext.found(0, a)
	}
	last := makeAnomaly(4, 0)
	last.Severity = anomaly.SeverityCritical
	ext.found(0, last)
	assert.Equal(t, last.ID.String(), critical.nextID(), "nothing else matches")
}

func TestStreamGoesOnBehindTheLastEvent(t *testing.T) {
	t.Parallel()
	var kept []anomaly.Anomaly
	for i := range 5 {
		kept = append(kept, makeAnomaly(i, time.Duration(10-i)*time.Minute))
	}
	other, fresh, last := makeAnomaly(9, time.Minute), makeAnomaly(7, 0), makeAnomaly(8, 0)
	other.Service = "x"
	open := func(t *testing.T) (*started, *fakeExtension) {
		t.Helper()
		s, ext := startStreaming(t, nil)
		ext.store.with(func(f *fakeReader) { f.anomalies = append(slices.Clone(kept), other) })
		return s, ext
	}
	// A batch of which one is kept already, as when its writing is tried again.
	batch := []anomaly.Anomaly{kept[4], fresh}
	want := []string{kept[2].ID.String(), kept[3].ID.String(), kept[4].ID.String(), fresh.ID.String(), last.ID.String()}

	t.Run("a batch told of before the replay is read", func(t *testing.T) {
		t.Parallel()
		s, ext := open(t)
		ext.onSubscribe = func() { ext.found(0, batch...) }
		c := s.stream(t, "?service=chat-api", eventID(&kept[1]))
		got := []string{c.nextID(), c.nextID(), c.nextID(), c.nextID()}
		ext.found(0, last)
		assert.Equal(t, want, append(got, c.nextID()), "each once")
	})
	t.Run("a batch told of after the replay is read", func(t *testing.T) {
		t.Parallel()
		s, ext := open(t)
		c := s.stream(t, "?service=chat-api", eventID(&kept[1]))
		got := []string{c.nextID()}
		ext.found(0, batch...)
		ext.found(0, last)
		assert.Equal(t, want, append(got, c.nextID(), c.nextID(), c.nextID(), c.nextID()), "each once")
	})
	t.Run("the id of something that is gone is still a place in time", func(t *testing.T) {
		t.Parallel()
		s, _ := open(t)
		gone := makeAnomaly(77, 6*time.Minute+time.Second)
		assert.Equal(t, kept[4].ID.String(), s.stream(t, "?service=chat-api", eventID(&gone)).nextID())
	})
}

func TestReplayIsBounded(t *testing.T) {
	t.Parallel()
	s, ext := startStreaming(t, nil)
	ext.store.with(func(f *fakeReader) {
		for i := range maxReplay + 12 {
			a := makeAnomaly(0, time.Hour)
			a.Time = a.Time.Add(time.Duration(i) * time.Millisecond)
			a.ID[0], a.ID[1] = byte(i>>8), byte(i)
			f.anomalies = append(f.anomalies, a)
		}
	})
	c := s.stream(t, "", eventID(&ext.store.anomalies[1]))
	for i := range maxReplay {
		require.Equal(t, ext.store.anomalies[i+2].ID.String(), c.nextID())
	}
	assert.Equal(t, sse{"missed", "", `{"count":10}`}, c.next())

	// A backend without cursors and counts: as much, and not how many more.
	ext.store.with(func(f *fakeReader) { f.caps.Cursor, f.caps.Count = false, false })
	c = s.stream(t, "", eventID(&ext.store.anomalies[1]))
	for i := range maxReplay - 2 {
		require.Equal(t, ext.store.anomalies[i+2].ID.String(), c.nextID())
	}
}

// A stream lives longer than any other response may take.
func TestStreamOutlivesTheTimeoutsOfTheServer(t *testing.T) {
	t.Parallel()
	s, ext := startStreaming(t, map[string]any{"request_timeout": "20ms", "http": map[string]any{
		"endpoint": "127.0.0.1:0", "write_timeout": "50ms", "read_timeout": "50ms",
	}})
	c := s.stream(t, "", "")
	<-ext.subscribed
	for begin, i := time.Now(), 0; time.Since(begin) < 300*time.Millisecond; i++ {
		a := makeAnomaly(i, 0)
		ext.found(0, a)
		require.Equal(t, a.ID.String(), c.nextID())
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s, ext := startStreaming(t, map[string]any{"max_streams": 2, "http": map[string]any{"endpoint": "127.0.0.1:0"}})
	first, second := s.stream(t, "", ""), s.stream(t, "", "")
	resp := call(t, newClient(), http.MethodGet, s.url+pathStream)
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
	e := failure(t, resp, http.StatusTooManyRequests, codeTooManyRequests)
	assert.EqualValues(t, 2, e.Details["max_streams"])
	assert.Equal(t, http.StatusOK, call(t, newClient(), http.MethodGet, s.url+pathTelemetry).StatusCode, "streams take no slots of others")
	require.NoError(t, first.resp.Body.Close())
	require.Eventually(t, func() bool {
		return call(t, newClient(), http.MethodHead, s.url+pathStream).StatusCode == http.StatusOK
	}, 10*time.Second, time.Millisecond, "a client that leaves makes room")
	<-ext.subscribed
	<-ext.subscribed
	ext.found(0, makeAnomaly(1, 0))
	second.nextID()
}

func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	s, ext := startStreaming(t, nil)
	c := s.stream(t, "", "")
	<-ext.subscribed
	begin := time.Now()
	require.NoError(t, s.Shutdown(t.Context()))
	assert.Less(t, time.Since(begin), drainTimeout/2, "nobody waits for a stream")
	for {
		if _, err := c.r.ReadString('\n'); err != nil {
			break
		}
	}
}

func TestIdleStreamHasAHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		a.extension = newFakeExtension(a.store)
		ctx, cancel := context.WithCancel(t.Context())
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.http.ServeHTTP(w, request(t, http.MethodGet, pathStream, http.NoBody).WithContext(ctx))
		}()
		time.Sleep(3*streamHeartbeat + time.Second) // in the bubble, no time passes
		metadatatest.AssertEqualAPIStreams(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
		cancel()
		<-done
		assert.Equal(t, 3, strings.Count(w.Body.String(), "\n:\n"), w.Body.String())
		assert.Contains(t, w.Body.String(), "retry: ")
		metadatatest.AssertEqualAPIStreams(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 0}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
		assert.Empty(t, a.streams)
	})
}

// slowWriter takes no more than its room; then writes fail at their deadline.
type slowWriter struct {
	*httptest.ResponseRecorder
	room      int
	deadline  time.Time
	deadlines int
}

func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	w.deadlines++
	return nil
}

func (w *slowWriter) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		return errors.New("a stream reads nothing")
	}
	return nil
}

func (w *slowWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		time.Sleep(time.Until(w.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	return w.ResponseRecorder.Write(b)
}

func TestClientThatStopsReadingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		ext := newFakeExtension(a.store)
		a.extension = ext
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), room: 4000}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.http.ServeHTTP(w, request(t, http.MethodGet, pathStream, http.NoBody).WithContext(ctx))
		}()
		<-ext.subscribed
		begin := time.Now()
		for i := range 10 {
			ext.found(0, makeAnomaly(i, 0))
		}
		<-done
		assert.Equal(t, streamWriteTimeout, time.Since(begin))
		assert.Greater(t, w.deadlines, 4)
		assert.Empty(t, a.streams)
		synctest.Wait()
		assert.Empty(t, ext.subscribers, "it is not told of any more")
	})
}

func TestMissedAnomaliesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, nil)
		ext := newFakeExtension(a.store)
		a.extension = ext
		go func() {
			<-ext.subscribed
			ext.found(5)
			synctest.Wait()
			a.endStreams()
		}()
		w := a.get(pathStream)
		assert.Contains(t, w.Body.String(), "event: missed\ndata: {\"count\":5}\n\n")
		metadatatest.AssertEqualAPIStreamMissedTotal(t, a.telemetry, []metricdata.DataPoint[int64]{{Value: 5}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	})
}
