package anomalyprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

func ptr[T any](v T) *T { return &v }

// loadConfig reads one entry of testdata/config.yaml on top of the defaults.
func loadConfig(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	id := component.NewIDWithName(metadata.Type, name)
	require.True(t, all.IsSet(id.String()), "no entry %s", id)
	sub, err := all.Sub(id.String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestEmptyConfigIsComplete(t *testing.T) {
	cfg, err := loadConfig(t, "")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
	plans := cfg.plans()
	require.Len(t, plans, len(metrics), "every metric is judged")
	for _, p := range plans {
		assert.Len(t, p.model.Detectors, len(detect.Detectors()), "by every detector")
		assert.NoError(t, p.model.Validate())
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	cfg, err := loadConfig(t, "all")
	require.NoError(t, err)
	assert.Equal(t, &Config{
		Window: 100, MinSamples: 32, LearnEvery: 500 * time.Millisecond, CoolDown: time.Minute, MinSeverity: anomaly.SeverityHigh,
		Peers:       PeersConfig{Window: 5 * time.Minute, MaxRelated: 8},
		MaxLateness: 2 * time.Minute, MaxFuture: 3 * time.Minute, MaxSeries: 1000, IdleTimeout: 2 * time.Hour,
		Storage:          ptr(component.MustNewIDWithName("file_storage", "state")),
		SnapshotInterval: 10 * time.Second,
		Evaluations:      EvaluationsConfig{MaxEvaluators: 3, MinFailures: 5, MinExcess: .2, HigherIsWorse: []string{"effort"}, HigherIsBetter: []string{"bias"}},
		Security:         SecurityConfig{InjectionScore: .8, MinHits: 7, MinExcess: .3},
		Agents:           AgentsConfig{Repetitions: 4, IgnoreTools: []string{"wait"}, MinCalls: 60, MinTokens: 1000, MaxConversations: 100, IdleTimeout: time.Minute},
		Trend: TrendConfig{
			Metrics: []string{"cost_usd"}, Step: 5 * time.Minute, MinCalls: 20, AlertsPerWeek: 3, Threshold: 6,
		},
		Drift: DriftConfig{
			Types: []string{"output_drift"}, Window: 64, MinDuration: time.Minute, Warmup: 4, Memory: 16, Significance: 1e-4, MinPSI: .3, MinRatio: 2,
			MinShift: .1, CoolDown: time.Hour, TextInterval: time.Second, MaxTextBytes: 512,
		},
		Detectors: map[string]DetectorConfig{
			"z_score": {Threshold: ptr(6.)},
			"iqr":     {Enabled: ptr(false)},
			"mad":     {Metrics: []string{"latency_ms", "ttft_ms"}},
			"cusum":   {},
		},
		Metrics: map[string]MetricConfig{
			"latency_ms": {
				Direction: ptr(detect.Both), Scale: ptr(detect.Linear),
				MinRelativeDeviation: ptr(.5), MinAbsoluteDeviation: ptr(200.),
			},
			"cost_usd": {Enabled: ptr(false)},
		},
		ErrorRate: ErrorRateConfig{PriorRate: .02, FalseAlarms: 1e-5, MinRequests: 20, MinIncrease: .05, RebaseAfter: 2 * time.Hour},
		Throughput: ThroughputConfig{
			Threshold: 6, DropRatio: .4, SurgeRatio: 3, MinSilence: 2 * time.Minute, LiveAfter: 10 * time.Minute, RebaseAfter: 3 * time.Hour,
		},
	}, cfg)

	plans := cfg.plans()
	require.Len(t, plans, len(metrics)-1, "cost_usd is off")
	latency, input := plans[0], plans[2]
	require.Equal(t, "latency_ms", latency.metric.name)
	require.Equal(t, "input_tokens", input.metric.name)
	assert.Equal(t, detect.Config{
		Scale: detect.Linear, LogOffset: 1, Direction: detect.Both, Window: 100, MinSamples: 32,
		MinRelative: .5, MinAbsolute: 200, CoolDown: time.Minute, LearnEvery: 500 * time.Millisecond,
		Detectors: []detect.DetectorConfig{{Name: "z_score", Threshold: 6}, {Name: "mad"}, {Name: "cusum"}},
	}, latency.model)
	assert.Equal(t, []detect.DetectorConfig{{Name: "z_score", Threshold: 6}, {Name: "cusum"}}, input.model.Detectors)
}

func TestBadConfigIsRefused(t *testing.T) {
	for name, want := range map[string][]string{
		"unknown_key": {"windows"},
		"content": {
			"evaluations::max_evaluators must be in 1..256, got 0", "evaluations::min_failures must be in 4..32, got 3",
			"evaluations::min_excess must be above 0 and at most 1, got 2", `must not both name "x"`,
			"security::injection_score must be above 0 and at most 1, got 0", "security::min_hits must be in 4..32, got 33", "security::min_excess must be",
			"agents::repetitions must be in 3..10, got 2", "agents::min_calls must be 2 or more, got 1", "agents::min_tokens must be 1 or more, got 0",
			"agents::max_conversations must be in 64..4194304, got 1", "agents::idle_timeout must be 1s or longer, got 1ms",
		},
		"learn_every":          {"learn_every must be in 0s..1m0s, got 2m0s"},
		"window":               {"window must be in 16..255, got 1000"},
		"min_samples":          {"min_samples must be in 8..window (32), got 40"},
		"cool_down":            {"cool_down must be 0s (none) or longer, got -1s"},
		"min_severity":         {"one of low, medium, high, critical", `"page"`},
		"peers":                {"peers::window must be in 1m0s..24h0m0s, got 1s", "peers::max_related must be in 0..64, got 65"},
		"max_lateness":         {"max_lateness must be 0s or longer, got -1s"},
		"max_future":           {"max_future must be 0s or longer, got -1s"},
		"max_series":           {"max_series must be in 1..10000000, got 0"},
		"idle_timeout":         {"idle_timeout must be 1s or longer, got 1ms"},
		"snapshot_interval":    {"snapshot_interval must be 1s or longer, got 0s"},
		"detector_name":        {"detectors must be among z_score, iqr, mad, cusum", `got "zscore"`},
		"detector_threshold":   {"detectors::z_score::threshold must be in", "got -1"},
		"detector_nan":         {"detectors::z_score::threshold must be in", "got NaN"},
		"detector_metric":      {"detectors::mad::metrics must be among latency_ms, ttft_ms,", `got "latency"`},
		"detector_no_metric":   {"detectors::mad::metrics must name at least one metric"},
		"detector_param":       {"detectors::cusum has the keys enabled, threshold, metrics, k", `got "drift"`},
		"detector_param_range": {"detectors::cusum::k must be a number in", "got -3"},
		"detector_param_type":  {"detectors::cusum::k must be a number in", "got much"},
		"metric_name":          {"metrics must be among latency_ms, ttft_ms, input_tokens, output_tokens, total_tokens, cost_usd", `got "latency"`},
		"metric_direction":     {"up, down or both", `"sideways"`},
		"metric_scale":         {"log", "linear", `"cubic"`},
		"metric_deviation":     {"min_relative_deviation must be a finite number of 0 or more, got -0.1", "min_absolute_deviation must be a finite number of 0 or more, got +Inf"},
		"metric_key":           {"threshold"},
		"error_rate_key":       {"window"},
		"error_rate_values": {
			"error_rate: prior_rate must be above 0 and at most 0.5, got 0.9", "false_alarms must be in 1e-12..0.01, got 1",
			"min_requests must be in 1..10000, got 0", "min_increase must be above 0 and at most 0.5, got 0", "rebase_after must be above 0, got 0s",
		},
		"throughput_key": {"enabled"},
		"throughput_values": {
			"throughput: threshold must be in 3..10, got 1", "drop_ratio must be above 0 and at most 0.95, got 1", "surge_ratio must be in 1.1..1000, got 1",
			"min_silence must be 0 or above, got -1s", "live_after must be 0 or above, got -2s", "rebase_after must be at least 30m0s, got 10m0s",
		},
		"drift": {
			`drift: types must be among input_drift, output_drift, concept_drift, embedding_drift, got "data_drift"`, "window must be in 32..10000, got 1",
			"min_duration must be 0s or longer, got -1s", "warmup must be in 2..memory (2000), got 1", "memory must be in 8..1000, got 2000", "significance must be above 0 and at most 0.01, got 0.5",
			"min_psi must be above 0 and at most 10, got 0", "min_ratio must be above 1 and at most 100, got 1", "min_shift must be above 0 and at most 10, got -1",
			"cool_down must be 0s (none) or longer, got -1s", "text_interval must be 0s (every call) or longer, got -1s", "max_text_bytes must be in 64..16384, got 1",
		},
		"nothing_left": {"at least one metric with a detector"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(t, name)
			for _, w := range want {
				require.ErrorContains(t, err, w)
			}
		})
	}
}

func TestValidateReportsAllMistakesAtOnce(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Window, cfg.MaxSeries, cfg.MaxLateness = 1, -1, -1
	err := cfg.Validate()
	for _, w := range []string{"window", "max_series", "max_lateness"} {
		require.ErrorContains(t, err, w)
	}
}
