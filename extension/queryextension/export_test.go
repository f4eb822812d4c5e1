package queryextension

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// filled is a server that keeps n events, one a second, the newest a second old.
func filled(t *testing.T, n int, options map[string]any) *api {
	t.Helper()
	a := newAPI(t, options)
	for i := range n {
		a.store.addEvents(makeEvent(i+1, time.Duration(i+1)*time.Second))
	}
	return a
}

func (a *api) export(target string) [][]string {
	a.t.Helper()
	w := a.get(target)
	require.Equal(a.t, http.StatusOK, w.Code, w.Body.String())
	rows, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(a.t, err)
	return rows
}

func TestExportWritesEachRowOfManyPagesOnce(t *testing.T) {
	t.Parallel()
	const n = 2*exportPage + 17
	for _, order := range []string{"", "&ascending=true"} {
		rows := filled(t, n, nil).export(pathExportTelemetry + "?hours=24" + order)[1:]
		require.Len(t, rows, n)
		seen := map[string]bool{}
		for i, r := range rows {
			seen[r[1]] = true
			if i > 0 && order == "" {
				require.Greater(t, rows[i-1][0], r[0], "newest first")
			}
		}
		require.Len(t, seen, n)
	}
}

func TestExportEndsAtAPageThatIsJustFull(t *testing.T) {
	t.Parallel()
	require.Len(t, filled(t, exportPage, nil).export(pathExportTelemetry), exportPage+1)
	require.Len(t, filled(t, exportPage, nil).export(pathExportTelemetry+"?limit=7"), 8)
	require.Len(t, filled(t, 3, nil).export(pathExportTelemetry+"?service=nobody"), 1, "the header alone")
}

func TestExportTakesTheFiltersOfTheList(t *testing.T) {
	t.Parallel()
	a := filled(t, 20, nil)
	event := a.page(pathTelemetry + "?limit=1").Data[0]
	rows := a.export(pathExportTelemetry + "?trace_id=" + event["trace_id"].(string))
	require.Len(t, rows, 2)
	require.Equal(t, event["event_id"], rows[1][1])
	for _, q := range []string{"cursor=x", "offset=1", "format=xml", "format=", "limit=0", "limit=10000001", "severity=high", "hours=0"} {
		w := a.get(pathExportTelemetry + "?" + q)
		require.Equal(t, http.StatusBadRequest, w.Code, q)
	}
}

func TestExportOfAnomaliesAsParquetAndJSONLines(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.store.with(func(f *fakeReader) {
		f.anomalies = []anomaly.Anomaly{makeAnomaly(2, time.Minute), makeAnomaly(1, time.Hour)}
	})
	w := a.get(pathExportAnomalies + "?format=parquet")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/vnd.apache.parquet", w.Header().Get("Content-Type"))
	require.Regexp(t, `^attachment; filename="anomalies-\d{8}T\d{6}Z\.parquet"$`, w.Header().Get("Content-Disposition"))
	file, err := parquet.OpenFile(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	require.NoError(t, err)
	require.EqualValues(t, 2, file.NumRows())

	w = a.get(pathExportAnomalies + "?format=jsonl")
	require.Len(t, strings.Split(strings.TrimSpace(w.Body.String()), "\n"), 2)
	var first anomaly.Anomaly
	require.NoError(t, first.UnmarshalJSON([]byte(strings.SplitN(w.Body.String(), "\n", 2)[0])))
	require.Equal(t, makeAnomaly(2, time.Minute).ID, first.ID)
}

func TestAnExportThatWouldNotHoldAllRowsIsRefused(t *testing.T) {
	t.Parallel()
	a := filled(t, 11, map[string]any{"max_export_rows": 10})
	w := a.get(pathExportTelemetry)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "the export would have 11 rows, more than max_export_rows (10)")
	require.Len(t, a.export(pathExportTelemetry+"?limit=10"), 11)

	// A backend that cannot count is found out at the end.
	a.store.with(func(f *fakeReader) { f.caps.Count = false })
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { a.get(pathExportTelemetry) })
	b := filled(t, 10, map[string]any{"max_export_rows": 10})
	b.store.with(func(f *fakeReader) { f.caps.Count = false })
	require.Len(t, b.export(pathExportTelemetry), 11)
}

func TestAnExportThatFailsOnItsWayIsCutOff(t *testing.T) {
	t.Parallel()
	a := filled(t, 2*exportPage, nil)
	fail := func() { a.store.with(func(f *fakeReader) { f.rowErr = errors.New("disk gone") }) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.http.ServeHTTP(onWrite{w, fail}, r) }))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + pathExportTelemetry)
	if err == nil {
		require.Equal(t, http.StatusOK, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
	}
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 1, a.logs.FilterMessage("an export was cut off").Len())

	// A failure before the first row is an answer.
	w := a.get(pathExportTelemetry)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, w.Body.String(), codeQueryFailed)
}

// onWrite calls f when something is written.
type onWrite struct {
	http.ResponseWriter
	f func()
}

func (o onWrite) Write(b []byte) (int, error) {
	o.f()
	return o.ResponseWriter.Write(b)
}

func (o onWrite) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func TestExportsAtTheSameTimeAreBounded(t *testing.T) {
	t.Parallel()
	a := filled(t, 1, map[string]any{"max_exports": 1})
	a.exports <- struct{}{}
	w := a.get(pathExportTelemetry)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "30", w.Header().Get("Retry-After"))
	<-a.exports
	require.Len(t, a.export(pathExportTelemetry), 2)
}

func TestExportNeedsABackendWithCursors(t *testing.T) {
	t.Parallel()
	a := filled(t, 1, nil)
	a.store.with(func(f *fakeReader) { f.caps = store.Capabilities{} })
	w := a.get(pathExportTelemetry)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), codeUnsupported)
}

func TestHeadOfAnExportSendsNoRows(t *testing.T) {
	t.Parallel()
	a := filled(t, 3, nil)
	w := a.do(request(t, http.MethodHead, pathExportTelemetry, http.NoBody))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Empty(t, w.Body.Bytes())
}
