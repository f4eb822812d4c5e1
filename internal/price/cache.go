package price

import (
	"strings"
	"sync"
)

// cache remembers what names mean, in two generations: when the young one is full
// it becomes the old one, whose unused entries are then forgotten. At most limit
// entries are held.
type cache struct {
	mu         sync.RWMutex
	young, old map[cacheKey]*resolved
	limit      int
}

type cacheKey struct{ provider, model, endpoint string }

func newCache(limit int) cache {
	if limit <= 0 {
		limit = DefaultCacheSize
	}
	return cache{young: make(map[cacheKey]*resolved), limit: max(limit, 2)}
}

func (c *cache) get(k cacheKey) *resolved {
	c.mu.RLock()
	r := c.young[k]
	if r != nil {
		c.mu.RUnlock()
		return r
	}
	r = c.old[k]
	c.mu.RUnlock()
	if r != nil {
		c.put(k, r)
	}
	return r
}

func (c *cache) put(k cacheKey, r *resolved) {
	// The names may be slices of a large message.
	k = cacheKey{strings.Clone(k.provider), strings.Clone(k.model), strings.Clone(k.endpoint)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.limit/2 {
		c.old, c.young = c.young, make(map[cacheKey]*resolved)
	}
	c.young[k] = r
}

func (c *cache) size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
