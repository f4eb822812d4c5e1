package queryextension

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// Bounds of what is shown around an anomaly.
const (
	maxShownFeedback = 100
	maxSpans         = 200
	maxValuesAside   = 250 // before it and after it, each
	maxSimilar       = 10
	maxRelated       = 50
	valuesAside      = time.Hour
	spansAside       = 24 * time.Hour
	similarAside     = 7 * day
)

// callMetrics are the metrics that each call has a value of.
var callMetrics = map[string]struct {
	field genai.Field
	value func(*genai.Event) float64
}{
	"latency_ms":    {genai.FieldLatency, func(e *genai.Event) float64 { return e.LatencyMillis }},
	"ttft_ms":       {genai.FieldTTFT, func(e *genai.Event) float64 { return e.TTFTMillis }},
	"input_tokens":  {genai.FieldInputTokens, func(e *genai.Event) float64 { return float64(e.InputTokens) }},
	"output_tokens": {genai.FieldOutputTokens, func(e *genai.Event) float64 { return float64(e.OutputTokens) }},
	"total_tokens":  {genai.FieldTotalTokens, func(e *genai.Event) float64 { return float64(e.TotalTokens) }},
	"cost_usd":      {genai.FieldCost, func(e *genai.Event) float64 { return e.CostUSD }},
}

type anomalyDetail struct {
	Anomaly  anomaly.Anomaly   `json:"anomaly"`
	Feedback []feedbackRow     `json:"feedback"`
	Event    *genai.Event      `json:"event"`
	Spans    json.RawMessage   `json:"spans"`
	Baseline []baselinePoint   `json:"baseline"`
	Values   []callValue       `json:"values"`
	Similar  []anomaly.Anomaly `json:"similar"`
	Related  []anomaly.Anomaly `json:"related"`
}

type callValue struct {
	Time    time.Time `json:"time"`
	Value   float64   `json:"value"`
	EventID uuid.UUID `json:"event_id"`
}

// anomalyByID returns the anomaly, or an error that says that it is not kept.
func anomalyByID(ctx context.Context, r store.Reader, id uuid.UUID) (anomaly.Anomaly, error) {
	found, err := take(ctx, 1, r.Anomalies(ctx, store.AnomalyQuery{Query: store.Query{Limit: 1}, ID: id}))
	if err != nil {
		return anomaly.Anomaly{}, err
	}
	if len(found) == 0 {
		return anomaly.Anomaly{}, nothingKept("anomaly", id.String())
	}
	return found[0], nil
}

// around is the range from aside before t to aside after it.
func around(t time.Time, aside time.Duration) store.Query {
	return store.Query{Start: t.Add(-aside), End: t.Add(aside + 1)} // the end is exclusive
}

func (s *server) findAnomaly(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	id, e := checkID("id", q.http.PathValue("id"))
	if e != nil {
		return nil, meta, e
	}
	if e := refuse(need{needByID, true, q.caps.ByID}); e != nil {
		return nil, meta, e
	}
	a, err := anomalyByID(ctx, q.reader, id)
	if err != nil {
		return nil, meta, err
	}
	d := anomalyDetail{Anomaly: a, Feedback: []feedbackRow{}, Baseline: []baselinePoint{}}
	if kept := feedbackStore(q.reader); kept != nil {
		given, err := take(ctx, maxShownFeedback, kept.Feedback(ctx, store.FeedbackQuery{AnomalyID: id, Limit: maxShownFeedback}))
		if err != nil {
			return nil, meta, err
		}
		d.Feedback = feedbackRows(given)
	}
	if kept := baselineStore(q.reader); kept != nil && a.Details.Metric != "" {
		if d.Baseline, err = baselinePoints(ctx, kept, series{a.Service, a.Model, a.Details.Metric}, around(a.Time, valuesAside)); err != nil {
			return nil, meta, err
		}
	}
	if d.Event, err = eventOf(ctx, q.reader, &a); err != nil {
		return nil, meta, err
	}
	var cutSpans, cutValues bool
	if d.Spans, cutSpans, err = s.spansOf(ctx, q, &a); err != nil {
		return nil, meta, err
	}
	if d.Values, cutValues, err = valuesOf(ctx, q.reader, &a); err != nil {
		return nil, meta, err
	}
	if d.Similar, err = similarTo(ctx, q.reader, &a); err != nil {
		return nil, meta, err
	}
	if d.Related, err = relatedTo(ctx, q.reader, &a); err != nil {
		return nil, meta, err
	}
	meta.Truncated = cutSpans || cutValues
	return &d, meta, nil
}

// eventOf is the call that showed the anomaly; it has the anomaly's time.
func eventOf(ctx context.Context, r store.Reader, a *anomaly.Anomaly) (*genai.Event, error) {
	id, err := uuid.Parse(a.Context.EventID)
	if err != nil {
		return nil, nil // a finding about a window has no call
	}
	ask := store.EventQuery{Query: around(a.Time, valuesAside), ID: id}
	ask.Limit = 1
	found, err := take(ctx, 1, r.Events(ctx, ask))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// spansOf are the calls of the anomaly's trace.
func (s *server) spansOf(ctx context.Context, q *inquiry, a *anomaly.Anomaly) (json.RawMessage, bool, error) {
	rows := newRowList(s.cfg.MaxResponseBytes / 2)
	if a.Context.TraceID == "" || !q.caps.Trace {
		return rows.close(), false, nil
	}
	ask := store.EventQuery{Query: around(a.Time, spansAside), EventFilter: store.EventFilter{TraceID: a.Context.TraceID}}
	ask.Ascending, ask.Limit = true, maxSpans+1
	for e, err := range q.reader.Events(ctx, ask) {
		if err != nil {
			return nil, false, err
		}
		if rows.truncated = rows.n == maxSpans; rows.truncated {
			break
		}
		switch fits, err := rows.add(e); {
		case err != nil:
			return nil, false, err
		case !fits:
			return rows.close(), true, ctx.Err()
		}
	}
	return rows.close(), rows.truncated, ctx.Err()
}

// valuesOf are the calls of the series that are nearest to the anomaly, by time.
// A series whose service or model has no name cannot be asked for.
func valuesOf(ctx context.Context, r store.Reader, a *anomaly.Anomaly) ([]callValue, bool, error) {
	values, cut := []callValue{}, false
	metric, ok := callMetrics[a.Details.Metric]
	if !ok || a.Service == "" || a.Model == "" {
		return values, false, nil
	}
	// What has the anomaly's own time is before it.
	before, after := around(a.Time, valuesAside), around(a.Time, valuesAside)
	before.End, after.Start, after.Ascending = a.Time.Add(1), a.Time.Add(1), true
	for _, side := range []store.Query{before, after} {
		side.Service, side.Model, side.Limit = a.Service, a.Model, maxValuesAside+1
		n := 0
		for e, err := range r.Events(ctx, store.EventQuery{Query: side}) {
			if err != nil {
				return nil, false, err
			}
			if n++; n > maxValuesAside {
				cut = true
				break
			}
			if v := number(metric.value(&e), e.Has(metric.field)); v != nil {
				values = append(values, callValue{e.Time().UTC(), *v, e.ID})
			}
		}
	}
	slices.SortFunc(values, func(a, b callValue) int {
		return cmp.Or(a.Time.Compare(b.Time), slices.Compare(a.EventID[:], b.EventID[:]))
	})
	return values, cut, ctx.Err()
}

// similarTo are anomalies of the same service, model and type.
func similarTo(ctx context.Context, r store.Reader, a *anomaly.Anomaly) ([]anomaly.Anomaly, error) {
	ask := store.AnomalyQuery{Query: around(a.Time, similarAside), Type: a.Type}
	ask.Service, ask.Model, ask.Limit = a.Service, a.Model, maxSimilar+1
	found, err := take(ctx, maxSimilar+1, r.Anomalies(ctx, ask))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(b anomaly.Anomaly) bool { return b.ID == a.ID })
	return list(found[:min(len(found), maxSimilar)]), nil
}

// relatedTo are the anomalies with the same cause that are kept.
func relatedTo(ctx context.Context, r store.Reader, a *anomaly.Anomaly) ([]anomaly.Anomaly, error) {
	related := []anomaly.Anomaly{}
	for _, id := range a.RelatedAlerts[:min(len(a.RelatedAlerts), maxRelated)] {
		ask := store.AnomalyQuery{Query: around(a.Time, spansAside), ID: id}
		ask.Limit = 1
		found, err := take(ctx, 1, r.Anomalies(ctx, ask))
		if err != nil {
			return nil, err
		}
		related = append(related, found...)
	}
	return related, nil
}
