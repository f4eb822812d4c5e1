package queryextension

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/cache"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// settledAfter is the age from which a time range is taken as complete when
	// the storage does not say what changed: telemetry is rarely later.
	settledAfter = time.Hour

	// Answers to questions that end now are kept for a thousandth of their time
	// range, within these bounds: the range moves on meanwhile.
	minDrift  = time.Second
	maxDrift  = time.Minute
	driftPart = 1000

	maxCanonicalQuery = 8 << 10
)

// keptRoutes are the routes whose answers depend on the storage and the clock
// alone, with the hours that they look back by default; 0 when they look at
// everything. Answers about live engines are no such answers.
var keptRoutes = map[string]int{
	pathTelemetry: defaultHours,
	pathAnomalies: defaultHours,
	pathStats:     defaultHours,
	pathServices:  defaultHours,
	pathModels:    defaultHours,
	pathTrace:     0,
	pathSession:   defaultSessionHours,
	pathOverview:  1,
	pathAnomaly:   0,
}

// answers keeps what routes have answered. docs/adr/0011 has the rule by which
// a kept answer is never stale.
type answers struct {
	*server
	cache *cache.Cache // nil when keeping is turned off
}

// openCache connects to nothing.
func (s *server) openCache(ctx context.Context) error {
	if !s.cfg.Cache.Enabled {
		return nil
	}
	cfg, err := s.cfg.Cache.open(ctx)
	if err != nil {
		return err
	}
	c, err := cache.New(cfg, s.logger)
	if err != nil {
		return err
	}
	s.answers.cache = c
	return s.observeCache(c)
}

func (s *server) closeCache() error {
	if s.answers.cache == nil {
		return nil
	}
	return s.answers.cache.Close()
}

// kept puts the cache, ETags and compression around a route.
func (k *answers) kept(path string, next http.HandlerFunc) http.HandlerFunc {
	hours := keptRoutes[path]
	return func(w http.ResponseWriter, r *http.Request) {
		key, ttl, ok := k.identify(r, hours)
		if !ok || k.cache == nil {
			rec := record(r.Context(), r, next)
			if rec.status != http.StatusOK {
				rec.replay(w, r)
				return
			}
			newAnswer(rec.header, rec.body.Bytes()).send(w, r, rec.body.Bytes())
			return
		}
		var plain []byte
		value, outcome, err := k.cache.Load(r.Context(), key, func(ctx context.Context) (cache.Loaded, error) {
			rec := record(ctx, r, next)
			if rec.status != http.StatusOK {
				return cache.Loaded{}, rec
			}
			plain = rec.body.Bytes()
			return cache.Loaded{Value: newAnswer(rec.header, plain).encode(), TTL: ttl}, nil
		})
		var a answer
		if err == nil {
			a, err = decodeAnswer(value)
		}
		var other *recorded
		switch {
		case errors.As(err, &other):
			other.replay(w, r)
		case err != nil:
			sendError(w, r, k.queryError(r.Context(), path, err))
		default:
			w.Header().Set(headerCacheStatus, cacheStatus[outcome])
			a.send(w, r, plain)
		}
	}
}

// headerCacheStatus tells where the answer came from, see RFC 9211.
const headerCacheStatus = "Cache-Status"

var cacheStatus = map[cache.Outcome]string{
	cache.Computed: "sentinel; fwd=miss",
	cache.Joined:   "sentinel; fwd=miss; collapsed",
	cache.Memory:   "sentinel; hit; detail=memory",
	cache.Redis:    "sentinel; hit; detail=redis",
}

// identify digests all that the answer depends on, and says how long it may be
// kept. What cannot be a success is not kept.
func (k *answers) identify(r *http.Request, hours int) (key cache.Key, ttl time.Duration, ok bool) {
	reader, err := k.reader(r.Context())
	if err != nil {
		return key, 0, false
	}
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return key, 0, false
	}
	query := v.Encode() // sorted by name
	if len(query) > maxCanonicalQuery {
		return key, 0, false
	}
	now := k.now()
	sp := spanOf(v, hours, now)

	b := make([]byte, 0, 512)
	for _, part := range [...]string{k.version, k.cfg.Storage.String(), r.URL.Path, query} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	b = append(b, answerVersion)
	ttl = k.cfg.Cache.TTL
	if versioned, can := reader.(store.Versioned); can {
		b = binary.BigEndian.AppendUint64(append(b, 1), versioned.Version(time.Time{}, sp.end))
	} else if b = append(b, 0); sp.end.IsZero() || sp.end.After(now.Add(-settledAfter)) {
		ttl = min(ttl, k.cfg.Cache.RecentTTL)
	}
	if sp.drift > 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()/int64(sp.drift)))
		// Kept longer it could not be found any more.
		ttl = min(ttl, sp.drift)
	}
	return sha256.Sum256(b), ttl, true
}

// span is what matters of the time range of a question.
type span struct {
	// end is exclusive, zero when it is open or moves with the clock. The start
	// is taken as open: nearly all that changes, changes at the end.
	end time.Time
	// drift is how long the range may stand still while the clock goes on, 0
	// when the clock does not move it.
	drift time.Duration
}

// spanOf reads the parameters of the time range. What is wrong with them is
// said by the handler; here it must only not be taken as narrower than it is.
func spanOf(v url.Values, hours int, now time.Time) span {
	if v.Has("cursor") {
		return span{} // frozen, but only the handler knows where
	}
	if t, ok := parseTime(v.Get("end")); ok {
		return span{end: t}
	}
	length := time.Duration(hours) * time.Hour
	if n, err := strconv.Atoi(v.Get("hours")); err == nil && n > 0 && n <= maxHours {
		length = time.Duration(n) * time.Hour
	} else if start, ok := parseTime(v.Get("start")); ok {
		length = now.Sub(start)
	}
	return span{drift: min(max(length/driftPart, minDrift), maxDrift)}
}

// recorded is the response of a handler, held back. As an error it is one that
// is no success.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Error() string { return "response " + strconv.Itoa(r.status) }

func (r *recorded) Header() http.Header { return r.header }

func (r *recorded) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorded) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// record runs the handler as for a plain GET, whose answer serves all clients.
func record(ctx context.Context, r *http.Request, next http.HandlerFunc) *recorded {
	plain := r.Clone(ctx)
	plain.Method = http.MethodGet
	for _, name := range [...]string{"Accept-Encoding", "If-None-Match", "Range"} {
		plain.Header.Del(name)
	}
	rec := &recorded{header: http.Header{}}
	next(rec, plain)
	rec.WriteHeader(http.StatusOK)
	return rec
}

// replay sends the response; several requests may share it.
func (r *recorded) replay(w http.ResponseWriter, to *http.Request) {
	h := w.Header()
	for name, vs := range r.header {
		if name != "Vary" && name != "Content-Length" {
			h[name] = slices.Clone(vs)
		}
	}
	send(w, to, r.status, r.header.Get("Content-Type"), r.body.Bytes())
}
