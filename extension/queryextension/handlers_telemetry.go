package queryextension

import (
	"context"
	"iter"
	"net/http"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var askEvents = question[genai.Event]{
	kind: kindTelemetry,
	rows: func(ctx context.Context, r store.Reader, l *listRequest) iter.Seq2[genai.Event, error] {
		return r.Events(ctx, l.events())
	},
	count: func(ctx context.Context, r store.Reader, l *listRequest) (int64, error) {
		return r.CountEvents(ctx, l.events())
	},
	place: func(e *genai.Event) store.Position { return store.Position{Time: e.Time(), ID: e.ID} },
}

func (s *server) handleTelemetry(w http.ResponseWriter, r *http.Request) {
	serveList(s, w, r, askEvents)
}
