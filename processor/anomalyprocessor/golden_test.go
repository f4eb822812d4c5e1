package anomalyprocessor

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

var update = flag.Bool("update", false, "write testdata/<case>/output.json from what the processor gives, and fail")

// Each folder with an input.json is a case: config.yaml and a batch in, the
// batch that must come out.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join("testdata", "*", "input.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(inputs), 4)
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			conf, err := confmaptest.LoadConf(filepath.Join(dir, "config.yaml"))
			require.NoError(t, err)
			r := newRig(t, func(c *Config) { require.NoError(t, conf.Unmarshal(c)) })
			in := readJSON(t, input)
			require.NoError(t, r.proc.ConsumeTraces(t.Context(), in))
			got := r.sink.AllTraces()[0]
			if *update {
				writeJSON(t, filepath.Join(dir, "output.json"), got)
				t.Fatal("golden file written, look at the difference")
			}
			want := readJSON(t, filepath.Join(dir, "output.json"))
			maskNumbers(want)
			maskNumbers(got)
			require.NoError(t, ptracetest.CompareTraces(want, got))
		})
	}
}

var numbersInText = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// maskNumbers hides the figures of the detectors: other tests check them
// within bounds; here they would only differ between processor architectures
// and with every tuning.
func maskNumbers(td ptrace.Traces) {
	for span := range spans(td) {
		for _, ev := range span.Events().All() {
			if ev.Name() != anomaly.EventName {
				continue
			}
			for k, v := range ev.Attributes().All() {
				switch {
				case k == anomaly.AttrRootCause:
					v.SetStr(numbersInText.ReplaceAllString(v.Str(), "N"))
				case k != anomaly.AttrValue && v.Type() == pcommon.ValueTypeDouble:
					v.SetDouble(0)
				}
			}
		}
	}
}

func readJSON(t *testing.T, path string) ptrace.Traces {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
	require.NoError(t, err)
	return td
}

func writeJSON(t *testing.T, path string, td ptrace.Traces) {
	t.Helper()
	b, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, b, "", " "))
	require.NoError(t, os.WriteFile(path, append(out.Bytes(), '\n'), 0o644))
}
