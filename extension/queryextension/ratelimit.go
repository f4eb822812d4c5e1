package queryextension

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
)

// RateLimitConfig bounds how often one client may ask. A client is who has
// authenticated, else an address (of IPv6 its /64).
type RateLimitConfig struct {
	// Enabled turns the limit on. Default: true.
	Enabled bool `mapstructure:"enabled"`
	// RequestsPerSecond that a client may ask for in the long run. Default: 100.
	RequestsPerSecond float64 `mapstructure:"requests_per_second"`
	// Burst is how many requests a client that was quiet may ask for at once.
	// Default: 200.
	Burst int `mapstructure:"burst"`
	// MaxClients bounds the clients that are told apart; beyond it new ones share
	// one allowance. Default: 10000.
	MaxClients int `mapstructure:"max_clients"`
	// TrustedProxies are networks (CIDR) or addresses of proxies whose
	// X-Forwarded-For header is believed. Default: none.
	TrustedProxies []string `mapstructure:"trusted_proxies"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultRateLimit() RateLimitConfig {
	return RateLimitConfig{Enabled: true, RequestsPerSecond: 100, Burst: 200, MaxClients: 10_000}
}

// Validate reports every setting that cannot work.
func (c *RateLimitConfig) Validate() error {
	var errs []error
	if r := c.RequestsPerSecond; !(r > 0 && r <= 1e6) {
		errs = append(errs, fmt.Errorf("requests_per_second must be more than 0 and at most 1000000, got %g", r))
	}
	if c.Burst < 1 || c.Burst > 1e6 {
		errs = append(errs, fmt.Errorf("burst must be from 1 to 1000000, got %d", c.Burst))
	}
	if c.MaxClients < 1 || c.MaxClients > 1e6 {
		errs = append(errs, fmt.Errorf("max_clients must be from 1 to 1000000, got %d", c.MaxClients))
	}
	_, err := c.proxies()
	return errors.Join(append(errs, err)...)
}

func (c *RateLimitConfig) proxies() ([]netip.Prefix, error) {
	var errs []error
	all := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("trusted_proxies must be addresses or networks as 10.0.0.0/8, got %q", text))
		}
		all = append(all, p)
	}
	return all, errors.Join(errs...)
}

// clientKey is one client.
type clientKey struct {
	subject string
	network netip.Prefix
}

// maxSubject keeps long names of subjects out of the table.
const maxSubject = 128

// limiter is a bounded table of token buckets. It is safe for concurrent use.
type limiter struct {
	rate    float64 // tokens a second
	burst   float64
	max     int
	proxies []netip.Prefix
	now     func() time.Time

	mu       sync.Mutex
	buckets  map[clientKey]*bucket
	overflow bucket
	swept    time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

// newLimiter returns nil when there is no limit. The configuration is valid.
func newLimiter(cfg *RateLimitConfig) *limiter {
	if !cfg.Enabled {
		return nil
	}
	proxies, _ := cfg.proxies()
	return &limiter{
		rate: cfg.RequestsPerSecond, burst: float64(cfg.Burst), max: cfg.MaxClients, proxies: proxies,
		now: time.Now, buckets: map[clientKey]*bucket{},
	}
}

// allow takes a token of the client; without one it says when there will be one.
func (l *limiter) allow(key clientKey) (ok bool, wait time.Duration) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known {
		if len(l.buckets) >= l.max {
			l.sweep(now)
		}
		if len(l.buckets) < l.max {
			b = &bucket{l.burst, now}
			l.buckets[key] = b
		} else {
			b = &l.overflow
		}
	}
	b.tokens, b.at = l.refilled(b, now), now
	if b.tokens < 1 {
		return false, time.Duration((1 - b.tokens) / l.rate * float64(time.Second))
	}
	b.tokens--
	return true, 0
}

func (l *limiter) refilled(b *bucket, now time.Time) float64 {
	if b.at.IsZero() {
		return l.burst
	}
	return min(l.burst, b.tokens+l.rate*max(now.Sub(b.at).Seconds(), 0))
}

// sweep forgets the clients that have their full allowance again: they are
// treated the same as new ones. It looks at all at most once a second.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if l.refilled(b, now) >= l.burst {
			delete(l.buckets, key)
		}
	}
}

// clients is the number of clients in the table.
func (l *limiter) clients() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}

// clientOf says who asks. forwarded are the values of X-Forwarded-For.
func (l *limiter) clientOf(info client.Info, remote string, forwarded []string) clientKey {
	if info.Auth != nil {
		for _, name := range [...]string{"subject", "username"} {
			if v, ok := info.Auth.GetAttribute(name).(string); ok && v != "" {
				if len(v) > maxSubject {
					sum := sha256.Sum256([]byte(v))
					v = string(sum[:])
				}
				return clientKey{subject: v}
			}
		}
	}
	var addr netip.Addr
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		addr = ap.Addr().Unmap()
	} else if a, err := netip.ParseAddr(remote); err == nil {
		addr = a.Unmap()
	}
	return clientKey{network: networkOf(l.behindProxies(addr, forwarded))}
}

// behindProxies goes from the nearest proxy outwards as long as each hop is
// trusted: what stands further left may be the invention of a client.
func (l *limiter) behindProxies(addr netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && l.trusted(addr); i-- {
		hop := strings.TrimSpace(hops[i])
		next, err := netip.ParseAddr(hop)
		if err != nil {
			ap, err := netip.ParseAddrPort(hop)
			if err != nil {
				break
			}
			next = ap.Addr()
		}
		addr = next.Unmap().WithZone("")
	}
	return addr
}

func (l *limiter) trusted(addr netip.Addr) bool {
	for _, p := range l.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func networkOf(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits) // the zero prefix for no address
	return p
}

// rated puts the limit around a handler.
func (s *server) rated(next http.HandlerFunc) http.HandlerFunc {
	if s.limiter == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ok, wait := s.limiter.allow(s.limiter.clientOf(client.FromContext(r.Context()), r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
		if ok {
			next(w, r)
			return
		}
		s.reject(r.Context(), rejectedRate)
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds(wait)))
		sendError(w, r, &apiError{
			status: http.StatusTooManyRequests, code: codeTooManyRequests,
			message: fmt.Sprintf("more than %g requests a second; try again later", s.limiter.rate),
			details: map[string]any{"requests_per_second": s.limiter.rate, "burst": int(s.limiter.burst)},
		})
	}
}

// retrySeconds rounds up: who comes too early is refused again.
func retrySeconds(wait time.Duration) int { return max(int(math.Ceil(wait.Seconds())), 1) }

// unrated are the probes: a busy client must not make the collector look dead.
var unrated = map[string]bool{pathHealth: true, pathLive: true, pathReady: true}
