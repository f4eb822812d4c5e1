package queryextension

import (
	"fmt"
	"net/http"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// need is something that a question may ask of the storage backend: a parameter
// of the request, or what the whole route rests on.
type need struct {
	name        string
	asked, able bool
}

// refuse is the one place where a question is compared with what the backend
// can do: it must be refused there, never answered by an empty list.
func refuse(needs ...need) *apiError {
	for _, n := range needs {
		if n.asked && !n.able {
			return &apiError{
				status: http.StatusBadRequest, code: codeUnsupported,
				message: fmt.Sprintf("the configured storage backend cannot serve %s; the embedded backend of llm_storage can", n.name),
				details: map[string]any{"parameter": n.name},
			}
		}
	}
	return nil
}

// What whole routes rest on, as the names of needs.
const (
	needAggregates = "aggregates"
	needBaselines  = "baselines"
	needByID       = "look-up by id"
	needTrace      = "look-up by trace_id"
	needSession    = "look-up by session_id"
	needFeedback   = "feedback"
)

// aggregator returns the backend as one that has figures over groups of events.
func aggregator(r store.Reader) (store.Aggregator, *apiError) {
	a, ok := r.(store.Aggregator)
	return a, refuse(need{needAggregates, true, ok && r.Capabilities().Aggregate})
}

// baselineStore is nil when the backend keeps no baselines.
func baselineStore(r store.Reader) store.BaselineStore {
	if b, ok := r.(store.BaselineStore); ok && r.Capabilities().Baselines {
		return b
	}
	return nil
}

// feedbackStore is nil when the backend keeps no feedback.
func feedbackStore(r store.Reader) store.FeedbackStore {
	if f, ok := r.(store.FeedbackStore); ok && r.Capabilities().Feedback {
		return f
	}
	return nil
}
