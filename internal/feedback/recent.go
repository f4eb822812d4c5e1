package feedback

import (
	"sync"

	"github.com/google/uuid"
)

// recentSize is the number of findings that are remembered.
const recentSize = 4096

// Recent remembers what was marked last as it was judged, by the id of the
// anomaly: a verdict repeats the value of the call that showed it, which need not
// be the level that was judged. The zero value is empty. Safe for concurrent use.
type Recent struct {
	mu   sync.Mutex
	ring []recent
	next int
}

type recent struct {
	id        uuid.UUID
	class     string
	deviation float64
}

// Add remembers what was marked. The class must be a constant or the caller's to
// give away.
func (r *Recent) Add(id uuid.UUID, class string, deviation float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := recent{id: id, class: class, deviation: deviation}
	if len(r.ring) < recentSize {
		r.ring = append(r.ring, one)
		return
	}
	r.ring[r.next] = one
	r.next = (r.next + 1) % recentSize
}

// Find returns what is remembered of an anomaly.
func (r *Recent) Find(id uuid.UUID) (class string, deviation float64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ring {
		if r.ring[i].id == id {
			return r.ring[i].class, r.ring[i].deviation, true
		}
	}
	return "", 0, false
}
