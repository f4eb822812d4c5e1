package anomalyprocessor

import "time"

// Defaults and limits of [PeersConfig].
const (
	defaultPeersWindow     = 10 * time.Minute
	defaultPeersMaxRelated = 16

	minPeersWindow     = time.Minute
	maxPeersWindow     = 24 * time.Hour
	maxPeersMaxRelated = 64
)

// PeersConfig says how an anomaly is compared with what goes on beside it: in
// other models of the provider, in other services that use the model, and in
// other models of the service.
type PeersConfig struct {
	// Enabled switches the comparison and the related anomalies of other calls
	// on or off. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Window is how far apart, in event time, anomalies may have begun or been
	// reported and still be related, and how long after its last call a series
	// still counts as one that is in use; 1m..24h. Default 10m.
	Window time.Duration `mapstructure:"window"`
	// MaxRelated is the most related anomalies that an anomaly names, 0..64.
	// Unit: anomalies. Default 16.
	MaxRelated int `mapstructure:"max_related"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultPeersConfig() PeersConfig {
	return PeersConfig{Enabled: true, Window: defaultPeersWindow, MaxRelated: defaultPeersMaxRelated}
}

func (c *PeersConfig) validate(fail func(format string, args ...any)) {
	if c.Window < minPeersWindow || c.Window > maxPeersWindow {
		fail("peers::window must be in %v..%v, got %v", minPeersWindow, maxPeersWindow, c.Window)
	}
	if c.MaxRelated < 0 || c.MaxRelated > maxPeersMaxRelated {
		fail("peers::max_related must be in 0..%d, got %d", maxPeersMaxRelated, c.MaxRelated)
	}
}
