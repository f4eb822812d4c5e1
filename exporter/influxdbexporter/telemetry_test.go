package influxdbexporter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// sum adds the data points of a metric whose attribute has the value; an empty
// key takes all. A metric that was never touched is 0.
func sum(t *testing.T, tel *componenttest.Telemetry, name, key, value string) int64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	require.NoError(t, tel.Reader.Collect(t.Context(), &rm))
	var total int64
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name != name {
				continue
			}
			var points []metricdata.DataPoint[int64]
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				points = d.DataPoints
			case metricdata.Gauge[int64]:
				points = d.DataPoints
			}
			for _, p := range points {
				exporter, ok := p.Attributes.Value("exporter")
				require.True(t, ok)
				require.Equal(t, "influxdb", exporter.AsString()[:len("influxdb")])
				if v, _ := p.Attributes.Value(attribute.Key(key)); key == "" || v.AsString() == value {
					total += p.Value
				}
			}
		}
	}
	return total
}
