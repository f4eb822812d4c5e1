package cache

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
)

// Defaults of RedisConfig.
const (
	DefaultKeyPrefix    = "sentinel:"
	DefaultRedisTimeout = 100 * time.Millisecond

	// maxRedisTimeout keeps a slow Redis from being slower than the storage.
	maxRedisTimeout = time.Second
	// maxRedisValue is the largest value that is written to Redis: larger ones
	// would block its one thread.
	maxRedisValue = 4 << 20
	maxPrefix     = 256
	redisConns    = 16
)

// RedisConfig says how to reach a Redis.
type RedisConfig struct {
	// Addr is host:port.
	Addr string
	// Username and Password; empty for none. DB is the number of the database.
	Username, Password string
	DB                 int
	// TLS is nil for a plain connection.
	TLS *tls.Config
	// KeyPrefix stands before each key, at most 256 bytes.
	KeyPrefix string
	// Timeout of one call, connecting included: more than 0, at most 1 s.
	Timeout time.Duration
}

func (c *RedisConfig) validate() error {
	var errs []error
	if c.Addr == "" || !strings.Contains(c.Addr, ":") {
		errs = append(errs, fmt.Errorf("redis::endpoint must be host:port, got %q", c.Addr))
	}
	if c.DB < 0 {
		errs = append(errs, fmt.Errorf("redis::db must not be negative, got %d", c.DB))
	}
	if len(c.KeyPrefix) > maxPrefix {
		errs = append(errs, fmt.Errorf("redis::key_prefix must have at most %d bytes, got %d", maxPrefix, len(c.KeyPrefix)))
	}
	if c.Timeout <= 0 || c.Timeout > maxRedisTimeout {
		errs = append(errs, fmt.Errorf("redis::timeout must be more than 0 and at most %s, got %s", maxRedisTimeout, c.Timeout))
	}
	return errors.Join(errs...)
}

// shared is the level that processes share. All methods also work on nil, for
// a cache without it. None of them fails: what cannot be had is a miss.
type shared struct {
	client  *redis.Client
	prefix  string
	timeout time.Duration
	circuit circuit
	logger  *zap.Logger
	ctx     context.Context // ends with close
	stop    context.CancelFunc
	trials  sync.WaitGroup

	hits, misses, inserts, removals, errors, skipped atomic.Int64
}

// silence stops the client from writing to standard error: failures are counted
// and logged here, once.
var silence = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func newShared(cfg RedisConfig, logger *zap.Logger) *shared {
	silence()
	s := &shared{prefix: cfg.KeyPrefix, timeout: cfg.Timeout, logger: logger}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.client = redis.NewClient(&redis.Options{
		Addr: cfg.Addr, Username: cfg.Username, Password: cfg.Password, DB: cfg.DB, TLSConfig: cfg.TLS,
		// One try each, within the timeout: the storage answers, too.
		MaxRetries: -1, DialerRetries: 1, DialTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout,
		PoolTimeout: cfg.Timeout, ContextTimeoutEnabled: true, PoolSize: redisConns, MaxActiveConns: redisConns,
		// Only GET, SET, DEL and PING are sent, beside the login.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return s
}

func (s *shared) key(key Key) string {
	return s.prefix + base64.RawURLEncoding.EncodeToString(key[:])
}

// get returns a value and until when it may be used.
func (s *shared) get(ctx context.Context, key Key) ([]byte, time.Time, bool) {
	if s == nil || !s.allowed() { //nolint:contextcheck // a trial outlives the request that begins it
		return nil, time.Time{}, false
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	b, err := s.client.Get(bounded, s.key(key)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		s.answered(ctx, nil)
		s.misses.Add(1)
		return nil, time.Time{}, false
	case err != nil:
		s.answered(ctx, err)
		return nil, time.Time{}, false
	}
	s.answered(ctx, nil)
	value, deadline, err := decode(key, b)
	if err == nil && time.Now().Before(deadline) {
		s.hits.Add(1)
		return value, deadline, true
	}
	s.misses.Add(1)
	if err != nil {
		s.removals.Add(1)
		s.answered(ctx, s.client.Del(bounded, s.key(key)).Err())
	}
	return nil, time.Time{}, false
}

func (s *shared) put(ctx context.Context, key Key, value []byte, ttl time.Duration) {
	// What lives for a moment is not worth the way.
	if s == nil || ttl < time.Millisecond || len(value) > maxRedisValue || !s.allowed() { //nolint:contextcheck // as above
		return
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.client.Set(bounded, s.key(key), encode(key, value, time.Now().Add(ttl)), ttl).Err()
	if s.answered(ctx, err); err == nil {
		s.inserts.Add(1)
	}
}

// allowed reports whether Redis may be asked. When it has been down for a while
// a trial begins, which no caller waits for.
func (s *shared) allowed() bool {
	call, try := s.circuit.allow(time.Now())
	if try {
		s.trials.Go(func() {
			ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
			defer cancel()
			if s.circuit.tried(s.client.Ping(ctx).Err() == nil, time.Now()) {
				s.logger.Info("redis answers again and is asked as a cache")
			}
		})
	}
	if !call {
		s.skipped.Add(1)
	}
	return call
}

// answered judges the end of a call. A caller that did not wait says nothing
// about Redis.
func (s *shared) answered(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	if err != nil {
		s.errors.Add(1)
	}
	if s.circuit.result(err == nil, time.Now()) {
		s.logger.Warn("redis does not answer; answers are not shared until it does", zap.Error(err))
	}
}

func (s *shared) addTo(to *Stats) {
	if s == nil {
		return
	}
	to.HasRedis, to.RedisUp = true, s.circuit.closed()
	to.Redis = Level{s.hits.Load(), s.misses.Load(), s.inserts.Load(), s.removals.Load()}
	to.RedisErrors, to.RedisSkipped = s.errors.Load(), s.skipped.Load()
}

func (s *shared) close() error {
	if s == nil {
		return nil
	}
	s.stop()
	s.trials.Wait()
	return s.client.Close()
}
