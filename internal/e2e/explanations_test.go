package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// An outage of one provider: all its models slow down at the same time, in all
// services. The explanations must say so, and nothing that is not so.
func TestAnOutageOfAProviderIsExplained(t *testing.T) {
	o := traffic(t, time.Hour, 20)
	provider := o.Models[0].Provider
	models, others, answers := 0, 0, map[string]bool{}
	for _, m := range o.Models {
		if m.Provider != provider {
			others++
			continue
		}
		models++
		answers[m.Response] = true
		for _, s := range o.Services {
			o.Incidents = append(o.Incidents, llmtraffic.Incident{
				ID: s.Name + "/" + m.Name, Kind: llmtraffic.KindLatencyShift, Service: s.Name, Model: m.Name, Metric: "latency_ms",
				Start: o.Start.Add(40 * time.Minute), End: o.Start.Add(time.Hour), Factor: 6, Expected: []string{"latency_spike"},
			})
		}
	}
	require.Greater(t, models, 1)
	require.Positive(t, others)
	found, _ := judge(t, o)
	outage, most, related := 0, 0, 0
	for i := range found {
		a := &found[i]
		if a.Details.Metric != "latency_ms" || a.Time.Before(o.Incidents[0].Start) {
			continue
		}
		assert.True(t, answers[a.Model], "%s of another provider: %s", a.Model, a.RootCause)
		var affected, compared int
		_, err := fmt.Sscanf(a.Context.Additional["peers.models_of_provider"], "%d/%d", &affected, &compared)
		require.NoError(t, err, a.RootCause)
		assert.LessOrEqual(t, compared, models)
		assert.Equal(t, fmt.Sprintf("0/%d", others), a.Context.Additional["peers.models_of_other_providers"], a.RootCause)
		outage++
		most = max(most, affected)
		related = max(related, len(a.RelatedAlerts))
		if affected > 1 && affected < compared {
			assert.Contains(t, a.RootCause, fmt.Sprintf("%d of %d compared models of provider ", affected, compared))
		}
		assert.NotContains(t, a.RootCause, "NaN")
		assert.Equal(t, 1, strings.Count(a.RootCause, " beside it: "))
	}
	assert.Greater(t, outage, models)
	assert.Equal(t, models, most, "in the end all of them are seen")
	assert.GreaterOrEqual(t, related, min(outage-1, 10))
	// Every related anomaly exists and came before.
	seen := map[string]bool{}
	for i := range found {
		seen[found[i].ID.String()] = true
	}
	for i := range found {
		for _, id := range found[i].RelatedAlerts {
			assert.True(t, seen[id.String()])
		}
		assert.LessOrEqual(t, len(found[i].RelatedAlerts), 16+int(anomaly.SeverityCritical))
	}
}
