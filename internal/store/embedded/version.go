package embedded

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

var _ store.Versioned = (*Store)(nil)

// maxVersioned bounds the hours whose changes are told apart.
const maxVersioned = 2 * MaxPartitions

// versions count the changes of each hour. One counter runs through all hours,
// so that the newest change of a range is different from all before it.
type versions struct {
	// epoch tells one opening of the store from another.
	epoch uint64

	mu    sync.Mutex
	count uint64
	hours map[int64]change
	// all is the newest change that concerns every range.
	all uint64
}

// change is the newest change of an hour.
type change struct {
	count uint64
	at    time.Time
}

func newVersions() *versions {
	return &versions{epoch: rand.Uint64(), hours: map[int64]change{}} //nolint:gosec // it has to differ, not to be secret
}

// bump notes that hours have changed. It comes after the commit: who has read
// the old number meanwhile keeps an answer that is newer than its number says,
// which is safe, while an old answer under a new number would stay.
func (v *versions) bump(hours []int64) {
	if len(hours) == 0 {
		return
	}
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count++
	for _, h := range hours {
		v.hours[h] = change{v.count, now}
	}
	if len(v.hours) > maxVersioned {
		v.all = v.count
		clear(v.hours)
	}
}

func (v *versions) bumpAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count++
	v.all = v.count
}

// of is the version of the hours from first to last.
func (v *versions) of(first, last int64) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	newest := v.all
	if last-first < int64(len(v.hours)) {
		for h := first; h <= last; h++ {
			newest = max(newest, v.hours[h].count)
		}
	} else {
		for h, c := range v.hours {
			if first <= h && h <= last {
				newest = max(newest, c.count)
			}
		}
	}
	return v.epoch + newest
}

// quiet is how long ago an hour has changed, at most since the store was opened.
func (v *versions) quiet(hour int64) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := v.hours[hour]
	if !ok {
		return 1<<63 - 1
	}
	return time.Since(c.at)
}

// Version implements [store.Versioned] by counters in memory, one an hour.
func (s *Store) Version(start, end time.Time) uint64 {
	sel := selection{start: math.MinInt64, end: math.MaxInt64}
	sel.between(start, end)
	return s.w.versions.of(sel.hours())
}
