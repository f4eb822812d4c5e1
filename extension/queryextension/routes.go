package queryextension

import "net/http"

// route is one path of the interface. All of them answer GET and HEAD.
type route struct {
	path    string
	summary string
	// limited routes are bound by max_concurrent_requests and request_timeout.
	limited bool
	handle  http.HandlerFunc
}

const (
	pathIndex     = "/"
	pathHealth    = "/health"
	pathLive      = "/health/live"
	pathReady     = "/health/ready"
	pathMetrics   = "/metrics"
	pathTelemetry = "/api/v1/telemetry"
	pathAnomalies = "/api/v1/anomalies"
	pathOpenAPI   = "/api/v1/openapi.yaml"
)

func (s *server) routeTable() []route {
	return []route{
		{pathIndex, "this list", false, s.handleIndex},
		{pathHealth, "state of the collector and its components, always 200", false, s.handleHealth},
		{pathLive, "200 while the process serves requests", false, s.handleLive},
		{pathReady, "200 when the collector can take and show data, else 503", false, s.handleReady},
		{pathMetrics, "the collector's own telemetry as Prometheus text", true, s.handleMetrics},
		{pathTelemetry, "LLM events: service, model, trace_id, hours | start, end, limit, cursor | offset, ascending", true, s.handleTelemetry},
		{pathAnomalies, "anomalies: as above without trace_id, and severity, anomaly_type, min_confidence", true, s.handleAnomalies},
		{pathOpenAPI, "the description of this interface", false, s.handleOpenAPI},
	}
}
