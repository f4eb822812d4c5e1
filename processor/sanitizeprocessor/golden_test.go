package sanitizeprocessor

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write testdata/*/output.json from what the processor gives, and fail")

func read[T any](t *testing.T, decode func([]byte) (T, error), folder, file string) T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", folder, file))
	require.NoError(t, err)
	v, err := decode(b)
	require.NoError(t, err)
	return v
}

// golden sends input.json of a folder and compares what comes out with output.json.
func golden[T any](t *testing.T, folder string, decode func([]byte) (T, error), encode func(T) ([]byte, error), send func(T) T, compare func(want, got T) error) {
	t.Helper()
	got := send(read(t, decode, folder, "input.json"))
	if *update {
		b, err := encode(got)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join("testdata", folder, "output.json"), append(b, '\n'), 0o600))
		t.Fatal("golden file written, look at the difference")
	}
	require.NoError(t, compare(read(t, decode, folder, "output.json"), got))
}

func TestGoldenSpans(t *testing.T) {
	r := newRig(t, dropping)
	golden(t, "span", (&ptrace.JSONUnmarshaler{}).UnmarshalTraces, (&ptrace.JSONMarshaler{}).MarshalTraces, func(td ptrace.Traces) ptrace.Traces {
		require.NoError(t, r.traces.ConsumeTraces(t.Context(), td))
		return r.spans.AllTraces()[0]
	}, func(want, got ptrace.Traces) error { return ptracetest.CompareTraces(want, got) })
}

func TestGoldenLogs(t *testing.T) {
	r := newRig(t, nil)
	golden(t, "log", (&plog.JSONUnmarshaler{}).UnmarshalLogs, (&plog.JSONMarshaler{}).MarshalLogs, func(ld plog.Logs) plog.Logs {
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), ld))
		return r.records.AllLogs()[0]
	}, func(want, got plog.Logs) error { return plogtest.CompareLogs(want, got) })
}

func TestGoldenMetrics(t *testing.T) {
	r := newRig(t, nil)
	golden(t, "metric", (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics, (&pmetric.JSONMarshaler{}).MarshalMetrics, func(md pmetric.Metrics) pmetric.Metrics {
		require.NoError(t, r.metrics.ConsumeMetrics(t.Context(), md))
		return r.points.AllMetrics()[0]
	}, func(want, got pmetric.Metrics) error { return pmetrictest.CompareMetrics(want, got) })
}
