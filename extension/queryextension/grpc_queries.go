package queryextension

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	queryv1 "github.com/llm-devops/llm-sentinel/api/sentinel/query/v1"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// A chunk has at most this many rows, and ends behind the row with which it
	// is larger than the bytes: clients take 4 MiB by default.
	chunkRows  = 1000
	chunkBytes = 1 << 20

	maxGRPCBaselines = 100_000
)

// ask returns the storage.
func (g *grpcAPI) ask(ctx context.Context) (store.Reader, store.Capabilities, error) {
	r, err := g.reader(ctx)
	if err != nil {
		return nil, store.Capabilities{}, fmt.Errorf("%w: %w", errNoReader, err)
	}
	return r, r.Capabilities(), nil
}

// chunk collects rows until they are enough for one message.
type chunk[M proto.Message] struct {
	rows  []M
	bytes int
}

func (c *chunk[M]) add(m M) (full bool) {
	c.rows = append(c.rows, m)
	c.bytes += proto.Size(m)
	return len(c.rows) == chunkRows || c.bytes >= chunkBytes
}

// inChunks sends the messages of a sequence; the last chunk may be smaller.
func inChunks[T any, M proto.Message](ctx context.Context, seq iter.Seq2[T, error], message func(*T) M, send func([]M) error) error {
	var c chunk[M]
	for row, err := range seq {
		if err != nil {
			return err
		}
		if c.add(message(&row)) {
			if err := send(c.rows); err != nil {
				return err
			}
			c = chunk[M]{}
		}
	}
	if err := ctx.Err(); err != nil || len(c.rows) == 0 {
		return err
	}
	return send(c.rows)
}

// pages walks over a long answer in pages, so that a slow client holds no
// transaction of the storage open. Without cursors it is one question.
func pages[T any](ctx context.Context, q store.Query, cursor bool, rows func(store.Query) iter.Seq2[T, error], place func(*T) store.Position) iter.Seq2[T, error] {
	if !cursor {
		return rows(q)
	}
	return func(yield func(T, error) bool) {
		for left := q.Limit; left > 0; {
			q.Limit = min(left, chunkRows)
			page, err := take(ctx, q.Limit, rows(q))
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < q.Limit {
				return
			}
			left -= len(page)
			after := place(&page[len(page)-1])
			q.After = &after
		}
	}
}

// ListEvents implements the service.
func (g *grpcAPI) ListEvents(req *queryv1.ListEventsRequest, stream queryv1.Query_ListEventsServer) error {
	ctx := stream.Context()
	r, caps, err := g.ask(ctx)
	if err != nil {
		return err
	}
	l, e := g.listOf(req.GetRange(), req.GetLimit(), req.GetAfter(), req.GetAscending())
	if e != nil {
		return e
	}
	l.filter.kind = kindTelemetry
	if l.filter.events, e = eventFilterOf(req.GetFilter()); e != nil {
		return e
	}
	l.query.Service, l.query.Model = req.GetFilter().GetService(), req.GetFilter().GetModel()
	if e := refuse(l.needs(caps)...); e != nil {
		return e
	}
	ask := func(q store.Query) iter.Seq2[genai.Event, error] {
		l.query = q
		return r.Events(ctx, l.events())
	}
	return inChunks(ctx, pages(ctx, l.query, caps.Cursor, ask, askEvents.place), eventMessage, func(rows []*queryv1.Event) error {
		last := rows[len(rows)-1]
		return stream.Send(&queryv1.ListEventsResponse{Events: rows, Next: &queryv1.Position{Time: last.GetTimestamp(), Id: last.GetEventId()}})
	})
}

// ListAnomalies implements the service.
func (g *grpcAPI) ListAnomalies(req *queryv1.ListAnomaliesRequest, stream queryv1.Query_ListAnomaliesServer) error {
	ctx := stream.Context()
	r, caps, err := g.ask(ctx)
	if err != nil {
		return err
	}
	l, e := g.listOf(req.GetRange(), req.GetLimit(), req.GetAfter(), req.GetAscending())
	if e != nil {
		return e
	}
	l.filter.kind = kindAnomalies
	if l.filter.anomalies, e = anomalyFilterOf(req.GetFilter(), &l.filter.events.TraceID); e != nil {
		return e
	}
	l.query.Service, l.query.Model = req.GetFilter().GetService(), req.GetFilter().GetModel()
	if e := refuse(l.needs(caps)...); e != nil {
		return e
	}
	ask := func(q store.Query) iter.Seq2[anomaly.Anomaly, error] {
		l.query = q
		return r.Anomalies(ctx, l.anomalies())
	}
	return inChunks(ctx, pages(ctx, l.query, caps.Cursor, ask, askAnomalies.place), anomalyMessage, func(rows []*queryv1.Anomaly) error {
		last := rows[len(rows)-1]
		return stream.Send(&queryv1.ListAnomaliesResponse{Anomalies: rows, Next: &queryv1.Position{Time: last.GetTimestamp(), Id: last.GetId()}})
	})
}

// listOf reads what both lists have in common.
func (g *grpcAPI) listOf(tr *queryv1.TimeRange, limit int64, after *queryv1.Position, ascending bool) (*listRequest, *apiError) {
	t, e := rangeOf(tr, g.now())
	if e != nil {
		return nil, e
	}
	l := &listRequest{total: -1}
	l.query.Start, l.query.End, l.query.Ascending = t.start, t.end, ascending
	if l.query.Limit, e = rowLimit(limit, maxGRPCLimit); e != nil {
		return nil, e
	}
	if after != nil {
		l.cursor = true
		if l.query.After, e = positionOf(after); e != nil {
			return nil, e
		}
	}
	return l, nil
}

// Aggregate implements the service.
func (g *grpcAPI) Aggregate(req *queryv1.AggregateRequest, stream queryv1.Query_AggregateServer) error {
	ctx := stream.Context()
	r, caps, err := g.ask(ctx)
	if err != nil {
		return err
	}
	q, e := aggregateQueryOf(req, g.now())
	if e != nil {
		return e
	}
	source, e := aggregator(r)
	if e != nil {
		return e
	}
	return inChunks(ctx, source.Aggregate(ctx, q), figuresMessage, func(rows []*queryv1.Figures) error {
		return stream.Send(&queryv1.AggregateResponse{Figures: rows, PercentileError: caps.PercentileError})
	})
}

// ListBaselines implements the service.
func (g *grpcAPI) ListBaselines(req *queryv1.ListBaselinesRequest, stream queryv1.Query_ListBaselinesServer) error {
	ctx := stream.Context()
	r, _, err := g.ask(ctx)
	if err != nil {
		return err
	}
	q := store.BaselineQuery{Service: req.GetService(), Model: req.GetModel(), Metric: req.GetMetric(), Latest: req.GetLatest()}
	if e := checkTexts([2]string{"service", q.Service}, [2]string{"model", q.Model}, [2]string{"metric", q.Metric}); e != nil {
		return e
	}
	t, e := rangeOf(req.GetRange(), g.now())
	if e != nil {
		return e
	}
	q.Start, q.End = t.start, t.end
	if q.Limit, e = rowLimit(req.GetLimit(), maxGRPCBaselines); e != nil {
		return e
	}
	kept := baselineStore(r)
	if e := refuse(need{needBaselines, true, kept != nil}); e != nil {
		return e
	}
	return inChunks(ctx, kept.Baselines(ctx, q), baselineMessage, func(rows []*queryv1.Baseline) error {
		return stream.Send(&queryv1.ListBaselinesResponse{Baselines: rows})
	})
}

// GetTrace implements the service.
func (g *grpcAPI) GetTrace(ctx context.Context, req *queryv1.GetTraceRequest) (*queryv1.GetTraceResponse, error) {
	r, caps, err := g.ask(ctx)
	if err != nil {
		return nil, err
	}
	id, e := checkTraceID(req.GetTraceId())
	if e != nil {
		return nil, e
	}
	if e := refuse(need{needTrace, true, caps.Trace && caps.ByID}); e != nil {
		return nil, e
	}
	resp := &queryv1.GetTraceResponse{}
	size := 0
	events := r.Events(ctx, store.EventQuery{Query: store.Query{Ascending: true, Limit: maxTraceEvents + 1}, EventFilter: store.EventFilter{TraceID: id}})
	for ev, err := range events {
		if err != nil {
			return nil, err
		}
		m := eventMessage(&ev)
		if size += proto.Size(m); len(resp.Events) == maxTraceEvents || (size > 2*chunkBytes && len(resp.Events) > 0) {
			resp.Truncated = true
			break
		}
		resp.Events = append(resp.Events, m)
	}
	anomalies := r.Anomalies(ctx, store.AnomalyQuery{Query: store.Query{Ascending: true, Limit: maxTraceAnomalies + 1}, TraceID: id})
	for a, err := range anomalies {
		if err != nil {
			return nil, err
		}
		if len(resp.Anomalies) == maxTraceAnomalies {
			resp.Truncated = true
			break
		}
		resp.Anomalies = append(resp.Anomalies, anomalyMessage(&a))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(resp.Events) == 0 && len(resp.Anomalies) == 0 {
		return nil, nothingKept("trace", id)
	}
	return resp, nil
}

// StreamAnomalies implements the service.
func (g *grpcAPI) StreamAnomalies(req *queryv1.StreamAnomaliesRequest, stream queryv1.Query_StreamAnomaliesServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	_, caps, err := g.ask(ctx)
	if err != nil {
		return err
	}
	filter := streamFilter{service: req.GetFilter().GetService(), model: req.GetFilter().GetModel()}
	var trace string
	var e *apiError
	if filter.anomalyFilter, e = anomalyFilterOf(req.GetFilter(), &trace); e != nil {
		return e
	}
	feed := g.feed(caps).Subscribe(ctx, streamBuffer)
	g.telemetry.APIStreams.Add(ctx, 1)
	defer g.telemetry.APIStreams.Add(context.WithoutCancel(ctx), -1)
	if err := stream.Send(&queryv1.StreamAnomaliesResponse{Kind: &queryv1.StreamAnomaliesResponse_Ready{Ready: true}}); err != nil {
		return err
	}
	for {
		var item store.FeedItem
		var open bool
		select {
		case item, open = <-feed:
		case <-g.draining:
			return &apiError{status: 503, code: codeStorageUnavailable, message: "the server is shutting down"}
		}
		if !open {
			return ctx.Err()
		}
		if item.Missed > 0 {
			g.telemetry.APIStreamMissedTotal.Add(ctx, item.Missed)
			if err := stream.Send(&queryv1.StreamAnomaliesResponse{Kind: &queryv1.StreamAnomaliesResponse_Missed{Missed: item.Missed}}); err != nil {
				return err
			}
		}
		for i := range item.Anomalies {
			a := &item.Anomalies[i]
			if !filter.matches(a) || (trace != "" && a.Context.TraceID != trace) {
				continue
			}
			if err := stream.Send(&queryv1.StreamAnomaliesResponse{Kind: &queryv1.StreamAnomaliesResponse_Anomaly{Anomaly: anomalyMessage(a)}}); err != nil {
				return err
			}
		}
	}
}

// GiveFeedback implements the service.
func (g *grpcAPI) GiveFeedback(ctx context.Context, req *queryv1.GiveFeedbackRequest) (*queryv1.GiveFeedbackResponse, error) {
	r, caps, err := g.ask(ctx)
	if err != nil {
		return nil, err
	}
	id, e := checkID("anomaly_id", req.GetAnomalyId())
	if e != nil {
		return nil, e
	}
	body := feedbackRequest{Comment: req.GetComment(), Author: req.GetAuthor()}
	switch req.GetVerdict() {
	case queryv1.Verdict_VERDICT_TRUE:
		body.Verdict = store.VerdictTrue
	case queryv1.Verdict_VERDICT_FALSE:
		body.Verdict = store.VerdictFalse
	case queryv1.Verdict_VERDICT_MUTE:
		body.Verdict = store.VerdictMute
	default:
		return nil, badParameter(codeInvalidParameter, "verdict", req.GetVerdict().String(), "VERDICT_TRUE, VERDICT_FALSE or VERDICT_MUTE")
	}
	if d := req.GetMuteFor(); d != nil {
		body.For = d.AsDuration().Truncate(time.Second).String()
	}
	f, e := body.verdict(g.now())
	if e != nil {
		return nil, e
	}
	kept, err := g.keepFeedback(ctx, r, caps, id, f)
	if err != nil {
		return nil, err
	}
	resp := &queryv1.GiveFeedbackResponse{Id: kept.ID.String(), Time: timestamp(kept.Time)}
	if !kept.Until.IsZero() {
		resp.MuteUntil = timestamp(kept.Until)
	}
	return resp, nil
}
