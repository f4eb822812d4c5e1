package ledger

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// traffic gives endless traces of a wrapper, its call and a span of another kind.
type traffic struct {
	n       uint64
	entries [3]Entry
}

func (t *traffic) next() *Entry {
	i := t.n % 3
	trace, e := t.n/3, &t.entries[i]
	t.n++
	binary.BigEndian.PutUint64(e.Trace[:], trace+1)
	binary.BigEndian.PutUint64(e.Span[:], 3*trace+i+1)
	binary.BigEndian.PutUint64(e.Parent[:], 3*trace+i+2)
	if i == 2 {
		e.Parent = [8]byte{}
	}
	e.Call = i != 1
	e.Service, e.Model = "s", "m"
	if e.Call {
		e.Usage.Set(Input, 30)
	}
	return e
}

func TestAddAllocatesNothingOnceTheLedgerIsFull(t *testing.T) {
	l := newTestLedger(t, Options{MaxCalls: MinCalls})
	var tr traffic
	now := start
	add := func() {
		now = now.Add(time.Millisecond)
		l.Add(tr.next(), now)
	}
	for range 4000 {
		add()
	}
	assert.Zero(t, testing.AllocsPerRun(2000, add))
}

func BenchmarkAdd(b *testing.B) {
	l := newTestLedger(b, Options{})
	var tr traffic
	now := start
	for range 3 * 65536 {
		l.Add(tr.next(), now)
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		l.Add(tr.next(), now)
	}
}

func BenchmarkAddOtherSpan(b *testing.B) {
	l := newTestLedger(b, Options{})
	e, n := span(1, 2), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		binary.BigEndian.PutUint64(e.Span[:], n)
		l.Add(e, start)
	}
}
