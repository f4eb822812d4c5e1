package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type distribution struct {
	Count int64    `json:"count"`
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
}

type figures struct {
	Start       time.Time         `json:"start"`
	Group       map[string]string `json:"group"`
	Calls       int64             `json:"calls"`
	ErrorRate   *float64          `json:"error_rate"`
	TotalTokens int64             `json:"total_tokens"`
	CostUSD     *float64          `json:"cost_usd"`
	Latency     distribution      `json:"latency_ms"`
	TTFT        distribution      `json:"ttft_ms"`
}

func (d *distribution) percentile(p *float64) string {
	if d.Count == 0 {
		return ""
	}
	return number(p)
}

func (a *app) statsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "stats", Short: "Figures over time or by group", Args: cobra.NoArgs,
		Example: "  sentinelctl stats --by service,model --since 24h\n  sentinelctl stats --service chat-api --step 5m --since 2h",
	}
	f := newFilters(c.Flags())
	f.calls()
	f.times()
	by := c.Flags().StringSlice("by", nil, "group by any of service, model, provider, operation, environment, tenant")
	step := c.Flags().String("step", "all", "width of a time bucket, for example 5m, or all for one")
	c.RunE = func(c *cobra.Command, _ []string) error {
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		q.Set("step", *step)
		if len(*by) > 0 {
			q.Set("group_by", strings.Join(*by, ","))
		}
		got, err := a.get(c.Context(), "api/v1/stats", q)
		if err != nil {
			return err
		}
		var columns []column[figures]
		if *step != "all" {
			columns = append(columns, column[figures]{"start", func(r *figures) string { return local(r.Start) }})
		}
		for _, d := range *by {
			columns = append(columns, column[figures]{d, func(r *figures) string { return r.Group[d] }})
		}
		return printRows(c.OutOrStdout(), a.output, got.Data, append(columns, figureColumns...))
	}
	return c
}

var figureColumns = []column[figures]{
	{"calls", func(r *figures) string { return count(r.Calls) }},
	{"errors", func(r *figures) string { return percent(r.ErrorRate) }},
	{"tokens", func(r *figures) string { return count(r.TotalTokens) }},
	{"cost", func(r *figures) string { return dollars(r.CostUSD) }},
	{"p50 ms", func(r *figures) string { return r.Latency.percentile(r.Latency.P50) }},
	{"p95 ms", func(r *figures) string { return r.Latency.percentile(r.Latency.P95) }},
	{"p99 ms", func(r *figures) string { return r.Latency.percentile(r.Latency.P99) }},
	{"ttft p95 ms", func(r *figures) string { return r.TTFT.percentile(r.TTFT.P95) }},
}

// summary is a row of services or of models.
type summary struct {
	Service    string           `json:"service"`
	Model      string           `json:"model"`
	Provider   string           `json:"provider"`
	Models     []string         `json:"models"`
	Services   []string         `json:"services"`
	Calls      int64            `json:"calls"`
	ErrorRate  *float64         `json:"error_rate"`
	CostUSD    *float64         `json:"cost_usd"`
	LatencyP95 *float64         `json:"latency_p95_ms"`
	Anomalies  map[string]int64 `json:"anomalies"`
}

func (s *summary) anomalies() string {
	var parts []string
	for _, severity := range []string{"critical", "high", "medium", "low"} {
		if n := s.Anomalies[severity]; n > 0 {
			parts = append(parts, fmt.Sprint(n, " ", severity))
		}
	}
	return strings.Join(parts, ", ")
}

var summaryColumns = []column[summary]{
	{"calls", func(s *summary) string { return count(s.Calls) }},
	{"errors", func(s *summary) string { return percent(s.ErrorRate) }},
	{"p95 ms", func(s *summary) string { return number(s.LatencyP95) }},
	{"cost", func(s *summary) string { return dollars(s.CostUSD) }},
	{"anomalies", (*summary).anomalies},
}

func (a *app) servicesCommand() *cobra.Command {
	return listingCommand(a, "services", "Services with their figures", append([]column[summary]{
		{"service", func(s *summary) string { return s.Service }},
		{"models", func(s *summary) string { return count(int64(len(s.Models))) }},
	}, summaryColumns...), (*filters).times)
}

func (a *app) modelsCommand() *cobra.Command {
	return listingCommand(a, "models", "Models with their figures", append([]column[summary]{
		{"model", func(s *summary) string { return s.Model }},
		{"provider", func(s *summary) string { return s.Provider }},
		{"services", func(s *summary) string { return count(int64(len(s.Services))) }},
	}, summaryColumns...), func(f *filters) {
		f.text("service", "service", "exact name of the service")
		f.times()
	})
}

type baseline struct {
	Service  string    `json:"service"`
	Model    string    `json:"model"`
	Metric   string    `json:"metric"`
	Time     time.Time `json:"time"`
	Samples  int64     `json:"samples"`
	Expected *float64  `json:"expected"`
	Lower    *float64  `json:"lower"`
	Upper    *float64  `json:"upper"`
}

func (a *app) baselinesCommand() *cobra.Command {
	return listingCommand(a, "baselines", "What is normal now, for each series", []column[baseline]{
		{"service", func(b *baseline) string { return b.Service }},
		{"model", func(b *baseline) string { return b.Model }},
		{"metric", func(b *baseline) string { return b.Metric }},
		{"expected", func(b *baseline) string { return number(b.Expected) }},
		{"lower", func(b *baseline) string { return number(b.Lower) }},
		{"upper", func(b *baseline) string { return number(b.Upper) }},
		{"samples", func(b *baseline) string { return count(b.Samples) }},
		{"as of", func(b *baseline) string { return local(b.Time) }},
	}, func(f *filters) {
		f.series()
		f.text("metric", "metric", "for example latency_ms")
	})
}

// listingCommand prints a route that answers with all its rows at once.
func listingCommand[R any](a *app, route, short string, columns []column[R], add func(*filters)) *cobra.Command {
	c := &cobra.Command{Use: route, Short: short, Args: cobra.NoArgs}
	f := newFilters(c.Flags())
	add(f)
	c.RunE = func(c *cobra.Command, _ []string) error {
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		got, err := a.get(c.Context(), "api/v1/"+route, q)
		if err != nil {
			return err
		}
		return printRows(c.OutOrStdout(), a.output, got.Data, columns)
	}
	return c
}
