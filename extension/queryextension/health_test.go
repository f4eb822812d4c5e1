package queryextension

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pipeline"
)

var (
	traces  = pipeline.NewID(pipeline.SignalTraces)
	logs    = pipeline.NewID(pipeline.SignalLogs)
	otlpID  = component.MustNewID("otlp")
	alertID = component.MustNewIDWithName("alert", "ops")
)

func (a *api) report(id component.ID, kind component.Kind, e *componentstatus.Event, in ...pipeline.ID) {
	a.health.changed(componentstatus.NewInstanceID(id, kind, in...), e)
}

// healthAPI has a clock that goes on by a minute with each look, so that every
// probe asks the storage anew.
func healthAPI(t *testing.T) *api {
	t.Helper()
	var minutes atomic.Int64
	return newAPI(t, nil, func(s *server) {
		s.storage.now = func() time.Time { return testNow.Add(time.Duration(minutes.Add(1)) * time.Minute) }
	})
}

func (a *api) healthOf(target string) healthData {
	a.t.Helper()
	w := a.get(target)
	require.Equal(a.t, http.StatusOK, w.Code, w.Body.String())
	var body healthBody
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &body))
	return body.Data
}

func find(t *testing.T, all []componentHealth, name string) componentHealth {
	t.Helper()
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no component %s in %+v", name, all)
	return componentHealth{}
}

func TestLiveAsksNobody(t *testing.T) {
	t.Parallel()
	a := newAPI(t, nil)
	a.store.with(func(f *fakeReader) { f.pingErr = errors.New("down") })
	assert.JSONEq(t, `{"data":{"status":"healthy","version":"1.2.3"}}`, a.get(pathLive).Body.String())
}

func TestHealthThroughALife(t *testing.T) {
	t.Parallel()
	a := healthAPI(t)
	notReady := func(says string) {
		t.Helper()
		e := a.fails(a.get(pathReady), http.StatusServiceUnavailable, codeUnhealthy)
		assert.Contains(t, e.Message, says)
		assert.NotEmpty(t, e.Details["reasons"])
		assert.NotEmpty(t, e.Details["components"])
	}
	// Starting.
	a.report(otlpID, component.KindReceiver, componentstatus.NewEvent(componentstatus.StatusStarting), traces)
	assert.Equal(t, statusDegraded, a.healthOf(pathHealth).Status)
	notReady("starting")

	// Started, but before the pipelines are ready.
	a.report(otlpID, component.KindReceiver, componentstatus.NewEvent(componentstatus.StatusOK), traces)
	a.report(alertID, component.KindExporter, componentstatus.NewEvent(componentstatus.StatusOK), traces)
	assert.Equal(t, statusDegraded, a.healthOf(pathHealth).Status)
	notReady("starting")

	a.health.setReady(true)
	assert.Equal(t, statusHealthy, a.healthOf(pathHealth).Status)
	assert.Equal(t, statusHealthy, a.healthOf(pathReady).Status)

	// A recoverable error degrades and recovers.
	a.report(alertID, component.KindExporter, componentstatus.NewRecoverableErrorEvent(errors.New("broker is away")), traces)
	assert.Equal(t, statusDegraded, a.healthOf(pathReady).Status)
	got := a.healthOf(pathHealth)
	assert.Equal(t, statusDegraded, got.Status)
	alert := find(t, got.Components, "alert/ops")
	assert.Equal(t, "exporter", alert.Kind)
	assert.Equal(t, "recoverable_error", alert.State)
	assert.Equal(t, "broker is away", alert.Message)
	assert.Equal(t, []string{"traces"}, alert.Pipelines)
	assert.NotNil(t, alert.Since)
	a.report(alertID, component.KindExporter, componentstatus.NewEvent(componentstatus.StatusOK), traces)
	assert.Equal(t, statusHealthy, a.healthOf(pathHealth).Status)

	// Permanent and fatal errors make unready.
	for _, e := range []*componentstatus.Event{
		componentstatus.NewPermanentErrorEvent(errors.New("wrong password")),
		componentstatus.NewFatalErrorEvent(errors.New("port lost")),
	} {
		a.report(alertID, component.KindExporter, e, traces)
		assert.Equal(t, statusUnhealthy, a.healthOf(pathHealth).Status)
		notReady("exporter alert/ops")
	}
	a.report(alertID, component.KindExporter, componentstatus.NewEvent(componentstatus.StatusOK), traces)

	// The storage itself.
	a.store.with(func(f *fakeReader) { f.pingErr = errors.New("disk full") })
	got = a.healthOf(pathHealth)
	assert.Equal(t, statusUnhealthy, got.Status)
	assert.Equal(t, "disk full", find(t, got.Components, "storage").Message)
	notReady("storage")
	a.store.with(func(f *fakeReader) { f.pingErr = nil })
	a.storage.fail(errors.New("backend is not configured"))
	notReady("storage")
	a.storage.fail(nil)
	assert.Equal(t, statusHealthy, a.healthOf(pathReady).Status)

	// Stopping.
	a.health.setReady(false)
	a.report(otlpID, component.KindReceiver, componentstatus.NewEvent(componentstatus.StatusStopping), traces)
	assert.Equal(t, statusDegraded, a.healthOf(pathHealth).Status)
	notReady("stopping")
}

func TestInstancesOfOneComponentAreOneEntry(t *testing.T) {
	t.Parallel()
	h := newHealth()
	ok, bad := componentstatus.NewEvent(componentstatus.StatusOK), componentstatus.NewRecoverableErrorEvent(errors.New("x"))
	h.changed(componentstatus.NewInstanceID(alertID, component.KindExporter, traces), bad)
	h.changed(componentstatus.NewInstanceID(alertID, component.KindExporter, logs), ok)
	h.changed(componentstatus.NewInstanceID(alertID, component.KindConnector, logs), ok)
	all := h.components()
	require.Len(t, all, 2, "an id of two kinds is two components")
	assert.Equal(t, []string{"connector", "exporter"}, []string{all[0].Kind, all[1].Kind})
	assert.Equal(t, statusDegraded, all[1].Status)
	assert.Equal(t, []string{"logs", "traces"}, all[1].Pipelines)
}

func TestReportsThatOvertakeEachOther(t *testing.T) {
	t.Parallel()
	h := newHealth()
	id := componentstatus.NewInstanceID(otlpID, component.KindReceiver, traces)
	first := componentstatus.NewRecoverableErrorEvent(errors.New("x"))
	second := componentstatus.NewEvent(componentstatus.StatusOK)
	require.False(t, second.Timestamp().Before(first.Timestamp()))
	h.changed(id, second)
	h.changed(id, first)
	if second.Timestamp().After(first.Timestamp()) {
		assert.Equal(t, "ok", h.components()[0].State)
	}
	h.changed(nil, first)
	h.changed(id, nil)
}

func TestEveryStateHasANameAndARank(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for s := componentstatus.StatusNone; s <= componentstatus.StatusStopped; s++ {
		names[stateName(s)] = true
		assert.GreaterOrEqual(t, rank(s), 0, s)
		assert.NotEmpty(t, statusOf(s))
	}
	assert.Len(t, names, int(componentstatus.StatusStopped)+1)
}

func TestLongErrorTextIsCut(t *testing.T) {
	t.Parallel()
	h := newHealth()
	h.changed(componentstatus.NewInstanceID(otlpID, component.KindReceiver),
		componentstatus.NewPermanentErrorEvent(errors.New(strings.Repeat("ä", 10_000))))
	assert.LessOrEqual(t, len(h.components()[0].Message), maxStatusMessage+6)
}

// However many probes ask, the storage hears one question, and a storage that
// hangs holds no probe longer than pingTimeout.
func TestProbesShareOnePing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		p := &pinger{now: time.Now, ping: func(ctx context.Context) error {
			asked.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}}
		begin := time.Now()
		var probes sync.WaitGroup
		for range 100 {
			probes.Go(func() {
				_, err := p.check(t.Context())
				assert.ErrorIs(t, err, errPingTimeout)
			})
		}
		probes.Wait()
		assert.Equal(t, pingTimeout, time.Since(begin))
		p.wait(t.Context())
		assert.EqualValues(t, 1, asked.Load())

		_, err := p.check(t.Context())
		require.ErrorIs(t, err, errPingTimeout)
		assert.EqualValues(t, 1, asked.Load(), "the answer is kept for a moment")

		p.ping = func(context.Context) error { return nil }
		time.Sleep(pingMaxAge)
		since, err := p.check(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Minute)
		again, err := p.check(t.Context())
		require.NoError(t, err)
		assert.Equal(t, since, again, "since when it is well, not when it was asked")
	})
}

func TestProbeThatGivesUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := &pinger{now: time.Now, ping: func(context.Context) error { <-release; return nil }}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.check(gone)
	require.Error(t, err)
	close(release)
	_, err = p.check(t.Context())
	require.NoError(t, err)
}
