package influxdbexporter

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
)

// server is a real InfluxDB 1.8 and a database on it of the test's own.
type server struct {
	t        *testing.T
	url      string
	database string
}

func realServer(t *testing.T) *server {
	t.Helper()
	base := os.Getenv("SENTINEL_INFLUXDB_URL")
	if base == "" {
		t.Skip("SENTINEL_INFLUXDB_URL is not set: start a server with scripts/services/services.sh up influxdb")
	}
	s := &server{t: t, url: base, database: fmt.Sprintf("test_%s_%d", strings.ToLower(t.Name()), time.Now().UnixNano())}
	s.database = strings.ReplaceAll(s.database, "/", "_")
	t.Cleanup(func() { s.query(`DROP DATABASE "` + s.database + `"`) })
	return s
}

// query returns the rows of the first result, as columns and values.
func (s *server) query(q string) []map[string]any {
	s.t.Helper()
	resp, err := http.PostForm(s.url+"/query", url.Values{"db": {s.database}, "epoch": {"ns"}, "q": {q}})
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, resp.StatusCode, "%s", body)
	var answer struct {
		Results []struct {
			Error  string
			Series []struct {
				Columns []string
				Values  [][]any
			}
		}
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	require.NoError(s.t, d.Decode(&answer))
	var rows []map[string]any
	for _, r := range answer.Results {
		require.Empty(s.t, r.Error)
		for _, series := range r.Series {
			for _, v := range series.Values {
				row := map[string]any{}
				for i, c := range series.Columns {
					row[c] = v[i]
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func (s *server) count(measurement, field string) int64 {
	s.t.Helper()
	rows := s.query(fmt.Sprintf(`SELECT count(%q) FROM %q`, field, measurement))
	if len(rows) == 0 {
		return 0
	}
	n, err := rows[0]["count"].(json.Number).Int64()
	require.NoError(s.t, err)
	return n
}

// cardinality is the exact number of series.
func (s *server) cardinality() int64 {
	s.t.Helper()
	var total int64
	for _, row := range s.query("SHOW SERIES EXACT CARDINALITY") {
		n, err := row["count"].(json.Number).Int64()
		require.NoError(s.t, err)
		total += n
	}
	return total
}

func (s *server) config(api API) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.ClientConfig.Endpoint = s.url
	cfg.ClientConfig.DisableKeepAlives = true
	cfg.API = api
	cfg.V1.Database, cfg.V1.CreateDatabase = s.database, true
	// The 2.x API of a 1.8 server takes database/policy for a bucket.
	cfg.V2.Bucket, cfg.V2.AnomalyBucket = s.database+"/autogen", s.database+"/autogen"
	return cfg
}

func TestRealServerKeepsEverySpanInBoundedSeries(t *testing.T) {
	const n, services, models, operations, environments = 60_000, 3, 4, 2, 2
	for _, api := range []API{APIAuto, APIV1, APIV2} {
		t.Run(string(api), func(t *testing.T) {
			s := realServer(t)
			s.query(`CREATE DATABASE "` + s.database + `"`)
			e, _ := started(t, s.config(api))
			// Equal times in few series: the hardest case for the timestamps. All
			// values but those of the tags are distinct.
			sent := ptrace.NewTraces()
			all := calls(n, func(i int, span ptrace.Span) {
				span.SetEndTimestamp(span.EndTimestamp() + pcommon.Timestamp(i/20_000)*1000)
				span.Attributes().PutStr("gen_ai.request.model", fmt.Sprintf("model-%d", i%models))
				span.Attributes().PutStr("gen_ai.operation.name", []string{"chat", "text_completion"}[i/models%operations])
				span.Attributes().PutStr("user.id", fmt.Sprintf("user-%d", i))
				span.Attributes().PutStr("gen_ai.conversation.id", fmt.Sprintf("session-%d", i))
				span.Attributes().PutStr("gen_ai.response.id", fmt.Sprintf("response-%d", i))
			})
			for k := range services * environments {
				part := sent.ResourceSpans().AppendEmpty()
				part.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", k%services))
				part.Resource().Attributes().PutStr("deployment.environment.name", fmt.Sprintf("environment-%d", k/services))
				part.ScopeSpans().AppendEmpty()
			}
			for i, span := range all.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				k := i / (models * operations) % (services * environments)
				span.CopyTo(sent.ResourceSpans().At(k).ScopeSpans().At(0).Spans().AppendEmpty())
			}
			require.Equal(t, n, sent.SpanCount())

			require.NoError(t, e.push(t.Context(), sent))
			assert.EqualValues(t, n, s.count("telemetry", "event_id"))
			assert.EqualValues(t, services*models*operations*environments, s.cardinality())

			// The same spans again, as after a lost answer: nothing multiplies.
			require.NoError(t, e.push(t.Context(), sent))
			assert.EqualValues(t, n, s.count("telemetry", "event_id"))
			assert.EqualValues(t, services*models*operations*environments, s.cardinality())
		})
	}
}

func TestRealServerKeepsPointsOfARestartedExporter(t *testing.T) {
	s := realServer(t)
	td := calls(200, func(i int, span ptrace.Span) {
		span.Attributes().PutStr("gen_ai.request.model", fmt.Sprintf("model-%d", i))
	})
	for range 2 {
		e, _ := started(t, s.config(APIV1))
		require.NoError(t, e.push(t.Context(), td))
	}
	assert.EqualValues(t, 200, s.count("telemetry", "event_id"))
}

func TestRealServerReturnsWhatWasWritten(t *testing.T) {
	s := realServer(t)
	e, _ := started(t, s.config(APIAuto))
	nasty := "quote \" backslash \\ comma, equals= ünïcødé \xff"
	td := calls(1, func(_ int, span ptrace.Span) {
		span.Attributes().PutStr("gen_ai.request.model", `gpt 4,turbo="x"\`)
		span.Attributes().PutStr("user.id", nasty)
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("line one\nline two")
		anomaly.MarkSpan(span, []anomaly.Anomaly{finding(1)})
	})
	require.NoError(t, e.push(t.Context(), td))

	rows := s.query(`SELECT * FROM telemetry`)
	require.Len(t, rows, 1)
	row := rows[0]
	assert.Equal(t, "chat-api", row["service"])
	assert.Equal(t, `gpt 4,turbo="x"/`, row["model"])
	assert.Equal(t, `gpt 4,turbo="x"\`, row["model_exact"])
	assert.Equal(t, "prod", row["environment"])
	assert.Equal(t, "quote \" backslash \\ comma, equals= ünïcødé \uFFFD", row["user_id"])
	assert.Equal(t, "line one\nline two", row["error_message"])
	assert.Equal(t, json.Number("1"), row["has_errors"])
	assert.Equal(t, json.Number("800"), row["latency_ms"])
	assert.Equal(t, json.Number("460"), row["total_tokens"])
	assert.NotContains(t, row, "cost_usd", "a number that is not known is no field")
	nanos, err := row["time"].(json.Number).Int64()
	require.NoError(t, err)
	assert.Equal(t, at.UnixMicro(), nanos/1000)

	rows = s.query(`SELECT * FROM anomaly`)
	require.Len(t, rows, 1)
	assert.Equal(t, "high", rows[0]["severity"])
	assert.Equal(t, "latency_spike", rows[0]["type"])
	assert.Equal(t, "z_score", rows[0]["method"])
	assert.Equal(t, json.Number("9000"), rows[0]["value"])
	assert.Equal(t, finding(1).ID.String(), rows[0]["alert_id"])
}

// TestRealServerGivesBackTheSameEventsAndAnomalies reads with the decoder that
// readers use.
func TestRealServerGivesBackTheSameEventsAndAnomalies(t *testing.T) {
	for _, api := range []API{APIV1, APIV2} {
		s := realServer(t)
		s.query(`CREATE DATABASE "` + s.database + `"`)
		cfg := s.config(api)
		cfg.IncludeText, cfg.MaxSeries = true, minSeries // so that tags overflow, too
		e, _ := started(t, cfg)
		td := calls(20, func(i int, span ptrace.Span) {
			a := span.Attributes()
			a.PutStr("gen_ai.request.model", fmt.Sprintf(`model %d, a=b\`, i))
			a.PutStr("user.id", "tab\tline\nquote \" backslash \\ \\n ünï")
			a.PutStr("sentinel.metadata.note", "a \"b\"\nc")
			a.PutStr("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"two\nlines"}]}]`)
			found := finding(i)
			found.Time = span.EndTimestamp().AsTime()
			found.Remediation = []string{"wait", "ask \"them\"\nagain"}
			found.Details.Additional = map[string]float64{"q1": 1.5}
			found.Context.Additional = map[string]string{"operation": "chat"}
			anomaly.MarkSpan(span, []anomaly.Anomaly{found})
		})
		require.NoError(t, e.push(t.Context(), td))

		var want []genai.Event
		var wantFound []anomaly.Anomaly
		res := e.extractor.Resource(td.ResourceSpans().At(0).Resource())
		scope := td.ResourceSpans().At(0).ScopeSpans().At(0)
		for _, span := range scope.Spans().All() {
			var ev genai.Event
			ok, _ := e.extractor.FromSpan(&res, scope.Scope(), span, &ev)
			require.True(t, ok)
			want = append(want, ev)
			for a, err := range anomaly.FromSpan(span) {
				require.NoError(t, err)
				wantFound = append(wantFound, a)
			}
		}
		assert.ElementsMatch(t, want, decoded(t, s.query("SELECT * FROM telemetry"), line.NewEventDecoder))
		assert.ElementsMatch(t, wantFound, decoded(t, s.query("SELECT * FROM anomaly"), line.NewAnomalyDecoder))
		require.NotEmpty(t, want[0].Metadata)
		require.NotEmpty(t, want[0].PromptText)
	}
}

func decoded[T any](t *testing.T, rows []map[string]any, decoder func([]string) *line.Decoder[T]) (items []T) {
	t.Helper()
	for _, row := range rows {
		columns := slices.Sorted(maps.Keys(row))
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = row[c]
		}
		item, err := decoder(columns).Decode(values)
		require.NoError(t, err)
		items = append(items, item)
	}
	return items
}

func TestRealServerRefusesAFieldOfAnotherType(t *testing.T) {
	s := realServer(t)
	s.query(`CREATE DATABASE "` + s.database + `"`)
	resp, err := http.Post(s.url+"/write?db="+s.database, "text/plain", strings.NewReader(fmt.Sprintf("telemetry,service=chat-api prompt_tokens=\"many\" %d", at.Add(-time.Second).UnixNano())))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	for _, api := range []API{APIV1, APIV2} {
		e, tel := started(t, s.config(api))
		td := calls(5, func(i int, span ptrace.Span) {
			if i > 1 {
				span.Attributes().Remove("gen_ai.usage.input_tokens")
			}
		})
		require.NoError(t, e.push(t.Context(), td), "what the server kept is not sent again")
		assert.EqualValues(t, 3, s.count("telemetry", "event_id"))
		assert.EqualValues(t, 2, sum(t, tel, "sentinel_influxdb_points_dropped_total", "reason", "partial_write"))
		assert.EqualValues(t, 3, sum(t, tel, "sentinel_influxdb_points_total", "", ""))
	}
}

func TestRealServerNamesAMissingDatabase(t *testing.T) {
	s := realServer(t)
	cfg := s.config(APIV1)
	cfg.V1.CreateDatabase = false
	e, _ := started(t, cfg)
	err := e.push(t.Context(), calls(1))
	require.ErrorContains(t, err, "database not found")
	require.ErrorContains(t, err, "v1.create_database")
}

func TestRealServerGetsADroppedDatabaseBack(t *testing.T) {
	s := realServer(t)
	e, _ := started(t, s.config(APIV1))
	require.NoError(t, e.push(t.Context(), calls(1)))
	s.query(`DROP DATABASE "` + s.database + `"`)
	require.ErrorContains(t, e.push(t.Context(), calls(1)), "database not found")
	require.NoError(t, e.push(t.Context(), calls(1)))
	assert.EqualValues(t, 1, s.count("telemetry", "event_id"))
}
