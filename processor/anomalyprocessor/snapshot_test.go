package anomalyprocessor

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

func withStorage(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Storage = &storageID
		c.SnapshotInterval = time.Hour
		if change != nil {
			change(c)
		}
	}
}

// run passes calls through a processor on the storage, from start to shutdown.
func run(t *testing.T, host component.Host, change func(*Config), calls []call, check func(r *rig)) {
	t.Helper()
	r := buildRig(t, withStorage(change))
	require.NoError(t, r.proc.Start(context.Background(), host))
	if len(calls) > 0 {
		require.Empty(t, marked(r.send(calls...)))
	}
	if check != nil {
		check(r)
	}
	r.stop()
}

// F18: what was learned survives a restart, and a restart raises no alarm.
func TestBaselinesSurviveARestart(t *testing.T) {
	mem := newMemStorage()
	host := testHost{storageID: mem}
	g := newTraffic(1)
	run(t, host, nil, g.calls(100), nil)
	require.Zero(t, mem.open, "the client is closed")
	run(t, host, nil, g.calls(100), func(r *rig) {
		assert.EqualValues(t, 1, r.counter("snapshot_restored_series"))
		assert.Positive(t, r.counter("snapshot_size_bytes"))
		assert.Zero(t, r.counter("snapshot_failures_total"))
	})
	run(t, host, nil, nil, func(r *rig) {
		assert.NotEmpty(t, marked(r.send(g.with(slow))), "the first call after the restart is judged")
	})
}

func TestRestartGivesTheSameVerdicts(t *testing.T) {
	script := func() []call {
		g := newTraffic(2)
		calls := g.calls(150)
		for range 30 {
			calls = append(calls, g.with(slow))
		}
		calls = append(calls, g.calls(60)...)
		return append(calls, g.with(func(c *call) { c.cost *= 20 }))
	}()
	straight := newRig(t, nil)
	want := straight.sendEach(script)
	require.Len(t, marked(want), 2)

	mem := newMemStorage()
	host := testHost{storageID: mem}
	for at := 0; at < len(script); at += 20 {
		part := script[at:min(at+20, len(script))]
		run(t, host, nil, nil, func(r *rig) {
			assert.Equal(t, want[at:at+len(part)], r.sendEach(part), "calls from %d on", at)
		})
	}
}

func TestRestartDuringAnIncidentDoesNotReportItAgain(t *testing.T) {
	host := testHost{storageID: newMemStorage()}
	g := newTraffic(3)
	run(t, host, nil, g.calls(100), func(r *rig) {
		require.Len(t, marked(r.send(g.with(slow), g.with(slow))), 1)
	})
	run(t, host, nil, nil, func(r *rig) {
		assert.Empty(t, marked(r.send(g.with(slow))))
	})
}

func TestSnapshotIsTakenOnTheInterval(t *testing.T) {
	mem := newMemStorage()
	r := newRigOn(t, testHost{storageID: mem}, withStorage(func(c *Config) { c.SnapshotInterval = time.Second }))
	r.send(newTraffic(4).calls(10)...)
	require.Eventually(t, func() bool {
		mem.mu.Lock()
		defer mem.mu.Unlock()
		h, err := readHead(mem.data[headKey])
		return err == nil && h.series == 1
	}, 10*time.Second, 20*time.Millisecond)
}

func TestPauseDoesNotAgeSeries(t *testing.T) {
	host := testHost{storageID: newMemStorage()}
	run(t, host, nil, newTraffic(5).calls(10), nil)
	r := buildRig(t, withStorage(nil))
	later := epoch.Add(1000 * time.Hour)
	r.setClock(later)
	require.NoError(t, r.proc.Start(context.Background(), host))
	defer r.stop()
	assert.Zero(t, r.eng.table.Sweep(later.UnixNano(), sweepBudget))
	assert.EqualValues(t, 1, r.counter("series"))
}

// manySeries fills a storage with a snapshot of several chunks.
func manySeries(t *testing.T, mem *memStorage, n int) {
	t.Helper()
	r := buildRig(t, withStorage(nil))
	require.NoError(t, r.proc.Start(context.Background(), testHost{storageID: mem}))
	g := newTraffic(6)
	for i := range n {
		g.model = fmt.Sprintf("model-%d", i)
		r.send(g.calls(12)...)
	}
	r.stop()
}

func TestLargeSnapshotIsCutIntoChunks(t *testing.T) {
	mem := newMemStorage()
	manySeries(t, mem, 2000)
	chunks := 0
	for key, v := range mem.data {
		if strings.HasPrefix(key, "chunk/") {
			chunks++
			assert.Less(t, len(v), chunkBytes+chunkBytes/8)
		}
	}
	assert.Greater(t, chunks, 1)
	run(t, testHost{storageID: mem}, nil, nil, func(r *rig) {
		assert.EqualValues(t, 2000, r.counter("snapshot_restored_series"))
	})
	assert.Len(t, mem.data, chunks+1, "the snapshot before was removed")

	// A smaller max_series keeps what fits.
	run(t, testHost{storageID: mem}, func(c *Config) { c.MaxSeries = 100 }, nil, func(r *rig) {
		assert.LessOrEqual(t, r.counter("series"), int64(100))
		assert.Zero(t, r.counter("snapshot_failures_total"))
	})
	run(t, testHost{storageID: mem}, nil, nil, func(r *rig) {
		assert.LessOrEqual(t, r.counter("snapshot_restored_series"), int64(100))
	})
	assert.Len(t, mem.data, 2, "one chunk and the head are left")
}

// seal gives a changed value a valid checksum.
func seal(v []byte) []byte {
	v = v[:len(v)-4]
	return binary.LittleEndian.AppendUint32(v, crc32.Checksum(v, castagnoli))
}

func TestDamagedOrForeignSnapshotIsRefused(t *testing.T) {
	chunk0 := chunkKey(0, 0)
	for name, c := range map[string]struct {
		damage func(map[string][]byte)
		log    string
	}{
		"foreign head":          {func(m map[string][]byte) { m[headKey] = []byte("something else altogether") }, "was not written by this processor"},
		"empty head":            {func(m map[string][]byte) { m[headKey] = []byte{} }, "was not written by this processor"},
		"newer version":         {func(m map[string][]byte) { m[headKey][4] = 9; m[headKey] = seal(m[headKey]) }, "version 9, this processor reads version 1"},
		"bit flipped in head":   {func(m map[string][]byte) { m[headKey][20] ^= 1 }, "checksum of the head"},
		"bit flipped in chunk":  {func(m map[string][]byte) { m[chunk0][100] ^= 1 }, "checksum of the chunk 0"},
		"chunk missing":         {func(m map[string][]byte) { delete(m, chunk0) }, "chunk 0 was not written by this processor"},
		"chunk cut short":       {func(m map[string][]byte) { m[chunk0] = m[chunk0][:200] }, "checksum of the chunk 0"},
		"chunk of another time": {func(m map[string][]byte) { m[chunk0][5] = 7; m[chunk0] = seal(m[chunk0]) }, "belongs to another snapshot"},
		"record cut short":      {func(m map[string][]byte) { m[chunk0] = seal(m[chunk0][:300]) }, ""},
		"state cut short": {func(m map[string][]byte) {
			v := m[chunk0]
			m[chunk0] = seal(append(v[:len(v)-40:len(v)-40], 0, 0, 0, 0))
		}, ""},
		"series missing": {func(m map[string][]byte) { v := m[chunk0]; m[chunk0] = seal(append(v[:17:17], 0, 0, 0, 0)) }, "holds 0 series instead of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := newMemStorage()
			manySeries(t, mem, 3)
			c.damage(mem.data)
			damaged := maps.Clone(mem.data)
			h, _, err := loadSnapshot(context.Background(), &memClient{mem}, func(h head, r *reader) error {
				e := buildRig(t, withStorage(nil)).eng
				_, err := (&snapshots{engine: e}).restore(h, epoch, r)
				return err
			})
			if name != "series missing" {
				require.ErrorIs(t, err, errRefused)
				require.ErrorContains(t, err, c.log)
			} else {
				require.NoError(t, err)
				require.EqualValues(t, 3, h.series)
			}

			mem.data = damaged
			g := newTraffic(7)
			run(t, testHost{storageID: mem}, nil, nil, func(r *rig) {
				assert.EqualValues(t, 1, r.counter("snapshot_failures_total", "operation", "load"))
				assert.Zero(t, r.counter("snapshot_restored_series"))
				assert.Zero(t, r.counter("series"), "cold")
				require.Empty(t, marked(r.send(g.calls(100)...)))
				assert.NotEmpty(t, marked(r.send(g.with(slow))), "detection works")
			})
			run(t, testHost{storageID: mem}, nil, nil, func(r *rig) {
				assert.EqualValues(t, 1, r.counter("snapshot_restored_series"), "the next snapshot is sound")
			})
		})
	}
}

// A crash in the middle of a snapshot leaves the one before.
func TestCrashWhileSavingKeepsThePreviousSnapshot(t *testing.T) {
	before := newMemStorage()
	manySeries(t, before, 2000)
	probe := &memStorage{data: maps.Clone(before.data)}
	e := &memClient{probe}
	sets := func() int {
		r := buildRig(t, withStorage(nil))
		require.NoError(t, r.proc.Start(context.Background(), testHost{storageID: probe}))
		r.stop()
		return e.sets
	}()
	require.Greater(t, sets, 2)
	for failAt := 1; failAt <= sets; failAt++ {
		mem := &memStorage{data: maps.Clone(before.data), failAt: failAt}
		r := buildRig(t, withStorage(nil))
		require.NoError(t, r.proc.Start(context.Background(), testHost{storageID: mem}))
		require.ErrorIs(t, r.proc.Shutdown(context.Background()), errBroken)
		require.EqualValues(t, 1, r.counter("snapshot_failures_total", "operation", "save"))
		require.NoError(t, r.tel.Shutdown(context.Background()))
		require.Zero(t, mem.open)

		mem.failAt = 0
		run(t, testHost{storageID: mem}, nil, nil, func(r *rig) {
			require.EqualValues(t, 2000, r.counter("snapshot_restored_series"), "crash at write %d", failAt)
		})
	}
}

// States of a metric that is judged differently now are of no use; the other
// metrics keep theirs.
func TestChangedMetricStartsCold(t *testing.T) {
	host := testHost{storageID: newMemStorage()}
	g := newTraffic(8)
	run(t, host, nil, g.calls(100), nil)
	linear := func(c *Config) { c.Metrics = map[string]MetricConfig{"latency_ms": {Scale: ptr(detect.Linear)}} }
	run(t, host, linear, nil, func(r *rig) {
		assert.EqualValues(t, 1, r.counter("snapshot_restored_series"))
		assert.Empty(t, marked(r.send(g.with(slow))), "latency is cold")
		assert.NotEmpty(t, marked(r.send(g.with(func(c *call) { c.cost *= 20 }))), "cost is warm")
	})
}

func TestBrokenStorageDoesNotStopDetection(t *testing.T) {
	mem := newMemStorage()
	mem.broken = true
	r := buildRig(t, withStorage(nil))
	require.NoError(t, r.proc.Start(context.Background(), testHost{storageID: mem}))
	g := newTraffic(9)
	r.send(g.calls(100)...)
	assert.NotEmpty(t, marked(r.send(g.with(slow))))
	require.ErrorIs(t, r.proc.Shutdown(context.Background()), errBroken)
	assert.EqualValues(t, 1, r.counter("snapshot_failures_total", "operation", "load"))
	assert.EqualValues(t, 1, r.counter("snapshot_failures_total", "operation", "save"))
	require.NoError(t, r.tel.Shutdown(context.Background()))
}

func TestStorageMistakesAreTold(t *testing.T) {
	refusing := newMemStorage()
	refusing.refuse = true
	nop, err := extensiontest.NewNopFactory().Create(context.Background(), extensiontest.NewNopSettings(component.MustNewType("nop")), nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		host component.Host
		want error
	}{
		"not there":       {componenttest.NewNopHost(), errNoStorage},
		"another kind":    {testHost{storageID: nop}, errNoStorageKind},
		"gives no client": {testHost{storageID: refusing}, errStorageRefused},
	} {
		t.Run(name, func(t *testing.T) {
			r := buildRig(t, withStorage(nil))
			err := r.proc.Start(context.Background(), c.host)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, `"mem_storage"`)
			require.NoError(t, r.proc.Shutdown(context.Background()), "Shutdown is safe after a failed Start")
		})
	}
}

// The real extension, on the disk.
func TestFileStorage(t *testing.T) {
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = t.TempDir()
	g := newTraffic(10)
	for i := range 2 {
		ext, err := f.Create(context.Background(), extension.Settings{ID: component.NewID(f.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}, cfg)
		require.NoError(t, err)
		require.NoError(t, ext.Start(context.Background(), componenttest.NewNopHost()))
		run(t, testHost{storageID: ext}, nil, g.calls(100), func(r *rig) {
			assert.EqualValues(t, i, r.counter("snapshot_restored_series"))
		})
		require.NoError(t, ext.Shutdown(context.Background()))
	}
}

func FuzzSnapshot(f *testing.F) {
	mem := newMemStorage()
	r := buildRig(f, withStorage(nil))
	require.NoError(f, r.proc.Start(context.Background(), testHost{storageID: mem}))
	r.send(newTraffic(11).calls(40)...)
	r.stop()
	f.Add(mem.data[headKey], mem.data[chunkKey(0, 0)])
	f.Add([]byte("LSAH\x01"), []byte("LSAC\x01"))
	eng := buildRig(f, withStorage(nil))
	f.Fuzz(func(t *testing.T, head, chunk []byte) {
		// Fuzzing does not find checksums.
		if len(head) > 9 {
			head = seal(slices.Clone(head))
		}
		if len(chunk) > 9 {
			chunk = seal(slices.Clone(chunk))
		}
		s := &memStorage{data: map[string][]byte{headKey: head, chunkKey(0, 0): chunk, chunkKey(1, 0): chunk}}
		table, err := newTable(eng.cfg, nil)
		require.NoError(t, err)
		eng.eng.table, eng.t = table, t
		(&snapshots{engine: eng.eng, client: &memClient{s}}).load(context.Background())
		eng.send(newTraffic(12).calls(3)...)
	})
}

// What is known of evaluators, and an ongoing incident of them, survives too.
func TestEvaluatorsSurviveARestart(t *testing.T) {
	host := testHost{storageID: newMemStorage()}
	g := newTraffic(61)
	var calls []call
	for range 200 {
		calls = append(calls, g.evaluated("correctness", math.NaN(), "pass"))
	}
	run(t, host, quiet, calls, nil)
	run(t, host, quiet, nil, func(r *rig) {
		n := 0
		for n < 20 && len(marked(r.send(g.evaluated("correctness", math.NaN(), "fail")))) == 0 {
			n++
		}
		assert.Less(t, n, 10, "found without learning anew")
	})
	run(t, host, quiet, []call{g.evaluated("correctness", math.NaN(), "fail"), g.evaluated("correctness", math.NaN(), "fail")}, nil)
}
