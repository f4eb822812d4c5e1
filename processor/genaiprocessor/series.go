package genaiprocessor

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// seriesKey is a series of cumulative points.
type seriesKey struct {
	from                   uint64
	metric, service, model string
	kind                   genai.MeasureKind
	failed, cumulative     bool
}

// point is the sum of the points of a series in one message.
type point struct {
	value, points int64
	start         pcommon.Timestamp
	at            time.Time
}

// series turns cumulative points into differences. It is safe for use by any
// number of goroutines.
type series struct {
	seed   maphash.Seed
	warned atomic.Bool

	mu     sync.Mutex
	limit  int
	window time.Duration
	since  pcommon.Timestamp
	last   map[seriesKey]point
	swept  time.Time
}

func newSeries(limit int, window time.Duration) *series {
	return &series{seed: maphash.MakeSeed(), limit: limit, window: window, last: map[seriesKey]point{}}
}

// started says from when on all points are seen: a series that began later
// counts from its first point on.
func (s *series) started(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = pcommon.NewTimestampFromTime(now)
}

// difference is what p adds to the series; !ok: it is not followed, for want of room.
func (s *series) difference(k *seriesKey, p *point, now time.Time) (n int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.at = now
	last, seen := s.last[*k]
	if !seen && len(s.last) >= s.limit && !s.sweep(now) {
		return 0, false
	}
	s.last[*k] = *p
	switch {
	case !seen && (p.start == 0 || p.start < s.since):
		return 0, true // how much of it was counted before is not known
	case !seen, p.start > last.start, p.value < last.value:
		return p.value, true // it began anew
	default:
		return p.value - last.value, true
	}
}

// sweep forgets series that ended and reports whether that made room. It looks
// at most once in a tenth of the window.
func (s *series) sweep(now time.Time) bool {
	if now.Sub(s.swept) < s.window/10 {
		return false
	}
	s.swept = now
	for k, p := range s.last {
		if now.Sub(p.at) > s.window {
			delete(s.last, k)
		}
	}
	return len(s.last) < s.limit
}
