package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func testConfig() Config {
	return Config{MaxBytes: DefaultMaxBytes, TTL: DefaultTTL, TTI: DefaultTTI}
}

func newCache(t testing.TB, cfg Config) *Cache {
	t.Helper()
	c, err := New(cfg, zap.NewNop())
	require.NoError(t, err)
	return c
}

func keyOf(text string) Key { return sha256.Sum256([]byte(text)) }

// always is a load that counts its calls.
func always(text string, ttl time.Duration, calls *int) func(context.Context) (Loaded, error) {
	return func(context.Context) (Loaded, error) {
		*calls++
		return Loaded{[]byte(text), ttl}, nil
	}
}

func TestValueIsKeptUntilItsDeadlineHoweverOftenItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		calls := 0
		load := always("a", 90*time.Second, &calls)
		for range 90 {
			v, _, err := c.Load(t.Context(), keyOf("k"), load)
			require.NoError(t, err)
			require.Equal(t, "a", string(v))
			time.Sleep(time.Second)
		}
		require.Equal(t, 1, calls)
		_, outcome, err := c.Load(t.Context(), keyOf("k"), load)
		require.NoError(t, err)
		assert.Equal(t, Computed, outcome)
		assert.Equal(t, 2, calls)
	})
}

func TestValueThatNobodyReadsIsDroppedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		calls := 0
		load := always("a", DefaultTTL, &calls)
		for _, pause := range []time.Duration{0, DefaultTTI - 2*time.Second, DefaultTTI - 2*time.Second, DefaultTTI + 2*time.Second} {
			time.Sleep(pause)
			_, _, err := c.Load(t.Context(), keyOf("k"), load)
			require.NoError(t, err)
		}
		assert.Equal(t, 2, calls)
	})
}

func TestConfiguredTTLBoundsTheOneOfTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.TTL = 10 * time.Second
		c := newCache(t, cfg)
		defer func() { require.NoError(t, c.Close()) }()
		calls := 0
		load := always("a", time.Hour, &calls)
		for range 3 {
			_, _, err := c.Load(t.Context(), keyOf("k"), load)
			require.NoError(t, err)
			time.Sleep(6 * time.Second)
		}
		assert.Equal(t, 2, calls)
	})
}

func TestFailuresAndValuesWithoutTTLAreNotKept(t *testing.T) {
	t.Parallel()
	c := newCache(t, testConfig())
	defer func() { require.NoError(t, c.Close()) }()
	calls := 0
	for range 2 {
		v, _, err := c.Load(t.Context(), keyOf("no ttl"), always("a", 0, &calls))
		require.NoError(t, err)
		assert.Equal(t, "a", string(v))
		_, _, err = c.Load(t.Context(), keyOf("fails"), func(context.Context) (Loaded, error) {
			calls++
			return Loaded{TTL: time.Hour}, errors.New("no storage")
		})
		require.EqualError(t, err, "no storage")
	}
	assert.Equal(t, 4, calls)
	assert.Zero(t, c.Stats().Memory.Inserts)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.MaxBytes = MinMaxBytes
	c := newCache(t, cfg)
	defer func() { require.NoError(t, c.Close()) }()
	value := make([]byte, 10_000)
	for i := range 1000 {
		_, _, err := c.Load(t.Context(), keyOf(strconv.Itoa(i)), func(context.Context) (Loaded, error) { return Loaded{value, time.Hour}, nil })
		require.NoError(t, err)
	}
	c.memory.CleanUp()
	s := c.Stats()
	assert.EqualValues(t, 1000, s.Memory.Inserts)
	assert.EqualValues(t, 1000, s.Memory.Misses)
	assert.LessOrEqual(t, s.Bytes, int64(MinMaxBytes))
	assert.Positive(t, s.Entries)
	assert.Equal(t, 1000-s.Entries, s.Memory.Removals)
}

func TestOneValueMustNotDriveOutAllOthers(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.MaxBytes = MinMaxBytes
	c := newCache(t, cfg)
	defer func() { require.NoError(t, c.Close()) }()
	for range 2 {
		v, outcome, err := c.Load(t.Context(), keyOf("large"), func(context.Context) (Loaded, error) {
			return Loaded{make([]byte, MinMaxBytes/maxShare+1), time.Hour}, nil
		})
		require.NoError(t, err)
		assert.Len(t, v, MinMaxBytes/maxShare+1)
		assert.Equal(t, Computed, outcome)
	}
	assert.Zero(t, c.Stats().Entries)
}

func TestConcurrentCallsLoadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		release := make(chan struct{})
		var loads, joined atomic.Int64
		done := make(chan string, 100)
		for range 100 {
			go func() {
				v, outcome, err := c.Load(t.Context(), keyOf("k"), func(context.Context) (Loaded, error) {
					loads.Add(1)
					<-release
					return Loaded{[]byte("a"), time.Minute}, nil
				})
				if outcome == Joined {
					joined.Add(1)
				}
				assert.NoError(t, err)
				done <- string(v)
			}()
		}
		synctest.Wait()
		close(release)
		for range 100 {
			require.Equal(t, "a", <-done)
		}
		assert.EqualValues(t, 1, loads.Load())
		assert.EqualValues(t, 99, joined.Load())
		assert.Equal(t, Level{Hits: 99, Misses: 1, Inserts: 1}, c.Stats().Memory)
	})
}

// The one whose request began the load goes away; the other still gets its answer.
func TestLoadSurvivesTheCallThatBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		first, leave := context.WithCancel(t.Context())
		release := make(chan struct{})
		errs, values := make(chan error, 1), make(chan string, 1)
		go func() {
			_, _, err := c.Load(first, keyOf("k"), func(ctx context.Context) (Loaded, error) {
				<-release
				return Loaded{[]byte("a"), time.Minute}, ctx.Err()
			})
			errs <- err
		}()
		synctest.Wait()
		go func() {
			v, _, err := c.Load(t.Context(), keyOf("k"), nil)
			assert.NoError(t, err)
			values <- string(v)
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		close(release)
		require.ErrorIs(t, <-errs, context.Canceled)
		assert.Equal(t, "a", <-values)
	})
}

func TestLoadThatNobodyWaitsForIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		cause := make(chan error, 1)
		load := func(ctx context.Context) (Loaded, error) {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return Loaded{}, ctx.Err()
		}
		var leave [2]context.CancelFunc
		done := make(chan error, 2)
		for i := range leave {
			ctx, cancel := context.WithCancel(t.Context())
			leave[i] = cancel
			go func() {
				_, _, err := c.Load(ctx, keyOf("k"), load)
				done <- err
			}()
			synctest.Wait()
		}
		leave[0]()
		synctest.Wait()
		require.Empty(t, cause, "one still waits")
		leave[1]()
		require.ErrorIs(t, <-cause, errAbandoned)
		require.ErrorIs(t, <-done, context.Canceled)
		require.ErrorIs(t, <-done, context.Canceled)
		assert.Empty(t, c.flight.calls)
	})
}

// A load that never ends must not be kept alive by those who come later.
func TestOldLoadIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		old, leave := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, _, err := c.Load(old, keyOf("k"), func(ctx context.Context) (Loaded, error) {
				<-ctx.Done()
				return Loaded{}, ctx.Err()
			})
			done <- err
		}()
		time.Sleep(maxJoinAge)
		calls := 0
		_, outcome, err := c.Load(t.Context(), keyOf("k"), always("a", time.Minute, &calls))
		require.NoError(t, err)
		assert.Equal(t, Computed, outcome)
		leave()
		require.Error(t, <-done)
	})
}

func TestPanicReachesEveryCallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, testConfig())
		defer func() { require.NoError(t, c.Close()) }()
		release, got := make(chan struct{}), make(chan any, 2)
		for range 2 {
			go func() {
				defer func() { got <- recover() }()
				_, _, _ = c.Load(t.Context(), keyOf("k"), func(context.Context) (Loaded, error) {
					<-release
					panic("bug")
				})
			}()
		}
		synctest.Wait()
		close(release)
		assert.ElementsMatch(t, []any{"bug", errPanicked}, []any{<-got, <-got})
		calls := 0
		_, _, err := c.Load(t.Context(), keyOf("k"), always("a", 0, &calls))
		require.NoError(t, err)
		assert.Equal(t, 1, calls)
	})
}

func TestWrongConfigs(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*Config){
		"max_bytes must be at least 1048576, got 0":             func(c *Config) { c.MaxBytes = 0 },
		"ttl must be more than 0 and at most 8760h0m0s, got 0s": func(c *Config) { c.TTL = 0 },
		"tti must be more than 0 and at most 8760h0m0s, got -1": func(c *Config) { c.TTI = -1 },
		`redis::endpoint must be host:port, got "redis"`:        func(c *Config) { c.Redis.Addr = "redis" },
		"redis::db must not be negative, got -1":                func(c *Config) { c.Redis.DB = -1 },
		"redis::timeout must be more than 0 and at most 1s":     func(c *Config) { c.Redis.Timeout = time.Minute },
		"redis::key_prefix must have at most 256 bytes, got":    func(c *Config) { c.Redis.KeyPrefix = string(make([]byte, 257)) },
	} {
		cfg := testConfig()
		cfg.Redis = &RedisConfig{Addr: "localhost:6379", Timeout: DefaultRedisTimeout}
		require.NoError(t, cfg.Validate())
		change(&cfg)
		_, err := New(cfg, zap.NewNop())
		require.ErrorContains(t, err, says)
	}
}

func BenchmarkHit(b *testing.B) {
	c := newCache(b, testConfig())
	defer func() { require.NoError(b, c.Close()) }()
	load := func(context.Context) (Loaded, error) { return Loaded{[]byte("a"), time.Hour}, nil }
	for b.Loop() {
		_, _, _ = c.Load(b.Context(), keyOf("k"), load)
	}
}
