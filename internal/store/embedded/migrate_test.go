package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// version1 makes a directory with a database of the first schema version: four
// hours up to noon, with one event and one anomaly each.
func version1(t *testing.T, more string) string {
	t.Helper()
	script, err := os.ReadFile("testdata/version1.sql")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, edit(filepath.Join(dir, fileName), string(script)+more))
	return dir
}

func version(t *testing.T, dir string) (v int64) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadOnly)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	v, err = queryInt(conn, "SELECT value FROM meta WHERE key = 'schema_version'")
	require.NoError(t, err)
	return v
}

func traceOfHour(i int) pcommon.TraceID { return pcommon.TraceID{byte(i + 1), 15: 0xab} }

// requireVersion1 checks that all of the first version is there.
func requireVersion1(t *testing.T, s *Store) {
	t.Helper()
	for i := range 4 {
		at := noon.Add(-time.Duration(i) * 50 * time.Minute)
		trace := traceOfHour(i)
		want := genai.Event{
			ID: uuid.UUID{byte(i + 1)}, TraceID: trace, SpanID: pcommon.SpanID{byte(i + 1)},
			Start: pcommon.NewTimestampFromTime(at.Add(-time.Second)), End: pcommon.NewTimestampFromTime(at),
			Service: "shop", RequestModel: "gpt", ResponseModel: fmt.Sprintf("gpt-%d", i%2), Provider: "openai", Operation: "chat", Failed: i == 1,
			Conversation: "talk", User: "it's me", Tenant: "t1", Environment: "prod",
			Present:     genai.FieldInputTokens | genai.FieldLatency | genai.FieldCost,
			InputTokens: int64(100 * i), LatencyMillis: float64(i) + 0.5, CostUSD: 0.25, Metadata: map[string]string{"k": "v"},
		}
		for _, q := range []store.EventQuery{
			{EventFilter: store.EventFilter{TraceID: trace.String()}},
			{ID: want.ID},
			{EventFilter: store.EventFilter{Conversation: "talk", User: "it's me", Tenant: "t1"}, Query: store.Query{Start: at, End: at.Add(1)}},
		} {
			q.Limit = 2
			var got []genai.Event
			for e, err := range s.Events(t.Context(), q) {
				require.NoError(t, err)
				got = append(got, e)
			}
			require.Equal(t, []genai.Event{want}, got)
		}
		id := uuid.UUID{0xa0, byte(i)}
		require.Equal(t, []uuid.UUID{id}, anomalyIDs(t, s, store.AnomalyQuery{ID: id}))
		if i < 3 { // the fourth has no valid trace id
			require.Equal(t, []uuid.UUID{id}, anomalyIDs(t, s, store.AnomalyQuery{TraceID: trace.String()}))
		}
	}
	require.Empty(t, anomalyIDs(t, s, store.AnomalyQuery{TraceID: "abcdef00000000000000000000000001"}), "upper case is no trace id")
	n, err := s.CountEvents(t.Context(), store.EventQuery{EventFilter: store.EventFilter{Failed: true}})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func anomalyIDs(t *testing.T, s *Store, q store.AnomalyQuery) (out []uuid.UUID) {
	t.Helper()
	q.Limit = 10
	for a, err := range s.Anomalies(t.Context(), q) {
		require.NoError(t, err)
		out = append(out, a.ID)
	}
	return out
}

func TestFirstVersionIsMigrated(t *testing.T) {
	dir := version1(t, "")
	c := newClock(noon)
	change := func(cfg *Config) { cfg.Now = c.now }
	s := openFor(t, dir, change)
	require.EqualValues(t, 4, s.Stats().Events)
	requireVersion1(t, s)
	require.NoError(t, s.Close(t.Context()))
	require.EqualValues(t, schemaVersion, version(t, dir))

	// Opened again, and an hour is written to: that one gets the new tables.
	s = openFor(t, dir, change)
	requireVersion1(t, s)
	fine := eventAt(noon.Add(time.Minute))
	fine.ServiceTier, fine.Estimated, fine.Present, fine.AudioInputTokens = "flex", true, genai.FieldAudioInputTokens, 7
	fine.PromptEmbedding = []float32{1, 2}
	write(t, s, fine)
	for e, err := range s.Events(t.Context(), store.EventQuery{ID: fine.ID, Query: store.Query{Limit: 1}}) {
		require.NoError(t, err)
		require.Equal(t, fine, e)
	}
	requireVersion1(t, s)
	require.NoError(t, s.WriteBaselines(t.Context(), []store.Baseline{{Time: noon.Add(-3 * time.Hour), Metric: "latency_ms"}}))
	requireVersion1(t, s)
	var layouts []int64
	for _, p := range hours(t, s) {
		layouts = append(layouts, p.layout)
	}
	require.Equal(t, []int64{2, 1, 1, 2}, layouts)
	require.NoError(t, s.Close(t.Context()))

	for view, want := range map[string]int64{"events": 5, "anomalies": 4} {
		conn, err := sqlite.OpenConn(filepath.Join(dir, fileName), sqlite.OpenReadOnly)
		require.NoError(t, err)
		n, err := queryInt(conn, "SELECT count(*) FROM "+view+" WHERE at > '2031'")
		require.NoError(t, err)
		require.Equal(t, want, n, view)
		require.NoError(t, conn.Close())
	}

	// Retention drops hours of both layouts, and leaves no table behind.
	s = openFor(t, dir, change)
	c.set(noon.Add(DefaultRetention + 24*time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.Zero(t, s.Stats().Partitions)
	require.Zero(t, number(t, s, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_20310517%'"))
	require.NoError(t, s.Close(t.Context()))
}

// What fails in the middle of a migration leaves the file as it was.
func TestMigrationIsWholeOrNothing(t *testing.T) {
	dir := version1(t, "CREATE TABLE feedback(x);")
	_, err := Open(t.Context(), Config{Directory: dir})
	require.ErrorContains(t, err, "from schema version 1 to 2")
	require.EqualValues(t, 1, version(t, dir))
	require.NoError(t, edit(filepath.Join(dir, fileName), "DROP TABLE feedback"))
	s := openFor(t, dir, func(cfg *Config) { cfg.Now = newClock(noon).now })
	requireVersion1(t, s)
	require.NoError(t, s.Close(t.Context()))
}

// A migrated file and a new one have the same tables, but for the indexes that the
// old hours need because their events are not in the lookup.
func TestMigrationLeadsToTheSchemaOfANewFile(t *testing.T) {
	schema := func(dir string) (out []string) {
		c := newClock(noon)
		s := openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
		write(t, s, eventAt(noon))
		require.NoError(t, s.WriteAnomalies(t.Context(), []anomaly.Anomaly{{ID: uuid.New(), Time: noon, Severity: anomaly.SeverityLow, Type: "x"}}))
		require.NoError(t, s.acquire(t.Context()))
		require.NoError(t, sqlitex.ExecuteTransient(s.w.conn, "SELECT name FROM pragma_table_list WHERE name NOT LIKE '%20310517%' OR name LIKE '%2031051712' ORDER BY name",
			&sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error { out = append(out, stmt.ColumnText(0)); return nil }}))
		for _, table := range append([]string{"ev_2031051712", "an_2031051712"}, globalTables...) {
			for _, pragma := range []string{"SELECT name || type || pk FROM pragma_table_info(?) ORDER BY 1", "SELECT name FROM pragma_index_list(?) ORDER BY 1"} {
				require.NoError(t, sqlitex.ExecuteTransient(s.w.conn, pragma, &sqlitex.ExecOptions{
					Args: []any{table},
					ResultFunc: func(stmt *sqlite.Stmt) error {
						if c := stmt.ColumnText(0); c != "ev_2031051712_trace" && c != "ev_2031051712_svc" {
							out = append(out, table+" "+c)
						}
						return nil
					},
				}))
			}
		}
		s.release()
		require.NoError(t, s.Close(t.Context()))
		return out
	}
	require.Equal(t, schema(t.TempDir()), schema(version1(t, "")))
}

// An hour of the second layout has no services in its lookup, and an index
// instead. It is read, written to and sealed as it is.
func TestAnHourOfTheSecondLayoutStaysAsItIs(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	change := func(cfg *Config) { cfg.Now, cfg.SyncInterval = c.now, time.Minute }
	s := openFor(t, dir, change)
	events := hourOfCalls(400)
	write(t, s, events[100:300]...)
	name := lastHour(t, s).name
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, edit(filepath.Join(dir, fileName), fmt.Sprintf(
		"UPDATE partitions SET layout = 2; DELETE FROM lookup; UPDATE partitions SET runs = x'01'; CREATE INDEX ev_%[1]s_svc ON ev_%[1]s(svc, time, id, model);", name)))

	s = openFor(t, dir, change)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	write(t, s, append(events[:100:100], events[300:]...)...)
	require.EqualValues(t, 2, lastHour(t, s).layout)
	check := func() {
		var got, want []uuid.UUID
		for e, err := range s.Events(t.Context(), store.EventQuery{Query: store.Query{Service: "service-1", Limit: 1000, Ascending: true}}) {
			require.NoError(t, err)
			got = append(got, e.ID)
		}
		for _, e := range events {
			if e.Service == "service-1" {
				want = append(want, e.ID)
			}
		}
		require.Equal(t, want, got)
		n, err := s.CountEvents(t.Context(), store.EventQuery{Query: store.Query{Service: "service-1"}})
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		require.EqualValues(t, len(events), calls(t, s, store.EventFilter{}))
	}
	check()
	w, err := s.beginSeal(t.Context(), lastHour(t, s))
	require.NoError(t, err)
	readAll(t, s, w)
	require.NoError(t, w.finish())
	require.EqualValues(t, len(events), lastHour(t, s).measured)
	check()
}
