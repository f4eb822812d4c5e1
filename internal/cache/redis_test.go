package cache

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// redisAddr is a real server; `make services` starts one.
func redisAddr(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("SENTINEL_REDIS_ADDR")
	if addr == "" {
		t.Skip("NOT TESTED: set SENTINEL_REDIS_ADDR to a Redis (scripts/services/services.sh up redis) to test the shared cache")
	}
	return addr
}

// proxy stands before the server and can be cut.
type proxy struct {
	net.Listener
	target string
	mu     sync.Mutex
	down   bool
	silent bool
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.set(true, false)
		p.wg.Wait()
	})
	return p
}

// set takes the server down (connections end at once) or makes it silent
// (connections are taken, nothing answers).
func (p *proxy) set(down, silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.silent = down, silent
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) accept() {
	for {
		c, err := p.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		switch {
		case p.down:
			_ = c.Close()
		case p.silent:
			p.conns[c] = true
		default:
			if s, err := net.Dial("tcp", p.target); err == nil {
				p.conns[c], p.conns[s] = true, true
				p.wg.Go(func() { pipe(c, s) })
				p.wg.Go(func() { pipe(s, c) })
			} else {
				_ = c.Close()
			}
		}
		p.mu.Unlock()
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}

// redisSetup is a cache before a proxy before the server, with a prefix of its own.
type redisSetup struct {
	cfg    Config
	proxy  *proxy
	direct *redis.Client
}

func newRedisSetup(t *testing.T) *redisSetup {
	t.Helper()
	addr := redisAddr(t)
	s := &redisSetup{cfg: testConfig(), proxy: newProxy(t, addr), direct: redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})}
	prefix := "sentinel-test:" + uuid.NewString() + ":"
	s.cfg.Redis = &RedisConfig{Addr: s.proxy.Addr().String(), KeyPrefix: prefix, Timeout: maxRedisTimeout}
	t.Cleanup(func() {
		keys, err := s.direct.Keys(context.Background(), prefix+"*").Result()
		require.NoError(t, err)
		if len(keys) > 0 {
			require.NoError(t, s.direct.Del(context.Background(), keys...).Err())
		}
		require.NoError(t, s.direct.Close())
	})
	return s
}

func (s *redisSetup) open(t *testing.T) *Cache {
	t.Helper()
	c := newCache(t, s.cfg)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func (s *redisSetup) ask(t *testing.T, c *Cache, key, value string) (string, Outcome) {
	t.Helper()
	v, outcome, err := c.Load(t.Context(), keyOf(key), func(context.Context) (Loaded, error) { return Loaded{[]byte(value), time.Minute}, nil })
	require.NoError(t, err)
	return string(v), outcome
}

func TestProcessesShareValuesThroughRedis(t *testing.T) {
	s := newRedisSetup(t)
	first, second := s.open(t), s.open(t)
	v, outcome := s.ask(t, first, "k", "a")
	assert.Equal(t, "a", v)
	assert.Equal(t, Computed, outcome)
	v, outcome = s.ask(t, second, "k", "computed again")
	assert.Equal(t, "a", v)
	assert.Equal(t, Redis, outcome)
	v, outcome = s.ask(t, second, "k", "computed again")
	assert.Equal(t, "a", v)
	assert.Equal(t, Memory, outcome)

	assert.Equal(t, Level{Misses: 1, Inserts: 1}, first.Stats().Redis)
	assert.Equal(t, Level{Hits: 1}, second.Stats().Redis)
	assert.True(t, second.Stats().RedisUp)

	ttl, err := s.direct.TTL(t.Context(), second.redis.key(keyOf("k"))).Result()
	require.NoError(t, err)
	assert.Greater(t, ttl, 50*time.Second)
	assert.LessOrEqual(t, ttl, time.Minute)
}

func TestForeignAndDamagedValuesInRedisAreMisses(t *testing.T) {
	s := newRedisSetup(t)
	writer := s.open(t)
	s.ask(t, writer, "k", "a")
	name := writer.redis.key(keyOf("k"))
	good, err := s.direct.Get(t.Context(), name).Bytes()
	require.NoError(t, err)
	damaged := append([]byte(nil), good...)
	damaged[len(damaged)-1] ^= 1
	newer := append([]byte(nil), good...)
	newer[len(formatMagic)] = formatVersion + 1
	for what, bad := range map[string]any{
		"foreign": `{"json":true}`, "empty": "", "damaged": damaged, "another version": newer,
		"late": encode(keyOf("k"), []byte("old"), time.Now().Add(-time.Millisecond)),
	} {
		require.NoError(t, s.direct.Set(t.Context(), name, bad, 0).Err())
		c := s.open(t)
		v, outcome := s.ask(t, c, "k", "right")
		assert.Equal(t, "right", v, what)
		assert.Equal(t, Computed, outcome, what)
		now, err := s.direct.Get(t.Context(), name).Bytes()
		require.NoError(t, err)
		v2, _, err := decode(keyOf("k"), now)
		require.NoError(t, err, "%s: the right value took its place", what)
		assert.Equal(t, "right", string(v2))
	}
	// A key of another Redis type is an error of that call only.
	require.NoError(t, s.direct.Del(t.Context(), name).Err())
	require.NoError(t, s.direct.LPush(t.Context(), name, "x").Err())
	v, _ := s.ask(t, s.open(t), "k", "right")
	assert.Equal(t, "right", v)
}

// Redis dies in the middle and comes back; every answer stays right.
func TestRedisThatDiesMakesSlowerNeverWrong(t *testing.T) {
	s := newRedisSetup(t)
	c, other := s.open(t), s.open(t)
	s.ask(t, other, "before", "a")
	_, outcome := s.ask(t, c, "before", "again")
	require.Equal(t, Redis, outcome)

	s.proxy.set(true, false)
	for i := range 200 {
		key := "down" + string(rune('a'+i%26)) + time.Now().String()
		v, outcome := s.ask(t, c, key, key)
		require.Equal(t, key, v)
		require.Equal(t, Computed, outcome)
	}
	st := c.Stats()
	assert.False(t, st.RedisUp)
	assert.LessOrEqual(t, st.RedisErrors, int64(circuitFailures), "the circuit opens")
	assert.Positive(t, st.RedisSkipped)

	s.proxy.set(false, false)
	require.Eventually(t, func() bool {
		s.ask(t, c, time.Now().String(), "a") // begins a trial when it is time
		return c.Stats().RedisUp
	}, 20*time.Second, 10*time.Millisecond)
	s.ask(t, c, "after", "b")
	v, outcome := s.ask(t, other, "after", "again")
	assert.Equal(t, "b", v)
	assert.Equal(t, Redis, outcome)
}

// A Redis that takes connections and says nothing costs its timeout a few times,
// not once a call.
func TestSilentRedisCostsFewTimeouts(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "")
	p.set(false, true)
	cfg := testConfig()
	cfg.Redis = &RedisConfig{Addr: p.Addr().String(), KeyPrefix: DefaultKeyPrefix, Timeout: 30 * time.Millisecond}
	c, err := New(cfg, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	slow := 0
	for i := range 500 {
		began := time.Now()
		_, _, err := c.Load(t.Context(), keyOf(time.Now().String()), func(context.Context) (Loaded, error) { return Loaded{[]byte{byte(i)}, time.Minute}, nil })
		require.NoError(t, err)
		if time.Since(began) > cfg.Redis.Timeout*9/10 {
			slow++
		}
	}
	assert.False(t, c.Stats().RedisUp)
	assert.Less(t, slow, 50, "calls that waited for Redis")
	assert.EqualValues(t, circuitFailures, c.Stats().RedisErrors)
}

func TestCallerThatLeavesDoesNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "")
	p.set(false, true)
	cfg := testConfig()
	cfg.Redis = &RedisConfig{Addr: p.Addr().String(), Timeout: DefaultRedisTimeout}
	c, err := New(cfg, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for range 2 * circuitFailures {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _, err := c.Load(ctx, keyOf("k"), func(context.Context) (Loaded, error) { return Loaded{}, nil })
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	assert.True(t, c.Stats().RedisUp)
	assert.Zero(t, c.Stats().RedisErrors)
}
