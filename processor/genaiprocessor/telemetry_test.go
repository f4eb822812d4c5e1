package genaiprocessor

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// No metric is declared that nothing records, and the README names them all.
func TestEveryDeclaredMetricIsRecordedAndDocumented(t *testing.T) {
	b, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Telemetry struct {
			Metrics map[string]struct{ Prefix string }
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &declared))
	require.NotEmpty(t, declared.Telemetry.Metrics)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)

	r := newRig(t, func(c *Config) { withRule(c); c.Ledger.MaxMetricSeries = 1 })
	r.sendMetrics(tokenSum(epoch.Add(time.Second), epoch, 10, "a", "b"))
	wrapped := func() {
		r.send(trace(spec{id: 1, attrs: chat(30, 12)}, spec{id: 2, parent: 1, attrs: chat(30, 12, genai.AttrUsageCost, 9.0)}))
	}
	wrapped()
	wrapped()
	r.send(trace(spec{id: 3, attrs: chat(-1, 12, genai.AttrRequestModel, "no-such-model-9")}))
	for name, m := range declared.Telemetry.Metrics {
		_, err := r.tel.GetMetric(m.Prefix + name)
		assert.NoError(t, err, name)
		assert.Contains(t, string(readme), m.Prefix+name)
	}
}
