package alertexporter

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// batch is n ordinary spans, and after them one span for each list of anomalies.
func batch(n int, marked ...[]anomaly.Anomaly) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		span := spans.AppendEmpty()
		span.SetName("chat gpt-4")
		for k := range 20 {
			span.Attributes().PutStr("gen_ai.attribute."+strconv.Itoa(k), "value")
		}
		if i%2 == 0 {
			span.Events().AppendEmpty().SetName("gen_ai.choice")
		}
	}
	for _, list := range marked {
		span := spans.AppendEmpty()
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(t0))
		anomaly.MarkSpan(span, list)
	}
	return td
}

func collect(td ptrace.Traces, least anomaly.Severity) (found []anomaly.Anomaly, bad []error) {
	extract(td, least,
		func(a anomaly.Anomaly) { found = append(found, a) },
		func(err error) { bad = append(bad, err) })
	return found, bad
}

func TestExtractRespectsTheLowestSeverity(t *testing.T) {
	low, high := sample("a", 0, anomaly.SeverityLow), sample("a", time.Second, anomaly.SeverityHigh)
	medium := sample("b", 0, anomaly.SeverityMedium)
	td := batch(3, []anomaly.Anomaly{low, high}, []anomaly.Anomaly{medium}, []anomaly.Anomaly{low})
	for _, tc := range []struct {
		least anomaly.Severity
		want  []anomaly.Anomaly
	}{
		{anomaly.SeverityLow, []anomaly.Anomaly{low, high, medium, low}},
		{anomaly.SeverityMedium, []anomaly.Anomaly{high, medium}},
		{anomaly.SeverityHigh, []anomaly.Anomaly{high}},
		{anomaly.SeverityCritical, nil},
	} {
		found, bad := collect(td, tc.least)
		assert.Empty(t, bad)
		assert.Equal(t, ids(tc.want), ids(found), tc.least)
	}
}

func ids(list []anomaly.Anomaly) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.ID.String())
	}
	return out
}

func TestExtractReportsWhatItCannotDecodeAndGoesOn(t *testing.T) {
	td := batch(0, []anomaly.Anomaly{sample("a", 0, anomaly.SeverityHigh), sample("b", 0, anomaly.SeverityHigh)})
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Events().At(0).Attributes().PutStr(anomaly.AttrID, "not a uuid")
	span.Attributes().PutStr(anomaly.AttrSeverity, "damaged too")
	found, bad := collect(td, anomaly.SeverityMedium)
	require.Len(t, bad, 1)
	require.ErrorContains(t, bad[0], anomaly.AttrID)
	require.Len(t, found, 1)
	assert.Equal(t, "b", found[0].Service)
}

func TestMissingEventTimeIsReplaced(t *testing.T) {
	td := batch(0, []anomaly.Anomaly{sample("a", 0, anomaly.SeverityHigh)})
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Events().At(0).SetTimestamp(0)
	found, _ := collect(td, anomaly.SeverityLow)
	assert.Equal(t, t0, found[0].Time)
	span.SetEndTimestamp(0)
	found, _ = collect(td, anomaly.SeverityLow)
	assert.WithinDuration(t, time.Now(), found[0].Time, time.Minute)
}

func TestPackedAnomalyComesBackWhole(t *testing.T) {
	a := sample("svc", time.Minute, anomaly.SeverityCritical)
	a.Details.Additional = map[string]float64{"q1": 1, "q3": 2}
	a.Context = anomaly.Context{TraceID: "t", SpanID: "s", EventID: "e", UserID: "u", Region: "r", TimeWindow: "w", SampleCount: 3, Additional: map[string]string{"k": "v"}}
	a.RootCause, a.Remediation, a.RunbookURL = "cause", []string{"x", "y"}, "https://runbook"

	raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(pack(a)) // the way through a persistent queue
	require.NoError(t, err)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
	require.NoError(t, err)
	got, err := unpack(td)
	require.NoError(t, err)
	assert.Equal(t, a, got)
}

func TestUnpackRefusesOtherData(t *testing.T) {
	a := sample("svc", 0, anomaly.SeverityHigh)
	_, err := unpack(ptrace.NewTraces())
	require.ErrorIs(t, err, errPacked)
	_, err = unpack(batch(1, []anomaly.Anomaly{a, a}))
	require.ErrorIs(t, err, errPacked)
	td := pack(a)
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Events().At(0).Attributes().Remove(anomaly.AttrType)
	_, err = unpack(td)
	require.ErrorContains(t, err, anomaly.AttrType)
}

func TestExtractAllocatesNothingWithoutAnomalies(t *testing.T) {
	td := batch(100)
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		extract(td, anomaly.SeverityMedium, func(anomaly.Anomaly) { n++ }, func(error) { n++ })
	})
	assert.Zero(t, allocs)
	assert.Zero(t, n)
}

func FuzzExtract(f *testing.F) {
	for _, td := range []ptrace.Traces{batch(1), pack(sample("svc", 0, anomaly.SeverityHigh))} {
		raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
		if err != nil {
			return
		}
		extract(td, anomaly.SeverityLow, func(a anomaly.Anomaly) {
			again, err := unpack(pack(a))
			if err != nil || again.ID != a.ID || again.Severity != a.Severity {
				t.Fatalf("packed %v, got %v, %v", a, again, err)
			}
		}, func(error) {})
	})
}

func BenchmarkExtract(b *testing.B) {
	for name, td := range map[string]ptrace.Traces{
		"none": batch(100),
		"one":  batch(99, []anomaly.Anomaly{sample("svc", 0, anomaly.SeverityHigh)}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				extract(td, anomaly.SeverityMedium, func(anomaly.Anomaly) {}, func(error) {})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/span")
		})
	}
}
