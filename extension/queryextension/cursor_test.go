package queryextension

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// A walk sees every row that was there when it began exactly once, whatever is
// written meanwhile, in both directions. Many rows share a time.
func TestWalkUnderConcurrentInsertsVisitsEachOnce(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"false", "true"} {
		a := newAPI(t, nil)
		rng := rand.New(rand.NewPCG(1, 2))
		there := map[string]int{}
		for i := range 500 {
			e := makeEvent(i, time.Duration(rng.IntN(50))*time.Minute)
			there[e.ID.String()] = 0
			a.store.addEvents(e)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := 1000; ; i++ {
				select {
				case <-stop:
					return
				default:
					a.store.addEvents(makeEvent(i, time.Duration(i%100)*time.Minute-50*time.Minute))
				}
				if i > 2_000 {
					return
				}
			}
		})
		target := pathTelemetry + "?limit=37&ascending=" + order
		last := ""
		for next := ""; ; {
			p := a.page(target + next)
			for _, row := range p.Data {
				at, id := row["timestamp"].(string), row["event_id"].(string)
				if last != "" && order == "true" {
					require.LessOrEqual(t, last, at)
				} else if last != "" {
					require.GreaterOrEqual(t, last, at)
				}
				last = at
				if n, ok := there[id]; ok {
					there[id] = n + 1
				}
			}
			if p.Metadata.NextCursor == "" {
				break
			}
			next = "&cursor=" + p.Metadata.NextCursor
		}
		close(stop)
		writer.Wait()
		require.Greater(t, len(a.store.events), 500, "nothing was written meanwhile")
		for id, n := range there {
			require.Equal(t, 1, n, id)
		}
	}
}

// The range is frozen with the first page: what is written later beyond its end
// is not part of the walk, and the clock does not drop rows at its start.
func TestWalkKeepsTheTimeRangeOfItsFirstPage(t *testing.T) {
	t.Parallel()
	now := testNow
	a := newAPI(t, nil, func(s *server) { s.now = func() time.Time { return now } })
	oldest := makeEvent(0, time.Hour-time.Second)
	a.store.addEvents(oldest, makeEvent(1, 30*time.Minute), makeEvent(2, time.Minute))
	p := a.page(pathTelemetry + "?hours=1&limit=2")

	now = testNow.Add(10 * time.Minute)
	next := a.page(pathTelemetry + "?hours=1&limit=2&cursor=" + p.Metadata.NextCursor)
	assert.Equal(t, []string{oldest.ID.String()}, next.ids("event_id"))

	now = testNow
	p = a.page(pathTelemetry + "?hours=1&limit=2&ascending=true")
	now = testNow.Add(time.Hour)
	a.store.addEvents(makeEvent(3, -30*time.Minute))
	next = a.page(pathTelemetry + "?hours=1&limit=2&ascending=true&cursor=" + p.Metadata.NextCursor)
	assert.Len(t, next.Data, 1)
	assert.Empty(t, next.Metadata.NextCursor)
	assert.EqualValues(t, 3, *next.Metadata.TotalCount)
}

func TestCursorIsBoundToItsQuery(t *testing.T) {
	t.Parallel()
	a := withEvents(t, 10, nil)
	base := "limit=2&service=chat-api"
	cursor := "&cursor=" + a.page(pathTelemetry+"?"+base).Metadata.NextCursor
	for _, same := range []string{base, "limit=5&service=chat-api", base + "&hours=24", base + "&ascending=false"} {
		assert.NotEmpty(t, a.page(pathTelemetry+"?"+same+cursor).Data, same)
	}
	for _, other := range []string{
		pathTelemetry + "?limit=2", pathTelemetry + "?limit=2&service=other", pathTelemetry + "?" + base + "&model=gpt-4",
		pathTelemetry + "?" + base + "&hours=23", pathTelemetry + "?" + base + "&ascending=true",
		pathTelemetry + "?" + base + "&start=2026-01-01T12:00:00Z", pathTelemetry + "?" + base + "&end=2026-01-02T12:05:00Z",
		pathTelemetry + "?" + base + "&trace_id=" + strings.Repeat("a", 32), pathTelemetry + "?" + base + "&failed=true",
		pathTelemetry + "?" + base + "&session_id=s1", pathAnomalies + "?" + base,
	} {
		e := a.fails(a.get(other+cursor), http.StatusBadRequest, codeInvalidCursor)
		assert.Contains(t, e.Message, "other filters", other)
	}
}

func testCursor() (cursor, filter) {
	return cursor{
		start: testNow.Add(-time.Hour), end: testNow, total: 42,
		after: store.Position{Time: testNow.Add(-time.Minute), ID: uuid.MustParse("6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10")},
	}, filter{kind: kindTelemetry, service: "chat-api", ascending: true}
}

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	c, f := testCursor()
	for _, change := range []func(){
		func() {},
		func() { c.start = time.Time{} },
		func() { c.total = -1 },
		func() { c.total = 0 },
		func() { f.ascending = false },
		func() { c.end, c.after.Time = maxTime, time.Unix(0, -5).UTC() },
	} {
		change()
		got, err := decodeCursor(c.encode(f), f)
		require.NoError(t, err)
		assert.Equal(t, c, got)
	}
}

func TestEveryDamagedCursorIsRefused(t *testing.T) {
	t.Parallel()
	c, f := testCursor()
	text := c.encode(f)
	for i := range text {
		for _, r := range []byte("AZaz09-_") {
			if text[i] == r {
				continue
			}
			_, err := decodeCursor(text[:i]+string(r)+text[i+1:], f)
			require.Error(t, err, "position %d", i)
		}
	}
	for n := range len(text) {
		_, err := decodeCursor(text[:n], f)
		require.Error(t, err)
	}
}

// Whoever computes the checksum can still write only what the server writes.
func TestForgedCursorIsRefused(t *testing.T) {
	t.Parallel()
	c, f := testCursor()
	b, err := cursorEncoding.DecodeString(c.encode(f))
	require.NoError(t, err)
	for i, v := range map[int]byte{0: 2, 1: 0x80 | cursorAscending | cursorHasStart | cursorHasTotal, 42: 0xff} {
		forged := append([]byte(nil), b[:cursorPayload]...)
		forged[i] = v
		sum := f.checksum(forged)
		_, err := decodeCursor(cursorEncoding.EncodeToString(append(forged, sum[:cursorSum]...)), f)
		require.ErrorIs(t, err, errCursorFormat, "byte %d", i)
	}
}

func TestFiltersThatLookAlikeHaveOtherChecksums(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]filter{}
	for _, f := range []filter{
		{},
		{service: "ab"},
		{model: "ab"},
		{service: "a", model: "b"},
		{events: store.EventFilter{TraceID: "ab"}},
		{anomalies: anomalyFilter{typ: "ab"}},
		{anomalies: anomalyFilter{severity: 1}},
		{anomalies: anomalyFilter{minConfidence: 1}},
		{times: timeRange{hours: 1}},
		{times: timeRange{givenStart: minTime}},
		{times: timeRange{givenEnd: minTime}},
		{times: timeRange{givenStart: minTime, givenEnd: minTime}},
		{kind: "ab"},
		{events: store.EventFilter{Conversation: "ab"}},
		{events: store.EventFilter{User: "ab"}},
		{events: store.EventFilter{Provider: "ab"}},
		{events: store.EventFilter{Operation: "ab"}},
		{events: store.EventFilter{Environment: "ab"}},
		{events: store.EventFilter{Tenant: "ab"}},
		{events: store.EventFilter{Failed: true}},
	} {
		sum := f.checksum(nil)
		require.NotContains(t, seen, sum, "%+v and %+v", f, seen[sum])
		seen[sum] = f
	}
}
