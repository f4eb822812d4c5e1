package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// diverse gives events all that filters ask for.
func diverse(g *generator, n int) []genai.Event {
	events := g.events(n)
	for i := range events {
		e := &events[i]
		e.Provider = []string{"openai", "anthropic", ""}[g.r.IntN(3)]
		e.Operation = []string{"chat", "embeddings"}[g.r.IntN(2)]
		e.Environment = []string{"prod", "staging"}[g.r.IntN(2)]
		e.Tenant = []string{"", "tenant-1", "tenant-2"}[g.r.IntN(3)]
		e.User = []string{"", "user-1", "user '2'"}[g.r.IntN(3)]
		e.Conversation = fmt.Sprintf("conversation-%d", i/7)
		e.Failed = g.r.IntN(5) == 0
		e.ReasoningTokens, e.CacheReadTokens, e.CacheWriteTokens = g.r.Int64N(100), g.r.Int64N(100), g.r.Int64N(100)
		e.CostUSD, e.TTFTMillis = g.r.Float64(), g.r.Float64()*400
		for _, f := range []genai.Field{genai.FieldReasoningTokens, genai.FieldCacheReadTokens, genai.FieldCacheWriteTokens, genai.FieldCost, genai.FieldTTFT} {
			if g.r.IntN(3) > 0 {
				e.Present |= f
			}
		}
	}
	return events
}

func matches(f *store.EventFilter, e *genai.Event) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.TraceID, e.TraceID.String()) && is(f.Conversation, e.Conversation) && is(f.Provider, e.Provider) && is(f.Operation, e.Operation) &&
		is(f.Environment, e.Environment) && is(f.Tenant, e.Tenant) && is(f.User, e.User) && (!f.Failed || e.Failed)
}

func eventFilters(like *genai.Event) map[string]store.EventFilter {
	return map[string]store.EventFilter{
		"conversation":         {Conversation: like.Conversation},
		"provider":             {Provider: "anthropic"},
		"operation":            {Operation: "embeddings"},
		"environment":          {Environment: "staging"},
		"tenant":               {Tenant: "tenant-2"},
		"user":                 {User: "user '2'"},
		"failed":               {Failed: true},
		"no such conversation": {Conversation: "conversation-"},
		"no such tenant":       {Tenant: "TENANT-1"},
		"two":                  {Provider: "openai", Failed: true},
		"all": {
			TraceID: like.TraceID.String(), Conversation: like.Conversation, Provider: like.Provider, Operation: like.Operation,
			Environment: like.Environment, Tenant: like.Tenant, User: like.User, Failed: like.Failed,
		},
	}
}

func testMoreEventFilters(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(50)
	events := diverse(g, 400)
	for batch := range slices.Chunk(events, 60) {
		require.NoError(t, b.WriteEvents(t.Context(), batch))
	}
	all := newestEventsFirst(events)
	for name, f := range eventFilters(&events[200]) {
		for _, q := range []store.EventQuery{
			{EventFilter: f, Query: store.Query{Limit: 1000}},
			{EventFilter: f, Query: store.Query{Limit: 1000, Ascending: true}},
			{EventFilter: f, Query: store.Query{Limit: 1000, Service: events[200].Service, Model: events[200].ResponseModel}},
			{EventFilter: f, Query: store.Query{Limit: 1000, Start: events[300].Time(), End: events[50].Time()}},
			{EventFilter: f, Query: store.Query{Limit: 5}},
		} {
			if !b.Capabilities().Filters {
				_, err := collect(b.Events(t.Context(), q))
				require.ErrorIs(t, err, store.ErrUnsupported, name)
				continue
			}
			want := keep(all, func(e genai.Event) bool {
				return matches(&f, &e) && (q.Service == "" || e.Service == q.Service) && (q.Model == "" || e.Model() == q.Model) &&
					!e.Time().Before(q.Start) && (q.End.IsZero() || e.Time().Before(q.End))
			})
			if q.Ascending {
				slices.Reverse(want)
			}
			requireEvents(t, b, q, want[:min(len(want), q.Limit)])
		}
	}
	if can := b.Capabilities(); can.Filters && can.Cursor {
		f := store.EventFilter{Tenant: "tenant-1"}
		want := keep(all, func(e genai.Event) bool { return matches(&f, &e) })
		require.Equal(t, eventIDs(want), eventIDs(walk(t, b, store.EventQuery{EventFilter: f, Query: store.Query{Limit: 3}}, func() {})))
		f = store.EventFilter{Conversation: events[100].Conversation}
		want = keep(all, func(e genai.Event) bool { return matches(&f, &e) })
		require.Equal(t, eventIDs(want), eventIDs(walk(t, b, store.EventQuery{EventFilter: f, Query: store.Query{Limit: 2}}, func() {})))
	}
}

func testByID(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(51)
	events, anomalies := g.events(300), g.anomalies(150)
	traced := traceID(77).String()
	for i := range anomalies {
		if i%10 == 3 {
			anomalies[i].Context.TraceID = traced
		}
	}
	anomalies[0].Context.TraceID = "not a trace id"
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	all := newestAnomaliesFirst(anomalies)
	if !b.Capabilities().ByID {
		_, err := collect(b.Events(t.Context(), store.EventQuery{ID: events[0].ID, Query: store.Query{Limit: 1}}))
		require.ErrorIs(t, err, store.ErrUnsupported)
		_, err = collect(b.Anomalies(t.Context(), store.AnomalyQuery{ID: anomalies[0].ID, Query: store.Query{Limit: 1}}))
		require.ErrorIs(t, err, store.ErrUnsupported)
		_, err = collect(b.Anomalies(t.Context(), store.AnomalyQuery{TraceID: traced, Query: store.Query{Limit: 1}}))
		require.ErrorIs(t, err, store.ErrUnsupported)
		return
	}
	for _, i := range []int{0, 150, 299} {
		e := events[i]
		requireEvents(t, b, store.EventQuery{ID: e.ID, Query: store.Query{Limit: 10}}, events[i:i+1])
		requireEvents(t, b, store.EventQuery{ID: e.ID, Query: store.Query{Limit: 10, Service: e.Service, Start: e.Time().Add(-time.Hour), End: e.Time().Add(1)}}, events[i:i+1])
		requireEvents(t, b, store.EventQuery{ID: e.ID, Query: store.Query{Limit: 10, End: e.Time()}}, nil)
		requireEvents(t, b, store.EventQuery{ID: e.ID, Query: store.Query{Limit: 10, Service: "nobody"}}, nil)
		if b.Capabilities().Trace {
			requireEvents(t, b, store.EventQuery{ID: e.ID, EventFilter: store.EventFilter{TraceID: e.TraceID.String()}, Query: store.Query{Limit: 10}}, events[i:i+1])
		}
	}
	requireEvents(t, b, store.EventQuery{ID: uuid.Max, Query: store.Query{Limit: 10}}, nil)
	for _, i := range []int{0, 75, 149} {
		a := anomalies[i]
		requireAnomalies(t, b, store.AnomalyQuery{ID: a.ID, Query: store.Query{Limit: 10}}, anomalies[i:i+1])
		requireAnomalies(t, b, store.AnomalyQuery{ID: a.ID, Severity: a.Severity, Type: a.Type, Query: store.Query{Limit: 10}}, anomalies[i:i+1])
		requireAnomalies(t, b, store.AnomalyQuery{ID: a.ID, Query: store.Query{Limit: 10, Start: a.Time.Add(1)}}, nil)
	}
	requireAnomalies(t, b, store.AnomalyQuery{ID: uuid.Max, Query: store.Query{Limit: 10}}, nil)
	ofTrace := func(a anomaly.Anomaly) bool { return a.Context.TraceID == traced }
	requireAnomalies(t, b, store.AnomalyQuery{TraceID: traced, Query: store.Query{Limit: 100}}, keep(all, ofTrace))
	requireAnomalies(t, b, store.AnomalyQuery{TraceID: traced, Query: store.Query{Limit: 100, Service: "service-1", End: anomalies[20].Time}},
		keep(all, func(a anomaly.Anomaly) bool {
			return ofTrace(a) && a.Service == "service-1" && a.Time.Before(anomalies[20].Time)
		}))
	requireAnomalies(t, b, store.AnomalyQuery{TraceID: traceID(78).String(), Query: store.Query{Limit: 100}}, nil)
	for _, bad := range []string{"not a trace id", "ABCDEF00000000000000000000000000", "00"} {
		_, err := collect(b.Anomalies(t.Context(), store.AnomalyQuery{TraceID: bad, Query: store.Query{Limit: 1}}))
		require.ErrorIs(t, err, store.ErrInvalid, bad)
	}
}
