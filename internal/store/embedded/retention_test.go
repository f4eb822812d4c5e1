package embedded

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

// clock is a wall clock that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.nanos.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.nanos.Load()) }

func (c *clock) set(t time.Time) { c.nanos.Store(t.UnixNano()) }

var noon = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

func eventAt(t time.Time) genai.Event {
	return genai.Event{ID: uuid.New(), End: pcommon.NewTimestampFromTime(t), Service: "chat", ResponseModel: "m"}
}

func write(t *testing.T, s *Store, events ...genai.Event) {
	t.Helper()
	require.NoError(t, s.WriteEvents(t.Context(), events))
}

func ids(t *testing.T, s *Store) []uuid.UUID {
	t.Helper()
	out := []uuid.UUID{}
	for e, err := range s.Events(t.Context(), store.EventQuery{Query: store.Query{Limit: 1 << 30}}) {
		require.NoError(t, err)
		out = append(out, e.ID)
	}
	n, err := s.CountEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.EqualValues(t, len(out), n)
	require.EqualValues(t, len(out), s.Stats().Events)
	return out
}

func TestHoursAreDroppedByAge(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Retention, cfg.Now = 3*time.Hour, c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	old, middle, fresh := eventAt(noon.Add(-3*time.Hour)), eventAt(noon.Add(-90*time.Minute)), eventAt(noon)
	write(t, s, old, middle, fresh)
	require.NoError(t, s.WriteAnomalies(t.Context(), []anomaly.Anomaly{{
		ID: uuid.New(), Time: noon.Add(-3 * time.Hour), Severity: anomaly.SeverityLow, Type: "x",
	}}))
	require.EqualValues(t, 3, s.Stats().Partitions)

	require.NoError(t, s.retain(t.Context()))
	require.Len(t, ids(t, s), 3, "the hour of old still holds data within the retention")

	c.set(noon.Add(time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.Equal(t, []uuid.UUID{fresh.ID, middle.ID}, ids(t, s))
	require.EqualValues(t, 2, s.Stats().RetiredByAge, "one event and one anomaly")
	require.Zero(t, s.Stats().Anomalies)

	c.set(noon.Add(24 * time.Hour))
	require.NoError(t, s.retain(t.Context()))
	require.Empty(t, ids(t, s))
	require.Zero(t, s.Stats().Partitions)
	later := eventAt(noon.Add(24 * time.Hour))
	write(t, s, later)
	require.Equal(t, []uuid.UUID{later.ID}, ids(t, s))
}

func TestRetentionRunsByItself(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	change := func(cfg *Config) {
		cfg.Retention, cfg.Now, cfg.SyncInterval = 2*time.Hour, c.now, 5*time.Millisecond
	}
	s := openFor(t, dir, change)
	write(t, s, eventAt(noon))
	require.NoError(t, s.Close(t.Context()))

	c.set(noon.Add(5 * time.Hour))
	s = openFor(t, dir, change)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	require.Eventually(t, func() bool { return s.Stats().Partitions == 0 }, 10*time.Second, time.Millisecond)
}

func TestItemsOutsideOfWhatIsKeptAreCountedAndLeftOut(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Retention, cfg.Now = 3*time.Hour, c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	keep := []genai.Event{eventAt(noon.Add(MaxAhead)), eventAt(noon), eventAt(noon.Add(-3 * time.Hour))}
	write(t, s, append(keep,
		eventAt(noon.Add(MaxAhead+1)), eventAt(noon.Add(-3*time.Hour-1)), eventAt(time.Unix(1, 0)), genai.Event{ID: uuid.New()})...)
	require.Equal(t, []uuid.UUID{keep[0].ID, keep[1].ID, keep[2].ID}, ids(t, s))
	require.EqualValues(t, 3, s.Stats().RefusedTooOld)
	require.EqualValues(t, 1, s.Stats().RefusedTooFarAhead)
	require.EqualValues(t, 3, s.Stats().Partitions)
}

func TestTheNumberOfHoursIsBounded(t *testing.T) {
	const most = 60
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Retention, cfg.Now, cfg.maxPartitions = 0, c.now, most })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	var batch []genai.Event
	for i := range most + 50 {
		batch = append(batch, eventAt(noon.Add(-time.Duration(i)*time.Hour)))
	}
	write(t, s, batch[25:]...)
	require.EqualValues(t, most, s.Stats().Partitions)
	require.EqualValues(t, 25, s.Stats().RefusedTooOld)
	write(t, s, batch...)
	require.EqualValues(t, most, s.Stats().Partitions, "newer hours take the place of the oldest")
	require.EqualValues(t, 25, s.Stats().RetiredBySize)
	got := ids(t, s)
	require.Len(t, got, most)
	for i, id := range got {
		require.Equal(t, batch[i].ID, id)
	}
}

// BenchmarkManyHours shows what the largest allowed number of hours costs.
func BenchmarkManyHours(b *testing.B) {
	now := time.Now()
	dir := b.TempDir()
	cfg := Config{Directory: dir, SyncInterval: DefaultSyncInterval}
	s, err := Open(b.Context(), cfg)
	require.NoError(b, err)
	for i := range MaxPartitions {
		require.NoError(b, s.WriteEvents(b.Context(), []genai.Event{eventAt(now.Add(-time.Duration(i) * time.Hour))}))
	}
	require.NoError(b, s.Close(b.Context()))
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(b.Context(), cfg)
			require.NoError(b, err)
			require.NoError(b, s.Close(b.Context()))
		}
	})
	s, err = Open(b.Context(), cfg)
	require.NoError(b, err)
	b.Run("count of a service", func(b *testing.B) {
		for b.Loop() {
			n, err := s.CountEvents(b.Context(), store.EventQuery{Query: store.Query{Service: "chat"}})
			require.NoError(b, err)
			require.EqualValues(b, MaxPartitions, n)
		}
	})
	require.NoError(b, s.Close(b.Context()))
}

func fat(at time.Time) genai.Event {
	e := eventAt(at)
	e.PromptText = strings.Repeat("p", 20_000)
	return e
}

func TestTheOldestHoursAreDroppedBySize(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Now, cfg.MaxBytes = c.now, MinMaxBytes })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	var last uuid.UUID
	for i := range 40 {
		var batch []genai.Event
		for j := range 50 { // 1 MB
			batch = append(batch, fat(noon.Add(time.Duration(i-40)*time.Hour+time.Duration(j)*time.Second)))
		}
		last = batch[49].ID
		write(t, s, batch...)
		require.LessOrEqual(t, s.Stats().Bytes, s.hardLimit()+2<<20)
	}
	require.NoError(t, s.retain(t.Context()))
	require.LessOrEqual(t, s.Stats().Bytes, int64(MinMaxBytes))
	got := ids(t, s)
	require.Equal(t, last, got[0])
	require.Greater(t, len(got), 400, "most of the space is used")
	require.EqualValues(t, 40*50-len(got), s.Stats().RetiredBySize)
}

func TestTheOldestRowsOfTheLastHourAreRemovedBySize(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Now, cfg.MaxBytes = c.now, MinMaxBytes })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	var last uuid.UUID
	for i := range 130 {
		var batch []genai.Event
		for j := range 50 {
			e := eventAt(noon.Add(time.Duration(i*50+j) * time.Millisecond))
			e.PromptText = strings.Repeat("p", 5000)
			batch = append(batch, e)
		}
		last = batch[49].ID
		write(t, s, batch...)
		require.LessOrEqual(t, s.Stats().Bytes, s.hardLimit()+1<<20)
	}
	require.NoError(t, s.retain(t.Context()))
	require.LessOrEqual(t, s.Stats().Bytes, int64(MinMaxBytes))
	got := ids(t, s)
	require.Equal(t, last, got[0])
	require.EqualValues(t, 130*50-len(got), s.Stats().RetiredBySize)
	require.EqualValues(t, 1, s.Stats().Partitions)
}

func TestDictionaryIsBounded(t *testing.T) {
	c := newClock(noon)
	dir := t.TempDir()
	s := openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
	var batch []genai.Event
	for i := range maxDict + 100 {
		e := eventAt(noon.Add(time.Duration(i)))
		e.Service = "s" + time.Duration(i).String()
		batch = append(batch, e)
	}
	write(t, s, batch...)
	check := func() {
		for _, i := range []int{0, 1, maxDict - 10, maxDict + 1, maxDict + 99} {
			n := 0
			for e, err := range s.Events(t.Context(), store.EventQuery{Query: store.Query{Service: batch[i].Service, Limit: 10}}) {
				require.NoError(t, err)
				require.Equal(t, batch[i].ID, e.ID)
				require.Equal(t, batch[i].Service, e.Service)
				n++
			}
			require.Equal(t, 1, n, "service %d", i)
		}
		n, err := s.CountEvents(t.Context(), store.EventQuery{Query: store.Query{Service: "never seen"}})
		require.NoError(t, err)
		require.Zero(t, n)
	}
	check()
	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
	write(t, s, batch...)
	require.EqualValues(t, len(batch), s.Stats().Events)
	check()
	require.NoError(t, s.Close(t.Context()))
}
