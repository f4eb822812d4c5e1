package queryextension

import (
	"context"
	"iter"
	"net/http"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var askAnomalies = question[anomaly.Anomaly]{
	kind: kindAnomalies,
	rows: func(ctx context.Context, r store.Reader, l *listRequest) iter.Seq2[anomaly.Anomaly, error] {
		return r.Anomalies(ctx, l.anomalies())
	},
	count: func(ctx context.Context, r store.Reader, l *listRequest) (int64, error) {
		return r.CountAnomalies(ctx, l.anomalies())
	},
	place: func(a *anomaly.Anomaly) store.Position { return store.Position{Time: a.Time, ID: a.ID} },
}

func (s *server) handleAnomalies(w http.ResponseWriter, r *http.Request) {
	serveList(s, w, r, askAnomalies)
}
