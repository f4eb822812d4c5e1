package sentineljsonencodingextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
)

// NewFactory creates the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

// create returns an extension that decodes traces and, unless it is for JSON
// events only, logs and metrics. What an extension can decode is known by its
// methods, so that a receiver of logs with JSON events fails at start.
func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	c := cfg.(*Config)
	d, err := newDecoder(c, set)
	if err != nil {
		return nil, err
	}
	if c.Format == formatJSON {
		return &eventEncoding{d}, nil
	}
	return &otlpEncoding{eventEncoding{d}}, nil
}
