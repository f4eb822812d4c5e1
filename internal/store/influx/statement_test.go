package influx

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/influx/line"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func testBackend(t testing.TB) *Backend {
	t.Helper()
	return &Backend{config: Config{Telemetry: "telemetry", Anomaly: "anomaly"}, client: newClient(&Config{})}
}

func statements(t testing.TB, sel *selection) map[string]*statement {
	t.Helper()
	return map[string]*statement{
		"influxql": influxQLStatement(sel, ""), "influxql count": influxQLStatement(sel, "event_id"),
		"sql": sqlStatement(sel, false), "sql count": sqlStatement(sel, true),
	}
}

func TestStatements(t *testing.T) {
	b := testBackend(t)
	q, err := b.eventQuestion(&store.EventQuery{
		Query:       store.Query{Service: "chat", Start: time.Unix(100, 0), End: time.Unix(200, 0), Limit: 1},
		EventFilter: store.EventFilter{Tenant: "t'1", Failed: true},
	})
	require.NoError(t, err)
	q.selection.place = place{database: "d", measurement: `tele"metry`}
	q.columns, q.selection.limit = []string{"time", "event_id", "time_ns"}, 5
	const where = ` WHERE (("service" = $p0) OR ("service" = $p1 AND "service_exact" = $p2)) AND (("tenant_id" = $p3)) AND (("has_errors" = 1)) AND `
	want := map[string]string{
		"influxql":       `SELECT "event_id", "time_ns" FROM "tele\"metry"` + where + `time >= 99999999000 AND time <= 200000032999 ORDER BY time DESC LIMIT 5`,
		"influxql count": `SELECT count("event_id") FROM "tele\"metry"` + where + `time >= 99999999000 AND time <= 200000032999`,
		"sql": `SELECT * FROM "tele""metry"` + where +
			`time >= '1970-01-01T00:01:39.999999000Z' AND time <= '1970-01-01T00:03:20.000032999Z' ORDER BY time DESC LIMIT 5`,
		"sql count": `SELECT count(*) AS n FROM "tele""metry"` + where +
			`time >= '1970-01-01T00:01:39.999999000Z' AND time <= '1970-01-01T00:03:20.000032999Z'`,
	}
	for name, s := range statements(t, &q.selection) {
		assert.Equal(t, want[name], s.text.String(), name)
		assert.Equal(t, map[string]any{"p0": "chat", "p1": line.Overflow, "p2": "chat", "p3": "t'1"}, s.params, name)
	}
}

func TestOnlyColumnsThatExistAreListed(t *testing.T) {
	sel := selection{
		place: place{measurement: "m"}, columns: []string{"time", "event_id", "ttft_ms"}, few: true, from: minNanos, to: maxNanos,
		known: map[string]bool{"time": true, "event_id": true, "other": true},
	}
	require.Equal(t, `SELECT "time", "event_id" FROM "m" ORDER BY time DESC LIMIT 0`, sqlStatement(&sel, false).text.String())
}

// shape is a text of the same kind as s: empty, fit for a tag, or not.
func shape(s string) string {
	switch {
	case s == "":
		return ""
	case line.CleanTag(s) == line.CleanText(s):
		return "x"
	default:
		return "x\ny"
	}
}

// FuzzNoTextOfTheCallerIsInAStatement: what a caller says may choose among
// conditions and become parameters; the words of the query are ours.
func FuzzNoTextOfTheCallerIsInAStatement(f *testing.F) {
	for _, s := range []string{
		"chat", "'", `"`, "' OR 1=1 --", `") OR ("" = "`, "$p0", "; DROP DATABASE x", "\x00", "\n", `\'`, "/.*/", strings.Repeat("é", 5000), "__overflow__",
	} {
		f.Add(s, s, s, s)
	}
	b := testBackend(f)
	parameter := regexp.MustCompile(`\$p\d+`)
	f.Fuzz(func(t *testing.T, service, model, user, kind string) {
		build := func(service, model, user, kind string) (out []*statement) {
			q, err := b.eventQuestion(&store.EventQuery{
				Query:       store.Query{Service: service, Model: model, Limit: 1, Start: time.Unix(5, 0)},
				EventFilter: store.EventFilter{User: user, Conversation: user, Tenant: user, Provider: kind, Operation: kind, Environment: kind},
				ID:          uuid.UUID{1},
			})
			require.NoError(t, err)
			a, err := b.anomalyQuestion(&store.AnomalyQuery{
				Query: store.Query{Service: service, Model: model, Limit: 1}, Type: anomaly.Type(kind), MinConfidence: 0.25,
			})
			require.NoError(t, err)
			for _, sel := range []*selection{&q.selection, &a.selection} {
				s := statements(t, sel)
				out = append(out, s["influxql"], s["influxql count"], s["sql"], s["sql count"])
			}
			return out
		}
		got := build(service, model, user, kind)
		plain := build(shape(service), shape(model), shape(user), shape(kind))
		for i := range got {
			text := got[i].text.String()
			require.Equal(t, plain[i].text.String(), text)
			require.Len(t, got[i].params, len(parameter.FindAllString(text, -1)), "each parameter is used once")
			encoded, err := json.Marshal(got[i].params)
			require.NoError(t, err)
			var back map[string]any
			require.NoError(t, json.Unmarshal(encoded, &back))
			require.Equal(t, got[i].params, back, "parameters arrive as they are")
		}
	})
}

// FuzzQuotedNames: a name of the configuration stays one name.
func FuzzQuotedNames(f *testing.F) {
	for _, s := range []string{"telemetry", `a"b`, `a\`, `\"`, "a\nb", `""`, `" FROM x --`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		q := quoteSQL(name)
		require.Equal(t, name, strings.ReplaceAll(q[1:len(q)-1], `""`, `"`))
		require.Zero(t, strings.Count(q[1:len(q)-1], `"`)%2)

		q = quoteInfluxQL(name)
		inner := q[1 : len(q)-1]
		require.NotContains(t, inner, "\n")
		var back strings.Builder
		for i := 0; i < len(inner); i++ {
			c := inner[i]
			require.NotEqual(t, byte('"'), c, "a mark that is not escaped ends the name")
			if c == '\\' {
				i++
				require.Less(t, i, len(inner), "the last mark is escaped")
				if c = inner[i]; c == 'n' {
					c = '\n'
				}
			}
			back.WriteByte(c)
		}
		require.Equal(t, name, back.String())
	})
}

func TestConditionsOnColumnsThatAreNotThere(t *testing.T) {
	where := []oneOf{dimension("service", "a"), only("tenant_id", "=", "b")}
	has := func(names ...string) func(string) bool {
		return func(s string) bool {
			for _, n := range names {
				if n == s {
					return true
				}
			}
			return false
		}
	}
	got, ok := without(where, has("service", "tenant_id"))
	require.True(t, ok)
	require.Equal(t, []oneOf{{{is("service", "a")}}, only("tenant_id", "=", "b")}, got)
	_, ok = without(where, has("service", "service_exact"))
	require.False(t, ok, "nobody has a tenant")
	got, ok = without(where, has("service", "service_exact", "tenant_id"))
	require.True(t, ok)
	require.Equal(t, where, got)
}
