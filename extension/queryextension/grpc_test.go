package queryextension

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	queryv1 "github.com/llm-devops/llm-sentinel/api/sentinel/query/v1"
	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

// rpc is a started extension with a client.
type rpc struct {
	queryv1.QueryClient
	ext     *queryExtension
	conn    *grpc.ClientConn
	storage *fakeExtension
	store   *fakeReader
}

func startRPC(t *testing.T, options map[string]any, backend store.Reader) *rpc {
	t.Helper()
	all := map[string]any{"grpc": map[string]any{"endpoint": "127.0.0.1:0"}}
	for k, v := range options {
		all[k] = v
	}
	cfg := newConfig(t, all)
	cfg.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	r := &rpc{store: newFakeReader()}
	r.storage = newFakeExtension(r.store)
	if backend != nil {
		r.storage.reader = backend
	}
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	r.ext = ext.(*queryExtension)
	require.NoError(t, r.ext.Start(t.Context(), newHost(r.storage)))
	t.Cleanup(func() { require.NoError(t, r.ext.Shutdown(context.Background())) })
	r.ext.server.now = func() time.Time { return testNow }
	r.conn, err = grpc.NewClient(r.ext.grpc.listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.conn.Close()) })
	r.QueryClient = queryv1.NewQueryClient(r.conn)
	return r
}

// all reads a stream to its end.
func all[M any](t *testing.T, stream grpc.ServerStreamingClient[M], err error) []*M {
	t.Helper()
	require.NoError(t, err)
	messages, err := rest(stream)
	require.NoError(t, err)
	return messages
}

func rest[M any](stream grpc.ServerStreamingClient[M]) (messages []*M, err error) {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return messages, nil
		}
		if err != nil {
			return messages, err
		}
		messages = append(messages, m)
	}
}

// refused checks the status of an error and the code in its details.
func refused(t *testing.T, err error, code codes.Code, reason string) *status.Status {
	t.Helper()
	st, ok := status.FromError(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, st.Code(), st.Message())
	require.Len(t, st.Details(), 1)
	info := st.Details()[0].(*errdetails.ErrorInfo)
	assert.Equal(t, reason, info.GetReason())
	assert.NotEmpty(t, info.GetMetadata()["request_id"])
	return st
}

func golden(t *testing.T, name string, m proto.Message) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", "grpc", name))
	require.NoError(t, err)
	expected := m.ProtoReflect().New().Interface()
	require.NoError(t, protojson.Unmarshal(want, expected))
	assert.True(t, proto.Equal(expected, m), "%s: got %s", name, protojson.Format(m))
}

func TestEventsOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	for i := range 2500 {
		r.store.addEvents(makeEvent(i, time.Duration(i)*time.Second))
	}
	stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{})
	chunks := all(t, stream, err)
	require.Len(t, chunks, 3)
	seen := map[string]bool{}
	last := time.Now()
	for _, c := range chunks {
		assert.LessOrEqual(t, len(c.GetEvents()), chunkRows)
		for _, e := range c.GetEvents() {
			require.False(t, seen[e.GetEventId()])
			seen[e.GetEventId()] = true
			require.False(t, e.GetTimestamp().AsTime().After(last))
			last = e.GetTimestamp().AsTime()
		}
	}
	assert.Len(t, seen, 2500)
	golden(t, "event.json", chunks[0].GetEvents()[0])

	// A broken walk goes on behind its last chunk.
	stream, err = r.ListEvents(t.Context(), &queryv1.ListEventsRequest{After: chunks[1].GetNext()})
	assert.True(t, proto.Equal(chunks[2], all(t, stream, err)[0]))
	stream, err = r.ListEvents(t.Context(), &queryv1.ListEventsRequest{
		Limit: 7, Ascending: true, Filter: &queryv1.EventFilter{Service: "chat-api", Model: "gpt-4"},
		Range: &queryv1.TimeRange{Start: timestamppb.New(testNow.Add(-time.Minute)), End: timestamppb.New(testNow)},
	})
	few := all(t, stream, err)
	require.Len(t, few, 1)
	require.Len(t, few[0].GetEvents(), 7)
	assert.Equal(t, testNow.Add(-time.Minute), few[0].GetEvents()[0].GetTimestamp().AsTime())
	stream, err = r.ListEvents(t.Context(), &queryv1.ListEventsRequest{Filter: &queryv1.EventFilter{Service: "other"}})
	assert.Empty(t, all(t, stream, err))
}

func TestAnomaliesFiguresAndBaselinesOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	for i := range 10 {
		r.store.addEvents(makeEvent(i, time.Duration(i)*time.Second))
	}
	r.store.with(func(f *fakeReader) {
		first := makeAnomaly(1, time.Minute)
		first.Context.EventID = "11111111-2222-3333-4444-555555555555"
		f.anomalies = []anomaly.Anomaly{first, makeAnomaly(2, time.Hour)}
	})
	require.NoError(t, r.store.WriteBaselines(t.Context(), []store.Baseline{
		{Time: testNow.Add(-time.Minute), Service: "chat-api", Model: "gpt-4", Metric: "latency_ms", Samples: 64, Expected: 800, Lower: 400, Upper: 2300},
	}))
	stream, err := r.ListAnomalies(t.Context(), &queryv1.ListAnomaliesRequest{
		Filter: &queryv1.AnomalyFilter{Severity: queryv1.Severity_SEVERITY_HIGH, Type: "latency_spike", MinConfidence: 0.5},
	})
	found := all(t, stream, err)
	require.Len(t, found, 1)
	require.Len(t, found[0].GetAnomalies(), 2)
	golden(t, "anomaly.json", found[0].GetAnomalies()[0])
	stream, err = r.ListAnomalies(t.Context(), &queryv1.ListAnomaliesRequest{Filter: &queryv1.AnomalyFilter{Severity: queryv1.Severity_SEVERITY_LOW}})
	assert.Empty(t, all(t, stream, err))

	figures, err := r.Aggregate(t.Context(), &queryv1.AggregateRequest{
		Range:   &queryv1.TimeRange{Start: timestamppb.New(testNow.Add(-time.Hour)), End: timestamppb.New(testNow.Add(time.Minute))},
		GroupBy: []queryv1.Dimension{queryv1.Dimension_DIMENSION_SERVICE},
	})
	rows := all(t, figures, err)
	require.Len(t, rows, 1)
	golden(t, "figures.json", rows[0].GetFigures()[0])

	baselines, err := r.ListBaselines(t.Context(), &queryv1.ListBaselinesRequest{Service: "chat-api", Latest: true})
	kept := all(t, baselines, err)
	require.Len(t, kept, 1)
	golden(t, "baseline.json", kept[0].GetBaselines()[0])
}

func TestTraceOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	e := makeEvent(1, time.Minute)
	a := makeAnomaly(1, time.Minute)
	a.Context.TraceID = e.TraceID.String()
	r.store.addEvents(e, makeEvent(2, 0))
	r.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{a, makeAnomaly(2, 0)} })
	got, err := r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: e.TraceID.String()})
	require.NoError(t, err)
	require.Len(t, got.GetEvents(), 1)
	require.Len(t, got.GetAnomalies(), 1)
	assert.Equal(t, e.ID.String(), got.GetEvents()[0].GetEventId())
	assert.False(t, got.GetTruncated())
	_, err = r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: "ffffffffffffffffffffffffffffffff"})
	refused(t, err, codes.NotFound, codeNotFound)

	r.store.with(func(f *fakeReader) {
		for i := range maxTraceEvents {
			more := makeEvent(100+i, 0)
			more.TraceID = e.TraceID
			f.events = append(f.events, more)
		}
	})
	got, err = r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: e.TraceID.String()})
	require.NoError(t, err)
	assert.Len(t, got.GetEvents(), maxTraceEvents)
	assert.True(t, got.GetTruncated())
}

func TestFeedbackOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	a := makeAnomaly(1, time.Minute)
	r.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{a} })
	got, err := r.GiveFeedback(t.Context(), &queryv1.GiveFeedbackRequest{
		AnomalyId: a.ID.String(), Verdict: queryv1.Verdict_VERDICT_MUTE, MuteFor: durationpb.New(2 * time.Hour), Comment: "deploy", Author: "alice",
	})
	require.NoError(t, err)
	given := <-r.storage.given
	assert.Equal(t, given.ID.String(), got.GetId())
	assert.Equal(t, testNow.Add(2*time.Hour), got.GetMuteUntil().AsTime())
	assert.Equal(t, store.Feedback{
		ID: given.ID, Time: testNow, AnomalyID: a.ID, Verdict: store.VerdictMute, Until: testNow.Add(2 * time.Hour), Comment: "deploy", Author: "alice",
		Service: a.Service, Model: a.Model, Type: a.Type, Method: a.Method, Metric: "latency_ms", Value: 9000, Baseline: 800,
	}, given)
	_, err = r.GiveFeedback(t.Context(), &queryv1.GiveFeedbackRequest{AnomalyId: a.ID.String()})
	refused(t, err, codes.InvalidArgument, codeInvalidParameter)
	_, err = r.GiveFeedback(t.Context(), &queryv1.GiveFeedbackRequest{
		AnomalyId: a.ID.String(), Verdict: queryv1.Verdict_VERDICT_TRUE, MuteFor: durationpb.New(time.Hour),
	})
	refused(t, err, codes.InvalidArgument, codeInvalidParameter)
	_, err = r.GiveFeedback(t.Context(), &queryv1.GiveFeedbackRequest{AnomalyId: makeAnomaly(9, 0).ID.String(), Verdict: queryv1.Verdict_VERDICT_TRUE})
	refused(t, err, codes.NotFound, codeNotFound)
}

func TestStreamOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, map[string]any{"max_streams": 1, "request_timeout": "50ms"}, nil)
	r.store.with(func(f *fakeReader) { f.caps.Write = true })
	stream, err := r.StreamAnomalies(t.Context(), &queryv1.StreamAnomaliesRequest{Filter: &queryv1.AnomalyFilter{Severity: queryv1.Severity_SEVERITY_CRITICAL}})
	require.NoError(t, err)
	m, err := stream.Recv()
	require.NoError(t, err)
	require.True(t, m.GetReady())

	second, err := r.StreamAnomalies(t.Context(), &queryv1.StreamAnomaliesRequest{})
	require.NoError(t, err)
	_, err = second.Recv()
	refused(t, err, codes.ResourceExhausted, codeTooManyRequests)

	a, b := makeAnomaly(1, 0), makeAnomaly(2, 0)
	b.Severity = anomaly.SeverityCritical
	time.AfterFunc(100*time.Millisecond, func() { r.storage.found(3, a, b) }) // waiting is not limited by request_timeout
	m, err = stream.Recv()
	require.NoError(t, err)
	assert.EqualValues(t, 3, m.GetMissed())
	m, err = stream.Recv()
	require.NoError(t, err)
	assert.Equal(t, b.ID.String(), m.GetAnomaly().GetId(), "the other one is not critical")

	require.NoError(t, r.ext.Shutdown(t.Context()))
	_, err = stream.Recv()
	refused(t, err, codes.Unavailable, codeStorageUnavailable)
}

func TestWrongQuestionsOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	now := timestamppb.New(testNow)
	for reason, req := range map[string]*queryv1.ListEventsRequest{
		"range.start": {Range: &queryv1.TimeRange{Start: now, End: now}},
		"range.end":   {Range: &queryv1.TimeRange{End: &timestamppb.Timestamp{Seconds: -1}}},
		"limit":       {Limit: maxGRPCLimit + 1},
		"after.time":  {After: &queryv1.Position{}},
		"after.id":    {After: &queryv1.Position{Time: now, Id: "x"}},
		"service":     {Filter: &queryv1.EventFilter{Service: "a\x00b"}},
		"trace_id":    {Filter: &queryv1.EventFilter{TraceId: "x"}},
	} {
		stream, err := r.ListEvents(t.Context(), req)
		require.NoError(t, err)
		_, err = stream.Recv()
		st, _ := status.FromError(err)
		require.Equal(t, codes.InvalidArgument, st.Code(), reason)
		assert.Equal(t, reason, st.Details()[0].(*errdetails.ErrorInfo).GetMetadata()["parameter"])
	}
	for _, req := range []*queryv1.AggregateRequest{
		{},
		{Range: &queryv1.TimeRange{Start: timestamppb.New(testNow.Add(-time.Hour)), End: now}, Step: durationpb.New(time.Second)},
		{Range: &queryv1.TimeRange{Start: timestamppb.New(time.Unix(0, 0)), End: now}, Step: durationpb.New(time.Minute)},
		{
			Range:   &queryv1.TimeRange{Start: timestamppb.New(testNow.Add(-time.Hour)), End: now},
			GroupBy: []queryv1.Dimension{queryv1.Dimension_DIMENSION_MODEL, queryv1.Dimension_DIMENSION_MODEL},
		},
	} {
		stream, err := r.Aggregate(t.Context(), req)
		require.NoError(t, err)
		_, err = stream.Recv()
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%v", req)
	}
	r.store.with(func(f *fakeReader) { f.caps = store.Capabilities{} })
	stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{Filter: &queryv1.EventFilter{SessionId: "x"}})
	require.NoError(t, err)
	_, err = stream.Recv()
	refused(t, err, codes.Unimplemented, codeUnsupported)
}

func TestFailuresOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, map[string]any{"request_timeout": "50ms", "max_concurrent_requests": 1}, nil)
	one := func() error {
		stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{})
		require.NoError(t, err)
		_, err = stream.Recv()
		return err
	}
	r.storage.fail(errors.New("x"))
	refused(t, one(), codes.Unavailable, codeStorageUnavailable)
	r.storage.fail(nil)
	r.store.with(func(f *fakeReader) { f.rowErr = errors.New("the secret of the backend") })
	assert.NotContains(t, refused(t, one(), codes.Internal, codeQueryFailed).Message(), "secret")
	r.store.with(func(f *fakeReader) { f.rowErr, f.panics = nil, true })
	refused(t, one(), codes.Internal, codeInternal)
	r.store.with(func(f *fakeReader) { f.panics, f.hang = false, true })
	refused(t, one(), codes.DeadlineExceeded, codeTimeout)
	r.store.with(func(f *fakeReader) { f.hang = false })
	require.Eventually(t, func() bool { return len(r.ext.server.slots) == 0 }, 10*time.Second, time.Millisecond, "slots are given back")
	r.ext.server.slots <- struct{}{}
	refused(t, one(), codes.ResourceExhausted, codeTooManyRequests)
	<-r.ext.server.slots
	require.ErrorIs(t, one(), io.EOF)
}

// A client that does not read must not hold a slot for ever.
func TestClientThatDoesNotReadIsLeft(t *testing.T) {
	t.Parallel()
	r := startRPC(t, map[string]any{"request_timeout": "2s"}, nil)
	r.store.with(func(f *fakeReader) {
		for i := range 3000 {
			e := makeEvent(i, 0)
			e.PromptText = string(make([]byte, 1000))
			f.events = append(f.events, e)
		}
	})
	stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(r.ext.server.slots) == 0 }, 10*time.Second, time.Millisecond)
	_, err = rest(stream)
	refused(t, err, codes.DeadlineExceeded, codeTimeout)
}

func TestRateOfGRPCIsLimited(t *testing.T) {
	t.Parallel()
	r := startRPC(t, map[string]any{"rate_limit": map[string]any{"enabled": true, "requests_per_second": 0.001, "burst": 2}}, nil)
	var err error
	for range 3 {
		_, err = r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: "x"})
	}
	refused(t, err, codes.ResourceExhausted, codeTooManyRequests)
	h, err := grpc_health_v1.NewHealthClient(r.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err, "probes are not limited")
	assert.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, h.GetStatus())
}

func TestHealthAndReflection(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	require.NoError(t, r.ext.Ready())
	for _, service := range []string{"", "sentinel.query.v1.Query"} {
		h, err := grpc_health_v1.NewHealthClient(r.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		require.NoError(t, err)
		assert.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, h.GetStatus())
	}
	require.NoError(t, r.ext.NotReady())
	h, err := grpc_health_v1.NewHealthClient(r.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	assert.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, h.GetStatus())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	info, err := grpc_reflection_v1.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, info.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	}))
	m, err := info.Recv()
	require.NoError(t, err)
	var names []string
	for _, s := range m.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	assert.Contains(t, names, "sentinel.query.v1.Query")
}

func TestAuthenticationOverGRPC(t *testing.T) {
	t.Parallel()
	r := startRPC(t, map[string]any{"grpc": map[string]any{"endpoint": "127.0.0.1:0", "auth": map[string]any{"authenticator": "fake_auth"}}}, nil)
	assert.Contains(t, r.ext.Dependencies(), authID)
	_, err := r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: "x"})
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
	stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{})
	require.NoError(t, err)
	_, err = stream.Recv()
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
}

func TestGRPCIsOffByDefault(t *testing.T) {
	t.Parallel()
	cfg := createDefaultConfig().(*Config)
	assert.False(t, cfg.GRPC.HasValue())
	cfg = newConfig(t, map[string]any{"grpc": map[string]any{}})
	assert.Equal(t, "localhost:8081", cfg.GRPC.Get().NetAddr.Endpoint)
	cfg.GRPC.Get().NetAddr.Endpoint = ""
	require.ErrorContains(t, cfg.Validate(), "grpc::endpoint must not be empty")
}

// The port is taken: the collector does not start, and nothing is left behind.
func TestGRPCPortIsTaken(t *testing.T) {
	t.Parallel()
	r := startRPC(t, nil, nil)
	s := newStarted(t, map[string]any{"grpc": map[string]any{"endpoint": r.ext.grpc.listener.Addr().String()}})
	require.ErrorContains(t, s.Start(t.Context(), s.host), "grpc::endpoint "+r.ext.grpc.listener.Addr().String())
}

// The same questions on the real store.
func TestEmbeddedStoreOverGRPC(t *testing.T) {
	t.Parallel()
	db, err := embedded.Open(t.Context(), embedded.Config{Directory: t.TempDir(), Now: func() time.Time { return testNow }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	events := make([]genai.Event, 2500)
	for i := range events {
		events[i] = makeEvent(i, time.Duration(i%7)*time.Minute)
		events[i].Conversation = "s" + strconv.Itoa(i%5)
	}
	events[3].ErrorMessage, events[3].Failed = "broken \xff text", true
	require.NoError(t, db.WriteEvents(t.Context(), events))
	require.NoError(t, db.WriteAnomalies(t.Context(), []anomaly.Anomaly{makeAnomaly(1, time.Minute)}))
	r := startRPC(t, nil, db)

	stream, err := r.ListEvents(t.Context(), &queryv1.ListEventsRequest{Ascending: true})
	seen := map[string]int{}
	for _, c := range all(t, stream, err) {
		for _, e := range c.GetEvents() {
			seen[e.GetEventId()]++
		}
	}
	for i := range events {
		require.Equal(t, 1, seen[events[i].ID.String()], i)
	}
	stream, err = r.ListEvents(t.Context(), &queryv1.ListEventsRequest{Filter: &queryv1.EventFilter{SessionId: "s3", Failed: true}})
	got := all(t, stream, err)
	require.Len(t, got, 1)
	assert.Equal(t, "broken \uFFFD text", got[0].GetEvents()[0].GetErrorMessage())

	figures, err := r.Aggregate(t.Context(), &queryv1.AggregateRequest{
		Range:   &queryv1.TimeRange{Start: timestamppb.New(testNow.Add(-time.Hour)), End: timestamppb.New(testNow.Add(time.Minute))},
		GroupBy: []queryv1.Dimension{queryv1.Dimension_DIMENSION_SERVICE}, Step: durationpb.New(time.Minute),
	})
	var calls int64
	for _, c := range all(t, figures, err) {
		for _, f := range c.GetFigures() {
			calls += f.GetCalls()
		}
	}
	assert.EqualValues(t, 2500, calls)
	tr, err := r.GetTrace(t.Context(), &queryv1.GetTraceRequest{TraceId: events[0].TraceID.String()})
	require.NoError(t, err)
	assert.Len(t, tr.GetEvents(), 1)
}
