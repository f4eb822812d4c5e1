package genaiprocessor

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write testdata/<case>/output.json from what the processor gives, and fail")

// Each folder with an input.json is a case: config.yaml and a batch in, the
// batch that must come out. Prices are rules, so that new tables change nothing.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join("testdata", "*", "input.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(inputs), 2)
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			conf, err := confmaptest.LoadConf(filepath.Join(dir, "config.yaml"))
			require.NoError(t, err)
			r := newRig(t, func(c *Config) { require.NoError(t, conf.Unmarshal(c)) })
			r.send(readJSON(t, input))
			got := r.outT.AllTraces()[0]
			if *update {
				writeJSON(t, filepath.Join(dir, "output.json"), got)
				t.Fatal("golden file written, look at the difference")
			}
			want := readJSON(t, filepath.Join(dir, "output.json"))
			// The version of the tables that are built in is that of the rules, too.
			for _, td := range []ptrace.Traces{want, got} {
				for _, s := range spansOf(td) {
					s.Attributes().Remove("sentinel.cost.price_version")
				}
			}
			require.NoError(t, ptracetest.CompareTraces(want, got))
		})
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
