package influx_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

// testOverflow: when the writer had to give tags another value because there
// were too many, questions still get the right answers.
func testOverflow(t *testing.T, b *influx.Backend, w *writer) {
	t.Helper()
	w.schema = line.NewSchema(line.Options{
		Telemetry: "telemetry", Anomaly: "anomaly", TelemetryTags: []string{"service", "model"}, AnomalyTags: []string{"service", "severity"},
		MaxSeries: 10, SeriesIdleTimeout: time.Hour,
	})
	events := calls(300, time.Now().UTC())
	services, overflowed := map[string]int{}, 0
	for i := range events {
		e := &events[i]
		e.Service, e.ResponseModel = fmt.Sprintf("service %d\t", i%5), fmt.Sprintf("model,%d=\\", i%20)
		services[e.Service]++
		var buf line.Buffer
		if w.schema.Event(&buf, e).Overflow {
			overflowed++
		}
	}
	require.Positive(t, overflowed, "the test has more series than allowed")
	require.NoError(t, w.WriteEvents(t.Context(), events))
	for service, n := range services {
		q := store.EventQuery{Query: store.Query{Service: service, Limit: 1000}}
		got, err := all(b.Events(t.Context(), q))
		require.NoError(t, err)
		require.Len(t, got, n, service)
		for i := range got {
			require.Equal(t, service, got[i].Service)
		}
		count, err := b.CountEvents(t.Context(), q)
		require.NoError(t, err)
		require.EqualValues(t, n, count, service)
		q.Model = got[0].Model()
		got, err = all(b.Events(t.Context(), q))
		require.NoError(t, err)
		require.Len(t, got, 15, "of 300 events with 20 models, each with one service")
	}
	got, err := all(b.Events(t.Context(), store.EventQuery{Query: store.Query{Service: line.Overflow, Limit: 10}}))
	require.NoError(t, err)
	require.Empty(t, got, "nobody is called like that")
	figures, err := all(b.Aggregate(t.Context(), store.AggregateQuery{
		Start: events[0].Time(), End: events[299].Time().Add(1), By: []store.Dimension{store.ByService, store.ByModel},
	}))
	require.NoError(t, err)
	require.Len(t, figures, 20)
}

func TestOverflowOf3x(t *testing.T) {
	b, w, _ := threeX(t)
	testOverflow(t, b, w)
}

func TestOverflowOfReal1x(t *testing.T) {
	b, w := oneX(t, influx.APIAuto)
	testOverflow(t, b, w)
}
