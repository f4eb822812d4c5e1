package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"go.uber.org/zap"
)

// Defaults of Config.
const (
	DefaultMaxBytes = 64 << 20
	DefaultTTL      = 5 * time.Minute
	DefaultTTI      = time.Minute

	// MinMaxBytes is the smallest size that makes sense.
	MinMaxBytes = 1 << 20

	// entryBytes is what an entry takes beside its value, rounded up.
	entryBytes = 256
	// maxShare is the part of the memory that a single value may take: one
	// answer must not drive out all others.
	maxShare = 8
)

// Key is a digest of everything that an answer depends on.
type Key [sha256.Size]byte

// Config of a Cache.
type Config struct {
	// MaxBytes bounds the memory of the values and their entries.
	MaxBytes int64
	// TTL is the longest time that a value is kept, at most a year.
	TTL time.Duration
	// TTI is the time after which a value that nobody asks for is dropped.
	TTI time.Duration
	// Redis is the shared second level; nil for none.
	Redis *RedisConfig
}

// Validate reports every setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.MaxBytes < MinMaxBytes {
		errs = append(errs, fmt.Errorf("max_bytes must be at least %d, got %d", MinMaxBytes, c.MaxBytes))
	}
	if c.TTL <= 0 || c.TTL > maxTTL {
		errs = append(errs, fmt.Errorf("ttl must be more than 0 and at most %s, got %s", maxTTL, c.TTL))
	}
	if c.TTI <= 0 || c.TTI > maxTTL {
		errs = append(errs, fmt.Errorf("tti must be more than 0 and at most %s, got %s", maxTTL, c.TTI))
	}
	if c.Redis != nil {
		errs = append(errs, c.Redis.validate())
	}
	return errors.Join(errs...)
}

const maxTTL = 365 * 24 * time.Hour

// Cache is safe for concurrent use.
type Cache struct {
	ttl    time.Duration
	tti    time.Duration
	max    int
	memory *otter.Cache[Key, entry]
	redis  *shared // nil without
	flight flight

	hits, misses, inserts, removals atomic.Int64
}

// entry is a value in memory. Its slice is shared with readers: nobody writes to it.
type entry struct {
	value    []byte
	deadline time.Time
}

// New returns an empty cache. It connects to nothing: a Redis that is down is
// found out later. Close must be called.
func New(cfg Config, logger *zap.Logger) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Cache{ttl: cfg.TTL, tti: cfg.TTI, max: int(min(cfg.MaxBytes/maxShare, 1<<30))}
	memory, err := otter.New(&otter.Options[Key, entry]{
		MaximumWeight:    uint64(cfg.MaxBytes),
		Weigher:          func(_ Key, e entry) uint32 { return uint32(len(e.value) + entryBytes) },
		ExpiryCalculator: expiry{cfg.TTI},
		OnAtomicDeletion: func(otter.DeletionEvent[Key, entry]) { c.removals.Add(1) },
	})
	if err != nil {
		return nil, err
	}
	c.memory = memory
	if cfg.Redis != nil {
		c.redis = newShared(*cfg.Redis, logger)
	}
	return c, nil
}

// expiry drops an entry after the idle time or at its deadline, whichever comes
// first: the idle time alone would keep for ever what is always asked for.
type expiry struct{ idle time.Duration }

func (x expiry) left(e otter.Entry[Key, entry]) time.Duration {
	return min(x.idle, max(time.Until(e.Value.deadline), 1))
}

func (x expiry) ExpireAfterCreate(e otter.Entry[Key, entry]) time.Duration { return x.left(e) }

func (x expiry) ExpireAfterUpdate(e otter.Entry[Key, entry], _ entry) time.Duration {
	return x.left(e)
}

func (x expiry) ExpireAfterRead(e otter.Entry[Key, entry]) time.Duration { return x.left(e) }

// Loaded is what a load gives.
type Loaded struct {
	Value []byte
	// TTL is how long the value may be kept, 0 not at all. The Config's TTL
	// bounds it.
	TTL time.Duration
}

// Outcome says where an answer came from.
type Outcome string

// The outcomes.
const (
	// Computed by this call.
	Computed Outcome = "computed"
	// Joined another call that was computing the same.
	Joined Outcome = "joined"
	// Memory of this process.
	Memory Outcome = "memory"
	// Redis, the shared level.
	Redis Outcome = "redis"
)

// Load returns the value of the key: a kept one, or what load gives. Of
// concurrent calls with the same key one loads, and all get what it gave. The
// load is not cancelled while anybody still waits for it; ctx ends the waiting
// of this call only. A panic of load is passed on to every waiting call.
//
// The value is shared: read only.
func (c *Cache) Load(ctx context.Context, key Key, load func(context.Context) (Loaded, error)) ([]byte, Outcome, error) {
	if v, ok := c.fromMemory(key); ok {
		c.hits.Add(1)
		return v, Memory, nil
	}
	outcome := Computed
	value, joined, err := c.flight.do(ctx, key, func(ctx context.Context) ([]byte, error) {
		// Between the look above and the start of this flight another one may
		// have ended.
		if v, ok := c.fromMemory(key); ok {
			outcome = Memory
			c.hits.Add(1)
			return v, nil
		}
		c.misses.Add(1)
		if v, deadline, ok := c.redis.get(ctx, key); ok {
			outcome = Redis
			c.keep(key, v, min(time.Until(deadline), c.ttl))
			return v, nil
		}
		loaded, err := load(ctx)
		if err != nil || loaded.TTL <= 0 {
			return loaded.Value, err
		}
		ttl := min(loaded.TTL, c.ttl)
		c.keep(key, loaded.Value, ttl)
		c.redis.put(ctx, key, loaded.Value, ttl)
		return loaded.Value, nil
	})
	if joined {
		outcome = Joined
		c.hits.Add(1)
	}
	return value, outcome, err
}

func (c *Cache) fromMemory(key Key) ([]byte, bool) {
	e, ok := c.memory.GetIfPresent(key)
	// The memory may be up to a second late with what is due.
	if !ok || !time.Now().Before(e.deadline) {
		return nil, false
	}
	return e.value, true
}

func (c *Cache) keep(key Key, value []byte, ttl time.Duration) {
	if ttl <= 0 || len(value) > c.max {
		return
	}
	c.inserts.Add(1)
	c.memory.Set(key, entry{value, time.Now().Add(ttl)})
}

// Level are the figures of one level since New.
type Level struct {
	Hits, Misses, Inserts, Removals int64
}

// Stats are the figures of a cache.
type Stats struct {
	// Memory: a call that joined another one counts as a hit. Removals are for
	// space, age or a newer value.
	Memory Level
	// Entries and Bytes that the memory holds now, about.
	Entries, Bytes int64
	// Redis: Removals are values that were damaged or of another format. What
	// Redis itself drops is not counted here.
	Redis Level
	// RedisErrors are failed calls, RedisSkipped those left out because Redis
	// was down.
	RedisErrors, RedisSkipped int64
	// HasRedis is whether there is a second level, RedisUp whether it is asked.
	HasRedis, RedisUp bool
}

// Stats returns the figures.
func (c *Cache) Stats() Stats {
	c.memory.CleanUp() // or the sizes lag behind
	s := Stats{
		Memory:  Level{c.hits.Load(), c.misses.Load(), c.inserts.Load(), c.removals.Load()},
		Entries: int64(c.memory.EstimatedSize()), Bytes: int64(c.memory.WeightedSize()),
	}
	c.redis.addTo(&s)
	return s
}

// Close ends the connections and goroutines. Calls of Load must have returned.
func (c *Cache) Close() error {
	err := c.redis.close()
	c.memory.StopAllGoroutines()
	c.memory.InvalidateAll()
	return err
}
