package genai

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// recordedLogs are the recordings of log records. Elastic's are single messages
// and no calls; OpenLIT's are the details of what it has spans of, too, but without
// cached tokens, so that those of Anthropic are 11 and not 30.
var recordedLogs = map[string]totals{
	"elastic-openai": {},
	"openlit": {
		calls: 3, input: 2*27 + 11, output: 3 * 12, total: 2*39 + 23, ids: 3,
		models: counts{"gpt-4o-2024-08-06": 2, "claude-opus-4-6": 1}, providers: counts{"": 3}, finish: counts{"stop": 3},
	},
}

func TestRecordedLogRecords(t *testing.T) {
	for name, want := range recordedLogs {
		t.Run(name, func(t *testing.T) {
			got := totals{models: counts{}, providers: counts{}, finish: counts{}, sessions: counts{}, agents: counts{}}
			var ids, spans []string
			records := 0
			x := newTestExtractor(t, Options{})
			eachLine(t, recording(t, name, "logs"), func(line []byte) {
				u := plog.JSONUnmarshaler{}
				ld, err := u.UnmarshalLogs(line)
				require.NoError(t, err)
				for _, rl := range ld.ResourceLogs().All() {
					res := x.Resource(rl.Resource())
					for _, sl := range rl.ScopeLogs().All() {
						for _, rec := range sl.LogRecords().All() {
							records++
							var ev Event
							is, problems := x.FromLog(&res, sl.Scope(), rec, &ev)
							assert.Zero(t, problems, problems.String())
							if is {
								got.add(ev)
								ids = append(ids, ev.ID.String())
							}
						}
					}
				}
			})
			assert.NotZero(t, records)
			assert.Equal(t, want.calls, got.calls)
			if want.calls == 0 {
				return
			}
			want.sessions, want.agents = counts{"": want.calls}, counts{"": want.calls}
			assert.Equal(t, want, got)
			each(t, recording(t, name, "traces"), func(ev Event, _ Problem) { spans = append(spans, ev.ID.String()) })
			for _, id := range ids {
				assert.Contains(t, spans, id, "the call of a record is that of its span")
			}
		})
	}
}

// series are sums and counts of measures of the same kind.
type series struct {
	value float64
	count uint64
}

// recordedMetrics are the recordings of metrics, which must agree with those of
// the spans. Durations differ from run to run, so that only their number counts.
var recordedMetrics = map[string]map[MeasureKind]series{
	"elastic-openai": {
		MeasureInputTokens: {4*27 + 8, 5}, MeasureOutputTokens: {4 * 12, 4}, MeasureDuration: {count: 7},
	},
	"otel-instrumentation-openai": {
		MeasureInputTokens: {6*27 + 8, 7}, MeasureOutputTokens: {6 * 12, 6}, MeasureDuration: {count: 9},
	},
	"otel-instrumentation-openai-content": {
		MeasureInputTokens: {6*27 + 8, 7}, MeasureOutputTokens: {6 * 12, 6}, MeasureDuration: {count: 9},
	},
	// Not of embeddings.
	"vercel-ai-sdk-v7": {MeasureDuration: {count: 8}},
}

func TestRecordedMetrics(t *testing.T) {
	for name, want := range recordedMetrics {
		t.Run(name, func(t *testing.T) {
			type key struct {
				kind                         MeasureKind
				model, operation, errorClass string
			}
			last := map[key]series{}
			x := newTestExtractor(t, Options{})
			eachLine(t, recording(t, name, "metrics"), func(line []byte) {
				u := pmetric.JSONUnmarshaler{}
				md, err := u.UnmarshalMetrics(line)
				require.NoError(t, err)
				for _, rm := range md.ResourceMetrics().All() {
					res := x.Resource(rm.Resource())
					for _, sm := range rm.ScopeMetrics().All() {
						for _, m := range sm.Metrics().All() {
							points := slices.Collect(x.FromMetric(&res, sm.Scope(), m))
							assert.NotEmpty(t, points, m.Name())
							for _, p := range points {
								assert.Zero(t, p.Problem)
								assert.True(t, p.Cumulative)
								assert.Equal(t, name, p.Service)
								assert.NotEmpty(t, p.Provider)
								last[key{p.Kind, p.Model, p.Operation, p.ErrorType}] = series{p.Value, p.Count}
							}
						}
					}
				}
			})
			got := map[MeasureKind]series{}
			for k, s := range last {
				if sum := got[k.kind]; k.kind == MeasureDuration {
					assert.Positive(t, s.value)
					got[k.kind] = series{count: sum.count + s.count}
				} else {
					got[k.kind] = series{sum.value + s.value, sum.count + s.count}
				}
			}
			assert.Equal(t, want, got)
		})
	}
}
