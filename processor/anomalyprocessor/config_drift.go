package anomalyprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
)

// Defaults and limits of [DriftConfig].
const (
	defaultDriftMinPSI       = .2
	defaultDriftMinRatio     = 1.3
	defaultDriftMinShift     = .05
	defaultDriftCoolDown     = 30 * time.Minute
	defaultDriftTextInterval = 5 * time.Second
	defaultDriftMaxTextBytes = 512

	maxDriftTextBytes = 16 << 10
)

// driftTypes are the types of anomaly that drift finds.
var driftTypes = []string{
	string(anomaly.TypeInputDrift), string(anomaly.TypeOutputDrift), string(anomaly.TypeConceptDrift), string(anomaly.TypeEmbeddingDrift),
}

// DriftConfig tunes the search for lasting changes. Two windows of calls in a row
// are compared with what went before.
type DriftConfig struct {
	// Types are the types of drift that are looked for; an empty list switches
	// all off. Default input_drift, output_drift, concept_drift, embedding_drift.
	Types []string `mapstructure:"types"`
	// Window is the fewest calls of a window, 32..10000. Windows of texts need
	// half as many. Unit: calls. Default 128.
	Window int `mapstructure:"window"`
	// MinDuration is the shortest event time of a window. Default 5m.
	MinDuration time.Duration `mapstructure:"min_duration"`
	// Warmup is the number of windows before anything is judged, 2..memory. Unit:
	// windows. Default 8.
	Warmup int `mapstructure:"warmup"`
	// Memory is the number of windows after which the reference has forgotten
	// 63 % of a window, 8..1000. Unit: windows. Default 32.
	Memory int `mapstructure:"memory"`
	// Significance is the largest p-value that is a drift, above 0 and at most
	// 0.01. Default 1e-06.
	Significance float64 `mapstructure:"significance"`
	// MinPSI is the smallest change of a distribution that is a drift, as the
	// population stability index; half of it for categories. Default 0.2.
	MinPSI float64 `mapstructure:"min_psi"`
	// MinRatio is the smallest change of output tokens, latency or time to first
	// token at the same size of call that is a drift, as a factor above 1.
	// Default 1.3.
	MinRatio float64 `mapstructure:"min_ratio"`
	// MinShift is the smallest change of the mean of embeddings that is a drift,
	// squared, in units of their variance. Default 0.05.
	MinShift float64 `mapstructure:"min_shift"`
	// CoolDown is the event time after a drift in which the same series and type
	// marks no further one; 0 means none. Default 30m.
	CoolDown time.Duration `mapstructure:"cool_down"`
	// Text says whether texts and embeddings are looked at where the telemetry
	// carries them. They are neither kept nor shown. Default true.
	Text bool `mapstructure:"text"`
	// TextInterval is the shortest event time between two calls of a series
	// whose texts are read. Default 5s.
	TextInterval time.Duration `mapstructure:"text_interval"`
	// MaxTextBytes is the most of a text that is looked at: the end of a prompt,
	// the beginning of an answer; 64..16384. Unit: bytes. Default 512.
	MaxTextBytes int `mapstructure:"max_text_bytes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultDriftConfig() DriftConfig {
	return DriftConfig{
		Types:        slices.Clone(driftTypes),
		Window:       drift.DefaultMinSamples,
		MinDuration:  drift.DefaultMinDuration,
		Warmup:       drift.DefaultWarmup,
		Memory:       drift.DefaultMemory,
		Significance: drift.DefaultSignificance,
		MinPSI:       defaultDriftMinPSI,
		MinRatio:     defaultDriftMinRatio,
		MinShift:     defaultDriftMinShift,
		CoolDown:     defaultDriftCoolDown,
		Text:         true,
		TextInterval: defaultDriftTextInterval,
		MaxTextBytes: defaultDriftMaxTextBytes,
	}
}

// has reports whether a type is looked for.
func (c *DriftConfig) has(typ anomaly.Type) bool { return slices.Contains(c.Types, string(typ)) }

// Validate reports every setting that cannot be used.
func (c *DriftConfig) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, t := range c.Types {
		if !slices.Contains(driftTypes, t) {
			fail("types must be among %s, got %q", strings.Join(driftTypes, ", "), t)
		}
	}
	if c.Window < 32 || c.Window > 10_000 {
		fail("window must be in 32..10000, got %d", c.Window)
	}
	if c.MinDuration < 0 {
		fail("min_duration must be 0s or longer, got %v", c.MinDuration)
	}
	if c.Memory < 8 || c.Memory > 1000 {
		fail("memory must be in 8..1000, got %d", c.Memory)
	}
	if c.Warmup < 2 || c.Warmup > c.Memory {
		fail("warmup must be in 2..memory (%d), got %d", c.Memory, c.Warmup)
	}
	if !(c.Significance > 0 && c.Significance <= .01) {
		fail("significance must be above 0 and at most 0.01, got %v", c.Significance)
	}
	if !(c.MinPSI > 0 && c.MinPSI <= 10) {
		fail("min_psi must be above 0 and at most 10, got %v", c.MinPSI)
	}
	if !(c.MinRatio > 1 && c.MinRatio <= 100) {
		fail("min_ratio must be above 1 and at most 100, got %v", c.MinRatio)
	}
	if !(c.MinShift > 0 && c.MinShift <= 10) {
		fail("min_shift must be above 0 and at most 10, got %v", c.MinShift)
	}
	if c.CoolDown < 0 {
		fail("cool_down must be 0s (none) or longer, got %v", c.CoolDown)
	}
	if c.TextInterval < 0 {
		fail("text_interval must be 0s (every call) or longer, got %v", c.TextInterval)
	}
	if c.MaxTextBytes < 64 || c.MaxTextBytes > maxDriftTextBytes {
		fail("max_text_bytes must be in 64..%d, got %d", maxDriftTextBytes, c.MaxTextBytes)
	}
	return errors.Join(errs...)
}
