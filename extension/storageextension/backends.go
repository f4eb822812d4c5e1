package storageextension

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

// environment is what a backend gets from the extension.
type environment struct {
	logger    *zap.Logger
	host      component.Host
	telemetry component.TelemetrySettings
	// health takes the result of background work whenever it changes.
	health func(error)
}

// backend is a kind of storage. A new kind is a package below internal/store
// that passes storetest, a field in Config, and a row in backends.
type backend struct {
	name       string
	configured func(*Config) bool
	open       func(context.Context, *Config, environment) (store.Backend, error)
	// needs lists the extensions that must start first. It may be nil.
	needs func(*Config) []component.ID
}

var backends = []backend{
	{
		name:       "embedded",
		configured: func(c *Config) bool { return c.Embedded.HasValue() },
		open:       openEmbedded,
	},
	{
		name:       "influxdb",
		configured: func(c *Config) bool { return c.InfluxDB.HasValue() },
		open:       openInfluxDB,
		needs:      dependsOnInfluxDB,
	},
}

// backend returns the configured kind; the first of the table is the default.
func (c *Config) backend() (backend, error) {
	return choose(backends, c)
}

func choose(kinds []backend, c *Config) (backend, error) {
	chosen := kinds[0]
	var names []string
	for _, b := range kinds {
		if b.configured(c) {
			chosen = b
			names = append(names, b.name)
		}
	}
	if len(names) > 1 {
		return backend{}, fmt.Errorf("only one backend must be configured, got %s", strings.Join(names, " and "))
	}
	return chosen, nil
}

func openEmbedded(ctx context.Context, c *Config, env environment) (store.Backend, error) {
	cfg := defaultEmbedded()
	if c.Embedded.HasValue() {
		cfg = *c.Embedded.Get()
	}
	settings := cfg.settings()
	settings.Logger, settings.OnHealth = env.logger, env.health
	return embedded.Open(ctx, settings)
}
