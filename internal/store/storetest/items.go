package storetest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// readBack writes one event alone and returns what is read.
func readBack(t *testing.T, b store.Backend, e genai.Event) genai.Event {
	t.Helper()
	require.NoError(t, b.WriteEvents(t.Context(), []genai.Event{e}))
	got, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{
		Start: e.Time(), End: e.Time().Add(time.Nanosecond), Limit: 2,
	}}))
	require.NoError(t, err)
	require.Len(t, got, 1)
	return got[0]
}

func testEventRoundTrip(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(10)
	full := fullEvent(g)
	require.Equal(t, c.kept.event(full), readBack(t, b, full), "every field")

	bare := genai.Event{ID: g.id(), End: stamp(base.Add(-time.Minute))}
	got := readBack(t, b, bare)
	require.Equal(t, bare, got)
	require.Zero(t, got.Present, "missing numbers stay missing")

	zero := g.event()
	zero.Present, zero.InputTokens, zero.CostUSD = genai.FieldInputTokens|genai.FieldCost, 0, 0
	zero.OutputTokens, zero.TotalTokens, zero.LatencyMillis = 0, 0, 0
	require.Equal(t, zero, readBack(t, b, zero), "zero is not missing")

	asked := g.event()
	asked.ResponseModel = ""
	require.Equal(t, asked, readBack(t, b, asked), "the model that was asked for")

	noEnd := g.event()
	noEnd.Start, noEnd.End = noEnd.End, 0
	require.Equal(t, noEnd, readBack(t, b, noEnd), "a call without end")

	odd := g.event()
	odd.Present |= genai.FieldCost | genai.FieldTTFT
	odd.CostUSD, odd.TTFTMillis = math.NaN(), math.Inf(1)
	requireSameJSON(t, c.kept.event(odd), readBack(t, b, odd))

	negative := g.event()
	negative.InputTokens, negative.LatencyMillis = math.MinInt64, -1
	require.Equal(t, negative, readBack(t, b, negative))
}

func testAnomalyRoundTrip(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(11)
	full, plain := fullAnomaly(g), g.anomaly()
	bare := g.anomaly()
	bare.Service, bare.Model, bare.Confidence = "", "", math.NaN()
	bare.Details = anomaly.Details{Value: math.NaN(), Baseline: math.NaN(), Threshold: math.NaN(), DeviationSigma: math.NaN()}
	bare.Context = anomaly.Context{}
	want := []anomaly.Anomaly{full, plain, bare}
	require.NoError(t, b.WriteAnomalies(t.Context(), want))
	got, err := collect(b.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 10}}))
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i := range want {
		want := c.kept.anomaly(want[i])
		requireSameJSON(t, want, got[i])
		require.Equal(t, want.Context, got[i].Context)
	}
	require.True(t, math.IsNaN(got[2].Details.DeviationSigma), "a deviation that is not defined stays so")
	require.True(t, math.IsNaN(got[0].Details.Additional["undefined"]))
	require.Empty(t, got[2].Remediation)
}

var strangeTexts = []string{
	"'", `"`, "`", `\`, "%", "_", "--", ";", " ", "\t\n\r",
	"'; DROP TABLE partitions; --", `") OR 1=1 --`, "?1", ":name", "$1", "NULL", "0", "1", "1e5",
	"a\x00b", "\x00", "\xff\xfe", "ok\xc3", "\u202e\u0000", "日本語 🚀", "{}", "[]", "null", "true",
	strings.Repeat("x", 199), strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("é", 70000),
}

func testStrangeText(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(12)
	var events []genai.Event
	var anomalies []anomaly.Anomaly
	for _, text := range strangeTexts {
		e := g.event()
		e.Service, e.ResponseModel, e.Region, e.User, e.ErrorMessage, e.PromptText = text, text, text, text, text, text
		e.Metadata = map[string]string{text: text}
		events = append(events, e)
		a := g.anomaly()
		a.Service, a.Model, a.Type, a.RootCause = text, text, anomaly.Type(text), text
		a.Context.Additional = map[string]string{text: text}
		anomalies = append(anomalies, a)
	}
	require.NoError(t, b.WriteEvents(t.Context(), events))
	require.NoError(t, b.WriteAnomalies(t.Context(), anomalies))
	for i, text := range strangeTexts {
		got, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Service: text, Model: text, Limit: 100}}))
		require.NoError(t, err)
		require.Equal(t, eventIDs(events[i:i+1]), eventIDs(got), "service %q", text)
		kept := c.kept.event(events[i])
		require.Equal(t, kept.PromptText, got[0].PromptText)
		require.Equal(t, kept.User, got[0].User)
		requireSameJSON(t, kept, got[0])

		found, err := collect(b.Anomalies(t.Context(), store.AnomalyQuery{
			Query: store.Query{Service: text, Model: text, Limit: 100}, Type: anomaly.Type(text),
		}))
		require.NoError(t, err)
		require.Equal(t, anomalyIDs(anomalies[i:i+1]), anomalyIDs(found), "service %q", text)
		requireSameJSON(t, c.kept.anomaly(anomalies[i]), found[0])
	}
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 100}}, newestEventsFirst(events))
}

// Times far from now may be refused, but must not fail the batch, and if they
// are kept, they are kept as they are.
func testStrangeTimes(c conformance) {
	t, b := c.t, c.b
	g := newGenerator(13)
	good := g.events(3)
	strange := map[string]genai.Event{}
	for name, ts := range map[string]pcommon.Timestamp{
		"zero": 0, "one nanosecond": 1, "1970": stamp(time.Date(1970, 6, 1, 0, 0, 0, 0, time.UTC)),
		"2200": stamp(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), "2262": math.MaxInt64,
		"2300": 10_413_792_000_000_000_000, "end of the counter": math.MaxUint64,
	} {
		e := g.event()
		e.Start, e.End = ts, ts
		strange[name] = e
	}
	batch := append([]genai.Event(nil), good...)
	for _, e := range strange {
		batch = append(batch, e)
	}
	require.NoError(t, b.WriteEvents(t.Context(), batch))
	require.NoError(t, b.WriteEvents(t.Context(), batch))
	got, err := collect(b.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 100}}))
	require.NoError(t, err)
	seen := map[any]genai.Event{}
	for i, e := range got {
		require.NotContains(t, seen, e.ID)
		seen[e.ID] = e
		if i > 0 {
			require.Negative(t, after(got[i-1].Time(), got[i-1].ID, e.Time(), e.ID), "order")
		}
	}
	for _, e := range good {
		require.Contains(t, seen, e.ID)
	}
	for name, e := range strange {
		if kept, ok := seen[e.ID]; ok {
			require.Equal(t, e, kept, name)
		}
	}

	var anomalies []anomaly.Anomaly
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0), time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		a := g.anomaly()
		a.Time = at.UTC()
		anomalies = append(anomalies, a)
	}
	normal := g.anomaly()
	require.NoError(t, b.WriteAnomalies(t.Context(), append(anomalies, normal)))
	found, err := collect(b.Anomalies(t.Context(), store.AnomalyQuery{Query: store.Query{Limit: 100}}))
	require.NoError(t, err)
	ids := anomalyIDs(found)
	require.Contains(t, ids, normal.ID)
	for _, a := range found {
		for _, w := range anomalies {
			if w.ID == a.ID {
				require.True(t, w.Time.Equal(a.Time), "%s became %s", w.Time, a.Time)
			}
		}
	}
}

func testInvalidItems(c conformance) {
	c.needWriter()
	t, b := c.t, c.b
	g := newGenerator(14)
	noSeverity, noType, good := g.anomaly(), g.anomaly(), g.anomaly()
	noSeverity.Severity, noType.Type = 0, ""
	require.ErrorIs(t, b.WriteAnomalies(t.Context(), []anomaly.Anomaly{good, noSeverity}), store.ErrInvalid)
	require.ErrorIs(t, b.WriteAnomalies(t.Context(), []anomaly.Anomaly{good, noType}), store.ErrInvalid)
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 10}}, nil)
}

func testEmpty(c conformance) {
	t, b := c.t, c.b
	require.NoError(t, b.Ping(t.Context()))
	require.NoError(t, b.WriteEvents(t.Context(), nil))
	require.NoError(t, b.WriteAnomalies(t.Context(), []anomaly.Anomaly{}))
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 10}}, nil)
	requireEvents(t, b, store.EventQuery{Query: store.Query{Limit: 10, Service: "nobody", Model: "none"}}, nil)
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 10}}, nil)
	requireAnomalies(t, b, store.AnomalyQuery{Query: store.Query{Limit: 10}, Severity: anomaly.SeverityHigh, Type: "x", MinConfidence: 1}, nil)
}
