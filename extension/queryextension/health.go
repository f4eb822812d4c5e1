package queryextension

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pipeline"
)

// Status values of the interface, from best to worst.
const (
	statusHealthy   = "healthy"
	statusDegraded  = "degraded"
	statusUnhealthy = "unhealthy"
)

// maxStatusMessage bounds the error text of a component in a response.
const maxStatusMessage = 512

// componentHealth is one component as clients see it.
type componentHealth struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Status string `json:"status"`
	// State is the state that the collector itself keeps, for example
	// "recoverable_error"; Status is what it means for the user.
	State     string     `json:"state"`
	Message   string     `json:"message,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Pipelines []string   `json:"pipelines,omitempty"`
}

// health keeps the newest state of every component instance. The collector
// reports from any goroutine, before Start and after Shutdown too. The number
// of instances is fixed by the configuration.
type health struct {
	mu        sync.Mutex
	ready     bool
	instances map[componentstatus.InstanceID]*componentstatus.Event
}

func newHealth() *health {
	return &health{instances: make(map[componentstatus.InstanceID]*componentstatus.Event)}
}

func (h *health) changed(source *componentstatus.InstanceID, event *componentstatus.Event) {
	if source == nil || event == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Reports of one instance may overtake each other on their way here.
	if old := h.instances[*source]; old == nil || !event.Timestamp().Before(old.Timestamp()) {
		h.instances[*source] = event
	}
}

func (h *health) setReady(ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = ready
}

func (h *health) isReady() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// components returns one entry for each component id, sorted by kind and name.
// An id that has several instances (one for each signal or pipeline) is as
// healthy as the worst of them.
func (h *health) components() []componentHealth {
	type key struct {
		id   component.ID
		kind component.Kind
	}
	h.mu.Lock()
	worst := make(map[key]*componentstatus.Event, len(h.instances))
	pipelines := make(map[key][]string, len(h.instances))
	for source, event := range h.instances {
		k := key{source.ComponentID(), source.Kind()}
		if old := worst[k]; old == nil || worse(event, old) {
			worst[k] = event
		}
		source.AllPipelineIDs(func(id pipeline.ID) bool {
			pipelines[k] = append(pipelines[k], id.String())
			return true
		})
	}
	h.mu.Unlock()

	all := make([]componentHealth, 0, len(worst))
	for k, event := range worst {
		since := event.Timestamp().UTC()
		c := componentHealth{
			Name: k.id.String(), Kind: strings.ToLower(k.kind.String()),
			Status: statusOf(event.Status()), State: stateName(event.Status()), Since: &since,
		}
		if err := event.Err(); err != nil {
			c.Message = shorten(err.Error(), maxStatusMessage)
		}
		slices.Sort(pipelines[k])
		c.Pipelines = slices.Compact(pipelines[k])
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b componentHealth) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// worse orders the states of instances; among equals the one that is older
// tells since when the component is in that state.
func worse(a, b *componentstatus.Event) bool {
	if ra, rb := rank(a.Status()), rank(b.Status()); ra != rb {
		return ra > rb
	}
	return a.Timestamp().Before(b.Timestamp())
}

func rank(s componentstatus.Status) int {
	return slices.Index([]componentstatus.Status{
		componentstatus.StatusOK, componentstatus.StatusNone, componentstatus.StatusStarting, componentstatus.StatusStopping,
		componentstatus.StatusStopped, componentstatus.StatusRecoverableError, componentstatus.StatusPermanentError, componentstatus.StatusFatalError,
	}, s)
}

func statusOf(s componentstatus.Status) string {
	switch s {
	case componentstatus.StatusOK:
		return statusHealthy
	case componentstatus.StatusPermanentError, componentstatus.StatusFatalError:
		return statusUnhealthy
	default:
		return statusDegraded
	}
}

func stateName(s componentstatus.Status) string {
	switch s {
	case componentstatus.StatusStarting:
		return "starting"
	case componentstatus.StatusOK:
		return "ok"
	case componentstatus.StatusRecoverableError:
		return "recoverable_error"
	case componentstatus.StatusPermanentError:
		return "permanent_error"
	case componentstatus.StatusFatalError:
		return "fatal_error"
	case componentstatus.StatusStopping:
		return "stopping"
	case componentstatus.StatusStopped:
		return "stopped"
	default:
		return "none"
	}
}

// overall is the worst status among components.
func overall(components []componentHealth) string {
	status := statusHealthy
	for _, c := range components {
		switch c.Status {
		case statusUnhealthy:
			return statusUnhealthy
		case statusDegraded:
			status = statusDegraded
		}
	}
	return status
}
