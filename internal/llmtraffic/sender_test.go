package llmtraffic

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic/otlptest"
)

var protocols = []Protocol{ProtocolGRPC, ProtocolHTTP}

func newTestSender(t *testing.T, p Protocol, r *otlptest.Receiver, change func(*SenderOptions)) *Sender {
	t.Helper()
	o := SenderOptions{Endpoint: r.GRPC, Protocol: p, Insecure: true, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
	if p == ProtocolHTTP {
		o.Endpoint = "http://" + r.HTTP
	}
	if change != nil {
		change(&o)
	}
	s, err := NewSender(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func someTraces(t *testing.T) ptrace.Traces {
	t.Helper()
	tds, err := BuildRequests(1, 10, BuildOptions{Traffic: testOptions()})
	require.NoError(t, err)
	return tds[0]
}

func TestSendDeliversSpansAndHeaders(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			r := otlptest.New(t, nil)
			s := newTestSender(t, p, r, func(o *SenderOptions) { o.Headers = map[string]string{"x-tenant": "acme"} })
			td := someTraces(t)
			res, err := s.Send(t.Context(), td)
			require.NoError(t, err)
			assert.Zero(t, res.Rejected)
			assert.Zero(t, res.Retries)
			size := (&ptrace.ProtoMarshaler{}).TracesSize(td)
			assert.InDelta(t, size, res.Bytes, 16, "the bytes are those of the message, gRPC adds a 5-byte frame")
			require.Len(t, r.Accepted(), 1)
			assert.Equal(t, td.SpanCount(), r.Accepted()[0].SpanCount())
			assert.Equal(t, "acme", r.Headers()[0]["x-tenant"])
		})
	}
}

func TestSendRetriesWhatMayPass(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			r := otlptest.New(t, func(n int, _ ptrace.Traces) otlptest.Answer {
				if n < 2 {
					return otlptest.Answer{Code: codes.Unavailable}
				}
				return otlptest.Answer{}
			})
			res, err := newTestSender(t, p, r, nil).Send(t.Context(), someTraces(t))
			require.NoError(t, err)
			assert.EqualValues(t, 2, res.Retries)
			assert.Equal(t, 3, r.Attempts())
		})
	}
}

func TestSendHonoursTheServersDelay(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			r := otlptest.New(t, func(n int, _ ptrace.Traces) otlptest.Answer {
				if n == 0 {
					return otlptest.Answer{Code: codes.ResourceExhausted, RetryDelay: time.Second}
				}
				return otlptest.Answer{}
			})
			begin := time.Now()
			res, err := newTestSender(t, p, r, nil).Send(t.Context(), someTraces(t))
			require.NoError(t, err)
			assert.EqualValues(t, 1, res.Retries)
			assert.GreaterOrEqual(t, time.Since(begin), time.Second)
		})
	}
}

func TestSendGivesUp(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			t.Run("at once when a retry cannot help", func(t *testing.T) {
				r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Code: codes.InvalidArgument} })
				_, err := newTestSender(t, p, r, nil).Send(t.Context(), someTraces(t))
				require.ErrorContains(t, err, "refused by the test")
				assert.Equal(t, 1, r.Attempts())
			})
			t.Run("after the last retry", func(t *testing.T) {
				r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Code: codes.Unavailable} })
				res, err := newTestSender(t, p, r, func(o *SenderOptions) { o.MaxRetries = 3 }).Send(t.Context(), someTraces(t))
				require.Error(t, err)
				assert.EqualValues(t, 3, res.Retries)
				assert.Equal(t, 4, r.Attempts())
			})
			t.Run("when the context ends", func(t *testing.T) {
				r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer {
					return otlptest.Answer{Code: codes.Unavailable, RetryDelay: time.Hour}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				_, err := newTestSender(t, p, r, nil).Send(ctx, someTraces(t))
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
			t.Run("on a slow server, attempt by attempt", func(t *testing.T) {
				r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Delay: time.Minute} })
				s := newTestSender(t, p, r, func(o *SenderOptions) { o.Timeout, o.MaxRetries = 50*time.Millisecond, 1 })
				_, err := s.Send(t.Context(), someTraces(t))
				require.Error(t, err)
				assert.Equal(t, 2, r.Attempts())
			})
		})
	}
}

func TestResourceExhaustedWithoutDelayIsFinal(t *testing.T) {
	r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Code: codes.ResourceExhausted} })
	_, err := newTestSender(t, ProtocolGRPC, r, nil).Send(t.Context(), someTraces(t))
	require.Error(t, err)
	assert.Equal(t, 1, r.Attempts(), "the OTLP specification asks for RetryInfo")
}

func TestSendReportsPartialSuccess(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			r := otlptest.New(t, func(int, ptrace.Traces) otlptest.Answer { return otlptest.Answer{Rejected: 3, Message: "too old"} })
			res, err := newTestSender(t, p, r, nil).Send(t.Context(), someTraces(t))
			require.NoError(t, err)
			assert.EqualValues(t, 3, res.Rejected)
			assert.Equal(t, "too old", res.Message)
		})
	}
}

func TestSenderEndpoints(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:4318":               "http://localhost:4318/v1/traces",
		"http://localhost:4318/":       "http://localhost:4318/v1/traces",
		"https://collector/otlp/trace": "https://collector/otlp/trace",
	} {
		s, err := NewSender(SenderOptions{Endpoint: in, Protocol: ProtocolHTTP, Insecure: true})
		require.NoError(t, err)
		assert.Equal(t, want, s.url)
		require.NoError(t, s.Close())
	}
	for _, o := range []SenderOptions{{}, {Protocol: ProtocolHTTP, Endpoint: "a b"}} {
		_, err := NewSender(o)
		assert.ErrorContains(t, err, "endpoint")
	}
}
