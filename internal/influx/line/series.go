package line

import (
	"sync"
	"time"
)

// level says how much of a tag set is kept.
type level int

const (
	// levelFull keeps every tag value.
	levelFull level = iota
	// levelModel replaces the model.
	levelModel
	// levelAll replaces every tag value but the severity.
	levelAll
)

// levelAllSeries is the number of tag sets at levelAll: one of the telemetry
// and one for each severity of the anomalies.
const levelAllSeries = 5

// seriesGuard bounds the number of distinct tag sets. Tag sets are remembered
// exactly, in two generations: a generation that has reached the idle timeout
// is succeeded by an empty one, and what is written moves from the old to the
// new one. It is safe for concurrent use.
type seriesGuard struct {
	limit [levelAll]int // by level; levelAll has none, it is bounded by nature
	idle  time.Duration

	mu struct {
		sync.RWMutex
		current, previous map[string]struct{}
		began             time.Time
	}
}

func newSeriesGuard(maxSeries int, idle time.Duration) *seriesGuard {
	g := &seriesGuard{idle: idle}
	// A tenth of the places is kept for sets without model, so that the service
	// stays visible when models alone explode.
	g.limit[levelModel] = maxSeries - levelAllSeries
	g.limit[levelFull] = g.limit[levelModel] - maxSeries/10
	g.mu.current = map[string]struct{}{}
	return g
}

// rotate starts a new generation when the present one is old enough.
func (g *seriesGuard) rotate(now time.Time) {
	g.mu.RLock()
	due := now.Sub(g.mu.began) >= g.idle
	g.mu.RUnlock()
	if !due {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.began.IsZero() {
		g.mu.began = now
		return
	}
	if now.Sub(g.mu.began) >= g.idle {
		g.mu.previous, g.mu.current = g.mu.current, map[string]struct{}{}
		g.mu.began = now
	}
}

// admit reports whether a point with this tag set may be written. It does not
// keep key.
func (g *seriesGuard) admit(key []byte, l level) bool {
	g.mu.RLock()
	_, known := g.mu.current[string(key)]
	g.mu.RUnlock()
	if known {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known = g.mu.current[string(key)]; known {
		return true
	}
	if _, old := g.mu.previous[string(key)]; old {
		delete(g.mu.previous, string(key))
	} else if l < levelAll && len(g.mu.current)+len(g.mu.previous) >= g.limit[l] {
		return false
	}
	g.mu.current[string(key)] = struct{}{}
	return true
}

func (g *seriesGuard) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.mu.current) + len(g.mu.previous)
}
