package embedded

import (
	"fmt"
	"strings"
	"time"
)

const (
	// applicationID marks the file as ours in its header ("LLMS").
	applicationID = 0x4c4c4d53
	// viewHours is the number of newest hours that the views cover. SQLite
	// parses views with the schema, so they must stay short.
	viewHours = 24
)

// In eventColumns and anomalyColumns, columns marked dict hold the id of a
// string in the dictionary of the hour, or the string itself when it is long or
// the dictionary is full. SQLite types values, not columns, so both compare
// exactly. NULL is the empty string, or a number that is not known.
const eventColumns = `time, id, svc, model, trace, span, parent, start, flags,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok, cost_usd, ttft_ms, latency_ms,
 response_id, conversation, user, error_message, metadata, prompt, response,
 tier, cache_write_5m_tok, cache_write_1h_tok, audio_in_tok, audio_out_tok, image_in_tok, prompt_vec, response_vec`

const anomalyColumns = `time, id, severity, type, svc, model, method, metric, confidence,
 value, baseline, threshold, sigma, body, trace`

// addedColumns are those that tables of the first layout lack.
var addedColumns = map[string]string{
	"ev_": "tier, cache_write_5m_tok, cache_write_1h_tok, audio_in_tok, audio_out_tok, image_in_tok, prompt_vec, response_vec",
	"an_": "trace",
}

// columnsOf is columns as they can be selected from a table of a layout.
func columnsOf(prefix, columns string, layout int64) string {
	if layout > 1 {
		return columns
	}
	for c := range strings.SplitSeq(addedColumns[prefix], ", ") {
		columns = strings.Replace(columns, " "+c, " NULL AS "+c, 1)
	}
	return columns
}

// hasSeries: the lookup of the hour knows the services and models of its events.
// Older hours have an index instead.
func (c *catalogued) hasSeries() bool { return c.layout >= 3 }

func countColumns(columns string) int { return strings.Count(columns, ",") + 1 }

// Events have a rowid. Without one, the inner pages of the tree would hold whole
// rows, a dozen each, and each row that is read by its key would cost four pages.
func ddlPartition(name string) string {
	return strings.ReplaceAll(`
CREATE TABLE d_$(id INTEGER PRIMARY KEY, val TEXT NOT NULL UNIQUE);
CREATE TABLE ev_$(
 time INTEGER NOT NULL, id BLOB NOT NULL, svc, model, trace BLOB, span BLOB, parent BLOB, start INTEGER, flags INTEGER NOT NULL,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok INTEGER, out_tok INTEGER, total_tok INTEGER, cache_read_tok INTEGER, cache_write_tok INTEGER, reasoning_tok INTEGER,
 cost_usd REAL, ttft_ms REAL, latency_ms REAL,
 response_id TEXT, conversation TEXT, user TEXT, error_message TEXT, metadata TEXT, prompt TEXT, response TEXT,
 tier, cache_write_5m_tok INTEGER, cache_write_1h_tok INTEGER, audio_in_tok INTEGER, audio_out_tok INTEGER, image_in_tok INTEGER,
 prompt_vec BLOB, response_vec BLOB,
 PRIMARY KEY(time, id));
CREATE TABLE an_$(
 time INTEGER NOT NULL, id BLOB NOT NULL, severity INTEGER NOT NULL, type, svc, model, method, metric, confidence REAL,
 value REAL, baseline REAL, threshold REAL, sigma REAL, body TEXT NOT NULL, trace BLOB,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
`+ddlSinceLayout2, "_$", "_"+name)
}

const ddlSinceLayout2 = `
CREATE INDEX an_$_id ON an_$(id);
CREATE INDEX an_$_trace ON an_$(trace) WHERE trace IS NOT NULL;
CREATE TABLE bl_$(series INTEGER NOT NULL, time INTEGER NOT NULL, samples INTEGER NOT NULL, expected REAL, lower REAL, upper REAL,
 PRIMARY KEY(series, time)) WITHOUT ROWID;
`

// ddlUpgradePartition brings the tables of an hour from the first layout to
// the second, which has the columns of the third. The trace of an anomaly was a part of its body only.
func ddlUpgradePartition(name string) string {
	return strings.ReplaceAll(`
ALTER TABLE ev_$ ADD COLUMN tier;
ALTER TABLE ev_$ ADD COLUMN cache_write_5m_tok INTEGER;
ALTER TABLE ev_$ ADD COLUMN cache_write_1h_tok INTEGER;
ALTER TABLE ev_$ ADD COLUMN audio_in_tok INTEGER;
ALTER TABLE ev_$ ADD COLUMN audio_out_tok INTEGER;
ALTER TABLE ev_$ ADD COLUMN image_in_tok INTEGER;
ALTER TABLE ev_$ ADD COLUMN prompt_vec BLOB;
ALTER TABLE ev_$ ADD COLUMN response_vec BLOB;
ALTER TABLE an_$ ADD COLUMN trace BLOB;
UPDATE an_$ SET trace = unhex(body ->> '$.trace_id') WHERE length(body ->> '$.trace_id') = 32 AND lower(body ->> '$.trace_id') = body ->> '$.trace_id';
`[1:]+ddlSinceLayout2, "_$", "_"+name)
}

func ddlDropPartition(name string, layout int64) string {
	ddl := "DROP TABLE ev_$; DROP TABLE an_$; DROP TABLE d_$;"
	if layout > 1 {
		ddl += " DROP TABLE bl_$;"
	}
	return strings.ReplaceAll(ddl, "$", name)
}

// ddlViews makes the file readable for people: newest hours, texts resolved,
// times as text. Nothing in this package reads the views.
func ddlViews(parts []catalogued) string {
	var b strings.Builder
	b.WriteString("DROP VIEW IF EXISTS events; DROP VIEW IF EXISTS anomalies;\n")
	if len(parts) == 0 {
		return b.String()
	}
	text := func(col, name string) string {
		return fmt.Sprintf("CASE typeof(%[1]s) WHEN 'integer' THEN (SELECT val FROM d_%[2]s d WHERE d.id = t.%[1]s) ELSE %[1]s END AS %[1]s", col, name)
	}
	const when = "strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at"
	view := func(view, prefix, selects string, dict map[string]bool) {
		fmt.Fprintf(&b, "CREATE VIEW %s AS\n", view)
		for i, p := range parts {
			if i > 0 {
				b.WriteString("UNION ALL\n")
			}
			cols := strings.Split(columnsOf(prefix, selects, p.layout), ",")
			for j, c := range cols {
				c = strings.TrimSpace(c)
				switch {
				case dict[c]:
					c = text(c, p.name)
				case c == "id" || c == "trace" || c == "span" || c == "parent":
					c = fmt.Sprintf("lower(hex(%[1]s)) AS %[1]s", c)
				}
				cols[j] = c
			}
			fmt.Fprintf(&b, "SELECT %s, %s FROM %s%s t\n", when, strings.Join(cols, ", "), prefix, p.name)
		}
		b.WriteString(";\n")
	}
	// Embeddings are of no use to the eye.
	view("events", "ev_", strings.TrimSuffix(eventColumns, ", prompt_vec, response_vec"), map[string]bool{
		"svc": true, "model": true, "env": true, "region": true, "tenant": true, "op": true, "provider": true,
		"req_model": true, "finish": true, "agent": true, "error_type": true, "tier": true,
	})
	view("anomalies", "an_", anomalyColumns, map[string]bool{"type": true, "svc": true, "model": true, "method": true, "metric": true})
	return b.String()
}

const nanosPerHour = int64(time.Hour)

// hourOf is the hour of event time, counted from 1970, rounding down.
func hourOf(nanos int64) int64 {
	h := nanos / nanosPerHour
	if nanos%nanosPerHour < 0 {
		h--
	}
	return h
}

func hourStart(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }

// partitionName of an hour, as it appears in table names.
func partitionName(hour int64) string { return hourStart(hour).Format("2006010215") }

var (
	minTime = time.Unix(0, -1<<63).UTC()
	maxTime = time.Unix(0, 1<<63-1).UTC()
)

// clampNanos is t in unix nanoseconds, or the nearest that can be expressed.
func clampNanos(t time.Time) int64 {
	switch {
	case t.Before(minTime):
		return -1 << 63
	case t.After(maxTime):
		return 1<<63 - 1
	default:
		return t.UnixNano()
	}
}
