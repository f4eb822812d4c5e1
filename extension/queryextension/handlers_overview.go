package queryextension

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// findOverview says what is wrong now.
func (s *server) findOverview(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	t, e := q.values.timeRange(q.now, 1, maxOverviewHours)
	if e != nil {
		return nil, meta, e
	}
	source, e := aggregator(q.reader)
	if e != nil {
		return nil, meta, e
	}
	o := overview{Status: overviewOK, Now: q.now.UTC()}
	total, err := take(ctx, 1, source.Aggregate(ctx, store.AggregateQuery{Start: t.start, End: t.end}))
	if err != nil {
		return nil, meta, err
	}
	if len(total) == 1 {
		a := &total[0]
		o.Calls, o.Failed, o.ErrorRate, o.Tokens = a.Calls, a.Failed, ratio(a.Failed, a.Calls), a.TotalTokens
		o.CostUSD, o.LatencyP95 = number(a.CostUSD, a.Priced > 0), number(a.Latency.P95, a.Latency.Count > 0)
	} else {
		newest, err := take(ctx, 1, q.reader.Events(ctx, store.EventQuery{Query: store.Query{Limit: 1}}))
		if err != nil {
			return nil, meta, err
		}
		o.Empty = len(newest) == 0
	}
	judged, err := judgements(ctx, q.reader, q.now)
	if err != nil {
		return nil, meta, err
	}
	cut, err := o.activeIn(ctx, q.reader, t, judged)
	if err != nil {
		return nil, meta, err
	}
	meta = within(t)
	meta.Truncated, meta.PercentileError = cut, &q.caps.PercentileError
	return &o, meta, nil
}

const (
	maxOverviewHours = 168
	maxActive        = 50

	overviewOK       = "ok"
	overviewWarning  = "warning"
	overviewCritical = "critical"
)

var overviewParams = []string{"hours"}

type overview struct {
	Status     string            `json:"status"`
	Now        time.Time         `json:"now"`
	Calls      int64             `json:"calls"`
	Failed     int64             `json:"failed"`
	ErrorRate  *float64          `json:"error_rate"`
	CostUSD    *float64          `json:"cost_usd"`
	Tokens     int64             `json:"total_tokens"`
	LatencyP95 *float64          `json:"latency_p95_ms"`
	Active     []anomaly.Anomaly `json:"active"`
	Anomalies  severityCounts    `json:"anomalies"`
	Empty      bool              `json:"empty"`
}

// complaint is what a mute is about, and of what only the newest is active.
type complaint struct {
	service, model string
	typ            anomaly.Type
}

// activeIn fills in the anomalies of the range and the status that follows. It
// reports whether some were not looked at.
func (o *overview) activeIn(ctx context.Context, r store.Reader, t timeRange, j *judgement) (cut bool, err error) {
	newest := map[complaint]anomaly.Anomaly{}
	n := 0
	for a, err := range r.Anomalies(ctx, store.AnomalyQuery{Query: store.Query{Start: t.start, End: t.end, Limit: maxAnomalyScan + 1}}) {
		if err != nil {
			return false, err
		}
		if n++; n > maxAnomalyScan {
			cut = true
			break
		}
		o.Anomalies.add(a.Severity)
		c := complaint{a.Service, a.Model, a.Type}
		if _, later := newest[c]; !later {
			newest[c] = a
		}
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	active := slices.Collect(maps.Values(newest))
	active = slices.DeleteFunc(active, func(a anomaly.Anomaly) bool { return j.dismisses(&a) })
	slices.SortFunc(active, func(a, b anomaly.Anomaly) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), b.Time.Compare(a.Time), slices.Compare(a.ID[:], b.ID[:]))
	})
	if len(active) > 0 {
		switch worst := active[0].Severity; {
		case worst == anomaly.SeverityCritical:
			o.Status = overviewCritical
		case worst >= anomaly.SeverityMedium:
			o.Status = overviewWarning
		}
	}
	o.Active = list(active[:min(len(active), maxActive)])
	return cut, nil
}
