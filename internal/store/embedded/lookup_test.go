package embedded

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

func TestEntriesKeepHashAndTime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type pair struct {
		hash   uint64
		offset int64
	}
	var want []pair
	var all []entries
	var scratch entries
	for range 5 {
		var e entries
		offset := int64(0)
		for range 300 {
			p := pair{r.Uint64() & hashMask >> r.IntN(48), r.Int64N(nanosPerHour / 300)}
			offset += p.offset
			p.offset = offset
			want = append(want, p)
			e = e.add(p.hash, -7*nanosPerHour+p.offset)
		}
		scratch = e.sortByHash(scratch)
		all = append(all, e)
	}
	var merged entries
	for _, e := range all {
		to := make(entries, len(merged)+len(e))
		mergeEntries(to, append(slices.Clone(merged), e...), len(merged))
		merged = to
	}
	slices.SortFunc(want, func(a, b pair) int {
		if a.hash != b.hash {
			return int(int64(a.hash) - int64(b.hash))
		}
		return int(a.offset - b.offset)
	})
	require.Equal(t, len(want), merged.len())
	for i, w := range want {
		got := pair{merged.hash(i), merged.offset(i)}
		require.Equal(t, w, got)
	}
}

// The values are part of the file format.
func TestHashesStayTheSame(t *testing.T) {
	require.Equal(t, lookupHash(lookupUser, "alice"), lookupHash(lookupUser, []byte("alice")))
	require.NotEqual(t, lookupHash(lookupUser, "alice"), lookupHash(lookupConversation, "alice"))
	require.Equal(t, uint64(0x7eeb0256291a), lookupHash(lookupTrace, "alice"))
	require.Equal(t, uint64(0xabb0b396f44c), lookupHash(lookupID, ""))
}

func TestMergesKeepTheNumberOfRunsSmall(t *testing.T) {
	require.Nil(t, crowdedLevel([]run{{1, 300, 0}, {2, 9, 0}}))
	var runs []run
	for i := range mergeRuns - 1 {
		runs = append(runs, run{id: int64(i), entries: 300})
	}
	require.Nil(t, crowdedLevel(runs))
	require.Nil(t, crowdedLevel(append(runs, run{id: 99, entries: 255})), "of another level")
	require.Len(t, crowdedLevel(append(runs, run{id: 99, entries: 4000})), mergeRuns)
	require.Nil(t, crowdedLevel(slices.Repeat([]run{{entries: maxRunEntries / 4}}, mergeRuns+1)), "merges are bounded")

	require.Len(t, fewest(runs), mergeRuns-1)
	require.Nil(t, fewest([]run{{entries: 5}}))
	require.Nil(t, fewest([]run{{entries: maxRunEntries}, {entries: 5}}))
	require.Len(t, fewest([]run{{entries: maxRunEntries}, {entries: 5}, {entries: 6}}), 2)
}

// naive is what the rows themselves say.
type naive map[uint64][]int64

func (n naive) note(kind lookupKind, value string, at int64) {
	if value != "" {
		n[lookupHash(kind, value)] = append(n[lookupHash(kind, value)], at)
	}
}

func (n naive) noteSeries(e *genai.Event) {
	if e.Service != "" {
		hash := seriesHash(e.Service, e.Model())
		n[hash] = append(n[hash], e.Time().UnixNano())
	}
}

func (n naive) requireFound(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.snapshot(t.Context(), func(conn *sqlite.Conn) error {
		parts, err := listPartitions(conn)
		require.NoError(t, err)
		slices.Reverse(parts)
		for hash, want := range n {
			got := []int64{}
			for _, p := range parts {
				times, found, err := lookupTimes(conn, &p, only(hash))
				require.NoError(t, err)
				require.True(t, found)
				got = append(got, times...)
			}
			want = slices.Clone(want)
			slices.Sort(want)
			require.Equal(t, slices.Compact(want), got)
		}
		return nil
	}))
}

func runCounts(t *testing.T, s *Store) (out []int) {
	t.Helper()
	require.NoError(t, s.snapshot(t.Context(), func(conn *sqlite.Conn) error {
		parts, err := listPartitions(conn)
		for _, p := range parts {
			runs, known := decodeRuns(p.lookup)
			require.True(t, known)
			out = append(out, len(runs))
		}
		return err
	}))
	return out
}

func TestLookupFindsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	change := func(cfg *Config) { cfg.Now, cfg.SyncInterval = c.now, time.Minute }
	s := openFor(t, dir, change)
	r := rand.New(rand.NewPCG(3, 4))
	want := naive{}
	var all []genai.Event
	for range 40 {
		batch := make([]genai.Event, 1+r.IntN(120))
		for i := range batch {
			at := noon.Add(-time.Duration(r.Int64N(int64(4 * time.Hour)))).Truncate(time.Duration(r.Int64N(2)) * time.Second)
			e := eventAt(at)
			e.Service, e.ResponseModel = [...]string{"", "chat", "search"}[r.IntN(3)], fmt.Sprint("model ", r.IntN(3))
			want.noteSeries(&e)
			if r.IntN(3) > 0 {
				binary.BigEndian.PutUint64(e.TraceID[:], 1+r.Uint64N(50))
				want.note(lookupTrace, string(e.TraceID[:]), at.UnixNano())
			}
			if r.IntN(3) > 0 {
				e.Conversation = fmt.Sprint("session ", r.IntN(20))
				want.note(lookupConversation, e.Conversation, at.UnixNano())
			}
			e.User = fmt.Sprint("user ", r.IntN(10))
			want.note(lookupUser, e.User, at.UnixNano())
			want.note(lookupID, string(e.ID[:]), at.UnixNano())
			batch[i] = e
		}
		write(t, s, batch...)
		write(t, s, batch[:1]...) // again
		all = append(all, batch...)
	}
	want.requireFound(t, s)
	for _, n := range runCounts(t, s) {
		require.Less(t, n, 2*mergeRuns)
	}

	require.NoError(t, s.Close(t.Context()))
	s = openFor(t, dir, change)
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	want.requireFound(t, s)
	require.Eventually(t, func() bool {
		more, err := s.gather(t.Context())
		require.NoError(t, err)
		return !more
	}, time.Minute, time.Nanosecond)
	want.requireFound(t, s)
	for _, n := range runCounts(t, s) {
		require.Equal(t, 1, n)
	}

	for trace := range uint64(52) {
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[:], 1+trace)
		n := int64(0)
		for _, e := range all {
			if e.TraceID == id {
				n++
			}
		}
		got, err := s.CountEvents(t.Context(), store.EventQuery{EventFilter: store.EventFilter{TraceID: id.String()}})
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
}

// Pages of the newest and of the oldest events of a service and of a model of it
// are those that reading all of them gives.
func TestPagesOfAServiceAreExact(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Now = c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		var batch []genai.Event
		for range 100 {
			// Several at one time, over the change of an hour.
			e := eventAt(noon.Add(time.Duration(r.IntN(200)-150) * time.Second))
			e.Service, e.ResponseModel, e.Failed = fmt.Sprint("s", r.IntN(3)), fmt.Sprint("m", r.IntN(3)), r.IntN(20) == 0
			batch = append(batch, e)
		}
		write(t, s, batch...)
	}
	for _, p := range hours(t, s) {
		require.True(t, p.hasSeries())
	}
	read := func(q store.EventQuery) (out []uuid.UUID) {
		for e, err := range s.Events(t.Context(), q) {
			require.NoError(t, err)
			if e.Service == "s1" && (q.Service == "s1" || e.ResponseModel == "m2" || q.Model == "") && (e.Failed || !q.Failed) {
				out = append(out, e.ID)
			}
		}
		return out
	}
	for _, ascending := range []bool{false, true} {
		for _, model := range []string{"", "m2"} {
			for _, failed := range []bool{false, true} {
				filter := store.EventFilter{Failed: failed}
				want := read(store.EventQuery{Query: store.Query{Model: model, Limit: 1 << 30, Ascending: ascending}, EventFilter: filter})
				require.Greater(t, len(want), 5)
				q := store.EventQuery{Query: store.Query{Service: "s1", Model: model, Ascending: ascending}, EventFilter: filter}
				n, err := s.CountEvents(t.Context(), q)
				require.NoError(t, err)
				require.EqualValues(t, len(want), n)
				for _, q.Limit = range []int{1, 3, 70, 1 << 30, math.MaxInt} {
					for _, q.Offset = range []int{0, 1, len(want) / 2, len(want) + 1} {
						from := want[min(q.Offset, len(want)):]
						require.Equal(t, append([]uuid.UUID(nil), from[:min(q.Limit, len(from))]...), read(q))
					}
				}
			}
		}
	}
}

func TestAFrequentValueIsFoundWithoutTheLookup(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Now = c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	batch := make([]genai.Event, maxLookup+5)
	for i := range batch {
		batch[i] = eventAt(noon.Add(time.Duration(i)))
		batch[i].TraceID[3] = 7
	}
	write(t, s, batch...)
	for _, q := range []store.EventQuery{
		{EventFilter: store.EventFilter{TraceID: batch[0].TraceID.String()}},
		{Query: store.Query{Service: batch[0].Service}},
	} {
		q.Limit = 3
		n, err := s.CountEvents(t.Context(), q)
		require.NoError(t, err)
		require.EqualValues(t, len(batch), n)
		for e, err := range s.Events(t.Context(), q) {
			require.NoError(t, err)
			require.Equal(t, batch[len(batch)-1].ID, e.ID)
			break
		}
	}
}

// An hour whose lookup cannot be read is answered by reading its rows.
func TestAnHourWithoutLookupIsAnswered(t *testing.T) {
	for name, runs := range map[string]string{"older version": "NULL", "newer version": "x'02'", "garbage": "x'01ffffffff'"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := newClock(noon)
			s := openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
			e := eventAt(noon)
			e.TraceID[1] = 1
			write(t, s, e)
			require.NoError(t, s.Close(t.Context()))
			require.NoError(t, edit(filepath.Join(dir, fileName), "UPDATE partitions SET runs = "+runs))
			s = openFor(t, dir, func(cfg *Config) { cfg.Now = c.now })
			later := eventAt(noon.Add(-time.Second))
			later.TraceID = e.TraceID
			write(t, s, later)
			n, err := s.CountEvents(t.Context(), store.EventQuery{EventFilter: store.EventFilter{TraceID: e.TraceID.String()}})
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
			require.NoError(t, s.Close(t.Context()))
		})
	}
}

func TestTrimmedRowsLeaveTheLookup(t *testing.T) {
	c := newClock(noon)
	s := openFor(t, t.TempDir(), func(cfg *Config) { cfg.Now = c.now })
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	want := naive{}
	for i := range 3 * trimRows / 500 {
		batch := make([]genai.Event, 500)
		for j := range batch {
			at := noon.Add(time.Duration(i*500+j) * time.Millisecond)
			batch[j] = eventAt(at)
			if i*500+j >= 2*trimRows {
				want.note(lookupID, string(batch[j].ID[:]), at.UnixNano())
				want.noteSeries(&batch[j])
			}
		}
		write(t, s, batch...)
	}
	for range 2 {
		require.EqualValues(t, trimRows, trim(t, s, lastHour(t, s)))
	}
	require.EqualValues(t, 2*trimRows*entryBytes, number(t, s, "SELECT sum(length(data)) FROM lookup"), "runs of trimmed rows are gone")
	want.requireFound(t, s)
}

func FuzzDecodeRuns(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeRuns(nil))
	f.Add(encodeRuns([]run{{1, 2, 3}, {4, 1 << 40, 1 << 42}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		runs, known := decodeRuns(data)
		if !known {
			require.Empty(t, runs)
			return
		}
		again, known := decodeRuns(encodeRuns(runs))
		require.True(t, known)
		require.Equal(t, runs, again)
	})
}
