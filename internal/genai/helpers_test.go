package genai

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testTrace = pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	testSpan  = pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 8}
	testStart = pcommon.NewTimestampFromTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
)

// newSpan is a span of 1.5 s with ids and nothing else.
func newSpan() ptrace.Span {
	s := ptrace.NewSpan()
	s.SetTraceID(testTrace)
	s.SetSpanID(testSpan)
	s.SetStartTimestamp(testStart)
	s.SetEndTimestamp(testStart + 1_500_000_000)
	return s
}

// callSpan is newSpan as a chat call of gpt-4o.
func callSpan() ptrace.Span {
	s := newSpan()
	s.Attributes().PutStr(AttrOperationName, OperationChat)
	s.Attributes().PutStr(AttrRequestModel, "gpt-4o")
	return s
}

// fullSpan is a call as a current SDK writes it, with 20 attributes.
func fullSpan() ptrace.Span {
	s := newSpan()
	s.SetName("chat gpt-4o")
	a := s.Attributes()
	a.PutStr(AttrProviderName, "openai")
	a.PutStr(AttrServerAddress, "api.openai.com")
	a.PutInt(AttrServerPort, 443)
	a.PutStr("http.route", "/v1/chat/completions")
	a.PutStr(AttrOperationName, OperationChat)
	a.PutStr(AttrRequestModel, "gpt-4o")
	a.PutInt(AttrRequestMaxTokens, 100)
	a.PutDouble(AttrRequestTemperature, 0.7)
	a.PutBool(AttrRequestStream, true)
	a.PutStr("http.request.method", "POST")
	a.PutInt("http.response.status_code", 200)
	a.PutDouble(AttrTimeToFirstChunk, 0.065)
	a.PutStr(AttrResponseID, "chatcmpl-1")
	a.PutStr(AttrResponseModel, "gpt-4o-2024-08-06")
	a.PutInt(AttrUsageInputTokens, 27)
	a.PutInt(AttrUsageOutputTokens, 12)
	a.PutInt(AttrUsageCacheRead, 16)
	a.PutInt(AttrUsageReasoningTokens, 4)
	a.PutStr(AttrConversationID, "conversation-1")
	a.PutEmptySlice(AttrResponseFinish).AppendEmpty().SetStr("end_turn")
	return s
}

// otherSpan is an HTTP server span with 20 attributes.
func otherSpan() ptrace.Span {
	s := newSpan()
	s.SetName("GET /v1/things")
	a := s.Attributes()
	for _, k := range []string{
		"http.request.method", "http.route", "url.scheme", "url.path", "url.query", "server.address",
		"network.protocol.version", "network.peer.address", "client.address", "user_agent.original",
		"error.type", "user.id", "session.id", "code.function.name", "thread.name", "peer.service",
	} {
		a.PutStr(k, "some value")
	}
	a.PutInt("http.response.status_code", 200)
	a.PutInt("server.port", 443)
	a.PutInt("network.peer.port", 50000)
	a.PutInt("thread.id", 17)
	return s
}

func newTestExtractor(tb testing.TB, o Options) *Extractor {
	tb.Helper()
	x, err := NewExtractor(o)
	require.NoError(tb, err)
	return x
}

// read extracts the event of a span that must be a call.
func read(tb testing.TB, s ptrace.Span) (Event, Problem) {
	tb.Helper()
	return readWith(tb, newTestExtractor(tb, Options{}), s)
}

func readWith(tb testing.TB, x *Extractor, s ptrace.Span) (Event, Problem) {
	tb.Helper()
	var ev Event
	is, problems := x.FromSpan(&Resource{Service: "chat-api"}, pcommon.NewInstrumentationScope(), s, &ev)
	require.True(tb, is, "must be a call")
	return ev, problems
}
