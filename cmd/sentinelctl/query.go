package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Rows of one page and of all pages together.
const (
	pageRows     = 10_000
	maxRows      = 1_000_000
	defaultLimit = 20
)

// event is the part of the API's event that a table shows.
type event struct {
	Timestamp   time.Time `json:"timestamp"`
	EventID     string    `json:"event_id"`
	ServiceName string    `json:"service_name"`
	Model       string    `json:"model"`
	TraceID     *string   `json:"trace_id"`
	Prompt      struct {
		Tokens *float64 `json:"tokens"`
	} `json:"prompt"`
	Response struct {
		Tokens *float64 `json:"tokens"`
	} `json:"response"`
	LatencyMS *float64 `json:"latency_ms"`
	CostUSD   *float64 `json:"cost_usd"`
	Errors    []string `json:"errors"`
}

var eventColumns = []column[event]{
	{"time", func(e *event) string { return local(e.Timestamp) }},
	{"service", func(e *event) string { return e.ServiceName }},
	{"model", func(e *event) string { return e.Model }},
	{"latency ms", func(e *event) string { return number(e.LatencyMS) }},
	{"in", func(e *event) string { return number(e.Prompt.Tokens) }},
	{"out", func(e *event) string { return number(e.Response.Tokens) }},
	{"cost", func(e *event) string { return dollars(e.CostUSD) }},
	{"error", func(e *event) string { return strings.Join(e.Errors, "; ") }},
	{"trace", func(e *event) string {
		if e.TraceID == nil {
			return ""
		}
		return *e.TraceID
	}},
}

// finding is the part of the API's anomaly that a table shows.
type finding struct {
	AlertID     string    `json:"alert_id"`
	Timestamp   time.Time `json:"timestamp"`
	Severity    string    `json:"severity"`
	Type        name      `json:"anomaly_type"`
	ServiceName string    `json:"service_name"`
	Model       string    `json:"model"`
	Confidence  float64   `json:"confidence"`
	Details     struct {
		Metric   string   `json:"metric"`
		Value    *float64 `json:"value"`
		Baseline *float64 `json:"baseline"`
	} `json:"details"`
	RootCause   *string  `json:"root_cause"`
	Remediation []string `json:"remediation"`
}

// name is a name of the contract: a text, or {"custom": text}.
type name string

func (n *name) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("{")) {
		var c struct {
			Custom string `json:"custom"`
		}
		err := json.Unmarshal(b, &c)
		*n = name(c.Custom)
		return err
	}
	return json.Unmarshal(b, (*string)(n))
}

var findingColumns = []column[finding]{
	{"time", func(f *finding) string { return local(f.Timestamp) }},
	{"severity", func(f *finding) string { return f.Severity }},
	{"type", func(f *finding) string { return string(f.Type) }},
	{"service", func(f *finding) string { return f.ServiceName }},
	{"model", func(f *finding) string { return f.Model }},
	{"metric", func(f *finding) string { return f.Details.Metric }},
	{"value", func(f *finding) string { return number(f.Details.Value) }},
	{"expected", func(f *finding) string { return number(f.Details.Baseline) }},
	{"id", func(f *finding) string { return f.AlertID }},
}

func (a *app) queryCommand() *cobra.Command {
	c := &cobra.Command{Use: "query", Short: "List calls or anomalies"}
	c.AddCommand(
		listCommand(a, "telemetry", "LLM calls, newest first", eventColumns, func(f *filters) { f.events() }),
		listCommand(a, "anomalies", "Anomalies, newest first", findingColumns, func(f *filters) { f.anomalies() }),
		a.groupCommand("trace", "Calls and anomalies of one trace", "api/v1/traces"),
		a.groupCommand("session", "Calls and anomalies of one conversation", "api/v1/sessions"),
	)
	return c
}

func listCommand[R any](a *app, kind, short string, columns []column[R], add func(*filters)) *cobra.Command {
	c := &cobra.Command{Use: kind, Short: short, Args: cobra.NoArgs}
	f := newFilters(c.Flags())
	add(f)
	f.times()
	limit := c.Flags().Int("limit", defaultLimit, fmt.Sprintf("rows to show, 1 to %d", maxRows))
	ascending := c.Flags().Bool("ascending", false, "oldest first")
	var failed *bool
	if kind == "telemetry" {
		failed = c.Flags().Bool("failed", false, "only calls that ended with an error")
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *limit < 1 || *limit > maxRows {
			return fmt.Errorf("--limit must be from 1 to %d, got %d", maxRows, *limit)
		}
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		if *ascending {
			q.Set("ascending", "true")
		}
		if failed != nil && *failed {
			q.Set("failed", "true")
		}
		data, total, err := a.pages(c, "api/v1/"+kind, q, *limit)
		if err != nil {
			return err
		}
		if err := printRows(c.OutOrStdout(), a.output, data, columns); err != nil {
			return err
		}
		if a.output == outputTable && total != nil && *total > int64(*limit) {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "%d of %d rows; --limit shows more\n", *limit, *total)
		}
		return nil
	}
	return c
}

// pages collects rows over as many pages as limit needs.
func (a *app) pages(c *cobra.Command, path string, q url.Values, limit int) (json.RawMessage, *int64, error) {
	var all []json.RawMessage
	var total *int64
	for {
		setInt(q, "limit", min(pageRows, limit-len(all)))
		got, err := a.get(c.Context(), path, q)
		if err != nil {
			return nil, nil, err
		}
		var rows []json.RawMessage
		if err := decodeRows(got.Data, &rows); err != nil {
			return nil, nil, err
		}
		if all == nil {
			total = got.Metadata.TotalCount
		}
		all = append(all, rows...)
		if len(rows) == 0 || len(all) >= limit || got.Metadata.NextCursor == "" {
			break
		}
		q.Set("cursor", got.Metadata.NextCursor)
	}
	data, err := json.Marshal(append([]json.RawMessage{}, all...))
	return data, total, err
}

// groupCommand shows what belongs to one trace or session.
func (a *app) groupCommand(use, short, path string) *cobra.Command {
	c := &cobra.Command{Use: use + " ID", Short: short, Args: cobra.ExactArgs(1)}
	f := newFilters(c.Flags())
	f.times()
	c.RunE = func(c *cobra.Command, args []string) error {
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		got, err := a.get(c.Context(), path+"/"+url.PathEscape(args[0]), q)
		if err != nil {
			return err
		}
		if a.output != outputTable {
			return printRows[event](c.OutOrStdout(), a.output, got.Data, nil)
		}
		var g struct {
			Calls       int64           `json:"calls"`
			Failed      int64           `json:"failed"`
			TotalTokens int64           `json:"total_tokens"`
			CostUSD     *float64        `json:"cost_usd"`
			Start       time.Time       `json:"start"`
			End         time.Time       `json:"end"`
			Truncated   bool            `json:"truncated"`
			Events      json.RawMessage `json:"events"`
			Anomalies   []finding       `json:"anomalies"`
		}
		if err := json.Unmarshal(got.Data, &g); err != nil {
			return &requestError{"read the answer", err}
		}
		w := c.OutOrStdout()
		_, _ = fmt.Fprintf(w, "%s %s: %d calls, %d failed, %d tokens, %s, %s\n\n", use, printable(args[0]), g.Calls, g.Failed, g.TotalTokens, firstOf(dollars(g.CostUSD), "no price"), g.End.Sub(g.Start).Round(time.Millisecond))
		if err := printRows(w, outputTable, g.Events, eventColumns); err != nil {
			return err
		}
		if g.Truncated {
			_, _ = fmt.Fprintln(w, "(more calls than the server shows at once; narrow the time range)")
		}
		if len(g.Anomalies) == 0 {
			return nil
		}
		_, _ = fmt.Fprintln(w)
		return printTable(w, g.Anomalies, findingColumns)
	}
	return c
}
