package queryextension

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	maxTraceEvents    = 1000
	maxTraceAnomalies = 200
	// maxSessionTraces bounds the traces of a session whose anomalies are looked
	// up.
	maxSessionTraces    = 100
	defaultSessionHours = 168
)

// callsBody are calls that belong together, with their anomalies.
type callsBody struct {
	TraceID   string            `json:"trace_id,omitempty"`
	SessionID string            `json:"session_id,omitempty"`
	Start     *time.Time        `json:"start"`
	End       *time.Time        `json:"end"`
	Calls     int64             `json:"calls"`
	Failed    int64             `json:"failed"`
	Tokens    int64             `json:"total_tokens"`
	CostUSD   *float64          `json:"cost_usd"`
	Services  []string          `json:"services"`
	Events    json.RawMessage   `json:"events"`
	Anomalies []anomaly.Anomaly `json:"anomalies"`
	Truncated bool              `json:"truncated"`
}

// callSums adds up the calls of a callsBody.
type callSums struct {
	body     *callsBody
	rows     *rowList
	cost     float64
	priced   bool
	services map[string]bool
	// traces in the order of their first call.
	traces []pcommon.TraceID
}

func (c *callSums) add(e *genai.Event) {
	b := c.body
	b.Calls++
	if e.Failed {
		b.Failed++
	}
	if e.Has(genai.FieldTotalTokens) {
		b.Tokens += e.TotalTokens
	}
	if e.Has(genai.FieldCost) {
		c.cost, c.priced = c.cost+e.CostUSD, true
	}
	begin, end := e.Time().UTC(), e.Time().UTC()
	if e.Start != 0 {
		begin = e.Start.AsTime().UTC()
	}
	if b.Start == nil || begin.Before(*b.Start) {
		b.Start = &begin
	}
	if b.End == nil || end.After(*b.End) {
		b.End = &end
	}
	c.services[e.Service] = true
	if !e.TraceID.IsEmpty() && !slices.Contains(c.traces, e.TraceID) {
		c.traces = append(c.traces, e.TraceID)
	}
}

// readCalls fills the events and the figures of body.
func (s *server) readCalls(ctx context.Context, r store.Reader, ask store.EventQuery, body *callsBody) (*callSums, error) {
	c := &callSums{body: body, rows: newRowList(s.cfg.MaxResponseBytes / 4 * 3), services: map[string]bool{}}
	ask.Ascending, ask.Limit = true, maxTraceEvents+1
	for e, err := range r.Events(ctx, ask) {
		if err != nil {
			return nil, err
		}
		fits := c.rows.n < maxTraceEvents
		if fits {
			if fits, err = c.rows.add(e); err != nil {
				return nil, err
			}
		}
		if body.Truncated = !fits; body.Truncated {
			break
		}
		c.add(&e)
	}
	body.CostUSD = number(c.cost, c.priced)
	body.Services = make([]string, 0, len(c.services))
	for name := range c.services {
		body.Services = append(body.Services, name)
	}
	slices.Sort(body.Services)
	body.Events = c.rows.close()
	return c, ctx.Err()
}

// readAnomalies adds the anomalies of one trace to body, within the bound of all.
func readAnomalies(ctx context.Context, r store.Reader, trace string, t timeRange, body *callsBody) error {
	room := maxTraceAnomalies - len(body.Anomalies)
	ask := store.AnomalyQuery{Query: store.Query{Start: t.start, End: t.end, Ascending: true, Limit: room + 1}, TraceID: trace}
	found, err := take(ctx, room+1, r.Anomalies(ctx, ask))
	if err != nil {
		return err
	}
	if len(found) > room {
		found, body.Truncated = found[:room], true
	}
	body.Anomalies = append(body.Anomalies, found...)
	return nil
}

func (s *server) findTrace(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	id, e := checkTraceID(q.http.PathValue("trace_id"))
	if e != nil {
		return nil, meta, e
	}
	t, e := q.values.timeRange(q.now, 0, maxHours)
	if e != nil {
		return nil, meta, e
	}
	if e := refuse(need{needTrace, true, q.caps.Trace && q.caps.ByID}); e != nil {
		return nil, meta, e
	}
	body := &callsBody{TraceID: id, Anomalies: []anomaly.Anomaly{}}
	ask := store.EventQuery{Query: store.Query{Start: t.start, End: t.end}, EventFilter: store.EventFilter{TraceID: id}}
	if _, err := s.readCalls(ctx, q.reader, ask, body); err != nil {
		return nil, meta, err
	}
	if err := readAnomalies(ctx, q.reader, id, t, body); err != nil {
		return nil, meta, err
	}
	if body.Calls == 0 && len(body.Anomalies) == 0 && !body.Truncated {
		return nil, meta, nothingKept("trace", id)
	}
	return body, within(t), nil
}

func (s *server) findSession(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	id, e := checkText("id", q.http.PathValue("id"))
	if e != nil {
		return nil, meta, e
	}
	t, e := q.values.timeRange(q.now, defaultSessionHours, maxHours)
	if e != nil {
		return nil, meta, e
	}
	if e := refuse(need{needSession, true, q.caps.Filters && q.caps.ByID}); e != nil {
		return nil, meta, e
	}
	body := &callsBody{SessionID: id, Anomalies: []anomaly.Anomaly{}}
	ask := store.EventQuery{Query: store.Query{Start: t.start, End: t.end}, EventFilter: store.EventFilter{Conversation: id}}
	calls, err := s.readCalls(ctx, q.reader, ask, body)
	if err != nil {
		return nil, meta, err
	}
	if body.Calls == 0 && !body.Truncated {
		return nil, meta, nothingKept("session", id)
	}
	for i, trace := range calls.traces {
		if i == maxSessionTraces || len(body.Anomalies) == maxTraceAnomalies {
			body.Truncated = true
			break
		}
		if err := readAnomalies(ctx, q.reader, trace.String(), t, body); err != nil {
			return nil, meta, err
		}
	}
	slices.SortFunc(body.Anomalies, func(a, b anomaly.Anomaly) int {
		return cmp.Or(a.Time.Compare(b.Time), slices.Compare(a.ID[:], b.ID[:]))
	})
	return body, within(t), nil
}
