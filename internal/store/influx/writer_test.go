package influx_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// writer writes as the exporter does, but waits for each batch. Points that the
// server refuses, which are those outside of its range of times, are left out.
type writer struct {
	schema *line.Schema
	client *http.Client
	url    string // with its parameters
	token  string
}

func newSchema() *line.Schema {
	return line.NewSchema(line.Options{
		Telemetry: "telemetry", Anomaly: "anomaly",
		TelemetryTags: []string{"service", "model", "provider", "operation", "environment"},
		AnomalyTags:   []string{"service", "model", "severity", "type", "method"},
		MaxSeries:     10_000, SeriesIdleTimeout: time.Hour,
		IncludeText: true, MaxTextBytes: line.MaxTextBytes,
	})
}

func (w *writer) WriteEvents(ctx context.Context, batch []genai.Event) error {
	b := new(line.Buffer)
	for i := range batch {
		if x := w.schema.Event(b, &batch[i]); x.Dropped == line.ReasonCrowded {
			return fmt.Errorf("crowded")
		}
	}
	return w.send(ctx, b.Bytes())
}

func (w *writer) WriteAnomalies(ctx context.Context, batch []anomaly.Anomaly) error {
	b := new(line.Buffer)
	for i := range batch {
		if x := w.schema.Anomaly(b, &batch[i]); x.Dropped == line.ReasonCrowded {
			return fmt.Errorf("crowded")
		}
	}
	return w.send(ctx, b.Bytes())
}

func (w *writer) send(ctx context.Context, text []byte) error {
	if err := ctx.Err(); err != nil || len(text) == 0 {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusBadRequest && bytes.Contains(body, []byte("outside")) {
		return err
	}
	return fmt.Errorf("status %d: %s", resp.StatusCode, body)
}

// newHTTPClient is closed at the end of the test.
func newHTTPClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func params(kv ...string) string {
	q := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		q.Set(kv[i], kv[i+1])
	}
	return "?" + q.Encode()
}
