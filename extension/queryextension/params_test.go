package queryextension

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestWrongParametersAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	for _, tt := range []struct {
		query string
		code  string
		says  string
	}{
		{"limit=0", codeInvalidLimit, "from 1 to 10000"},
		{"limit=0&offset=0", codeInvalidLimit, "from 1 to 10000"}, // killed the predecessor
		{"limit=-1", codeInvalidLimit, "-1"},
		{"limit=10001", codeInvalidLimit, "10001"},
		{"limit=1e3", codeInvalidLimit, "1e3"},
		{"limit=99999999999999999999", codeInvalidLimit, "99999"},
		{"limit=ten", codeInvalidLimit, "ten"},
		{"hours=0", codeInvalidTime, "from 1 to 8760"},
		{"hours=-24", codeInvalidTime, "-24"},
		{"hours=8761", codeInvalidTime, "8761"},
		{"hours=2562047788015216", codeInvalidTime, "8760"},     // overflows a duration
		{"hours=9223372036854775807", codeInvalidTime, "8760"},  // killed the predecessor
		{"hours=-9223372036854775808", codeInvalidTime, "8760"}, // killed the predecessor
		{"hours=92233720368547758070", codeInvalidTime, "8760"},
		{"hours=1.5", codeInvalidTime, "1.5"},
		{"hours=2&start=2026-01-01T00:00:00Z", codeInvalidTime, "together"},
		{"hours=2&end=2026-01-01T00:00:00Z", codeInvalidTime, "together"},
		{"start=yesterday", codeInvalidTime, "RFC 3339"},
		{"start=2026-01-01", codeInvalidTime, "RFC 3339"},
		{"start=2026-13-01T00:00:00Z", codeInvalidTime, "RFC 3339"},
		{"end=1969-12-31T23:59:59Z", codeInvalidTime, "1970"},
		{"end=2263-01-01T00:00:00Z", codeInvalidTime, "2262"},
		{"start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", codeInvalidTime, "before"},
		{"start=2026-01-01T00:00:00Z&end=2026-01-01T00:00:00Z", codeInvalidTime, "before"},
		{"offset=-1", codeInvalidParameter, "from 0 to 1000000"},
		{"offset=1000001", codeInvalidParameter, "1000001"},
		{"offset=99999999999999999999", codeInvalidParameter, "1000000"},
		{"ascending=yes", codeInvalidParameter, "true or false"},
		{"ascending=1", codeInvalidParameter, "true or false"},
		{"cursor=abc", codeInvalidCursor, "not one"},
		{"cursor=" + strings.Repeat("A", cursorLength), codeInvalidCursor, "not one"},
		{"cursor=" + strings.Repeat("=", cursorLength), codeInvalidCursor, "not one"},
		{"offset=0&cursor=abc", codeInvalidParameter, "together"},
		{"servise=chat", codeInvalidParameter, "unknown parameter"},
		{"Service=chat", codeInvalidParameter, "unknown parameter"},
		{"service=a&service=b", codeInvalidParameter, "once"},
		{"service=", codeInvalidParameter, "empty"},
		{"limit", codeInvalidParameter, "empty"},
		{"service=a;model=b", codeInvalidParameter, "malformed"},
		{"service=%zz", codeInvalidParameter, "malformed"},
		{"service=%ff", codeInvalidParameter, "UTF-8"},
		{"service=a%00b", codeInvalidParameter, "UTF-8"},
		{"model=" + strings.Repeat("m", 1025), codeInvalidParameter, "1024"},
	} {
		for _, path := range []string{pathTelemetry, pathAnomalies} {
			e := a.fails(a.get(path+"?"+tt.query), http.StatusBadRequest, tt.code)
			assert.Contains(t, e.Message, tt.says, "%s?%s", path, tt.query)
			assert.Less(t, len(e.Message), 512)
		}
	}
	for _, tt := range []struct{ target, code, says string }{
		{pathAnomalies + "?severity=urgent", codeInvalidSeverity, "low, medium, high, critical"},
		{pathAnomalies + "?severity=", codeInvalidParameter, "empty"},
		{pathAnomalies + "?min_confidence=1.01", codeInvalidParameter, "0 to 1"},
		{pathAnomalies + "?min_confidence=-0.1", codeInvalidParameter, "0 to 1"},
		{pathAnomalies + "?min_confidence=NaN", codeInvalidParameter, "0 to 1"},
		{pathAnomalies + "?min_confidence=Inf", codeInvalidParameter, "0 to 1"},
		{pathAnomalies + "?min_confidence=high", codeInvalidParameter, "0 to 1"},
		{pathAnomalies + "?trace_id=abc", codeInvalidParameter, "32 hex"},
		{pathAnomalies + "?failed=true", codeInvalidParameter, "unknown"},
		{pathTelemetry + "?failed=false", codeInvalidParameter, "true"},
		{pathTelemetry + "?tenant=" + strings.Repeat("t", 1025), codeInvalidParameter, "tenant"},
		{pathTelemetry + "?severity=high", codeInvalidParameter, "unknown"},
		{pathTelemetry + "?min_confidence=0.5", codeInvalidParameter, "unknown"},
		{pathTelemetry + "?trace_id=abc", codeInvalidParameter, "32 hex"},
		{pathTelemetry + "?trace_id=" + strings.Repeat("g", 32), codeInvalidParameter, "32 hex"},
		{pathTelemetry + "?trace_id=" + strings.Repeat("0", 32), codeInvalidParameter, "32 hex"},
	} {
		e := a.fails(a.get(tt.target), http.StatusBadRequest, tt.code)
		assert.Contains(t, e.Message, tt.says, tt.target)
	}
	assert.Equal(t, http.StatusOK, a.get(pathLive).Code)
}

func TestErrorNamesParameterValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	e := a.fails(a.get(pathAnomalies+"?severity=urgent"), http.StatusBadRequest, codeInvalidSeverity)
	assert.Equal(t, map[string]any{"parameter": "severity", "value": "urgent", "allowed": "one of low, medium, high, critical"}, e.Details)
	e = a.fails(a.get(pathTelemetry+"?sort=asc"), http.StatusBadRequest, codeInvalidParameter)
	assert.Equal(t, "sort", e.Details["parameter"])
	assert.Contains(t, e.Details["allowed"], "trace_id")
}

func TestLongValuesAreNotEchoedInFull(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	w := a.get(pathTelemetry + "?" + strings.Repeat("x", 5000) + "=1")
	a.fails(w, http.StatusBadRequest, codeInvalidParameter)
	assert.Less(t, w.Body.Len(), 1024)
}

func parseOK(t *testing.T, kind, query string) *listRequest {
	t.Helper()
	l, e := parseList(query, kind, testNow)
	require.Nil(t, e, "%s: %v", query, e)
	return l
}

func TestTimeRange(t *testing.T) {
	t.Parallel()
	horizon := testNow.Add(futureTolerance)
	for _, tt := range []struct {
		query      string
		start, end time.Time
	}{
		{"", testNow.Add(-24 * time.Hour), horizon},
		{"hours=1", testNow.Add(-time.Hour), horizon},
		{"hours=8760", testNow.Add(-8760 * time.Hour), horizon},
		{"start=2026-01-01T00:00:00Z", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), horizon},
		{"start=2027-01-01T00:00:00Z", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), maxTime},
		{"end=2026-01-01T00:00:00Z", time.Time{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"start=1970-01-01T00:00:00Z&end=2026-01-01T00:00:00.123456789Z", time.Unix(0, 0).UTC(), time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)},
		{"start=2026-01-01T02:00:00%2B02:00", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), horizon},
		{"start=2026-01-01T02:00:00+02:00", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), horizon},
	} {
		l := parseOK(t, kindTelemetry, tt.query)
		assert.Equal(t, tt.start, l.query.Start, tt.query)
		assert.Equal(t, tt.end, l.query.End, tt.query)
	}
}

func TestEveryFilterReachesTheQuery(t *testing.T) {
	t.Parallel()
	l := parseOK(t, kindTelemetry, url.Values{
		"service": {"chat-api"}, "model": {"gpt-4"}, "trace_id": {"ABCDEF" + strings.Repeat("0", 26)},
		"limit": {"7"}, "offset": {"14"}, "ascending": {"true"},
	}.Encode())
	q := l.events()
	assert.Equal(t, "chat-api", q.Service)
	assert.Equal(t, "gpt-4", q.Model)
	assert.Equal(t, "abcdef"+strings.Repeat("0", 26), q.TraceID)
	assert.Equal(t, 7, q.Limit)
	assert.Equal(t, 14, q.Offset)
	assert.True(t, q.Ascending)

	aq := parseOK(t, kindAnomalies, "severity=HIGH&anomaly_type=model-drift&min_confidence=0.5").anomalies()
	assert.Equal(t, anomaly.SeverityHigh, aq.Severity)
	assert.Equal(t, anomaly.TypeConceptDrift, aq.Type)
	assert.InDelta(t, 0.5, aq.MinConfidence, 0)
	assert.Equal(t, defaultLimit, aq.Limit)
	assert.False(t, aq.Ascending)
}

func TestAnomalyTypeNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]anomaly.Type{
		"latency_spike": anomaly.TypeLatencySpike, "Latency-Spike": anomaly.TypeLatencySpike,
		"error_rate_spike": anomaly.TypeErrorRateIncrease, "prompt_injection": anomaly.TypeSecurityThreat,
		"data-exfiltration": anomaly.TypeSecurityThreat, "jailbreak_attempt": anomaly.TypeSecurityThreat,
		"My-Own": "My-Own",
	} {
		assert.Equal(t, want, parseOK(t, kindAnomalies, "anomaly_type="+text).anomalies().Type, text)
	}
}
