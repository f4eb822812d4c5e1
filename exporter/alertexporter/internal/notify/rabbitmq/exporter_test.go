//go:build unix

package rabbitmq_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify/rabbitmq"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// The whole exporter against a real broker, with a webhook beside it that
// nobody answers.
func TestExporterPublishesMarkedAnomalies(t *testing.T) {
	b := rabbitmq.Broker(t)
	ch := rabbitmq.Admin(t, b)
	rabbitmq.Bind(t, ch, "t.exporter", "t.exporter", "alert.*")

	factory := alertexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"min_severity":     "low",
		"retry_on_failure": map[string]any{"initial_interval": "20ms", "max_interval": "20ms"},
		"webhook":          map[string]any{"endpoint": "http://127.0.0.1:1"},
		"rabbitmq":         map[string]any{"endpoint": b.Endpoint(), "exchange": "t.exporter"},
	}).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	exp, err := factory.CreateTraces(t.Context(), exportertest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return exp.Shutdown(ctx)
	}
	defer func() { assert.NoError(t, stop()) }()

	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	want := map[string]string{}
	for i, s := range anomaly.Severities() {
		at := time.Date(2026, 1, 2, 3, 4, 5, i, time.UTC)
		a := anomaly.Anomaly{
			ID: anomaly.NewID("svc", "gpt-4", "m", anomaly.TypeCostAnomaly, at, s.String()), Time: at,
			Severity: s, Type: anomaly.TypeCostAnomaly, Service: "svc-" + s.String(), Model: "gpt-4", Method: anomaly.MethodMAD,
		}
		want[a.ID.String()] = "alert." + s.String()
		span := spans.AppendEmpty()
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
		anomaly.MarkSpan(span, []anomaly.Anomaly{a})
	}
	require.NoError(t, exp.ConsumeTraces(t.Context(), td))
	got := map[string]string{}
	require.Eventually(t, func() bool {
		d, ok, err := ch.Get("t.exporter", true)
		if err == nil && ok {
			got[d.MessageId] = d.RoutingKey
		}
		return len(got) == len(want)
	}, 30*time.Second, 5*time.Millisecond)
	assert.Equal(t, want, got)
	require.NoError(t, stop())
	_, again, err := ch.Get("t.exporter", true)
	require.NoError(t, err)
	assert.False(t, again, "published more than once")
}
