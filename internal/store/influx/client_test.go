package influx_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/influx/influx3test"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/influx"
)

// fake answers as a test says.
func fake(t *testing.T, h http.HandlerFunc) influx.Config {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c := config(t, s.URL)
	c.API = influx.APIV1
	c.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

func ask(t *testing.T, b *influx.Backend) error {
	t.Helper()
	_, err := all(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 5}}))
	return err
}

func TestFailuresAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header [2]string
		body   string
		kind   influx.Kind
		text   string
	}{
		"wrong password":     {401, [2]string{}, `{"error":"authorization failed"}`, influx.KindUnauthorized, "authorization failed (check the username"},
		"no right to read":   {403, [2]string{}, `{"error":"not authorized"}`, influx.KindUnauthorized, "may read"},
		"no such API":        {404, [2]string{}, `404 page not found`, influx.KindMissing, "check endpoint and api"},
		"throttled":          {429, [2]string{}, `{"error":"slow down"}`, influx.KindThrottled, "slow down"},
		"fault":              {500, [2]string{"X-Influxdb-Error", "engine: out of order"}, ``, influx.KindUnavailable, "engine: out of order"},
		"gateway":            {502, [2]string{}, `<html>bad gateway</html>`, influx.KindUnavailable, "bad gateway"},
		"moved":              {307, [2]string{"Location", "http://elsewhere/"}, ``, influx.KindRedirected, "set endpoint"},
		"refused":            {400, [2]string{}, `{"error":"error parsing query"}`, influx.KindRefused, "error parsing query"},
		"error within a 200": {200, [2]string{}, `{"results":[{"error":"query-timeout limit exceeded"}]}`, influx.KindUnavailable, "timeout"},
		"error of a 200":     {200, [2]string{}, `{"error":"max-select-point limit exceeded"}`, influx.KindRefused, "max-select-point"},
		"no JSON":            {200, [2]string{}, `<html>hello</html>`, influx.KindMalformed, ""},
		"nothing":            {200, [2]string{}, ``, influx.KindMalformed, ""},
		"half an answer":     {200, [2]string{}, `{"results":[{"series":[{"columns":["time"],"values":[[1`, influx.KindMalformed, ""},
		"more was promised":  {200, [2]string{}, `{"results":[{"partial":true}]}`, influx.KindMalformed, "before its end"},
		"short row":          {200, [2]string{}, `{"results":[{"series":[{"columns":["time","a"],"values":[[1]]}]}]}`, influx.KindMalformed, "2 values"},
		"other columns":      {200, [2]string{}, `{"results":[{"series":[{"columns":["time","a"],"values":[[1,2]]}]}]}`, influx.KindMalformed, "columns"},
		"long text":          {400, [2]string{}, strings.Repeat("x\n", 5000), influx.KindRefused, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(t, open(t, fake(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.header[0] != "" {
					w.Header().Set(c.header[0], c.header[1])
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})))
			var e *influx.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.kind, e.Kind)
			assert.ErrorContains(t, err, c.text)
			assert.Less(t, len(err.Error()), 700)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAMissingDatabaseIsEmpty(t *testing.T) {
	for _, body := range []string{`{"results":[{"statement_id":0,"error":"database not found: llm"}]}`, `{"error":"database not found: llm"}`} {
		b := open(t, fake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		require.NoError(t, ask(t, b))
		require.NoError(t, b.Ping(t.Context()))
		n, err := b.CountAnomalies(t.Context(), store.AnomalyQuery{})
		require.NoError(t, err)
		require.Zero(t, n)
	}
	b, _, _ := threeX(t) // nothing was written to it
	require.NoError(t, ask(t, b))
}

func TestCompressedAnswersAreRead(t *testing.T) {
	b := open(t, fake(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"results":[{"series":[{"columns":["time","count"],"values":[[0,41]]}]}]}`)
		assert.NoError(t, z.Close())
	}))
	n, err := b.CountEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.EqualValues(t, 41, n)
}

func TestAnswersThatAreTooLargeEnd(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip") // small on the wire
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"results":[{"error":"`)
		for range 1 << 10 {
			if _, err := io.WriteString(z, strings.Repeat("x", 4<<10)); err != nil {
				return
			}
		}
		_ = z.Close()
	})
	c.MaxResponseBytes = 1 << 20
	err := ask(t, open(t, c))
	require.ErrorIs(t, err, store.ErrTooMany)
	require.ErrorContains(t, err, "max_response_bytes")
}

func TestCredentialsOfEachAPI(t *testing.T) {
	for _, c := range []struct {
		api     influx.API
		version string
		want    string
	}{
		{influx.APIV1, "", "Basic bWU6c2VjcmV0LTE="},
		{influx.APIV2, "", "Token secret-2"},
		{influx.APIV3, "", "Bearer secret-3"},
		{influx.APIAuto, "1.8.10", "Basic bWU6c2VjcmV0LTE="},
		{influx.APIAuto, "v2.7.1", "Token secret-2"},
		{influx.APIAuto, "3.2.1", "Bearer secret-3"},
		{influx.APIAuto, "", "Bearer secret-3"}, // what is filled in
	} {
		var got, path string
		cfg := fake(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/ping" && c.version != "":
				w.Header().Set("X-Influxdb-Version", c.version)
			case r.URL.Path == "/ping" || r.URL.Path == "/health":
				w.WriteHeader(http.StatusNotFound)
			default:
				got, path = r.Header.Get("Authorization"), r.URL.Path
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		cfg.API = c.api
		cfg.V1.Username, cfg.V1.Password, cfg.V2.Token, cfg.V3.Token = "me", "secret-1", "secret-2", "secret-3"
		err := ask(t, open(t, cfg))
		require.ErrorContains(t, err, "unauthorized")
		require.NotContains(t, err.Error(), "secret")
		assert.Equal(t, c.want, got, "%s %s", c.api, c.version)
		assert.Equal(t, strings.HasPrefix(c.want, "Bearer"), path == "/api/v3/query_sql")
	}
}

func TestADeadServerIsAskedAgainLater(t *testing.T) {
	c := config(t, "http://127.0.0.1:1")
	b := open(t, c)
	for range 2 {
		require.ErrorContains(t, ask(t, b), "unavailable")
		require.ErrorContains(t, b.Ping(t.Context()), "unavailable")
	}

	var mu sync.Mutex
	down := true
	cfg := fake(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/ping":
			w.Header().Set("X-Influxdb-Version", "1.8.3")
		default:
			_, _ = io.WriteString(w, `{"results":[{}]}`)
		}
	})
	cfg.API = influx.APIAuto
	b = open(t, cfg)
	require.Error(t, b.Ping(t.Context()))
	mu.Lock()
	down = false
	mu.Unlock()
	require.Eventually(t, func() bool { return b.Ping(t.Context()) == nil }, 10*time.Second, 20*time.Millisecond)
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"results":[`)
		w.(http.Flusher).Flush()
		select { // an answer that does not end
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) })
	b := open(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := all(b.Events(ctx, store.EventQuery{Query: store.Query{Limit: 5}}))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// All places are taken: those that wait give up with their context, too.
	var wg sync.WaitGroup
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for range 20 {
		wg.Go(func() {
			_, err := b.CountEvents(ctx, store.EventQuery{})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
	wg.Wait()
}

func TestTraceIsLookedForInABoundedRange(t *testing.T) {
	_, w, s := threeX(t)
	c := config(t, s.URL)
	c.V3.Token, c.MaxScanRange = token, 24*time.Hour
	b := open(t, c)
	now := time.Now()
	fresh, old := calls(1, now)[0], calls(1, now.Add(-48*time.Hour))[0]
	fresh.TraceID[0], old.TraceID[0] = 1, 1
	old.ID = uuid.UUID{9}
	fresh.User, old.User = "u", "u"
	require.NoError(t, w.WriteEvents(t.Context(), append(calls(0, now), fresh, old)))
	for name, f := range map[string]store.EventFilter{"trace": {TraceID: fresh.TraceID.String()}, "user": {User: "u"}} {
		got, err := all(b.Events(t.Context(), store.EventQuery{EventFilter: f, Query: store.Query{Limit: 5}}))
		require.NoError(t, err, name)
		require.Len(t, got, 1, "without a start: as far back as allowed")
		require.Equal(t, fresh.ID, got[0].ID)
		got, err = all(b.Events(t.Context(), store.EventQuery{EventFilter: f, Query: store.Query{
			Limit: 5, Start: now.Add(-60 * time.Hour), End: now.Add(-40 * time.Hour),
		}}))
		require.NoError(t, err, name)
		require.Len(t, got, 1)
		require.Equal(t, old.ID, got[0].ID)
		_, err = all(b.Events(t.Context(), store.EventQuery{EventFilter: f, Query: store.Query{Limit: 5, Start: now.Add(-60 * time.Hour)}}))
		require.ErrorIs(t, err, store.ErrTooMany)
		require.ErrorContains(t, err, "max_scan_range")
	}
	got, err := all(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 5, Service: fresh.Service, Start: now.Add(-60 * time.Hour)}}))
	require.NoError(t, err, "tags are found at any time")
	require.NotEmpty(t, got)
}

func TestATableThatWasMadeAgainMayHaveFewerColumns(t *testing.T) {
	b, w, s := threeX(t)
	e := calls(1, time.Now())
	require.NoError(t, w.WriteEvents(t.Context(), e))
	q := store.EventQuery{EventFilter: store.EventFilter{Tenant: e[0].Tenant}, Query: store.Query{Limit: 5}}
	got, err := all(b.Events(t.Context(), q))
	require.NoError(t, err)
	require.Len(t, got, 1)
	dropDatabase(t, s)
	e[0].Tenant = ""
	require.NoError(t, w.WriteEvents(t.Context(), e))
	got, err = all(b.Events(t.Context(), q))
	require.NoError(t, err, "the column is gone")
	require.Empty(t, got)
}

func dropDatabase(t *testing.T, s *influx3test.Server) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/api/v3/configure/database?db=llm", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := newHTTPClient(t).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, resp.Status)
}
