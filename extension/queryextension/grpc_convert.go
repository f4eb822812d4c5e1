package queryextension

import (
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	queryv1 "github.com/llm-devops/llm-sentinel/api/sentinel/query/v1"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// timeOf reads a time; unset, it is the zero time.
func timeOf(name string, ts *timestamppb.Timestamp) (time.Time, *apiError) {
	if ts == nil {
		return time.Time{}, nil
	}
	t := ts.AsTime()
	if ts.CheckValid() != nil || t.Before(minTime) || t.After(maxTime) {
		return time.Time{}, badParameter(codeInvalidTime, name, ts.String(), "a time from 1970 to 2262")
	}
	return t, nil
}

// rangeOf reads a time range; its end is always set.
func rangeOf(tr *queryv1.TimeRange, now time.Time) (t timeRange, e *apiError) {
	if t.start, e = timeOf("range.start", tr.GetStart()); e != nil {
		return t, e
	}
	if t.end, e = timeOf("range.end", tr.GetEnd()); e != nil {
		return t, e
	}
	if t.end.IsZero() {
		if t.end = now.Add(futureTolerance); !t.start.Before(t.end) {
			t.end = maxTime
		}
	}
	if !t.start.IsZero() && !t.start.Before(t.end) {
		return t, badParameter(codeInvalidTime, "range.start", t.start.Format(time.RFC3339Nano), "before range.end")
	}
	return t, nil
}

func positionOf(p *queryv1.Position) (*store.Position, *apiError) {
	at, e := timeOf("after.time", p.GetTime())
	if e != nil {
		return nil, e
	}
	if at.IsZero() {
		return nil, badParameter(codeInvalidTime, "after.time", "", "set")
	}
	id, e := checkID("after.id", p.GetId())
	if e != nil {
		return nil, e
	}
	return &store.Position{Time: at, ID: id}, nil
}

// checkTexts checks those that are not empty.
func checkTexts(texts ...[2]string) *apiError {
	for _, t := range texts {
		if t[1] != "" {
			if _, e := checkText(t[0], t[1]); e != nil {
				return e
			}
		}
	}
	return nil
}

func eventFilterOf(f *queryv1.EventFilter) (to store.EventFilter, e *apiError) {
	to = store.EventFilter{
		Conversation: f.GetSessionId(), User: f.GetUserId(), Provider: f.GetProvider(), Operation: f.GetOperation(),
		Environment: f.GetEnvironment(), Tenant: f.GetTenant(), Failed: f.GetFailed(),
	}
	e = checkTexts(
		[2]string{"service", f.GetService()}, [2]string{"model", f.GetModel()}, [2]string{"session_id", to.Conversation},
		[2]string{"user_id", to.User}, [2]string{"provider", to.Provider}, [2]string{"operation", to.Operation},
		[2]string{"environment", to.Environment}, [2]string{"tenant", to.Tenant},
	)
	if e == nil && f.GetTraceId() != "" {
		to.TraceID, e = checkTraceID(f.GetTraceId())
	}
	return to, e
}

func anomalyFilterOf(f *queryv1.AnomalyFilter, trace *string) (to anomalyFilter, e *apiError) {
	if e = checkTexts([2]string{"service", f.GetService()}, [2]string{"model", f.GetModel()}, [2]string{"type", f.GetType()}); e != nil {
		return to, e
	}
	if f.GetTraceId() != "" {
		if *trace, e = checkTraceID(f.GetTraceId()); e != nil {
			return to, e
		}
	}
	if f.GetType() != "" {
		to.typ = anomaly.ParseType(f.GetType())
	}
	if s := f.GetSeverity(); s != queryv1.Severity_SEVERITY_UNSPECIFIED {
		i := slices.Index(severities[:], s)
		if i < 0 {
			return to, badParameter(codeInvalidSeverity, "severity", s.String(), "one of SEVERITY_LOW, _MEDIUM, _HIGH, _CRITICAL")
		}
		to.severity = anomaly.Severity(i)
	}
	if to.minConfidence = f.GetMinConfidence(); !(to.minConfidence >= 0 && to.minConfidence <= 1) {
		return to, badParameter(codeInvalidParameter, "min_confidence", "", "a number from 0 to 1")
	}
	return to, nil
}

// severities by their number in this program.
var severities = [...]queryv1.Severity{
	anomaly.SeverityLow:      queryv1.Severity_SEVERITY_LOW,
	anomaly.SeverityMedium:   queryv1.Severity_SEVERITY_MEDIUM,
	anomaly.SeverityHigh:     queryv1.Severity_SEVERITY_HIGH,
	anomaly.SeverityCritical: queryv1.Severity_SEVERITY_CRITICAL,
}

var dimensions = map[queryv1.Dimension]store.Dimension{
	queryv1.Dimension_DIMENSION_SERVICE:     store.ByService,
	queryv1.Dimension_DIMENSION_MODEL:       store.ByModel,
	queryv1.Dimension_DIMENSION_PROVIDER:    store.ByProvider,
	queryv1.Dimension_DIMENSION_OPERATION:   store.ByOperation,
	queryv1.Dimension_DIMENSION_ENVIRONMENT: store.ByEnvironment,
	queryv1.Dimension_DIMENSION_TENANT:      store.ByTenant,
}

func aggregateQueryOf(req *queryv1.AggregateRequest, now time.Time) (q store.AggregateQuery, e *apiError) {
	if req.GetRange().GetStart() == nil || req.GetRange().GetEnd() == nil {
		return q, badParameter(codeInvalidTime, "range", "", "a start and an end")
	}
	t, e := rangeOf(req.GetRange(), now)
	if e != nil {
		return q, e
	}
	q.Start, q.End = t.start, t.end
	if q.EventFilter, e = eventFilterOf(req.GetFilter()); e != nil {
		return q, e
	}
	q.Service, q.Model = req.GetFilter().GetService(), req.GetFilter().GetModel()
	if d := req.GetStep(); d != nil {
		q.Step = d.AsDuration()
		if d.CheckValid() != nil || q.Step <= 0 || q.Step > maxStep || q.Step%time.Minute != 0 {
			return q, badParameter(codeInvalidParameter, "step", q.Step.String(), "whole minutes, at most 366 days")
		}
		if n := buckets(t, q.Step); n > maxBuckets {
			return q, badParameter(codeInvalidParameter, "step", q.Step.String(), "wide enough for at most 11000 buckets")
		}
	}
	for _, d := range req.GetGroupBy() {
		by, ok := dimensions[d]
		if !ok || slices.Contains(q.By, by) {
			return q, badParameter(codeInvalidParameter, "group_by", d.String(), "dimensions, each at most once")
		}
		q.By = append(q.By, by)
	}
	return q, nil
}

func timestamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// utf8Text makes a text fit for protobuf, which refuses any other.
func utf8Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func utf8Map(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	to := make(map[string]string, len(m))
	for k, v := range m {
		to[utf8Text(k)] = utf8Text(v)
	}
	return to
}

func eventMessage(e *genai.Event) *queryv1.Event {
	m := &queryv1.Event{
		EventId: e.ID.String(), Timestamp: timestamp(e.Time()),
		Service: utf8Text(e.Service), Environment: utf8Text(e.Environment), Region: utf8Text(e.Region), Tenant: utf8Text(e.Tenant),
		Operation: utf8Text(e.Operation), Provider: utf8Text(e.Provider), RequestModel: utf8Text(e.RequestModel), ResponseModel: utf8Text(e.ResponseModel),
		ResponseId: utf8Text(e.ResponseID), FinishReason: utf8Text(e.FinishReason), SessionId: utf8Text(e.Conversation), UserId: utf8Text(e.User),
		Agent: utf8Text(e.Agent), Streaming: e.Streaming, ServiceTier: utf8Text(e.ServiceTier), Estimated: e.Estimated,
		Failed: e.Failed, ErrorType: utf8Text(e.ErrorType), ErrorMessage: utf8Text(e.ErrorMessage),
		PromptText: utf8Text(e.PromptText), ResponseText: utf8Text(e.ResponseText), Metadata: utf8Map(e.Metadata),
	}
	if e.Start != 0 {
		m.Start = timestamp(e.Start.AsTime())
	}
	if !e.TraceID.IsEmpty() {
		m.TraceId = e.TraceID.String()
	}
	if !e.SpanID.IsEmpty() {
		m.SpanId = e.SpanID.String()
	}
	if !e.ParentSpanID.IsEmpty() {
		m.ParentSpanId = e.ParentSpanID.String()
	}
	for _, n := range [...]struct {
		field genai.Field
		to    **float64
		value float64
	}{
		{genai.FieldLatency, &m.LatencyMs, e.LatencyMillis},
		{genai.FieldTTFT, &m.TtftMs, e.TTFTMillis},
		{genai.FieldCost, &m.CostUsd, e.CostUSD},
	} {
		if e.Has(n.field) {
			v := n.value
			*n.to = &v
		}
	}
	for _, n := range [...]struct {
		field genai.Field
		to    **int64
		value int64
	}{
		{genai.FieldInputTokens, &m.InputTokens, e.InputTokens},
		{genai.FieldOutputTokens, &m.OutputTokens, e.OutputTokens},
		{genai.FieldTotalTokens, &m.TotalTokens, e.TotalTokens},
		{genai.FieldCacheReadTokens, &m.CacheReadTokens, e.CacheReadTokens},
		{genai.FieldCacheWriteTokens, &m.CacheWriteTokens, e.CacheWriteTokens},
		{genai.FieldCacheWrite5mTokens, &m.CacheWrite_5MTokens, e.CacheWrite5mTokens},
		{genai.FieldCacheWrite1hTokens, &m.CacheWrite_1HTokens, e.CacheWrite1hTokens},
		{genai.FieldReasoningTokens, &m.ReasoningTokens, e.ReasoningTokens},
		{genai.FieldAudioInputTokens, &m.AudioInputTokens, e.AudioInputTokens},
		{genai.FieldAudioOutputTokens, &m.AudioOutputTokens, e.AudioOutputTokens},
		{genai.FieldImageInputTokens, &m.ImageInputTokens, e.ImageInputTokens},
	} {
		if e.Has(n.field) {
			v := n.value
			*n.to = &v
		}
	}
	return m
}

func anomalyMessage(a *anomaly.Anomaly) *queryv1.Anomaly {
	m := &queryv1.Anomaly{
		Id: a.ID.String(), Timestamp: timestamp(a.Time), Type: utf8Text(string(a.Type)), Service: utf8Text(a.Service), Model: utf8Text(a.Model),
		Method: utf8Text(string(a.Method)), Confidence: a.Confidence,
		Metric: utf8Text(a.Details.Metric), Value: a.Details.Value, Baseline: a.Details.Baseline, Threshold: a.Details.Threshold,
		TraceId: utf8Text(a.Context.TraceID), SpanId: utf8Text(a.Context.SpanID), EventId: utf8Text(a.Context.EventID), UserId: utf8Text(a.Context.UserID),
		Region: utf8Text(a.Context.Region), TimeWindow: utf8Text(a.Context.TimeWindow), SampleCount: a.Context.SampleCount,
		Context: utf8Map(a.Context.Additional), RootCause: utf8Text(a.RootCause), RunbookUrl: utf8Text(a.RunbookURL),
	}
	if int(a.Severity) < len(severities) {
		m.Severity = severities[a.Severity]
	}
	for _, method := range a.Details.Methods {
		m.Methods = append(m.Methods, utf8Text(string(method)))
	}
	if !math.IsNaN(a.Details.DeviationSigma) {
		m.DeviationSigma = &a.Details.DeviationSigma
	}
	if len(a.Details.Additional) > 0 {
		m.Additional = make(map[string]float64, len(a.Details.Additional))
		for k, v := range a.Details.Additional {
			m.Additional[utf8Text(k)] = v
		}
	}
	for _, text := range a.Remediation {
		m.Remediation = append(m.Remediation, utf8Text(text))
	}
	for _, id := range a.RelatedAlerts {
		m.RelatedAlerts = append(m.RelatedAlerts, id.String())
	}
	return m
}

func figuresMessage(a *store.Aggregate) *queryv1.Figures {
	return &queryv1.Figures{
		Start: timestamp(a.Start), Service: utf8Text(a.Group.Service), Model: utf8Text(a.Group.Model), Provider: utf8Text(a.Group.Provider),
		Operation: utf8Text(a.Group.Operation), Environment: utf8Text(a.Group.Environment), Tenant: utf8Text(a.Group.Tenant),
		Calls: a.Calls, Failed: a.Failed, InputTokens: a.InputTokens, OutputTokens: a.OutputTokens, TotalTokens: a.TotalTokens,
		CacheReadTokens: a.CacheReadTokens, CacheWriteTokens: a.CacheWriteTokens, ReasoningTokens: a.ReasoningTokens,
		CostUsd: a.CostUSD, PricedCalls: a.Priced, LatencyMs: distributionMessage(a.Latency), TtftMs: distributionMessage(a.TTFT),
	}
}

func distributionMessage(d store.Distribution) *queryv1.Distribution {
	return &queryv1.Distribution{Count: d.Count, Sum: d.Sum, Min: d.Min, Max: d.Max, P50: d.P50, P95: d.P95, P99: d.P99}
}

func baselineMessage(b *store.Baseline) *queryv1.Baseline {
	return &queryv1.Baseline{
		Time: timestamp(b.Time), Service: utf8Text(b.Service), Model: utf8Text(b.Model), Metric: utf8Text(b.Metric),
		Samples: b.Samples, Expected: b.Expected, Lower: b.Lower, Upper: b.Upper,
	}
}
