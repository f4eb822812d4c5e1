package queryextension

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// maxBaselinePoints bounds the points of one baseline over time.
const maxBaselinePoints = 10_000

var baselinesParams = []string{"limit", "metric", "model", "service"}

// series is what a baseline is about.
type series struct{ service, model, metric string }

func (k series) compare(o series) int {
	return cmp.Or(strings.Compare(k.service, o.service), strings.Compare(k.model, o.model), strings.Compare(k.metric, o.metric))
}

// key is the series as one segment of a URL: each part percent-encoded, with
// colons between them.
func (k series) key() string {
	part := func(s string) string { return strings.ReplaceAll(url.PathEscape(s), ":", "%3A") }
	return part(k.service) + ":" + part(k.model) + ":" + part(k.metric)
}

// parseKey reads a key as it stands in the path of a URL. Clients also encode
// it once more, as they do with any text: then there is no colon.
func parseKey(escaped string) (series, *apiError) {
	bad := func() (series, *apiError) {
		return series{}, badParameter(codeInvalidParameter, "key", escaped, "service:model:metric, each percent-encoded")
	}
	if !strings.Contains(escaped, ":") {
		once, err := url.PathUnescape(escaped)
		if err != nil {
			return bad()
		}
		escaped = once
	}
	parts := strings.Split(escaped, ":")
	if len(parts) != 3 {
		return bad()
	}
	for i := range parts {
		text, err := url.PathUnescape(parts[i])
		if err != nil {
			return bad()
		}
		if _, e := checkText("key", text); e != nil {
			return bad()
		}
		parts[i] = text
	}
	if parts[2] == "" {
		return bad()
	}
	return series{parts[0], parts[1], parts[2]}, nil
}

type baselineRow struct {
	Key      string    `json:"key"`
	Service  string    `json:"service"`
	Model    string    `json:"model"`
	Metric   string    `json:"metric"`
	Time     time.Time `json:"time"`
	Samples  int64     `json:"samples"`
	Expected *float64  `json:"expected"`
	Lower    *float64  `json:"lower"`
	Upper    *float64  `json:"upper"`
	Engine   string    `json:"engine,omitempty"`

	series series
}

func newBaselineRow(b *store.Baseline, engine string) baselineRow {
	k := series{b.Service, b.Model, b.Metric}
	return baselineRow{
		Key: k.key(), Service: b.Service, Model: b.Model, Metric: b.Metric, Time: b.Time.UTC(), Samples: b.Samples,
		Expected: number(b.Expected, true), Lower: number(b.Lower, true), Upper: number(b.Upper, true), Engine: engine, series: k,
	}
}

type baselinePoint struct {
	Time     time.Time `json:"time"`
	Expected *float64  `json:"expected"`
	Lower    *float64  `json:"lower"`
	Upper    *float64  `json:"upper"`
	Samples  int64     `json:"samples"`
}

func newBaselinePoint(b *store.Baseline) baselinePoint {
	return baselinePoint{
		Time: b.Time.UTC(), Expected: number(b.Expected, true), Lower: number(b.Lower, true), Upper: number(b.Upper, true), Samples: b.Samples,
	}
}

type baselineSeries struct {
	Key     string          `json:"key"`
	Service string          `json:"service"`
	Model   string          `json:"model"`
	Metric  string          `json:"metric"`
	Points  []baselinePoint `json:"points"`
}

// engines is the storage extension as the host of engines, nil when it is none.
func (s *server) engines() store.EngineHost {
	host, _ := s.extension.(store.EngineHost)
	return host
}

// live collects what running engines expect now, at most limit series in order.
func live(ctx context.Context, host store.EngineHost, q store.BaselineQuery) ([]baselineRow, error) {
	if host == nil {
		return nil, nil
	}
	var rows []baselineRow
	tidy := func() {
		slices.SortFunc(rows, func(a, b baselineRow) int {
			return cmp.Or(a.series.compare(b.series), strings.Compare(a.Engine, b.Engine))
		})
		rows = rows[:min(len(rows), q.Limit)]
	}
	n := 0
	host.LiveBaselines(func(engine string, b store.Baseline) bool {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return false
		}
		if (q.Service == "" || b.Service == q.Service) && (q.Model == "" || b.Model == q.Model) && (q.Metric == "" || b.Metric == q.Metric) {
			if rows = append(rows, newBaselineRow(&b, engine)); len(rows) >= 2*q.Limit {
				tidy()
			}
		}
		return true
	})
	tidy()
	return rows, ctx.Err()
}

func (s *server) findBaselines(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	ask := store.BaselineQuery{Latest: true}
	if e := q.values.texts(map[string]*string{"service": &ask.Service, "model": &ask.Model, "metric": &ask.Metric}); e != nil {
		return nil, meta, e
	}
	var e *apiError
	if ask.Limit, e = q.values.limit(); e != nil {
		return nil, meta, e
	}
	kept, host := baselineStore(q.reader), s.engines()
	if e := refuse(need{needBaselines, true, kept != nil || host != nil}); e != nil {
		return nil, meta, e
	}
	now, err := live(ctx, host, ask)
	if err != nil {
		return nil, meta, err
	}
	var stored []baselineRow
	if kept != nil {
		all, err := take(ctx, ask.Limit, kept.Baselines(ctx, ask))
		if err != nil {
			return nil, meta, err
		}
		for i := range all {
			stored = append(stored, newBaselineRow(&all[i], ""))
		}
	}
	meta.PageSize = ask.Limit
	return mergeBaselines(now, stored, ask.Limit), meta, nil
}

// mergeBaselines joins two lists in the order of series; of one that is in both,
// what the engine says counts.
func mergeBaselines(now, stored []baselineRow, limit int) []baselineRow {
	rows := make([]baselineRow, 0, min(len(now)+len(stored), limit))
	for len(rows) < limit && len(now)+len(stored) > 0 {
		order := 1
		switch {
		case len(stored) == 0:
			order = -1
		case len(now) > 0:
			order = now[0].series.compare(stored[0].series)
		}
		if order > 0 {
			if n := len(rows); n == 0 || rows[n-1].series != stored[0].series {
				rows = append(rows, stored[0])
			}
			stored = stored[1:]
			continue
		}
		rows, now = append(rows, now[0]), now[1:]
	}
	return rows
}

// baselinePoints are the baselines of one series in the range of q, by time.
func baselinePoints(ctx context.Context, kept store.BaselineStore, k series, q store.Query) ([]baselinePoint, error) {
	points := []baselinePoint{}
	for b, err := range kept.Baselines(ctx, store.BaselineQuery{
		Service: k.service, Model: k.model, Metric: k.metric, Start: q.Start, End: q.End, Limit: maxBaselinePoints + 1,
	}) {
		if err != nil {
			return nil, err
		}
		// An empty name matches all, but means the series without a name here.
		if b.Service != k.service || b.Model != k.model {
			continue
		}
		if len(points) == maxBaselinePoints {
			return nil, store.ErrTooMany
		}
		points = append(points, newBaselinePoint(&b))
	}
	return points, ctx.Err()
}

func (s *server) findBaseline(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	escaped := q.http.URL.EscapedPath()
	escaped = escaped[strings.LastIndexByte(escaped, '/')+1:]
	k, e := parseKey(escaped)
	if e != nil {
		return nil, meta, e
	}
	t, e := q.values.timeRange(q.now, defaultHours, maxHours)
	if e != nil {
		return nil, meta, e
	}
	kept, host := baselineStore(q.reader), s.engines()
	if e := refuse(need{needBaselines, true, kept != nil || host != nil}); e != nil {
		return nil, meta, e
	}
	answer := baselineSeries{Key: k.key(), Service: k.service, Model: k.model, Metric: k.metric, Points: []baselinePoint{}}
	known := false
	if kept != nil {
		points, err := baselinePoints(ctx, kept, k, store.Query{Start: t.start, End: t.end})
		if err != nil {
			return nil, meta, err
		}
		answer.Points = append(answer.Points, points...)
		if known = len(points) > 0; !known {
			if known, err = hasBaseline(ctx, kept, k); err != nil {
				return nil, meta, err
			}
		}
	}
	now, err := live(ctx, host, store.BaselineQuery{Service: k.service, Model: k.model, Metric: k.metric, Limit: maxListed})
	if err != nil {
		return nil, meta, err
	}
	for _, b := range now {
		if b.series != k {
			continue
		}
		known = true
		last := len(answer.Points) - 1
		if inside := (t.start.IsZero() || !b.Time.Before(t.start)) && b.Time.Before(t.end); inside && (last < 0 || b.Time.After(answer.Points[last].Time)) {
			answer.Points = append(answer.Points, baselinePoint{b.Time, b.Expected, b.Lower, b.Upper, b.Samples})
		}
	}
	if !known {
		return nil, meta, nothingKept("baseline", k.key())
	}
	return &answer, within(t), nil
}

// hasBaseline reports whether anything is kept of the series.
func hasBaseline(ctx context.Context, kept store.BaselineStore, k series) (bool, error) {
	for b, err := range kept.Baselines(ctx, store.BaselineQuery{Service: k.service, Model: k.model, Metric: k.metric, Limit: maxListed, Latest: true}) {
		if err != nil {
			return false, err
		}
		if b.Service == k.service && b.Model == k.model {
			return true, nil
		}
	}
	return false, ctx.Err()
}
