package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every order in which the items can arrive gives the same totals, one by one and
// all at once; and so does what is passed on, but for what cases say.
func TestACallIsCountedOnceInAnyOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		entries []*Entry
		want    Total
		// alone: when items come one by one, what was passed on before another
		// came to light may be a call too many, or have other counts.
		alone bool
	}{
		"one call":                        {entries: []*Entry{call(1, 0).used(27, 12)}, want: total(1, 0, 27, 12)},
		"a call without counts":           {entries: []*Entry{call(1, 0)}, want: total(1, 0, 0, 0)},
		"a wrapper":                       {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1).used(30, 12)}, want: total(1, 0, 30, 12)},
		"a wrapper with one span between": {entries: []*Entry{call(1, 0).used(30, 12), span(2, 1), call(3, 2).used(30, 12)}, want: total(1, 0, 30, 12), alone: true},
		"a wrapper of a wrapper":          {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1).used(30, 12), call(3, 2).used(30, 12)}, want: total(1, 0, 30, 12), alone: true},
		"a failed call told twice":        {entries: []*Entry{call(1, 0).failed(), call(2, 1).failed()}, want: total(1, 1, 0, 0)},
		"counts on the wrapper alone":     {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1)}, want: total(1, 0, 30, 12), alone: true},
		"counts on the call alone":        {entries: []*Entry{call(1, 0), call(2, 1).used(30, 12)}, want: total(1, 0, 30, 12), alone: true},
		"two calls below an agent":        {entries: []*Entry{span(1, 0), call(2, 1).used(30, 12), call(3, 1).used(7, 5)}, want: total(2, 0, 37, 17)},
		"two calls below a wrapper":       {entries: []*Entry{call(1, 0).used(37, 17), call(2, 1).used(30, 12), call(3, 1).used(7, 5)}, want: total(2, 0, 37, 17), alone: true},
		"a tool below a call":             {entries: []*Entry{call(1, 0).used(30, 12), span(2, 1).tool()}, want: total(1, 0, 30, 12)},
		"an agent as a tool":              {entries: []*Entry{call(1, 0).used(30, 12), span(2, 1).tool(), span(3, 2), call(4, 3).used(7, 5)}, want: total(2, 0, 37, 17)},
		"an agent as a tool, wrapped":     {entries: []*Entry{call(1, 0).used(30, 12), span(2, 1).tool(), call(3, 2).used(7, 5), call(4, 3).used(7, 5)}, want: total(2, 0, 37, 17)},
		"two instrumentations":            {entries: []*Entry{call(1, 0).used(30, 12).response("response-1"), call(2, 0).used(30, 12).response("response-1")}, want: total(1, 0, 30, 12)},
		"other responses":                 {entries: []*Entry{call(1, 0).used(30, 12).response("response-1"), call(2, 0).used(30, 12).response("response-2")}, want: total(2, 0, 60, 24)},
		"short ids say nothing":           {entries: []*Entry{call(1, 0).used(30, 12).response("1"), call(2, 0).used(30, 12).response("1")}, want: total(2, 0, 60, 24)},
		"wrapper and sibling":             {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1).used(30, 12).response("response-1"), call(3, 0).used(30, 12).response("response-1")}, want: total(1, 0, 30, 12), alone: true},
		"wrapper with the response id":    {entries: []*Entry{call(1, 0).used(30, 12).response("response-1"), call(2, 1).used(30, 12).response("response-1")}, want: total(1, 0, 30, 12)},
		"a span and its log event":        {entries: []*Entry{call(1, 0).used(30, 12), call(1, 0).used(30, 12).from(EventOfSpan)}, want: total(1, 0, 30, 12)},
		"a wrapper and its log event":     {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1).used(30, 12), call(1, 0).used(30, 12).from(EventOfSpan)}, want: total(1, 0, 30, 12)},
		"a log of its own":                {entries: []*Entry{call(1, 0).used(30, 12), call(1, 0).used(7, 5).from(Log).id(9)}, want: total(1, 0, 7, 5), alone: true},
		"a log with the response id":      {entries: []*Entry{call(1, 0).used(30, 12).response("response-1"), call(0, 0).used(30, 12).from(Log).id(9).response("response-1")}, want: total(1, 0, 30, 12)},
		"an estimate within":              {entries: []*Entry{call(1, 0).used(30, 12), call(2, 1).used(28, 10).estimated()}, want: total(1, 0, 30, 12), alone: true},
		"an estimate around":              {entries: []*Entry{call(1, 0).used(28, 10).estimated(), call(2, 1).used(30, 12)}, want: total(1, 0, 30, 12), alone: true},
		"an estimate beside":              {entries: []*Entry{call(1, 0).used(28, 10).estimated().response("response-1"), call(2, 0).used(30, 12).response("response-1")}, want: total(1, 0, 30, 12), alone: true},
		"estimates of several calls":      {entries: []*Entry{call(1, 0).used(50, 20), call(2, 1).used(28, 10).estimated(), call(3, 1).used(20, 9).estimated()}, want: total(2, 0, 48, 19), alone: true},
		"its own parent":                  {entries: []*Entry{call(1, 1).used(30, 12)}, want: total(1, 0, 30, 12)},
		"a fetched response":              {entries: []*Entry{call(1, 0).used(30, 12).response("response-1"), call(2, 0).used(30, 12).response("response-1").fetched()}, want: total(1, 0, 30, 12), alone: true},
		"no ids":                          {entries: []*Entry{(&Entry{ID: [16]byte{1}, Call: true, Service: "s"}).used(1, 2), (&Entry{ID: [16]byte{2}, Call: true, Service: "s"}).used(3, 4)}, want: total(2, 0, 4, 6)},
	} {
		t.Run(name, func(t *testing.T) {
			permutations(len(tc.entries), func(order []int) {
				entries := ordered(tc.entries, order)
				decisions := make([]Decision, len(entries))

				l := newTestLedger(t, Options{})
				l.AddBatch(entries, decisions, start)
				require.Equal(t, tc.want, l.sum(), order)
				if name != "estimates of several calls" && name != "an estimate within" && name != "an estimate beside" {
					require.Equal(t, tc.want, passed(entries, decisions), "passed on at once: %v", order)
				}
				require.Zero(t, l.Stats().Corrections, order)

				l = newTestLedger(t, Options{})
				for i, e := range entries {
					decisions[i] = l.Add(e, start.Add(time.Duration(i)*time.Second))
				}
				require.Equal(t, tc.want, l.sum(), order)
				if !tc.alone {
					require.Equal(t, tc.want, passed(entries, decisions), "passed on one by one: %v", order)
				}
			})
		})
	}
}

func (e *Entry) id(n byte) *Entry { e.ID[15] = n; return e }
func (e *Entry) fetched() *Entry  { e.NoUsage = true; return e }

// Random trees of spans: the totals follow from the shape alone.
func TestTotalsOfRandomTracesDoNotDependOnTheOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var entries []*Entry
		for n := range uint64(2 + r.IntN(12)) {
			parent := uint64(0)
			if n > 0 {
				parent = 1 + r.Uint64N(n)
			}
			e := span(n+1, parent)
			switch r.IntN(4) {
			case 0:
				e.Tool = true
			case 1, 2:
				e.Call = true
				e.Failed = r.IntN(4) == 0
				if !e.Failed {
					e.used(1+r.Int64N(50), 1+r.Int64N(50))
				}
			}
			entries = append(entries, e)
		}
		want := truth(entries)
		for range 20 {
			l := newTestLedger(t, Options{})
			order := ordered(entries, r.Perm(len(entries)))
			for at := 0; at < len(order); {
				n := min(1+r.IntN(4), len(order)-at)
				l.AddBatch(order[at:at+n], make([]Decision, n), start)
				at += n
			}
			require.Equal(t, want, l.sum(), "seed %d", seed)
			s := l.Stats()
			back := s.Added
			back.add(&s.Removed, -1)
			require.Equal(t, want, back, "what was added less what was taken back")
		}
	}
}

// truth counts a trace that is known as a whole.
func truth(entries []*Entry) (t Total) {
	below := func(e *Entry, is func(*Entry) bool) bool {
		for _, d := range entries {
			if d == e || !is(d) {
				continue
			}
			for p := d; ; {
				if p.Tool {
					break
				}
				var up *Entry
				for _, q := range entries {
					if q.Span == p.Parent {
						up = q
					}
				}
				if up == nil {
					break
				}
				if p = up; p == e {
					return true
				}
			}
		}
		return false
	}
	for _, e := range entries {
		if e.Call && !below(e, func(d *Entry) bool { return d.Call }) {
			t.Calls++
			if e.Failed {
				t.Failed++
			}
		}
		if e.Usage.Known() && !below(e, func(d *Entry) bool { return d.Usage.Known() }) {
			for k := range t.Tokens {
				t.Tokens[k] += e.Usage.tokens[k]
			}
		}
	}
	return t
}

func TestAParentThatCameFirstIsSubtracted(t *testing.T) {
	l := newTestLedger(t, Options{})
	first := l.Add(call(1, 0).used(28, 10), start)
	assert.Equal(t, Counted, first.Duplicate)
	assert.Equal(t, total(1, 0, 28, 10), l.sum())

	late := l.Add(call(2, 1).used(30, 12), start)
	assert.Equal(t, LateChild, late.Duplicate, "the parent went by as the call")
	assert.Equal(t, call(1, 0).ID, late.Of)
	assert.Equal(t, total(1, 0, 30, 12), l.sum())
	s := l.Stats()
	assert.EqualValues(t, 1, s.Corrections)
	assert.EqualValues(t, 30, s.Added.Tokens[Input])
	assert.Zero(t, s.Removed.Calls)
}

func TestADuplicateNamesTheCall(t *testing.T) {
	l := newTestLedger(t, Options{})
	entries := []*Entry{
		call(1, 0).used(30, 12), call(2, 1).used(30, 12).response("response-1"), call(3, 0).used(30, 12).response("response-1"),
	}
	d := make([]Decision, 3)
	l.AddBatch(entries, d, start)
	assert.Equal(t, Wrapper, d[0].Duplicate)
	assert.Equal(t, entries[1].ID, d[0].Of)
	assert.Equal(t, Counted, d[1].Duplicate)
	assert.Equal(t, SameResponse, d[2].Duplicate)
	assert.Equal(t, entries[1].ID, d[2].Of)

	log := l.Add(call(2, 1).used(30, 12).from(EventOfSpan), start)
	assert.Equal(t, LogOfSpan, log.Duplicate)
	assert.Equal(t, entries[1].ID, log.Of)
}

func TestARedeliveryIsToldWhatWasSaidBeforeAndAddsNothing(t *testing.T) {
	l := newTestLedger(t, Options{})
	entries := []*Entry{call(1, 0).used(30, 12), call(2, 1).used(30, 12)}
	first, again := make([]Decision, 2), make([]Decision, 2)
	l.AddBatch(entries, first, start)
	l.AddBatch(entries, again, start)
	for i := range again {
		assert.True(t, again[i].Redelivered)
		assert.Equal(t, first[i].Duplicate, again[i].Duplicate)
		assert.Equal(t, first[i].Of, again[i].Of)
	}
	assert.Equal(t, total(1, 0, 30, 12), l.sum())
}

func TestTheCallIsGivenWhatItsWrapperKnows(t *testing.T) {
	outer, inner := call(1, 0).used(30, 12), call(2, 1)
	outer.Context = Context{Agent: "planner", User: "u", FinishReason: "stop"}
	inner.Context = Context{ResponseID: "response-1", FinishReason: "end"}
	for _, order := range [][]*Entry{{outer, inner}, {inner, outer}} {
		d := make([]Decision, 2)
		l := newTestLedger(t, Options{})
		l.AddBatch(order, d, start)
		of := d[0]
		if order[0] == outer {
			of = d[1]
		}
		assert.Equal(t, Context{Agent: "planner", User: "u"}, of.Context)
		in, known := of.Usage.Get(Input)
		assert.True(t, known)
		assert.EqualValues(t, 30, in)
	}
}

func TestMetricsCountForServicesThatSendNothingElse(t *testing.T) {
	measured := &Measured{Service: "s", Model: "m", Calls: 3, Failed: 1}
	measured.Usage.Set(Input, 100)

	l := newTestLedger(t, Options{Window: time.Minute})
	assert.True(t, l.AddMeasured(measured, start))
	assert.Equal(t, total(3, 1, 100, 0), l.sum())

	l.Add(call(1, 0), start) // tells of calls, but not of tokens
	assert.Equal(t, total(1, 0, 100, 0), l.sum())
	assert.True(t, l.AddMeasured(measured, start), "its tokens count")
	assert.Equal(t, total(1, 0, 200, 0), l.sum())

	l.Add(call(2, 0).used(7, 5), start)
	assert.Equal(t, total(2, 0, 7, 5), l.sum())
	assert.False(t, l.AddMeasured(measured, start))
	assert.EqualValues(t, 2, l.Stats().Corrections)

	assert.True(t, l.AddMeasured(measured, start.Add(2*time.Minute)), "no items for a window")
	assert.Equal(t, total(5, 1, 107, 5), l.sum())
}

func TestWhatIsOlderThanTheWindowIsForgotten(t *testing.T) {
	l := newTestLedger(t, Options{Window: time.Minute})
	l.Add(call(1, 0).used(30, 12).response("response-1"), start)
	d := l.Add(call(2, 0).used(30, 12).response("response-1"), start.Add(2*time.Minute))
	assert.Equal(t, Counted, d.Duplicate)
	assert.Equal(t, total(2, 0, 60, 24), l.sum())
	assert.EqualValues(t, 1, l.Stats().Entries)
	assert.EqualValues(t, 1, l.Stats().Evicted)
}

func TestADuplicateStaysOneWhenTheCallIsForgotten(t *testing.T) {
	l := newTestLedger(t, Options{Window: time.Minute})
	l.Add(call(1, 0).used(30, 12).response("response-1"), start)
	l.Add(call(2, 0).used(30, 12).response("response-1"), start.Add(50*time.Second))
	d := l.Add(call(3, 0).used(30, 12).response("response-1"), start.Add(70*time.Second))
	assert.Equal(t, SameResponse, d.Duplicate)
	assert.Equal(t, total(1, 0, 30, 12), l.sum())
}

func TestMemoryIsBounded(t *testing.T) {
	l := newTestLedger(t, Options{MaxCalls: MinCalls, MaxTotals: 10})
	for i := range uint64(20_000) {
		e := call(2*i+1, 2*i+2).used(1, 1).response("response-" + string(rune('a'+i%26)) + time.Duration(i).String())
		e.Service = "service-" + time.Duration(i).String()
		l.Add(e, start)
		l.Add(span(1<<40+i, 0), start)
	}
	s := l.Stats()
	assert.LessOrEqual(t, s.Entries, int64(2*MinCalls))
	assert.Positive(t, s.Evicted)
	assert.LessOrEqual(t, int(l.arena.used), 2*MinCalls)
	assert.LessOrEqual(t, len(l.Totals()), 11)
	assert.LessOrEqual(t, len(l.metric.byName), 10)
	assert.EqualValues(t, 20_000, l.Totals()[Other].Calls+10, "all are counted")
}

func TestBadOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"window must be positive, got -1s":                {Window: -time.Second},
		"max calls must be from 256 to 10000000, got 255": {MaxCalls: 255},
		"max totals must be positive, got -1":             {MaxTotals: -1},
	} {
		_, err := New(o)
		assert.EqualError(t, err, want)
	}
}

func TestNamesOfUnknownValues(t *testing.T) {
	assert.Equal(t, "unknown", Reasons.String())
	assert.Equal(t, "unknown", TokenTypes.String())
	assert.Equal(t, "cache_read", CacheRead.String())
}
