package queryextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"go.uber.org/zap"
)

const (
	metricsTimeout = 10 * time.Second
	// maxAcceptBytes bounds the one header that is passed on.
	maxAcceptBytes = 1024
	// headerMetricsFetch marks our own request, so that an endpoint which leads
	// back here is noticed at the first turn.
	headerMetricsFetch = "X-Sentinel-Metrics-Fetch"
)

var errMetricsSize = errors.New("response is larger than max_response_bytes")

// newMetricsClient builds the client for the collector's own telemetry. It
// uses no proxy and follows no redirect: it asks what was configured.
func newMetricsClient() *http.Client {
	return &http.Client{
		Timeout: metricsTimeout,
		Transport: &http.Transport{
			MaxIdleConns:           2,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (s *server) handleMetrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.cfg.MetricsEndpoint == "":
		sendError(w, r, &apiError{status: http.StatusNotFound, code: codeNotFound, message: "this route is turned off: metrics_endpoint is empty"})
		return
	case r.Header.Get(headerMetricsFetch) != "":
		sendError(w, r, &apiError{status: http.StatusLoopDetected, code: codeLoopDetected, message: "metrics_endpoint leads back to this route"})
		return
	}
	body, contentType, err := s.fetchMetrics(r.Context(), r.Header.Get("Accept"))
	if err == nil {
		send(w, r, http.StatusOK, contentType, body)
		return
	}
	if r.Context().Err() != nil {
		sendError(w, r, s.queryError(r.Context(), "metrics", err))
		return
	}
	s.logger.Warn("cannot fetch the collector's own metrics", zap.String("request_id", infoOf(r.Context()).id), zap.Error(err))
	sendError(w, r, &apiError{
		status: http.StatusBadGateway, code: codeMetricsFailed,
		message: "the collector's own metrics cannot be fetched; check that service::telemetry::metrics serves them at metrics_endpoint",
	})
}

func (s *server) fetchMetrics(ctx context.Context, accept string) (body []byte, contentType string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.MetricsEndpoint, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set(headerMetricsFetch, "1")
	if accept != "" && len(accept) <= maxAcceptBytes {
		req.Header.Set("Accept", accept) // chooses between the text formats
	}
	resp, err := s.metrics.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("answered with status %d", resp.StatusCode)
	}
	limit := int64(s.cfg.MaxResponseBytes)
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, "", err
	}
	if int64(len(body)) > limit {
		return nil, "", errMetricsSize
	}
	contentType = resp.Header.Get("Content-Type")
	if _, _, err := mime.ParseMediaType(contentType); err != nil {
		contentType = typeText
	}
	return body, contentType, nil
}
