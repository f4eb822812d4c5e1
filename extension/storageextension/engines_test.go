package storageextension

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

var at0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestBaselinesAreWrittenAtEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		p.knows(2, at0)

		time.Sleep(time.Minute - time.Millisecond)
		synctest.Wait()
		assert.Empty(t, s.backend.take(), "not before the interval is over")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		assert.Len(t, s.backend.take(), 4, "two metrics of two series")
		assert.EqualValues(t, 4, s.sum(t, "storage_writes_total", "baseline"))

		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, s.backend.take(), "no series had a call since")

		p.knows(2, at0.Add(3*time.Second))
		time.Sleep(time.Minute)
		synctest.Wait()
		got := s.backend.take()
		assert.Len(t, got, 4)
		assert.Equal(t, at0.Add(3*time.Second), got[0].Time)
		assert.Equal(t, []time.Time{{}, at0.Add(-time.Hour), at0.Add(-time.Hour)}, p.asked,
			"event time of the engine, with room for series that lag behind")
		s.stop(t)
	})
}

func TestSeriesThatLagBehindAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		p.series = []store.Baseline{{Time: at0, Service: "live", Metric: "latency_ms"}}
		time.Sleep(time.Minute)
		synctest.Wait()
		p.series = []store.Baseline{{Time: at0.Add(-50 * time.Minute), Service: "backlog", Metric: "latency_ms"}}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := s.backend.take()
		assert.Len(t, got, 2)
		assert.Equal(t, "backlog", got[1].Service)
		s.stop(t)
	})
}

func TestMoreSeriesThanOnePullMayWriteTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, func(c *Config, _ *memory) { c.Baselines.MaxSeries = 50 })
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		written := map[string]int{}
		for i := range 30 {
			p.knows(200, at0.Add(time.Duration(i)*time.Minute))
			time.Sleep(time.Minute)
			synctest.Wait()
			batch := s.backend.take()
			assert.LessOrEqual(t, len(batch), 100, "50 series of two metrics")
			for _, b := range batch {
				written[b.Service]++
			}
		}
		assert.Len(t, written, 200, "all get their turn")
		assert.Greater(t, s.sum(t, "storage_baselines_skipped_total", ""), int64(30*140), "and those that wait are counted")
		s.stop(t)
	})
}

func TestManyBaselinesAreWrittenInSeveralBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		p.knows(1200, at0)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 3, s.backend.writes)
		assert.Len(t, s.backend.take(), 2400)
		s.stop(t)
	})
}

func TestFailingWritesOfBaselinesAreToldAndMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		p.knows(1, at0)
		s.backend.fail(errDisk)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, s.host.seen)
		assert.EqualValues(t, 1, s.sum(t, "storage_errors_total", "baseline"))
		s.backend.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, s.host.seen)
		assert.Len(t, s.backend.take(), 2, "although no series had a call since")
		s.stop(t)
	})
}

func TestBackendsWithoutBaselinesAreNotBothered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, func(_ *Config, m *memory) { m.caps = store.Capabilities{} })
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		p.knows(1, at0)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, p.asked)
		assert.Empty(t, s.host.seen)
		require.ErrorIs(t, s.GiveFeedback(t.Context(), verdict(store.VerdictTrue, time.Now())), store.ErrUnsupported)
		assert.Empty(t, p.lessons(), "what cannot be kept is not learned either: it would be gone after a restart")
		s.stop(t)
	})
}

func TestAnEngineThatLeavesDoesNotWaitForTheBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, func(_ *Config, m *memory) { m.gate = make(chan struct{}) })
		p, other := &pupil{name: "anomaly"}, &pupil{name: "anomaly/other"}
		leave := s.enrol(t, p)
		s.enrol(t, other)
		p.knows(1, at0)
		time.Sleep(time.Minute)
		synctest.Wait() // the write hangs
		leave()
		leave()
		synctest.Wait()
		assert.Len(t, other.asked, 1, "the others have their turn")
		assert.Empty(t, s.host.seen, "to leave is no failure")
		close(s.backend.gate)
		p.knows(1, at0.Add(time.Hour))
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, s.backend.take())
		assert.Len(t, p.asked, 1, "not called any more")
		require.NoError(t, s.GiveFeedback(t.Context(), verdict(store.VerdictTrue, time.Now())))
		assert.Empty(t, p.lessons())
		assert.Len(t, other.lessons(), 1)
		s.stop(t)
	})
}

func TestFeedbackIsKeptThenHandedToAllEngines(t *testing.T) {
	s := newSchool(t, nil)
	a, b := &pupil{name: "anomaly"}, &pupil{name: "anomaly/other"}
	s.enrol(t, a)
	s.enrol(t, b)
	f := verdict(store.VerdictFalse, time.Now())
	require.NoError(t, s.GiveFeedback(t.Context(), f))
	assert.Equal(t, []store.Feedback{f}, s.backend.feedback)
	assert.Equal(t, []store.Feedback{f}, a.lessons())
	assert.Equal(t, []store.Feedback{f}, b.lessons())
	assert.EqualValues(t, 1, s.sum(t, "storage_writes_total", "feedback"))

	s.backend.fail(errDisk)
	require.ErrorIs(t, s.GiveFeedback(t.Context(), verdict(store.VerdictFalse, time.Now())), errDisk)
	assert.Len(t, a.lessons(), 1, "what was not kept is not learned")
	s.stop(t)
}

func TestFeedbackThatMakesNoSenseIsRefused(t *testing.T) {
	s := newSchool(t, nil)
	long := string(make([]byte, 1025))
	for name, c := range map[string]struct {
		change func(*store.Feedback)
		want   string
	}{
		"no id":            {func(f *store.Feedback) { f.ID = uuid.Nil }, "id of the feedback must not be empty"},
		"no time":          {func(f *store.Feedback) { f.Time = time.Time{} }, "time of the feedback must not be empty"},
		"no anomaly":       {func(f *store.Feedback) { f.AnomalyID = uuid.Nil }, "anomaly_id must not be empty"},
		"unknown verdict":  {func(f *store.Feedback) { f.Verdict = "perhaps" }, `verdict must be true, false or mute, got "perhaps"`},
		"mute in the past": {func(f *store.Feedback) { f.Verdict, f.Until = store.VerdictMute, f.Time }, "until must be after the time of the feedback"},
		"until of a true":  {func(f *store.Feedback) { f.Until = f.Time.Add(time.Hour) }, `until is for mute only, got verdict "true"`},
		"long comment":     {func(f *store.Feedback) { f.Comment = long }, "comment must have at most 1024 bytes, got 1025"},
		"long author":      {func(f *store.Feedback) { f.Author = long }, "author must have at most 1024 bytes, got 1025"},
	} {
		f := verdict(store.VerdictTrue, time.Now())
		c.change(&f)
		err := s.GiveFeedback(t.Context(), f)
		require.ErrorIs(t, err, store.ErrInvalid, name)
		require.ErrorContains(t, err, c.want, name)
	}
	assert.Empty(t, s.backend.feedback)
	s.stop(t)
}

func TestAnEngineIsTaughtWhatWasSaidLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		old, lately := verdict(store.VerdictFalse, time.Now()), verdict(store.VerdictMute, time.Now().Add(2*24*time.Hour))
		s.backend.feedback = []store.Feedback{old, lately}
		time.Sleep(31 * 24 * time.Hour)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		assert.Equal(t, []store.Feedback{lately}, p.lessons())
		s.stop(t)
	})
}

func TestTheFeedbackOfThePastIsReadAgainWhenThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(t, nil)
		f := verdict(store.VerdictFalse, time.Now())
		s.backend.feedback = []store.Feedback{f}
		s.backend.fail(errDisk)
		p := &pupil{name: "anomaly"}
		s.enrol(t, p)
		assert.Empty(t, p.lessons(), "the engine runs nevertheless")
		assert.EqualValues(t, 1, s.sum(t, "storage_errors_total", "feedback"))
		s.backend.fail(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Equal(t, []store.Feedback{f}, p.lessons(), "once")
		s.stop(t)
	})
}

func TestLiveBaselinesNameTheirEngine(t *testing.T) {
	s := newSchool(t, nil)
	for _, name := range []string{"anomaly", "anomaly/other"} {
		p := &pupil{name: name}
		p.knows(2, at0)
		s.enrol(t, p)
	}
	byEngine := map[string]int{}
	s.LiveBaselines(func(engine string, _ store.Baseline) bool {
		byEngine[engine]++
		return true
	})
	assert.Equal(t, map[string]int{"anomaly": 4, "anomaly/other": 4}, byEngine)
	n := 0
	s.LiveBaselines(func(string, store.Baseline) bool {
		n++
		return n < 5
	})
	assert.Equal(t, 5, n, "it stops when it is told to")
	s.stop(t)
}

func TestNoEngineBeforeStartAndAfterShutdown(t *testing.T) {
	e := create1(t, configIn(t.TempDir()), componenttest.NewNopTelemetrySettings())
	_, err := e.RegisterEngine(t.Context(), &pupil{})
	require.ErrorIs(t, err, errNotStarted)
	require.ErrorIs(t, e.GiveFeedback(t.Context(), store.Feedback{}), errNotStarted)
	e.LiveBaselines(func(string, store.Baseline) bool { t.Error("there is none"); return false })
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	leave, err := e.RegisterEngine(t.Context(), &pupil{})
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	leave()
	_, err = e.RegisterEngine(t.Context(), &pupil{})
	require.ErrorIs(t, err, store.ErrClosed)
}
