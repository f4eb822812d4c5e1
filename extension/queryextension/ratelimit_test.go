package queryextension

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/llm-devops/llm-sentinel/extension/queryextension/internal/metadatatest"
)

func testLimiter(t *testing.T, change func(*RateLimitConfig)) (*limiter, *time.Time) {
	t.Helper()
	cfg := defaultRateLimit()
	if change != nil {
		change(&cfg)
	}
	require.NoError(t, cfg.Validate())
	now := testNow
	l := newLimiter(&cfg)
	l.now = func() time.Time { return now }
	return l, &now
}

func TestRateIsLimitedPerClient(t *testing.T) {
	t.Parallel()
	l, now := testLimiter(t, func(c *RateLimitConfig) { c.RequestsPerSecond, c.Burst = 10, 5 })
	a, b := clientKey{subject: "a"}, clientKey{subject: "b"}
	for range 5 {
		ok, _ := l.allow(a)
		require.True(t, ok)
	}
	ok, wait := l.allow(a)
	assert.False(t, ok)
	assert.Equal(t, 100*time.Millisecond, wait)
	ok, _ = l.allow(b)
	assert.True(t, ok, "another client is not concerned")

	*now = now.Add(wait)
	ok, _ = l.allow(a)
	assert.True(t, ok)
	ok, _ = l.allow(a)
	assert.False(t, ok)

	*now = now.Add(-time.Hour) // a clock that was set back gives and takes nothing
	ok, _ = l.allow(a)
	assert.False(t, ok)

	*now = now.Add(3 * time.Hour)
	n := 0
	for ok, _ = l.allow(a); ok; ok, _ = l.allow(a) {
		n++
	}
	assert.Equal(t, 5, n, "quiet time gives the burst, no more")
}

func TestTableOfClientsIsBounded(t *testing.T) {
	t.Parallel()
	l, now := testLimiter(t, func(c *RateLimitConfig) { c.RequestsPerSecond, c.Burst, c.MaxClients = 1, 2, 100 })
	passed := 0
	for i := range 1000 {
		if ok, _ := l.allow(clientKey{subject: strconv.Itoa(i)}); ok {
			passed++
		}
	}
	assert.Equal(t, 100, l.clients())
	assert.Equal(t, 102, passed, "those without a place share one allowance")

	*now = now.Add(2 * time.Second) // all have their allowance again
	ok, _ := l.allow(clientKey{subject: "new"})
	assert.True(t, ok)
	assert.Equal(t, 1, l.clients())
}

func TestWhoTheClientIs(t *testing.T) {
	t.Parallel()
	l, _ := testLimiter(t, func(c *RateLimitConfig) { c.TrustedProxies = []string{"10.0.0.0/8", "fd00::1"} })
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:1234", "", "192.0.2.1/32"},
		{"192.0.2.1:1234", "198.51.100.7", "192.0.2.1/32"},                        // not a trusted proxy
		{"10.1.2.3:1234", "198.51.100.7", "198.51.100.7/32"},                      // a trusted one
		{"10.1.2.3:1234", "1.1.1.1, 198.51.100.7,10.9.9.9", "198.51.100.7/32"},    // two, and an invention
		{"10.1.2.3:1234", "198.51.100.7:4567", "198.51.100.7/32"},                 // with a port
		{"10.1.2.3:1234", "nonsense", "10.1.2.3/32"},                              // unreadable
		{"10.1.2.3:1234", "", "10.1.2.3/32"},                                      // none
		{"10.1.2.3:1234", "10.4.4.4, 10.5.5.5", "10.4.4.4/32"},                    // only proxies
		{"[fd00::1]:1234", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},              // IPv6 by network
		{"[::ffff:192.0.2.1]:1234", "", "192.0.2.1/32"},                           // IPv4 in disguise
		{"[fe80::1%eth0]:1234", "", "fe80::/64"},                                  // with a zone
		{"@", "", "invalid Prefix"},                                               // a unix socket
		{"10.1.2.3:1234", "2001:db8:9:9:9::9, nonsense, 10.7.7.7", "10.7.7.7/32"}, // up to what cannot be read
	} {
		key := l.clientOf(client.Info{}, c.remote, []string{c.forwarded})
		assert.Equal(t, c.want, key.network.String(), "%+v", c)
	}
	info := client.Info{Auth: authData{"username": "alice"}}
	assert.Equal(t, clientKey{subject: "alice"}, l.clientOf(info, "192.0.2.1:1234", nil))
	info = client.Info{Auth: authData{"subject": "bob", "username": "alice"}}
	assert.Equal(t, clientKey{subject: "bob"}, l.clientOf(info, "192.0.2.1:1234", nil))
	info = client.Info{Auth: authData{"raw": "x"}}
	assert.Equal(t, netip.MustParsePrefix("192.0.2.1/32"), l.clientOf(info, "192.0.2.1:1234", nil).network)
	long := l.clientOf(client.Info{Auth: authData{"subject": strings.Repeat("x", 10_000)}}, "", nil)
	assert.LessOrEqual(t, len(long.subject), maxSubject)
}

type authData map[string]string

func (a authData) GetAttribute(name string) any {
	if v, ok := a[name]; ok {
		return v
	}
	return nil
}

func (a authData) GetAttributeNames() []string { return nil }

func TestTooManyRequestsOfOneClient(t *testing.T) {
	t.Parallel()
	a := newAPI(t, map[string]any{"rate_limit": map[string]any{"enabled": true, "requests_per_second": 0.5, "burst": 3}})
	a.limiter.now = func() time.Time { return testNow }
	for _, path := range []string{pathTelemetry, pathIndex, pathAnomalies} {
		require.Equal(t, http.StatusOK, a.get(path).Code)
	}
	w := a.get(pathTelemetry)
	e := a.fails(w, http.StatusTooManyRequests, codeTooManyRequests)
	assert.Equal(t, "2", w.Header().Get("Retry-After"))
	assert.EqualValues(t, 0.5, e.Details["requests_per_second"])
	assert.EqualValues(t, 3, e.Details["burst"])
	assert.Equal(t, http.StatusOK, a.get(pathLive).Code, "probes are not limited")
	assert.Equal(t, http.StatusOK, a.get(pathHealth).Code, "probes are not limited")

	other := request(t, http.MethodGet, pathTelemetry, http.NoBody)
	other.RemoteAddr = "198.51.100.7:1"
	assert.Equal(t, http.StatusOK, a.do(other).Code, "another client is not concerned")
	metadatatest.AssertEqualAPIRejectedTotal(t, a.telemetry, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("reason", rejectedRate))},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestWrongRateLimits(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*RateLimitConfig){
		"requests_per_second must be more than 0 and at most 1000000, got -1": func(c *RateLimitConfig) { c.RequestsPerSecond = -1 },
		"burst must be from 1 to 1000000, got 0":                              func(c *RateLimitConfig) { c.Burst = 0 },
		"max_clients must be from 1 to 1000000, got 0":                        func(c *RateLimitConfig) { c.MaxClients = 0 },
		`got "10.0.0.0/33"`: func(c *RateLimitConfig) { c.TrustedProxies = []string{"10.0.0.1", "10.0.0.0/33"} },
	} {
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, cfg.RateLimit.Validate())
		change(&cfg.RateLimit)
		require.ErrorContains(t, cfg.RateLimit.Validate(), says)
	}
}
