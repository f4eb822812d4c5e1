package queryextension

import (
	"context"
	"net/http"
)

// healthBody is the answer of the health routes.
type healthBody struct {
	Data healthData `json:"data"`
}

type healthData struct {
	Status     string            `json:"status"`
	Version    string            `json:"version"`
	Components []componentHealth `json:"components,omitempty"`
}

// handleLive asks nothing of anybody: when it answers, the process is alive.
func (s *server) handleLive(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, http.StatusOK, healthBody{healthData{Status: statusHealthy, Version: s.version}})
}

func (s *server) handleHealth(w http.ResponseWriter, r *http.Request) {
	components := append(s.health.components(), s.storageHealth(r.Context()))
	status := overall(components)
	if status == statusHealthy && !s.health.isReady() {
		status = statusDegraded
	}
	sendJSON(w, r, http.StatusOK, healthBody{healthData{status, s.version, components}})
}

// handleReady says whether traffic should come here. A recoverable error does
// not take the collector out of service: its components retry and queue, and
// a collector that gets no traffic would lose what it could have kept.
func (s *server) handleReady(w http.ResponseWriter, r *http.Request) {
	components := append(s.health.components(), s.storageHealth(r.Context()))
	var reasons []string
	if !s.health.isReady() {
		reasons = append(reasons, "the collector is starting or stopping")
	}
	for _, c := range components {
		if c.Status == statusUnhealthy {
			reasons = append(reasons, c.Kind+" "+c.Name+": "+c.State)
		}
	}
	if len(reasons) == 0 {
		sendJSON(w, r, http.StatusOK, healthBody{healthData{overall(components), s.version, components}})
		return
	}
	sendError(w, r, &apiError{
		status: http.StatusServiceUnavailable, code: codeUnhealthy, message: "not ready: " + reasons[0],
		details: map[string]any{"reasons": reasons, "components": components, "version": s.version},
	})
}

// storageHealth is the answer of the storage itself, beside the state of the
// extension that owns it.
func (s *server) storageHealth(ctx context.Context) componentHealth {
	c := componentHealth{Name: "storage", Kind: "storage", Status: statusHealthy, State: "ok"}
	since, err := s.storage.check(ctx)
	if !since.IsZero() {
		since = since.UTC()
		c.Since = &since
	}
	if err != nil {
		c.Status, c.State, c.Message = statusUnhealthy, "no_answer", shorten(err.Error(), maxStatusMessage)
	}
	return c
}
