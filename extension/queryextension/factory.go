package queryextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadata"
)

// NewFactory creates the factory of the query extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	http := confighttp.NewDefaultServerConfig()
	http.NetAddr.Endpoint = defaultEndpoint
	http.ReadTimeout = defaultReadTimeout
	http.WriteTimeout = defaultWriteTimeout
	http.MaxRequestBodySize = defaultMaxRequestBodySize
	return &Config{
		HTTP:                  http,
		Storage:               component.MustNewID(defaultStorage),
		MetricsEndpoint:       defaultMetricsEndpoint,
		RequestTimeout:        defaultRequestTimeout,
		MaxConcurrentRequests: defaultMaxConcurrentRequests,
		MaxResponseBytes:      defaultMaxResponseBytes,
		Cache:                 defaultCache(),
		RateLimit:             defaultRateLimit(),
		GRPC:                  configoptional.Default(defaultGRPC()),
		MaxStreams:            defaultMaxStreams,
	}
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newExtension(cfg.(*Config), set)
}
