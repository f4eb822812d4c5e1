package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic/otlptest"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeModeEnv); mode != "" {
		os.Exit(fakeMain(mode))
	}
	goleak.VerifyTestMain(m)
}

func llmload(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(ctx, args, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "Usage: llmload COMMAND"},
		{[]string{"help"}, 0, "Usage: llmload COMMAND"},
		{[]string{"nonsense"}, 2, `unknown command "nonsense"`},
		{[]string{"generate", "-h"}, 0, "latency_shift     4       30m"},
		{[]string{"replay", "-h"}, 0, "Usage: llmload replay"},
		{[]string{"demo", "-h"}, 0, "Usage: llmload demo"},
		{[]string{"fit", "-h"}, 0, "Usage: llmload fit"},
		{[]string{"generate", "--rate", "0"}, 2, "rate must be above 0"},
		{[]string{"generate", "--rate", "x"}, 2, "invalid value"},
		{[]string{"generate", "--protocol", "carrier-pigeon"}, 2, "grpc or http"},
		{[]string{"generate", "--incidents", "nonsense"}, 2, "incident kind must be one of"},
		{[]string{"generate", "--start", "yesterday"}, 2, "RFC 3339"},
		{[]string{"generate", "--spans-per-request", "0"}, 2, "spans-per-request"},
		{[]string{"generate", "--speed", "-1"}, 2, "speed"},
		{[]string{"generate", "--concurrency", "0"}, 2, "concurrency"},
		{[]string{"generate", "--services", "0"}, 2, "services"},
		{[]string{"generate", "--timeout", "0s"}, 2, "timeout"},
		{[]string{"generate", "--header", "nonsense"}, 2, "key=value"},
		{[]string{"generate", "extra"}, 2, "unexpected argument"},
		{[]string{"replay"}, 2, "at least one trace file"},
		{[]string{"replay", "--latency", "guess", "x"}, 2, "model or none"},
		{[]string{"replay", "--format", "x", "x"}, 2, "azure"},
		{[]string{"replay", "does-not-exist"}, 1, "no such file"},
		{[]string{"demo", "--wall", "0s"}, 2, "above 0"},
		{[]string{"demo", "--incidents", "none"}, 2, "needs incidents"},
		{[]string{"demo", "--collector", "does-not-exist"}, 1, "start collector"},
		{[]string{"fit", "--data", "does-not-exist"}, 1, "SENTINEL_DATA"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errOut := llmload(t.Context(), t, c.args...)
			assert.Equal(t, c.code, code)
			assert.Contains(t, out+errOut, c.want)
		})
	}
}

func TestGenerate(t *testing.T) {
	for _, protocol := range []string{"grpc", "http"} {
		t.Run(protocol, func(t *testing.T) {
			r := otlptest.New(t, nil)
			endpoint := r.GRPC
			if protocol == "http" {
				endpoint = r.HTTP
			}
			truth, summary := filepath.Join(t.TempDir(), "truth"), filepath.Join(t.TempDir(), "summary")
			code, out, errOut := llmload(t.Context(), t, "generate", "--endpoint", endpoint, "--protocol", protocol, "--rate", "3", "--duration", "1h",
				"--incidents", "all", "--truth", truth, "--summary-json", summary, "--concurrency", "3", "--header", "x-tenant=acme")
			require.Zero(t, code, errOut)
			assert.Contains(t, out, "latency_spike")

			var sum llmtraffic.Summary
			raw, err := os.ReadFile(summary)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, &sum))
			n := 0
			r.Spans(func(string, ptrace.Span) { n++ })
			assert.EqualValues(t, n, sum.Accepted)
			// 10,800 at the mean rate; it follows the time of day, and incidents take calls away.
			assert.Greater(t, n, 5000)
			assert.Equal(t, "acme", r.Headers()[0]["x-tenant"])

			f, err := os.Open(truth)
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			lines, err := llmtraffic.ReadLines[llmtraffic.TruthLine](f, truth)
			require.NoError(t, err)
			assert.Len(t, lines, len(llmtraffic.Kinds()))
			var latest time.Time
			r.Spans(func(_ string, s ptrace.Span) {
				if e := s.EndTimestamp().AsTime(); e.After(latest) {
					latest = e
				}
			})
			assert.WithinDuration(t, time.Now(), latest, 10*time.Minute, "the run ends now")
		})
	}
}

func TestGenerateWithIncidentFile(t *testing.T) {
	r := otlptest.New(t, nil)
	file := filepath.Join(t.TempDir(), "incidents")
	require.NoError(t, os.WriteFile(file, []byte(`{"kind":"cost_surge","service":"chat-api","model":"gpt-4o","at":"5m","length":"2m"}`), 0o600))
	code, out, errOut := llmload(t.Context(), t, "generate", "--endpoint", r.GRPC, "--duration", "10m", "--incidents", file, "--start", "2026-01-02T03:04:05Z")
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "2026-01-02T03:04:05Z .. 2026-01-02T03:14:05Z")
	assert.Contains(t, out, "03:09:05")
}

func TestGenerateFailsWhenSpansAreLost(t *testing.T) {
	r := otlptest.New(t, func(n int, _ ptrace.Traces) otlptest.Answer {
		if n == 1 {
			return otlptest.Answer{Code: codes.InvalidArgument}
		}
		return otlptest.Answer{}
	})
	code, out, errOut := llmload(t.Context(), t, "generate", "--endpoint", r.GRPC, "--duration", "5m")
	assert.Equal(t, 1, code)
	assert.Contains(t, errOut, "100 of")
	assert.Contains(t, out, "failed 100")
	assert.Contains(t, out, "refused by the test")
}

func TestGenerateWithoutCollector(t *testing.T) {
	code, _, errOut := llmload(t.Context(), t, "generate", "--endpoint", "127.0.0.1:1", "--retries", "-1", "--timeout", "1s")
	assert.Equal(t, 1, code)
	assert.Contains(t, errOut, "3 requests in a row failed")
}

func TestInterruptGivesASummary(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := otlptest.New(t, func(n int, _ ptrace.Traces) otlptest.Answer {
		if n == 2 {
			// As signal.NotifyContext does.
			cancel(errors.New("interrupt signal received"))
		}
		return otlptest.Answer{}
	})
	code, out, errOut := llmload(ctx, t, "generate", "--endpoint", r.GRPC, "--duration", "2h")
	assert.Zero(t, code, errOut)
	assert.Regexp(t, `interrupted +yes`, out)
}

func TestReplay(t *testing.T) {
	r := otlptest.New(t, nil)
	trace := filepath.Join(t.TempDir(), "a.csv")
	require.NoError(t, os.WriteFile(trace, []byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-02 03:04:05.5,100,20\n2026-01-02 03:05:05.5,7,3\n"), 0o600))
	truth := filepath.Join(t.TempDir(), "truth")
	code, out, errOut := llmload(t.Context(), t, "replay", "--endpoint", r.GRPC, "--start", "original", "--truth", truth, trace)
	require.Zero(t, code, errOut)
	assert.Regexp(t, `calls +2`, out)
	var starts []string
	r.Spans(func(service string, s ptrace.Span) {
		assert.Equal(t, "replay-azure", service)
		starts = append(starts, s.StartTimestamp().AsTime().Format(time.RFC3339Nano))
	})
	assert.Equal(t, []string{"2026-01-02T03:04:05.5Z", "2026-01-02T03:05:05.5Z"}, starts)
	lines, err := os.ReadFile(truth)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(lines), "\n"))

	code, _, errOut = llmload(t.Context(), t, "replay", "--endpoint", r.GRPC, "--start", "2020-01-01T00:00:00Z", trace)
	require.Zero(t, code, errOut)
	code, _, errOut = llmload(t.Context(), t, "replay", "--endpoint", r.GRPC, trace)
	require.Zero(t, code, errOut)
	code, _, errOut = llmload(t.Context(), t, "replay", "--start", "soon", trace)
	assert.Equal(t, 2, code)
	assert.Contains(t, errOut, "start must be")

	relative := filepath.Join(t.TempDir(), "m.jsonl")
	require.NoError(t, os.WriteFile(relative, []byte(`{"timestamp": 0, "input_length": 700, "output_length": 50}`), 0o600))
	code, _, errOut = llmload(t.Context(), t, "replay", "--start", "original", relative)
	assert.Equal(t, 2, code)
	assert.Contains(t, errOut, "no dates")
}

func TestFitPrintsTheCheckedInTable(t *testing.T) {
	dir := os.Getenv("SENTINEL_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no public traces at %s; set SENTINEL_DATA to run this test", dir)
	}
	want, err := os.ReadFile("../../internal/llmtraffic/params_gen.go")
	require.NoError(t, err)
	code, out, errOut := llmload(t.Context(), t, "fit", "--data", dir)
	require.Zero(t, code, errOut)
	assert.Equal(t, string(want), out)
	file := filepath.Join(t.TempDir(), "p.go")
	code, _, _ = llmload(t.Context(), t, "fit", "--data", dir, "--out", file)
	require.Zero(t, code)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}
