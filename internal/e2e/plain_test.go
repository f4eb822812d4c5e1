package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A user's configuration of the core distribution starts as it is; only its
// ports are moved, by a second configuration source.
func TestAPlainOtelcolConfigurationStartsUnchanged(t *testing.T) {
	health := freePort(t)
	moved := fmt.Sprintf(`yaml:
extensions:
  health_check: {endpoint: %q}
  pprof: {endpoint: %q}
  zpages: {endpoint: %q}
receivers:
  otlp: {protocols: {grpc: {endpoint: %q}, http: {endpoint: %q}}}
  jaeger: {protocols: {grpc: {endpoint: %q}, thrift_http: {endpoint: %q}, thrift_compact: {endpoint: %q}, thrift_binary: {endpoint: %q}}}
  zipkin: {endpoint: %q}
service:
  telemetry: {metrics: {level: none}}
`, health, freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t))
	runInProcess(t, configPath(t, "examples/plain-otelcol.yaml"), moved)
	require.Eventually(t, func() bool { return get(t, "http://"+health+"/", nil) == http.StatusOK }, startTimeout, pollInterval)
}
