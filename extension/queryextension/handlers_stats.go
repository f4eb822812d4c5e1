package queryextension

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// maxBuckets bounds the points of one line of a chart.
	maxBuckets     = 11_000
	defaultBuckets = 300
	stepAll        = "all"
	maxStep        = 366 * day
	day            = 24 * time.Hour
)

var statsParams = sortedWith(rangeParams, "environment", "group_by", "model", "operation", "provider", "service", "step", "tenant")

// steps are the widths of buckets from which the default is chosen.
var steps = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day,
}

type statsRow struct {
	Start            time.Time         `json:"start"`
	Group            map[string]string `json:"group"`
	Calls            int64             `json:"calls"`
	Failed           int64             `json:"failed"`
	ErrorRate        *float64          `json:"error_rate"`
	InputTokens      int64             `json:"input_tokens"`
	OutputTokens     int64             `json:"output_tokens"`
	TotalTokens      int64             `json:"total_tokens"`
	CacheReadTokens  int64             `json:"cache_read_tokens"`
	CacheWriteTokens int64             `json:"cache_write_tokens"`
	ReasoningTokens  int64             `json:"reasoning_tokens"`
	CostUSD          *float64          `json:"cost_usd"`
	PricedCalls      int64             `json:"priced_calls"`
	Latency          distributionRow   `json:"latency_ms"`
	TTFT             distributionRow   `json:"ttft_ms"`
}

type distributionRow struct {
	Count int64    `json:"count"`
	Mean  *float64 `json:"mean"`
	Min   *float64 `json:"min"`
	Max   *float64 `json:"max"`
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
}

func newDistributionRow(d store.Distribution) distributionRow {
	known := d.Count > 0
	return distributionRow{
		Count: d.Count, Mean: number(d.Sum/float64(d.Count), known), Min: number(d.Min, known), Max: number(d.Max, known),
		P50: number(d.P50, known), P95: number(d.P95, known), P99: number(d.P99, known),
	}
}

func newStatsRow(a *store.Aggregate, by []store.Dimension) statsRow {
	group := make(map[string]string, len(by))
	for _, d := range by {
		group[string(d)] = dimension(&a.Group, d)
	}
	return statsRow{
		Start: a.Start.UTC(), Group: group, Calls: a.Calls, Failed: a.Failed, ErrorRate: ratio(a.Failed, a.Calls),
		InputTokens: a.InputTokens, OutputTokens: a.OutputTokens, TotalTokens: a.TotalTokens,
		CacheReadTokens: a.CacheReadTokens, CacheWriteTokens: a.CacheWriteTokens, ReasoningTokens: a.ReasoningTokens,
		CostUSD: number(a.CostUSD, a.Priced > 0), PricedCalls: a.Priced,
		Latency: newDistributionRow(a.Latency), TTFT: newDistributionRow(a.TTFT),
	}
}

func dimension(g *store.Group, d store.Dimension) string {
	switch d {
	case store.ByService:
		return g.Service
	case store.ByModel:
		return g.Model
	case store.ByProvider:
		return g.Provider
	case store.ByOperation:
		return g.Operation
	case store.ByEnvironment:
		return g.Environment
	default:
		return g.Tenant
	}
}

func (s *server) findStats(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	ask, t, e := parseStats(q)
	if e != nil {
		return nil, meta, e
	}
	source, e := aggregator(q.reader)
	if e != nil {
		return nil, meta, e
	}
	f := ask.EventFilter
	if e := refuse(
		need{"provider", f.Provider != "", q.caps.Filters}, need{"operation", f.Operation != "", q.caps.Filters},
		need{"environment", f.Environment != "", q.caps.Filters}, need{"tenant", f.Tenant != "", q.caps.Filters},
	); e != nil {
		return nil, meta, e
	}
	if t.start.IsZero() {
		oldest, err := oldestEvent(ctx, q.reader, t.end)
		if err != nil {
			return nil, meta, err
		}
		t.start = oldest
	}
	ask.Start, ask.End = t.start, t.end
	if ask.Step, e = chooseStep(q.values["step"], t); e != nil {
		return nil, meta, e
	}
	seconds, percentile := int64(ask.Step/time.Second), q.caps.PercentileError
	meta = within(t)
	meta.StepSeconds, meta.PercentileError = &seconds, &percentile

	rows := newRowList(s.cfg.MaxResponseBytes - metadataBytes)
	for a, err := range source.Aggregate(ctx, ask) {
		if err != nil {
			return nil, meta, err
		}
		switch fits, err := rows.add(newStatsRow(&a, ask.By)); {
		case err != nil:
			return nil, meta, err
		case !fits:
			return nil, meta, s.answerTooLarge()
		}
	}
	return rows.close(), meta, ctx.Err()
}

// oldestEvent is the time of the oldest event before end, a minute before end
// when there is none.
func oldestEvent(ctx context.Context, r store.Reader, end time.Time) (time.Time, error) {
	first, err := take(ctx, 1, r.Events(ctx, store.EventQuery{Query: store.Query{End: end, Limit: 1, Ascending: true}}))
	if err != nil || len(first) == 0 {
		return end.Add(-time.Minute), err
	}
	return first[0].Time(), nil
}

func parseStats(q *inquiry) (store.AggregateQuery, timeRange, *apiError) {
	var ask store.AggregateQuery
	v := q.values
	t, e := v.timeRange(q.now, defaultHours, maxHours)
	if e != nil {
		return ask, t, e
	}
	if e := v.texts(map[string]*string{"service": &ask.Service, "model": &ask.Model}); e != nil {
		return ask, t, e
	}
	if ask.EventFilter, e = v.filter(); e != nil {
		return ask, t, e
	}
	ask.By, e = parseGroupBy(v)
	return ask, t, e
}

func parseGroupBy(v values) ([]store.Dimension, *apiError) {
	text, ok := v["group_by"]
	if !ok {
		return nil, nil
	}
	var by []store.Dimension
	for name := range strings.SplitSeq(text, ",") {
		d := store.Dimension(name)
		if !slices.Contains(store.Dimensions, d) || slices.Contains(by, d) {
			return nil, badParameter(codeInvalidParameter, "group_by", text, "a comma-separated list of service, model, provider, operation, environment and tenant, each at most once")
		}
		by = append(by, d)
	}
	return by, nil
}

// buckets is the number of buckets of step that the range touches.
func buckets(t timeRange, step time.Duration) int64 {
	first := t.start.UnixNano() / int64(step)
	last := (t.end.UnixNano() - 1) / int64(step)
	return last - first + 1
}

// chooseStep reads the step, or takes the finest one that gives at most
// defaultBuckets; 0 is one bucket.
func chooseStep(text string, t timeRange) (time.Duration, *apiError) {
	switch text {
	case stepAll:
		return 0, nil
	case "":
		for _, step := range steps {
			if buckets(t, step) <= defaultBuckets {
				return step, nil
			}
		}
		return (t.end.Sub(t.start)/(defaultBuckets-1)/day + 1) * day, nil
	}
	step, ok := parseDuration(text)
	if !ok || step < time.Minute || step > maxStep || step%time.Minute != 0 {
		return 0, badParameter(codeInvalidParameter, "step", text, "all, or a multiple of a minute up to 366d, for example 5m, 1h or 1d")
	}
	if n := buckets(t, step); n > maxBuckets {
		return 0, &apiError{
			status: http.StatusBadRequest, code: codeInvalidParameter,
			message: fmt.Sprintf("step %s gives %d buckets in this time range; at most %d are answered", text, n, maxBuckets),
			details: map[string]any{"parameter": "step", "value": text, "buckets": n, "max_buckets": maxBuckets},
		}
	}
	return step, nil
}

// parseDuration reads a duration as Go writes it, with days before it: 1d12h.
// It has no sign.
func parseDuration(text string) (time.Duration, bool) {
	var days time.Duration
	if before, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, false
		}
		if days, text = time.Duration(n)*day, after; text == "" {
			return days, true
		}
	}
	if text == "" || text[0] == '-' || text[0] == '+' {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > 1<<62-days {
		return 0, false
	}
	return days + d, true
}
