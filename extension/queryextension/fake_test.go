package queryextension

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var allCapabilities = store.Capabilities{
	Count: true, Cursor: true, Offset: true, Trace: true, Filters: true, ByID: true,
	Aggregate: true, Baselines: true, Feedback: true, Write: true,
}

var _ store.Versioned = (*fakeReader)(nil)

// fakeReader is a store.Reader over slices that follows the contract to the
// letter. Failures can be switched on.
type fakeReader struct {
	mu        sync.Mutex
	caps      store.Capabilities
	events    []genai.Event
	anomalies []anomaly.Anomaly
	baselines []store.Baseline
	feedback  []store.Feedback
	rowErr    error // yielded after failAfter rows
	failAfter int
	countErr  error
	pingErr   error
	hang      bool // wait for the end of the context before the first row
	silent    bool // end without a word when the context ends
	panics    bool
	counts    int
	version   uint64
}

func newFakeReader() *fakeReader { return &fakeReader{caps: allCapabilities} }

func (f *fakeReader) with(set func(*fakeReader)) *fakeReader {
	f.mu.Lock()
	defer f.mu.Unlock()
	set(f)
	f.version++
	return f
}

// Version changes with every change.
func (f *fakeReader) Version(time.Time, time.Time) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

func (f *fakeReader) addEvents(events ...genai.Event) {
	f.with(func(f *fakeReader) { f.events = append(f.events, events...) })
}

func (f *fakeReader) Capabilities() store.Capabilities {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.caps
}

func (f *fakeReader) Ping(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pingErr
}

func (f *fakeReader) Events(ctx context.Context, q store.EventQuery) iter.Seq2[genai.Event, error] {
	return func(yield func(genai.Event, error) bool) {
		f.mu.Lock()
		rows := selectRows(f.events, q.Query, eventPlace, eventMatch(q))
		f.mu.Unlock()
		fakeYield(ctx, f, rows, yield)
	}
}

func (f *fakeReader) CountEvents(_ context.Context, q store.EventQuery) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts++
	return countRows(f.events, q.Query, eventPlace, eventMatch(q)), f.countErr
}

func (f *fakeReader) Anomalies(ctx context.Context, q store.AnomalyQuery) iter.Seq2[anomaly.Anomaly, error] {
	return func(yield func(anomaly.Anomaly, error) bool) {
		f.mu.Lock()
		rows := selectRows(f.anomalies, q.Query, anomalyPlace, anomalyMatch(q))
		f.mu.Unlock()
		fakeYield(ctx, f, rows, yield)
	}
}

func (f *fakeReader) CountAnomalies(_ context.Context, q store.AnomalyQuery) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts++
	return countRows(f.anomalies, q.Query, anomalyPlace, anomalyMatch(q)), f.countErr
}

func fakeYield[T any](ctx context.Context, f *fakeReader, rows []T, yield func(T, error) bool) {
	f.mu.Lock()
	hang, silent, panics, rowErr, failAfter := f.hang, f.silent, f.panics, f.rowErr, f.failAfter
	f.mu.Unlock()
	var zero T
	if panics {
		panic("the backend has a bug")
	}
	if hang {
		<-ctx.Done()
		if !silent {
			yield(zero, fmt.Errorf("interrupted: %w", ctx.Err()))
		}
		return
	}
	for i, row := range rows {
		if rowErr != nil && i == failAfter {
			break
		}
		if !yield(row, nil) {
			return
		}
	}
	if rowErr != nil {
		yield(zero, rowErr)
	}
}

func eventPlace(e *genai.Event) store.Position { return store.Position{Time: e.Time(), ID: e.ID} }

func eventMatch(q store.EventQuery) func(*genai.Event) bool {
	return func(e *genai.Event) bool {
		return (q.ID == uuid.Nil || e.ID == q.ID) && filterMatch(q.EventFilter, q.Service, q.Model, e)
	}
}

func anomalyPlace(a *anomaly.Anomaly) store.Position {
	return store.Position{Time: a.Time, ID: a.ID}
}

func anomalyMatch(q store.AnomalyQuery) func(*anomaly.Anomaly) bool {
	return func(a *anomaly.Anomaly) bool {
		return (q.Service == "" || a.Service == q.Service) && (q.Model == "" || a.Model == q.Model) &&
			(q.ID == uuid.Nil || a.ID == q.ID) && (q.TraceID == "" || a.Context.TraceID == q.TraceID) &&
			(q.Severity == 0 || a.Severity == q.Severity) && (q.Type == "" || a.Type == q.Type) && a.Confidence >= q.MinConfidence
	}
}

func inRange(t time.Time, q store.Query) bool {
	return (q.Start.IsZero() || !t.Before(q.Start)) && (q.End.IsZero() || t.Before(q.End))
}

func comparePlaces(a, b store.Position) int {
	return cmp.Or(a.Time.Compare(b.Time), bytes.Compare(a.ID[:], b.ID[:]))
}

func countRows[T any](all []T, q store.Query, place func(*T) store.Position, match func(*T) bool) (n int64) {
	for i := range all {
		if inRange(place(&all[i]).Time, q) && match(&all[i]) {
			n++
		}
	}
	return n
}

func selectRows[T any](all []T, q store.Query, place func(*T) store.Position, match func(*T) bool) []T {
	sign := -1
	if q.Ascending {
		sign = 1
	}
	var rows []T
	for i := range all {
		p := place(&all[i])
		if inRange(p.Time, q) && match(&all[i]) && (q.After == nil || sign*comparePlaces(p, *q.After) > 0) {
			rows = append(rows, all[i])
		}
	}
	slices.SortFunc(rows, func(a, b T) int { return sign * comparePlaces(place(&a), place(&b)) })
	rows = rows[min(q.Offset, len(rows)):]
	return rows[:min(q.Limit, len(rows))]
}

// fakeStorage is the storage extension of a backend that can do less than ours.
type fakeStorage struct {
	component.StartFunc
	component.ShutdownFunc
	mu     sync.Mutex
	reader store.Reader
	err    error
}

func (f *fakeStorage) StoreReader(context.Context) (store.Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader, f.err
}

func (f *fakeStorage) StoreWriter(context.Context) (store.Writer, error) {
	return nil, store.ErrUnsupported
}

func (f *fakeStorage) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// fakeAuth lets in whoever knows the word.
type fakeAuth struct {
	component.StartFunc
	component.ShutdownFunc
}

func (fakeAuth) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	if slices.Contains(headers["Authorization"], "Bearer sesame") {
		info := client.FromContext(ctx)
		info.Auth = fakeIdentity{}
		return client.NewContext(ctx, info), nil
	}
	return ctx, fmt.Errorf("token table /etc/tokens has no such entry")
}

// fakeIdentity is who knew the word.
type fakeIdentity struct{}

func (fakeIdentity) GetAttribute(name string) any {
	if name == "subject" {
		return "ali"
	}
	return nil
}

func (fakeIdentity) GetAttributeNames() []string { return []string{"subject"} }

// fakeHost has extensions and keeps reported states.
type fakeHost struct {
	extensions map[component.ID]component.Component
	mu         sync.Mutex
	reported   []*componentstatus.Event
}

func (h *fakeHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

func (h *fakeHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reported = append(h.reported, e)
}

func (h *fakeHost) lastReport() *componentstatus.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reported) == 0 {
		return nil
	}
	return h.reported[len(h.reported)-1]
}

// testNow is the clock of the server in handler tests.
var testNow = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// makeEvent is an event that ended ago before testNow.
func makeEvent(n int, ago time.Duration) genai.Event {
	var trace pcommon.TraceID
	var span pcommon.SpanID
	binary.BigEndian.PutUint64(trace[8:], uint64(n)+1)
	binary.BigEndian.PutUint64(span[:], uint64(n)+1)
	end := testNow.Add(-ago)
	return genai.Event{
		ID: genai.NewEventID(trace, span), TraceID: trace, SpanID: span,
		Start: pcommon.NewTimestampFromTime(end.Add(-time.Second)), End: pcommon.NewTimestampFromTime(end),
		Service: "chat-api", ResponseModel: "gpt-4", RequestModel: "gpt-4", Provider: "openai", Operation: "chat",
		FinishReason: "stop", User: "u1", Region: "eu-west-1",
		Present:     genai.FieldInputTokens | genai.FieldOutputTokens | genai.FieldTotalTokens | genai.FieldCost | genai.FieldLatency,
		InputTokens: 120, OutputTokens: 340, TotalTokens: 460, CostUSD: 0.024, LatencyMillis: 1000,
	}
}

func makeAnomaly(n int, ago time.Duration) anomaly.Anomaly {
	at := testNow.Add(-ago)
	return anomaly.Anomaly{
		ID: anomaly.NewID("chat-api", "gpt-4", "latency_ms", anomaly.TypeLatencySpike, at, strconv.Itoa(n)), Time: at,
		Severity: anomaly.SeverityHigh, Type: anomaly.TypeLatencySpike, Service: "chat-api", Model: "gpt-4",
		Method: anomaly.MethodZScore, Confidence: 0.9,
		Details: anomaly.Details{
			Metric: "latency_ms", Value: 9000, Baseline: 800, Threshold: 2300, DeviationSigma: math.NaN(),
			Methods: []anomaly.Method{anomaly.MethodZScore, anomaly.MethodMAD}, Additional: map[string]float64{"q1": 1},
		},
		Context: anomaly.Context{TraceID: strings.Repeat("a", 32), EventID: uuid.NewString(), TimeWindow: "last_64_samples", SampleCount: 64},
	}
}
