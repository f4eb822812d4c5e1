package queryextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func withEvents(t *testing.T, n int, options map[string]any, adjust ...func(*server)) *api {
	t.Helper()
	a := newAPI(t, options, adjust...)
	for i := range n {
		a.store.addEvents(makeEvent(i, time.Duration(i)*time.Minute))
	}
	return a
}

func TestTelemetryPage(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 3, nil)
	p := a.page(pathTelemetry)
	require.Len(t, p.Data, 3)
	assert.Equal(t, "chat-api", p.Data[0]["service_name"])
	assert.Equal(t, "2026-01-02T12:00:00Z", p.Data[0]["timestamp"])
	assert.Equal(t, "2026-01-02T11:58:00Z", p.Data[2]["timestamp"])
	assert.EqualValues(t, 3, *p.Metadata.TotalCount)
	assert.Zero(t, *p.Metadata.Page)
	assert.Equal(t, defaultLimit, p.Metadata.PageSize)
	assert.Empty(t, p.Metadata.NextCursor)

	assert.Equal(t, "2026-01-02T11:58:00Z", a.page(pathTelemetry + "?ascending=true").Data[0]["timestamp"])
}

func TestEmptyPageIsAnEmptyList(t *testing.T) {
	t.Parallel()
	w := newAPI(t, nil).get(pathAnomalies)
	assert.JSONEq(t, `{"data":[],"metadata":{"total_count":0,"page":0,"page_size":1000}}`, w.Body.String())
}

func TestEachFilterChangesTheResult(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	one, other := makeEvent(1, time.Minute), makeEvent(2, 30*time.Hour)
	other.Service, other.ResponseModel = "assistant", "claude"
	other.Conversation, other.User, other.Provider, other.Operation, other.Environment, other.Tenant, other.Failed = "s2", "u2", "anthropic", "embeddings", "prod", "t2", true
	a.store.addEvents(one, other)
	x, y := makeAnomaly(1, time.Minute), makeAnomaly(2, 30*time.Hour)
	y.Context.TraceID = strings.Repeat("c", 32)
	y.Service, y.Model, y.Severity, y.Type, y.Confidence = "assistant", "claude", anomaly.SeverityLow, "my_own", 0.4
	a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{x, y} })

	for query, want := range map[string][]string{
		"hours=48":                                    {one.ID.String(), other.ID.String()},
		"hours=48&service=chat-api":                   {one.ID.String()},
		"hours=48&service=nobody":                     {},
		"hours=48&model=claude":                       {other.ID.String()},
		"hours=48&trace_id=" + other.TraceID.String(): {other.ID.String()},
		"hours=48&session_id=s2":                      {other.ID.String()},
		"hours=48&user_id=u2":                         {other.ID.String()},
		"hours=48&provider=anthropic":                 {other.ID.String()},
		"hours=48&operation=chat":                     {one.ID.String()},
		"hours=48&environment=prod":                   {other.ID.String()},
		"hours=48&tenant=t2":                          {other.ID.String()},
		"hours=48&failed=true":                        {other.ID.String()},
		"hours=48&ascending=true":                     {other.ID.String(), one.ID.String()},
		"hours=48&limit=1":                            {one.ID.String()},
		"hours=48&offset=1":                           {other.ID.String()},
		"":                                            {one.ID.String()},
		"end=2026-01-02T00:00:00Z":                    {other.ID.String()},
		"start=2026-01-02T00:00:00Z":                  {one.ID.String()},
	} {
		assert.Equal(t, want, a.page(pathTelemetry+"?"+query).ids("event_id"), query)
	}
	for query, want := range map[string][]string{
		"hours=48":                               {x.ID.String(), y.ID.String()},
		"hours=48&service=assistant":             {y.ID.String()},
		"hours=48&model=gpt-4":                   {x.ID.String()},
		"hours=48&severity=low":                  {y.ID.String()},
		"hours=48&anomaly_type=LATENCY-SPIKE":    {x.ID.String()},
		"hours=48&anomaly_type=my_own":           {y.ID.String()},
		"hours=48&trace_id=" + y.Context.TraceID: {y.ID.String()},
		"hours=48&min_confidence=0.9":            {x.ID.String()},
		"hours=48&ascending=true":                {y.ID.String(), x.ID.String()},
		"hours=48&limit=1":                       {x.ID.String()},
		"hours=48&offset=1":                      {y.ID.String()},
		"":                                       {x.ID.String()},
	} {
		assert.Equal(t, want, a.page(pathAnomalies+"?"+query).ids("alert_id"), query)
	}
}

func TestOffsetPages(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 25, nil)
	for pageNo, size := range []int{10, 10, 5, 0} {
		p := a.page(fmt.Sprintf("%s?limit=10&offset=%d", pathTelemetry, pageNo*10))
		assert.Len(t, p.Data, size)
		assert.Equal(t, pageNo, *p.Metadata.Page)
		assert.Equal(t, 10, p.Metadata.PageSize)
		assert.EqualValues(t, 25, *p.Metadata.TotalCount)
		assert.Equal(t, pageNo < 2, p.Metadata.NextCursor != "")
	}
}

func TestTotalIsNotCountedWhenThePageShowsIt(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 5, nil)
	a.page(pathTelemetry)
	a.page(pathTelemetry + "?limit=3&offset=3")
	assert.Zero(t, a.store.counts)
	p := a.page(pathTelemetry + "?limit=3")
	assert.Equal(t, 1, a.store.counts)
	next := a.page(pathTelemetry + "?limit=3&cursor=" + p.Metadata.NextCursor)
	assert.Equal(t, 1, a.store.counts, "a walk counts once")
	assert.EqualValues(t, 5, *next.Metadata.TotalCount)
	assert.Nil(t, next.Metadata.Page)
}

func TestBackendThatCanDoLess(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 5, nil)
	p := a.page(pathTelemetry + "?limit=2")
	a.store.with(func(f *fakeReader) { f.caps = store.Capabilities{} })
	for query, parameter := range map[string]string{
		"limit=2&cursor=" + p.Metadata.NextCursor: "cursor",
		"offset=1":                            "offset",
		"trace_id=" + strings.Repeat("a", 32): "trace_id",
		"session_id=x":                        "session_id", "user_id=x": "user_id", "provider=x": "provider", "operation=x": "operation",
		"environment=x": "environment", "tenant=x": "tenant", "failed=true": "failed",
	} {
		refused := a.fails(a.get(pathTelemetry+"?"+query), http.StatusBadRequest, codeUnsupported)
		assert.Equal(t, parameter, refused.Details["parameter"])
	}
	e := a.fails(a.get(pathAnomalies+"?trace_id="+strings.Repeat("a", 32)), http.StatusBadRequest, codeUnsupported)
	assert.Contains(t, e.Message, "embedded backend of llm_storage can")
	p = a.page(pathTelemetry + "?limit=2&offset=0")
	assert.Len(t, p.Data, 2)
	assert.Nil(t, p.Metadata.TotalCount, "not counted is not zero")
	assert.Empty(t, p.Metadata.NextCursor)

	a.store.with(func(f *fakeReader) { f.rowErr = fmt.Errorf("combination: %w", store.ErrUnsupported) })
	a.fails(a.get(pathTelemetry), http.StatusBadRequest, codeUnsupported)
}

func TestFailedQuerySaysNothingAboutTheInside(t *testing.T) {
	t.Parallel()
	secret := errors.New("disk /var/lib/secret is on fire")
	for name, set := range map[string]func(*fakeReader){
		"at once":     func(f *fakeReader) { f.rowErr = secret },
		"in the page": func(f *fakeReader) { f.rowErr, f.failAfter = secret, 2 },
		"counting":    func(f *fakeReader) { f.countErr = secret },
		"own timeout": func(f *fakeReader) { f.rowErr = fmt.Errorf("disk /var/lib/secret: %w", context.DeadlineExceeded) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := withEvents(t, 5, nil)
			a.store.with(set)
			w := a.get(pathTelemetry + "?limit=3")
			e := a.fails(w, http.StatusInternalServerError, codeQueryFailed)
			assert.NotContains(t, w.Body.String(), "secret")
			require.Equal(t, 1, a.logs.FilterMessage("query failed").Len())
			logged := a.logs.FilterMessage("query failed").All()[0].ContextMap()
			assert.Contains(t, logged["error"], "/var/lib/secret")
			assert.Equal(t, e.Details["request_id"], logged["request_id"])
		})
	}
}

func TestStorageThatIsNotThere(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.store.with(func(f *fakeReader) { f.rowErr = store.ErrClosed })
	a.fails(a.get(pathTelemetry), http.StatusServiceUnavailable, codeStorageUnavailable)
	a.storage.fail(errors.New("no connection"))
	a.fails(a.get(pathAnomalies), http.StatusServiceUnavailable, codeStorageUnavailable)
}

func TestSlowQueryIsStopped(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := withEvents(t, 1, map[string]any{"request_timeout": "20s"})
			a.store.with(func(f *fakeReader) { f.hang, f.silent = true, silent })
			begin := time.Now()
			e := a.fails(a.get(pathTelemetry), http.StatusRequestTimeout, codeTimeout)
			assert.Equal(t, 20*time.Second, time.Since(begin))
			assert.Equal(t, "20s", e.Details["request_timeout"])
			assert.Zero(t, a.logs.Len())
		})
	}
}

func TestClientThatLeavesIsNoError(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.store.with(func(f *fakeReader) { f.hang = true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := a.do(httptest.NewRequestWithContext(ctx, http.MethodGet, pathTelemetry, http.NoBody))
	assert.Equal(t, statusClientClosed, w.Code)
	assert.Zero(t, a.logs.Len())
}

func TestPageThatIsTooLarge(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"max_response_bytes": minResponseBytes})
	for i := range 20 {
		e := makeEvent(i, time.Duration(i)*time.Second)
		e.PromptText = strings.Repeat("x", 10_000)
		a.store.addEvents(e)
	}
	e := a.fails(a.get(pathTelemetry), http.StatusBadRequest, codeResponseTooLarge)
	fits := int(e.Details["rows_that_fit"].(float64))
	require.Positive(t, fits)
	w := a.get(fmt.Sprintf("%s?limit=%d", pathTelemetry, fits))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.LessOrEqual(t, w.Body.Len(), minResponseBytes)

	huge := makeEvent(99, 0)
	huge.PromptText = strings.Repeat("x", minResponseBytes)
	a.store.with(func(f *fakeReader) { f.events = []genai.Event{huge} })
	assert.Contains(t, a.fails(a.get(pathTelemetry), http.StatusBadRequest, codeResponseTooLarge).Message, "single row")
}

func TestRowThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	bad := makeAnomaly(1, 0)
	bad.Severity = 0
	a.store.with(func(f *fakeReader) { f.anomalies = []anomaly.Anomaly{bad} })
	a.fails(a.get(pathAnomalies), http.StatusInternalServerError, codeQueryFailed)
	assert.Contains(t, a.logs.All()[0].ContextMap()["error"], bad.ID.String())
}
