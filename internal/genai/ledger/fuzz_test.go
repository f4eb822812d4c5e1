package ledger

import (
	"testing"
	"time"
)

// Whatever comes, in whatever shape the spans hang together: the totals are
// never negative and are what was added less what was taken back, and memory
// stays within its bounds.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{1, 0, 3, 2, 1, 3, 3, 2, 1})
	f.Add([]byte{1, 2, 3, 2, 1, 3}) // parents in a circle
	f.Add([]byte{9, 9, 255, 1, 9, 127, 9, 1, 63})
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newTestLedger(t, Options{MaxCalls: MinCalls, MaxTotals: 3, Window: time.Minute})
		now := start
		for len(data) >= 3 {
			n, parent, kind := data[0], data[1], data[2]
			data = data[3:]
			e := span(uint64(n%32), uint64(parent%32))
			e.Call, e.Tool = kind&1 != 0, kind&4 != 0
			if kind&2 != 0 {
				e.used(int64(n), int64(parent))
			}
			e.Failed, e.Estimated, e.NoUsage = kind&8 != 0, kind&16 != 0, kind&32 != 0
			e.Source = Source(kind >> 6 % 3)
			if n&64 != 0 {
				e.response("response-" + string(rune('a'+parent%4)))
			}
			now = now.Add(time.Duration(n) * 100 * time.Millisecond)
			l.Add(e, now)
			if n == 255 {
				m := &Measured{Service: "s", Model: string(rune('a' + parent%8)), Calls: 2}
				m.Usage.Set(Output, int64(parent))
				l.AddMeasured(m, now)
			}
		}
		sum := l.sum()
		s := l.Stats()
		back := s.Added
		back.add(&s.Removed, -1)
		if back != sum {
			t.Fatalf("stats say %+v, totals %+v", back, sum)
		}
		if sum.Calls < 0 || sum.Failed < 0 || sum.Failed > sum.Calls {
			t.Fatalf("impossible: %+v", sum)
		}
		for _, n := range sum.Tokens {
			if n < 0 {
				t.Fatalf("negative tokens: %+v", sum)
			}
		}
		if s.Entries > 2*MinCalls {
			t.Fatalf("%d entries", s.Entries)
		}
	})
}
