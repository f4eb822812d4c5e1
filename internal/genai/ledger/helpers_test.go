package ledger

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newTestLedger(tb testing.TB, o Options) *Ledger {
	tb.Helper()
	l, err := New(o)
	require.NoError(tb, err)
	return l
}

// span is span n of a trace, below span parent; 0 is none.
func span(n, parent uint64) *Entry {
	e := &Entry{Service: "s", Model: "m"}
	e.Trace[0] = 1
	binary.BigEndian.PutUint64(e.Span[:], n)
	if parent != 0 {
		binary.BigEndian.PutUint64(e.Parent[:], parent)
	}
	binary.BigEndian.PutUint64(e.ID[:], n)
	return e
}

func call(n, parent uint64) *Entry {
	e := span(n, parent)
	e.Call = true
	return e
}

func (e *Entry) used(in, out int64) *Entry {
	e.Usage.Set(Input, in)
	e.Usage.Set(Output, out)
	return e
}

func (e *Entry) response(id string) *Entry {
	e.Context.ResponseID = id
	return e
}

func (e *Entry) tool() *Entry      { e.Tool = true; return e }
func (e *Entry) failed() *Entry    { e.Failed = true; return e }
func (e *Entry) estimated() *Entry { e.Estimated = true; return e }
func (e *Entry) from(s Source) *Entry {
	e.Source = s
	return e
}

// sum is what the ledger counts over all pairs.
func (l *Ledger) sum() Total {
	var t Total
	for _, x := range l.Totals() {
		t.add(&x, 1)
	}
	return t
}

func total(calls, failed, in, out int64) Total {
	t := Total{Calls: calls, Failed: failed}
	t.Tokens[Input], t.Tokens[Output] = in, out
	return t
}

// passed is what those see who take items for calls as they are told.
func passed(entries []*Entry, decisions []Decision) (t Total) {
	for i, e := range entries {
		if !e.Call || decisions[i].Duplicate != Counted || decisions[i].Redelivered {
			continue
		}
		t.Calls++
		if e.Failed {
			t.Failed++
		}
		u := e.Usage
		u.fill(&decisions[i].Usage)
		if e.NoUsage {
			u = Usage{}
		}
		for k := range t.Tokens {
			t.Tokens[k] += u.tokens[k]
		}
	}
	return t
}

// permutations calls f with every order of n things.
func permutations(n int, f func(order []int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var rec func(k int)
	rec = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			rec(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	rec(0)
}

func ordered(entries []*Entry, order []int) []*Entry {
	out := make([]*Entry, len(order))
	for i, j := range order {
		out[i] = entries[j]
	}
	return out
}
