package queryextension

import "net/http"

// route is one operation of the interface: a path of openapi.yaml and how it is
// answered. Parameters of the path stand in braces.
type route struct {
	path    string
	summary string
	// method is GET (which answers HEAD, too) when it is empty.
	method string
	// params are the known query parameters.
	params []string
	// limited routes are bound by max_concurrent_requests and request_timeout.
	limited bool
	handle  http.HandlerFunc
}

const (
	pathIndex     = "/"
	pathAssets    = "/assets/" // files of the page, and no part of the interface
	pathHealth    = "/health"
	pathLive      = "/health/live"
	pathReady     = "/health/ready"
	pathMetrics   = "/metrics"
	pathTelemetry = "/api/v1/telemetry"
	pathAnomalies = "/api/v1/anomalies"
	pathAnomaly   = "/api/v1/anomalies/{id}"
	pathGive      = "/api/v1/anomalies/{id}/feedback"
	pathFeedback  = "/api/v1/feedback"
	pathStats     = "/api/v1/stats"
	pathServices  = "/api/v1/services"
	pathModels    = "/api/v1/models"
	pathOverview  = "/api/v1/overview"
	pathBaselines = "/api/v1/baselines"
	pathBaseline  = "/api/v1/baselines/{key}"
	pathTrace     = "/api/v1/traces/{trace_id}"
	pathSession   = "/api/v1/sessions/{id}"
	pathStream    = "/api/v1/stream"
	pathOpenAPI   = "/api/v1/openapi.yaml"
)

func (s *server) routeTable() []route {
	return []route{
		{path: pathIndex, summary: "this list; for a browser, the page", handle: s.handleIndex},
		{path: pathHealth, summary: "state of the collector and its components, always 200", handle: s.handleHealth},
		{path: pathLive, summary: "200 while the process serves requests", handle: s.handleLive},
		{path: pathReady, summary: "200 when the collector can take and show data, else 503", handle: s.handleReady},
		{path: pathMetrics, summary: "the collector's own telemetry as Prometheus text", limited: true, handle: s.handleMetrics},
		{path: pathTelemetry, summary: "LLM events, newest first", params: telemetryParams, limited: true, handle: s.handleTelemetry},
		{path: pathAnomalies, summary: "anomalies, newest first", params: anomalyParams, limited: true, handle: s.handleAnomalies},
		{path: pathAnomaly, summary: "one anomaly with its evidence and neighbours", limited: true, handle: s.answer("anomaly", nil, s.findAnomaly)},
		{path: pathGive, method: http.MethodPost, summary: "what a person says about an anomaly", limited: true, handle: s.answerWith(http.StatusCreated, "feedback", nil, s.giveFeedback)},
		{path: pathFeedback, summary: "feedback, newest first", params: feedbackParams, limited: true, handle: s.answer("feedback", feedbackParams, s.findFeedback)},
		{path: pathStats, summary: "figures over time", params: statsParams, limited: true, handle: s.answer("stats", statsParams, s.findStats)},
		{path: pathServices, summary: "services, busiest first", params: rangeParams, limited: true, handle: s.answer("services", rangeParams, s.findServices)},
		{path: pathModels, summary: "models, busiest first", params: modelsParams, limited: true, handle: s.answer("models", modelsParams, s.findModels)},
		{path: pathOverview, summary: "what is wrong now", params: overviewParams, limited: true, handle: s.answer("overview", overviewParams, s.findOverview)},
		{path: pathBaselines, summary: "what is normal now, for each series", params: baselinesParams, limited: true, handle: s.answer("baselines", baselinesParams, s.findBaselines)},
		{path: pathBaseline, summary: "what was normal, over time", params: rangeParams, limited: true, handle: s.answer("baseline", rangeParams, s.findBaseline)},
		{path: pathTrace, summary: "calls and anomalies of one trace", params: rangeParams, limited: true, handle: s.answer("trace", rangeParams, s.findTrace)},
		{path: pathSession, summary: "calls and anomalies of one session", params: rangeParams, limited: true, handle: s.answer("session", rangeParams, s.findSession)},
		{path: pathStream, summary: "new anomalies as server-sent events", params: streamParams, handle: s.handleStream},
		{path: pathOpenAPI, summary: "the description of this interface", handle: s.handleOpenAPI},
	}
}

// answers are the methods of the route, as the Allow header names them.
func (rt *route) answers() string {
	if rt.method == "" {
		return "GET, HEAD"
	}
	return rt.method
}

// pattern is how net/http spells the path.
func (rt *route) pattern() string {
	if rt.path == pathIndex {
		return "/{$}"
	}
	return rt.path
}
