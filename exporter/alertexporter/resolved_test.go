package alertexporter

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/metadatatest"
	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func withEnds(c *Config) { c.SendResolved = true }

// endOf makes traces with the end of the anomalies, which are one incident.
func endOf(as ...anomaly.Anomaly) ptrace.Traces {
	r := anomaly.Resolution{
		Service: as[0].Service, Model: as[0].Model, Type: as[0].Type, Metric: "latency_ms",
		Onset: as[0].Time, End: as[0].Time.Add(time.Minute), Reason: anomaly.EndRecovered, Baseline: math.NaN(), Summary: "over",
	}
	for i := range as {
		r.IDs = append(r.IDs, as[i].ID)
	}
	return packEnd(r)
}

func ends(f *fakeTarget) (out []notify.Notification) {
	for _, n := range f.seen() {
		if n.End != nil {
			out = append(out, n)
		}
	}
	return out
}

func TestTheEndOfAnAlertIsToldOnceWhereTheAlertWasTold(t *testing.T) {
	got, refuses := &fakeTarget{}, &fakeTarget{answer: func(notify.Notification) error { return errRefused }}
	useTargets(t, map[string]*fakeTarget{"one": got, "two": refuses})
	r := launch(t, withEnds)
	a := sample("svc", 0, anomaly.SeverityHigh)
	low := sample("low", 0, anomaly.SeverityLow)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(1, one(a), one(low))))
	eventually(t, func() bool { return len(got.seen()) == 1 && len(refuses.seen()) == 1 }, "no alert")
	eventually(t, func() bool { return !r.deliveryOf(t, 1).open.known([]uuid.UUID{a.ID}) }, "refused, but remembered")
	for range 3 {
		require.NoError(t, r.ConsumeTraces(t.Context(), endOf(a)))
		require.NoError(t, r.ConsumeTraces(t.Context(), endOf(low)), "below min_severity it was not told")
	}
	require.NoError(t, r.Shutdown(t.Context()))
	told := ends(got)
	require.Len(t, told, 1)
	assert.Equal(t, anomaly.SeverityHigh, told[0].Anomaly.Severity)
	assert.Equal(t, "svc", told[0].Anomaly.Service)
	assert.Equal(t, []uuid.UUID{a.ID}, told[0].End.IDs)
	assert.Empty(t, ends(refuses), "it never had the alert")
	metadatatest.AssertEqualAlertsSentTotal(t, r.tel, points(point(2, "target", "one")), ignore...)
}

// deliveryOf gives access to a target of the exporter.
func (r *running) deliveryOf(t *testing.T, i int) *delivery {
	t.Helper()
	e, ok := r.Traces.(*lease)
	require.True(t, ok)
	return e.deliveries[i]
}

func TestEndsAreNotToldByDefault(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, nil)
	a := sample("svc", 0, anomaly.SeverityHigh)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(1, one(a))))
	eventually(t, func() bool { return len(f.seen()) == 1 }, "no alert")
	require.NoError(t, r.ConsumeTraces(t.Context(), endOf(a)))
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Len(t, f.seen(), 1)
}

// An end that is ready before its alert is delivered waits for it.
func TestAnEndNeverOvertakesItsAlert(t *testing.T) {
	var up atomic.Bool
	f := &fakeTarget{}
	f.answer = func(notify.Notification) error {
		if up.Load() {
			return nil
		}
		return errDown
	}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, withEnds)
	a := sample("svc", 0, anomaly.SeverityHigh)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(1, one(a))))
	require.NoError(t, r.ConsumeTraces(t.Context(), endOf(a)))
	eventually(t, func() bool { return len(f.seen()) > 5 }, "no retries")
	assert.Empty(t, ends(f))
	up.Store(true)
	eventually(t, func() bool { return len(ends(f)) == 1 }, "the end was lost")
	require.NoError(t, r.Shutdown(t.Context()))
}

// Without a queue the outcome goes to the caller.
func TestEndsWithoutAQueue(t *testing.T) {
	var fail atomic.Bool
	f := &fakeTarget{answer: func(notify.Notification) error {
		if fail.Load() {
			return errDown
		}
		return nil
	}}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, func(c *Config) { noRetry(c); withEnds(c) })
	first, worse := sample("svc", 0, anomaly.SeverityMedium), sample("svc", time.Second, anomaly.SeverityCritical)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(first), one(worse))))
	fail.Store(true)
	require.Error(t, r.ConsumeTraces(t.Context(), endOf(first, worse)))
	fail.Store(false)
	require.NoError(t, r.ConsumeTraces(t.Context(), endOf(first, worse)), "the sender repeats it")
	require.NoError(t, r.ConsumeTraces(t.Context(), endOf(first, worse)))
	told := ends(f)
	require.Len(t, told, 2, "one attempt that failed, one that did not")
	assert.Equal(t, anomaly.SeverityCritical, told[1].Anomaly.Severity, "the highest that was told")
}

func TestWebhookTellsTheEndAsATypeOfItsOwn(t *testing.T) {
	url, bodies := hook(t, 200)
	r := launch(t, func(c *Config) { toWebhook(url)(c); noQueue(c); withEnds(c) })
	a := sample("svc", 0, anomaly.SeverityHigh)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(0, one(a))))
	require.NoError(t, r.ConsumeTraces(t.Context(), endOf(a)))
	require.Len(t, bodies(), 2)
	var got struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(bodies()[1]), &got))
	assert.Equal(t, "anomaly.resolved", got.Type)
	assert.Equal(t, a.ID.String(), got.Data["alert_id"])
	assert.Equal(t, []any{a.ID.String()}, got.Data["alert_ids"])
	assert.Equal(t, "svc", got.Data["service_name"])
	assert.Equal(t, "recovered", got.Data["end_reason"])
	assert.InDelta(t, 60, got.Data["duration_seconds"], 1e-9)
	assert.Nil(t, got.Data["baseline"])
	assert.Contains(t, got.Data, "baseline")
}

func TestEndsThatCannotBeReadAreDroppedAndCounted(t *testing.T) {
	f := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": f})
	r := launch(t, withEnds)
	td := endOf(sample("svc", 0, anomaly.SeverityHigh))
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Events().At(0).Attributes().PutStr(anomaly.AttrID, "x")
	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	metadatatest.AssertEqualAlertUndecodableTotal(t, r.tel, points(point(1, "reason", "malformed")), ignore...)
	require.Error(t, r.deliveryOf(t, 0).push(t.Context(), td))
}

func TestOpenAlertsAreBounded(t *testing.T) {
	o := newOpenAlerts(true)
	id := func(i int) (out uuid.UUID) {
		binary.BigEndian.PutUint64(out[:], uint64(i+1))
		return out
	}
	for i := range maxOpenAlerts + 10 {
		o.queued(&anomaly.Anomaly{ID: id(i), Severity: anomaly.SeverityLow})
		o.delivered(id(i))
	}
	assert.Equal(t, maxOpenAlerts, o.order.Len())
	assert.Len(t, o.byID, maxOpenAlerts)
	assert.False(t, o.known([]uuid.UUID{id(9)}), "the oldest are forgotten")
	assert.True(t, o.known([]uuid.UUID{id(9), id(10)}))
	o.givenUp(id(10))
	severity, wait := o.claim([]uuid.UUID{id(10)})
	assert.False(t, wait)
	assert.Equal(t, anomaly.SeverityLow, severity, "what was delivered is not given up")
	_, wait = o.claim([]uuid.UUID{id(11), id(10)})
	assert.True(t, wait, "one attempt at a time")
	o.done([]uuid.UUID{id(10)}, false)
	severity, wait = o.claim([]uuid.UUID{id(10)})
	assert.False(t, wait)
	assert.NotZero(t, severity)
	o.done([]uuid.UUID{id(10)}, true)
	assert.False(t, o.known([]uuid.UUID{id(10)}))
}
