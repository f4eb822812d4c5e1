package queryextension

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// maxListed bounds the rows of /services and /models.
	maxListed = 1000
	// maxAnomalyScan bounds the anomalies that are looked at to count them.
	maxAnomalyScan = 20_000
)

var modelsParams = sortedWith(rangeParams, "service")

// severityCounts are numbers of anomalies.
type severityCounts struct {
	Low      int64 `json:"low"`
	Medium   int64 `json:"medium"`
	High     int64 `json:"high"`
	Critical int64 `json:"critical"`
}

func (c *severityCounts) add(s anomaly.Severity) {
	switch s {
	case anomaly.SeverityLow:
		c.Low++
	case anomaly.SeverityMedium:
		c.Medium++
	case anomaly.SeverityHigh:
		c.High++
	case anomaly.SeverityCritical:
		c.Critical++
	}
}

type serviceRow struct {
	Service    string         `json:"service"`
	Calls      int64          `json:"calls"`
	Failed     int64          `json:"failed"`
	ErrorRate  *float64       `json:"error_rate"`
	Models     []string       `json:"models"`
	Tokens     int64          `json:"total_tokens"`
	LatencyP95 *float64       `json:"latency_p95_ms"`
	CostUSD    *float64       `json:"cost_usd"`
	Anomalies  severityCounts `json:"anomalies"`
	LastSeen   *time.Time     `json:"last_seen"`
}

type modelRow struct {
	Model      string         `json:"model"`
	Provider   string         `json:"provider"`
	Services   []string       `json:"services"`
	Calls      int64          `json:"calls"`
	Failed     int64          `json:"failed"`
	ErrorRate  *float64       `json:"error_rate"`
	Tokens     int64          `json:"total_tokens"`
	CostUSD    *float64       `json:"cost_usd"`
	LatencyP95 *float64       `json:"latency_p95_ms"`
	TTFTP95    *float64       `json:"ttft_p95_ms"`
	Anomalies  severityCounts `json:"anomalies"`
}

// figures asks for one bucket over the range and returns the busiest groups;
// more is true when there are others.
func figures(ctx context.Context, a store.Aggregator, q store.AggregateQuery) (rows []store.Aggregate, more bool, err error) {
	rows, err = take(ctx, store.MaxGroups, a.Aggregate(ctx, q))
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(rows, func(a, b store.Aggregate) int { return cmp.Compare(b.Calls, a.Calls) })
	if len(rows) > maxListed {
		return rows[:maxListed], true, nil
	}
	return rows, false, nil
}

// names asks which values of one dimension occur together with which key.
func names(ctx context.Context, a store.Aggregator, q store.AggregateQuery, key func(*store.Group) string, value func(*store.Group) string) (map[string][]string, error) {
	all := map[string][]string{}
	for row, err := range a.Aggregate(ctx, q) {
		if err != nil {
			return nil, err
		}
		k := key(&row.Group)
		all[k] = append(all[k], value(&row.Group))
	}
	for k := range all {
		slices.Sort(all[k])
		all[k] = slices.Compact(all[k])
	}
	return all, ctx.Err()
}

// countAnomalies counts the newest maxAnomalyScan anomalies by key and severity;
// more is true when there are others.
func countAnomalies(ctx context.Context, r store.Reader, service string, t timeRange, key func(*anomaly.Anomaly) string) (counts map[string]*severityCounts, more bool, err error) {
	counts = map[string]*severityCounts{}
	n := 0
	for a, err := range r.Anomalies(ctx, store.AnomalyQuery{Query: store.Query{Service: service, Start: t.start, End: t.end, Limit: maxAnomalyScan + 1}}) {
		if err != nil {
			return nil, false, err
		}
		if n++; n > maxAnomalyScan {
			return counts, true, nil
		}
		k := key(&a)
		if counts[k] == nil {
			counts[k] = &severityCounts{}
		}
		counts[k].add(a.Severity)
	}
	return counts, false, ctx.Err()
}

func (s *server) findServices(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	source, t, ask, err := figuresRange(ctx, q)
	if err != nil {
		return nil, meta, err
	}
	ask.By = []store.Dimension{store.ByService}
	rows, more, err := figures(ctx, source, ask)
	if err != nil {
		return nil, meta, err
	}
	ask.By = []store.Dimension{store.ByService, store.ByModel}
	models, err := names(ctx, source, ask, func(g *store.Group) string { return g.Service }, func(g *store.Group) string { return g.Model })
	if err != nil {
		return nil, meta, err
	}
	counts, cut, err := countAnomalies(ctx, q.reader, "", t, func(a *anomaly.Anomaly) string { return a.Service })
	if err != nil {
		return nil, meta, err
	}
	services := make([]serviceRow, len(rows))
	for i := range rows {
		a := &rows[i]
		name := a.Group.Service
		seen, err := lastSeen(ctx, q.reader, name, t)
		if err != nil {
			return nil, meta, err
		}
		services[i] = serviceRow{
			Service: name, Calls: a.Calls, Failed: a.Failed, ErrorRate: ratio(a.Failed, a.Calls), Models: list(models[name]),
			Tokens: a.TotalTokens, LatencyP95: number(a.Latency.P95, a.Latency.Count > 0), CostUSD: number(a.CostUSD, a.Priced > 0),
			Anomalies: orZero(counts[name]), LastSeen: seen,
		}
	}
	meta = within(t)
	meta.Truncated, meta.PercentileError = more || cut, &q.caps.PercentileError
	return services, meta, nil
}

func orZero(c *severityCounts) severityCounts {
	if c == nil {
		return severityCounts{}
	}
	return *c
}

// lastSeen is the time of the newest call of a service in the range. A service
// without a name cannot be asked for: an empty filter matches all.
func lastSeen(ctx context.Context, r store.Reader, service string, t timeRange) (*time.Time, error) {
	if service == "" {
		return nil, nil
	}
	newest, err := take(ctx, 1, r.Events(ctx, store.EventQuery{Query: store.Query{Service: service, Start: t.start, End: t.end, Limit: 1}}))
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	at := newest[0].Time().UTC()
	return &at, nil
}

func (s *server) findModels(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	service, e := q.values.text("service")
	if e != nil {
		return nil, meta, e
	}
	source, t, ask, err := figuresRange(ctx, q)
	if err != nil {
		return nil, meta, err
	}
	ask.Service = service
	ask.By = []store.Dimension{store.ByModel, store.ByProvider}
	rows, more, err := figures(ctx, source, ask)
	if err != nil {
		return nil, meta, err
	}
	ask.By = []store.Dimension{store.ByService, store.ByModel, store.ByProvider}
	pair := func(g *store.Group) string { return g.Provider + "\x00" + g.Model }
	services, err := names(ctx, source, ask, pair, func(g *store.Group) string { return g.Service })
	if err != nil {
		return nil, meta, err
	}
	counts, cut, err := countAnomalies(ctx, q.reader, service, t, func(a *anomaly.Anomaly) string { return a.Model })
	if err != nil {
		return nil, meta, err
	}
	models := make([]modelRow, len(rows))
	for i := range rows {
		a := &rows[i]
		models[i] = modelRow{
			Model: a.Group.Model, Provider: a.Group.Provider, Services: list(services[pair(&a.Group)]),
			Calls: a.Calls, Failed: a.Failed, ErrorRate: ratio(a.Failed, a.Calls), Tokens: a.TotalTokens, CostUSD: number(a.CostUSD, a.Priced > 0),
			LatencyP95: number(a.Latency.P95, a.Latency.Count > 0), TTFTP95: number(a.TTFT.P95, a.TTFT.Count > 0),
			Anomalies: orZero(counts[a.Group.Model]),
		}
	}
	meta = within(t)
	meta.Truncated, meta.PercentileError = more || cut, &q.caps.PercentileError
	return models, meta, nil
}

// figuresRange reads the range of a route that shows figures over all of it.
func figuresRange(ctx context.Context, q *inquiry) (store.Aggregator, timeRange, store.AggregateQuery, error) {
	t, e := q.values.timeRange(q.now, defaultHours, maxHours)
	if e != nil {
		return nil, t, store.AggregateQuery{}, e
	}
	source, e := aggregator(q.reader)
	if e != nil {
		return nil, t, store.AggregateQuery{}, e
	}
	if t.start.IsZero() {
		oldest, err := oldestEvent(ctx, q.reader, t.end)
		if err != nil {
			return nil, t, store.AggregateQuery{}, err
		}
		t.start = oldest
	}
	return source, t, store.AggregateQuery{Start: t.start, End: t.end}, nil
}
