package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func runDemo(ctx context.Context, t *testing.T, mode string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv(fakeModeEnv, mode)
	// The demo must leave nothing behind in the temporary folder.
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	code, stdout, stderr = llmload(ctx, t, append([]string{
		"demo", "--collector", os.Args[0], "--config", "a.yaml,b.yaml", "--wall", "1s", "--settle", "1s", "--rate", "5",
		// The fake collector looks at latency, tokens and cost only.
		"--incidents", "latency_spike,latency_shift,token_surge,cost_surge",
	}, args...)...)
	left, err := filepath.Glob(filepath.Join(tmp, "llmload-demo-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	return code, stdout, stderr
}

func TestDemoFindsEveryIncident(t *testing.T) {
	code, out, errOut := runDemo(t.Context(), t, "good")
	require.Zero(t, code, "%s\n%s", out, errOut)
	for _, want := range []string{"latency_spike x20", "latency_shift x4", "token_surge x8", "cost_surge x20", "verified"} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "MISSED")
	assert.Regexp(t, `alerts on the clean part +0 `, out)
	assert.Regexp(t, `false alarms on 8 untouched series +0\n`, out)
}

func TestDemoFails(t *testing.T) {
	for mode, want := range map[string]string{
		"blind to cost": "incident inc-04-cost_surge was missed",
		"mute":          "no alert went out for incident inc-01-latency_spike",
		"noisy":         "1 alerts went out on the clean part",
		"dies":          "the fake collector dies",
		"crashes":       "the collector ended during the demo",
		"bad exit":      "did not stop cleanly",
	} {
		t.Run(mode, func(t *testing.T) {
			code, out, errOut := runDemo(t.Context(), t, mode)
			assert.Equal(t, 1, code, out)
			assert.Contains(t, errOut, want)
		})
	}
}

func TestDemoToleratesAFewCleanAlertsOnRequest(t *testing.T) {
	code, out, errOut := runDemo(t.Context(), t, "noisy", "--max-clean-alerts", "1")
	assert.Zero(t, code, errOut)
	assert.Regexp(t, `alerts on the clean part +1 `, out)
	assert.Contains(t, out, "chat-api / noise")
}

func TestDemoCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begin := time.Now()
	code, _, _ := runDemo(ctx, t, "good", "--wall", "10m")
	assert.Equal(t, 1, code)
	assert.Less(t, time.Since(begin), 20*time.Second)
}
