package anomalyprocessor

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

const (
	// ways is the number of conversations that share a place: a new one drives
	// out one of them.
	ways = 8
	// maxServices bounds the services whose conversations have a baseline.
	maxServices = 4096
	// setLocks is the number of locks of the table, a power of two.
	setLocks = 64
)

// paddedMutex has a cache line of its own.
type paddedMutex struct {
	sync.Mutex
	_ [56]byte
}

// conversations is a bounded table of what conversations have used up so far.
// It is a set-associative cache, since most traffic is traces of one call, which
// must cost next to nothing and not drive out those that go on. Safe for
// concurrent use.
type conversations struct {
	seed maphash.Seed
	idle int64
	sets []conversationSet
	// locks guard the sets, each those whose number ends alike. They are apart from
	// the sets since a lock waits for its memory, and a few locks are always near.
	locks [setLocks]paddedMutex
	live  atomic.Int64
	// agents is the number of those with tool calls.
	agents atomic.Int64
	gone   [2]atomic.Int64 // by capacity, by idleness
	models [numSizes]*detect.Model

	mu    sync.Mutex
	sizes map[string]*sizes
}

const (
	goneCapacity = iota
	goneIdle
)

// What is compared with other conversations of a service.
const (
	sizeCalls = iota
	sizeTokens
	numSizes
)

// sizes is the baseline of how large conversations of a service become.
type sizes struct {
	states [numSizes]detect.State
}

// conversationSet is one place of the table. Most calls find a place that is in no
// cache, so that what counts is the number of cache lines that they touch: six.
type conversationSet struct {
	// keys are 0 for free slots. They are written under the lock and read without
	// it by prefetch.
	keys  [ways]atomic.Uint64
	slots [ways]conversation
}

// seenAt is a time of arrival, in unix ns, whose lowest bit says that the
// conversation is more than a trace of one call.
type seenAt int64

func seenOnce(now int64) seenAt  { return seenAt(now &^ 1) }
func seenAgain(now int64) seenAt { return seenAt(now | 1) }
func (s seenAt) lasting() bool   { return s&1 != 0 }
func (s seenAt) before(o seenAt) bool {
	if s.lasting() != o.lasting() {
		return o.lasting()
	}
	return s < o
}

// conversation is what one has used up. The zero value is a free slot.
type conversation struct {
	calls uint32
	// told is a set of sizes that were reported.
	told uint8
	// alias: a trace, all of whose calls are counted for a conversation, too.
	alias bool
	// named: the details name a model, so that there is no need to look at them.
	named bool
	// unused is never written, so that prefetch may read it without a lock.
	unused uint8
	// tokens and cost of all calls, as far as known.
	tokens int64
	cost   float64
	// detail is nil for those with no tools and few calls.
	detail *conversationDetail
	// seen is the arrival of the newest call.
	seen seenAt
}

// conversationDetail is what only agents need.
type conversationDetail struct {
	service, id, model, agent string
	tools                     *toolHistory // nil without tool calls
	toolCalls                 int64
	toldLoop                  uint8 // highest severity told
}

// detailFrom is the number of calls from which on a conversation has details.
const detailFrom = 2

func newConversations(cfg *Config) (*conversations, error) {
	sets := (cfg.Agents.MaxConversations + ways - 1) / ways
	c := &conversations{seed: maphash.MakeSeed(), idle: int64(cfg.Agents.IdleTimeout), sets: make([]conversationSet, sets), sizes: map[string]*sizes{}}
	for i := range c.models {
		m := detect.DefaultConfig()
		m.Scale, m.Direction, m.LogOffset = detect.Log, detect.Up, 1
		m.Window, m.MinSamples = cfg.Window, cfg.MinSamples
		m.Detectors = []detect.DetectorConfig{{Name: "mad"}}
		var err error
		if c.models[i], err = detect.NewModel(m); err != nil {
			return nil, fmt.Errorf("build the model of conversations: %w", err)
		}
	}
	return c, nil
}

// key hashes the identity of a conversation: its id or, when it has none, the
// trace. 0 means that it has neither.
func (c *conversations) key(service, id string, trace pcommon.TraceID) uint64 {
	var h uint64
	switch {
	case id != "":
		h = maphash.String(c.seed, id)
	case !trace.IsEmpty():
		h = maphash.Bytes(c.seed, trace[:])
	default:
		return 0
	}
	h = (h ^ maphash.String(c.seed, service)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	return h ^ h>>29 | 1
}

// set is the number of the place of a key.
func (c *conversations) set(key uint64) uint64 {
	at, _ := bits.Mul64(key, uint64(len(c.sets)))
	return at
}

// prefetch sets out to get from memory what acquire will look at. It takes no
// lock. What it returns says nothing, but has to be used for the reads to be made.
func (c *conversations) prefetch(key uint64) (read uint64) {
	set := &c.sets[c.set(key)]
	read = set.keys[0].Load()
	for _, i := range [...]int{0, 2, 4, 5, 7} { // one in each of their cache lines
		read |= uint64(set.slots[i].unused)
	}
	return read
}

// acquire returns the conversation of key and the lock that is held on it; with
// create it makes one, else it may be nil. The caller unlocks.
func (c *conversations) acquire(key uint64, now int64, create bool) (*paddedMutex, *conversation) {
	at := c.set(key)
	set, mu := &c.sets[at], &c.locks[at%setLocks]
	mu.Lock()
	for i := range set.keys {
		if set.keys[i].Load() == key {
			set.slots[i].seen = seenAgain(now)
			return mu, &set.slots[i]
		}
	}
	if !create {
		return mu, nil
	}
	victim := set.victim()
	why := goneCapacity
	if now-int64(set.slots[victim].seen) > c.idle {
		why = goneIdle
	}
	c.forget(set, victim, why)
	set.keys[victim].Store(key)
	set.slots[victim].seen = seenOnce(now)
	c.live.Add(1)
	return mu, &set.slots[victim]
}

// victim is the place for a new conversation: one that is free, else the oldest
// trace of one call, else the conversation that has been idle longest.
func (set *conversationSet) victim() int {
	best := 0
	for i := range set.keys {
		if set.keys[i].Load() == 0 {
			return i
		}
		if set.slots[i].seen.before(set.slots[best].seen) {
			best = i
		}
	}
	return best
}

// forget frees a slot. What a conversation of several calls has come to is
// learned.
func (c *conversations) forget(set *conversationSet, i, why int) {
	if set.keys[i].Load() == 0 {
		return
	}
	set.keys[i].Store(0)
	s := &set.slots[i]
	c.live.Add(-1)
	if s.detail != nil && s.detail.tools != nil {
		c.agents.Add(-1)
	}
	if set.slots[i].seen.lasting() {
		c.gone[why].Add(1)
		if s.detail != nil && s.calls > 1 && !s.alias {
			c.learn(s, int64(set.slots[i].seen))
		}
	}
	s.clear()
}

// clear makes s a free slot. The pointer is written only where there is one:
// while garbage is collected, that costs more than all the rest.
func (s *conversation) clear() {
	if s.detail != nil {
		s.detail = nil
	}
	s.calls, s.told, s.alias, s.named, s.tokens, s.cost = 0, 0, false, false, 0, 0
}

func (c *conversations) learn(s *conversation, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	z := c.sizes[s.detail.service]
	if z == nil {
		if len(c.sizes) == maxServices {
			return
		}
		z = &sizes{}
		for i := range z.states {
			z.states[i] = c.models[i].NewState()
		}
		c.sizes[s.detail.service] = z
	}
	for i, x := range [numSizes]int64{int64(s.calls), s.tokens} {
		if m := c.models[i]; !m.Absorb(&z.states[i], at, float64(x)) {
			// Judged while it went on; here a lasting change becomes normal.
			m.Observe(&z.states[i], at, float64(x))
		}
	}
}

// expect is what conversations of the service come to, and the limit of it.
func (c *conversations) expect(service string, size int) (expected, limit float64, samples uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	z := c.sizes[service]
	if z == nil {
		return 0, 0, 0, false
	}
	expected, _, limit, ok = c.models[size].Expect(&z.states[size])
	return expected, limit, z.states[size].Samples(), ok
}

// sweep forgets conversations that have ended.
func (c *conversations) sweep(now time.Time) {
	limit := now.UnixNano() - c.idle
	for i := range c.sets {
		set, mu := &c.sets[i], &c.locks[i%setLocks]
		mu.Lock()
		for k := range set.slots {
			if int64(set.slots[k].seen) < limit {
				c.forget(set, k, goneIdle)
			}
		}
		mu.Unlock()
	}
}

// details makes sure that s has details and keeps the first of each fact.
func (s *conversation) details(service, id, model, agent string) *conversationDetail {
	d := s.detail
	if d == nil {
		d = &conversationDetail{service: strings.Clone(service)}
		s.detail = d
	}
	if d.id == "" {
		d.id = strings.Clone(id)
	}
	if d.agent == "" {
		d.agent = strings.Clone(agent)
	}
	if d.model == "" {
		d.model = strings.Clone(model)
		s.named = model != ""
	}
	return d
}

// hash is that of a value that is only compared; 0 for one that is not there.
func (c *conversations) hash(v pcommon.Value) uint64 {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return 0
	case pcommon.ValueTypeStr:
		return maphash.String(c.seed, v.Str()) | 1
	default:
		return maphash.String(c.seed, v.AsString()) | 1
	}
}

func spanKey(id pcommon.SpanID) uint64 { return binary.LittleEndian.Uint64(id[:]) }
