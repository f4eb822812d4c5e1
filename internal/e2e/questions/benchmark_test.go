package questions

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// BenchmarkRoutes asks each kind of question of a store with 300,000 calls and
// 3,000 anomalies of a day, over HTTP.
func BenchmarkRoutes(b *testing.B) {
	const calls, batch = 300_000, 5_000
	r := start(b, map[string]any{"cache": map[string]any{"enabled": false}})
	now := time.Now().UTC()
	var last anomaly.Anomaly
	for i := 0; i < calls; i += batch {
		events := make([]genai.Event, batch)
		var found []anomaly.Anomaly
		for j := range events {
			events[j] = makeEvent(i+j, now.Add(-time.Duration(calls-i-j)*(23*time.Hour/calls)))
			if j%100 == 0 {
				found = append(found, makeAnomaly(i+j, &events[j]))
			}
		}
		require.NoError(b, r.writer.WriteEvents(b.Context(), events))
		require.NoError(b, r.writer.WriteAnomalies(b.Context(), found))
		last = found[len(found)-1]
	}
	event := makeEvent(calls/2, now)
	for _, target := range []string{
		"/api/v1/overview", "/api/v1/overview?hours=24", "/api/v1/services", "/api/v1/models", "/api/v1/stats?service=chat-0&step=1m", "/api/v1/stats?group_by=service,model",
		"/api/v1/anomalies/" + last.ID.String(), "/api/v1/traces/" + event.TraceID.String(), "/api/v1/sessions/" + strings.ReplaceAll(event.Conversation, "/", "%2F"),
		"/api/v1/telemetry?limit=1000&service=chat-0&model=gpt-4", "/api/v1/telemetry?limit=100&failed=true",
	} {
		b.Run(strings.ReplaceAll(target, "/", "|"), func(b *testing.B) {
			begin, n := cpuTime(b), 0
			for b.Loop() {
				require.Equal(b, http.StatusOK, r.do(http.MethodGet, target, nil, nil))
				n++
			}
			b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/1000/float64(n), "cpu-ms/op")
		})
	}
}

// cpuTime is what the process has used, client and server: other than the time
// on the wall it says something on a machine that does other work, too.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
