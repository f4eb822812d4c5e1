package influxdbexporter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

// BenchmarkPush is spans to a server on the loopback, with and without
// compression.
func BenchmarkPush(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer srv.Close()
	for name, edit := range map[string]func(*Config){
		"none":   func(c *Config) { c.ClientConfig.Compression = "none" },
		"gzip-1": func(*Config) {},
		"gzip-6": func(c *Config) { c.ClientConfig.CompressionParams.Level = 6 },
	} {
		b.Run(name, func(b *testing.B) {
			cfg := createDefaultConfig().(*Config)
			cfg.ClientConfig.Endpoint, cfg.API = srv.URL, APIV1
			edit(cfg)
			e, err := newExporter(cfg, exportertest.NewNopSettings(metadata.Type))
			require.NoError(b, err)
			require.NoError(b, e.start(context.Background(), componenttest.NewNopHost()))
			const n = 1000
			td := calls(n)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, e.push(context.Background(), td))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/span")
			require.NoError(b, e.shutdown(context.Background()))
		})
	}
}
