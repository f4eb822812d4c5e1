package anomalyprocessor

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

func TestItDeclaresThatItMutates(t *testing.T) {
	assert.True(t, newRig(t, nil).proc.Capabilities().MutatesData)
}

// The collector builds an instance for each pipeline; they are one detection.
func TestPipelinesShareTheEngine(t *testing.T) {
	f := NewFactory()
	cfg := f.CreateDefaultConfig().(*Config)
	mem := newMemStorage()
	cfg.Storage = &storageID
	host := testHost{storageID: mem}
	set := processortest.NewNopSettings(metadata.Type)
	var sinks [2]consumertest.TracesSink
	var procs [2]processor.Traces
	for i := range procs {
		var err error
		procs[i], err = f.CreateTraces(context.Background(), set, cfg, &sinks[i])
		require.NoError(t, err)
		require.NoError(t, procs[i].Start(context.Background(), host))
	}
	assert.Equal(t, 1, mem.open, "one client for one file")

	g := newTraffic(1)
	require.NoError(t, procs[0].ConsumeTraces(context.Background(), traces(g.calls(100)...)))
	require.NoError(t, procs[1].ConsumeTraces(context.Background(), traces(g.with(slow))))
	assert.Equal(t, 1, countMarked(sinks[1].AllTraces()), "the second pipeline knows what the first has learned")

	require.NoError(t, procs[0].Shutdown(context.Background()))
	require.NoError(t, procs[0].Shutdown(context.Background()), "twice is safe")
	assert.Equal(t, 1, mem.open, "still in use")
	require.NoError(t, procs[1].ConsumeTraces(context.Background(), traces(g.call())))
	require.NoError(t, procs[1].Shutdown(context.Background()))
	assert.Zero(t, mem.open)
	assert.NotEmpty(t, mem.data[headKey], "the last one writes the snapshot")
}

func countMarked(list []ptrace.Traces) (n int) {
	for _, td := range list {
		for span := range spans(td) {
			if span.Events().Len() > 0 {
				n++
			}
		}
	}
	return n
}

// A reloaded configuration is a new detection, even under the same id.
func TestReloadBuildsANewEngine(t *testing.T) {
	f := NewFactory()
	set := processortest.NewNopSettings(metadata.Type)
	for range 2 {
		var sink consumertest.TracesSink
		p, err := f.CreateTraces(context.Background(), set, f.CreateDefaultConfig(), &sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
		g := newTraffic(2)
		require.NoError(t, p.ConsumeTraces(context.Background(), traces(g.calls(10)...)))
		require.NoError(t, p.ConsumeTraces(context.Background(), traces(g.with(slow))))
		assert.Zero(t, countMarked(sink.AllTraces()), "too few samples")
		require.NoError(t, p.Shutdown(context.Background()))
	}
}

func TestShutdownWithoutStartIsSafe(t *testing.T) {
	f := NewFactory()
	p, err := f.CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type), f.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(context.Background()))
	require.NoError(t, p.Shutdown(context.Background()))
}

func TestStartAfterAFailedStart(t *testing.T) {
	r := buildRig(t, withStorage(nil))
	require.Error(t, r.proc.Start(context.Background(), componenttest.NewNopHost()))
	mem := newMemStorage()
	require.NoError(t, r.proc.Start(context.Background(), testHost{storageID: mem}))
	r.stop()
	assert.Zero(t, mem.open)
}

func TestErrorsOfTheNextConsumerComeBack(t *testing.T) {
	f := NewFactory()
	p, err := f.CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type), f.CreateDefaultConfig(), consumertest.NewErr(errBroken))
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	require.ErrorIs(t, p.ConsumeTraces(context.Background(), traces(newTraffic(3).call())), errBroken)
	require.NoError(t, p.Shutdown(context.Background()))
}

// Many senders, snapshots and the sweep at once; run with -race.
func TestConcurrentSenders(t *testing.T) {
	mem := newMemStorage()
	r := newRigOn(t, testHost{storageID: mem}, withStorage(nil))
	const senders, batches = 8, 30
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			g := newTraffic(uint64(s%4 + 1))
			g.service = string(rune('a' + s%4)) // two senders for each series
			g.next += uint64(s) << 40
			for range batches {
				calls := append(g.calls(20), g.with(slow))
				assert.NoError(t, r.proc.ConsumeTraces(context.Background(), traces(calls...)))
			}
		})
	}
	stop := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			assert.NoError(t, r.eng.snapshots.save(context.Background()))
			r.eng.table.Sweep(epoch.Add(25*60*60*1e9).UnixNano(), 10)
			_ = r.counter("series")
		}
	})
	wg.Wait()
	close(stop)
	background.Wait()
	assert.EqualValues(t, senders*batches*21, r.counter("events_processed_total"))
	assert.Positive(t, r.counter("anomalies_detected_total"))
	assert.Equal(t, senders*batches*21, r.sink.SpanCount())
}

func TestDefaultConfigsAreIndependent(t *testing.T) {
	a, b := createDefaultConfig().(*Config), createDefaultConfig().(*Config)
	a.Window = 99
	assert.NotEqual(t, a.Window, b.Window)
	var _ component.Config = a
}
