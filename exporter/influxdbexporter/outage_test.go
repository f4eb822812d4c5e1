package influxdbexporter

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/exporter/influxdbexporter/internal/metadata"
)

// cable stands between exporter and server and can be pulled: then connections
// break and new ones are refused.
type cable struct {
	t       *testing.T
	address string
	server  string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]struct{}
	wg       sync.WaitGroup
}

func newCable(t *testing.T, server string) *cable {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	c := &cable{t: t, server: u.Host, address: "127.0.0.1:0", open: map[net.Conn]struct{}{}}
	c.plug()
	t.Cleanup(c.pull)
	return c
}

func (c *cable) plug() {
	c.t.Helper()
	l, err := net.Listen("tcp", c.address)
	require.NoError(c.t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener, c.address = l, l.Addr().String()
	c.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(conn) })
		}
	})
}

func (c *cable) carry(from net.Conn) {
	to, err := net.Dial("tcp", c.server)
	if err != nil {
		_ = from.Close()
		return
	}
	c.mu.Lock()
	if c.listener == nil { // pulled meanwhile
		_, _ = from.Close(), to.Close()
	}
	c.open[from], c.open[to] = struct{}{}, struct{}{}
	c.mu.Unlock()
	var ends sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		ends.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = way[0].Close(), way[1].Close()
		})
	}
	ends.Wait()
	c.mu.Lock()
	delete(c.open, from)
	delete(c.open, to)
	c.mu.Unlock()
}

func (c *cable) pull() {
	c.mu.Lock()
	if c.listener != nil {
		_ = c.listener.Close()
		c.listener = nil
	}
	for conn := range c.open {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// storageHost has a file_storage extension.
type storageHost struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h *storageHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

func newStorageHost(t *testing.T, directory string) *storageHost {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"directory": directory}).Unmarshal(cfg))
	id := component.NewID(factory.Type())
	set := extensiontest.NewNopSettings(factory.Type())
	set.ID = id
	ext, err := factory.Create(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return &storageHost{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{id: ext}}
}

// sender gives spans to an exporter at a steady rate, and remembers how many
// were accepted.
type sender struct {
	mu       sync.Mutex
	exporter exporter.Traces
	sent     int
	stop     chan struct{}
	ended    sync.Once
	done     sync.WaitGroup
}

const spansPerRequest = 100

func (s *sender) run(t *testing.T, rate int) {
	t.Helper()
	s.stop = make(chan struct{})
	s.done.Go(func() {
		tick := time.NewTicker(time.Second * spansPerRequest / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			s.mu.Lock()
			td := calls(spansPerRequest, func(i int, span ptrace.Span) {
				n := s.sent + i
				var trace pcommon.TraceID
				binary.BigEndian.PutUint64(trace[:], uint64(n)+1)
				span.SetTraceID(trace)
				// Each has a microsecond of its own.
				span.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(n) * time.Microsecond)))
			})
			err := s.exporter.ConsumeTraces(context.Background(), td)
			if err == nil {
				s.sent += spansPerRequest
			}
			s.mu.Unlock()
			if !assert.NoError(t, err, "what is not accepted is lost for a sender that does not repeat") {
				return
			}
		}
	})
}

func (s *sender) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (s *sender) end() int {
	s.ended.Do(func() { close(s.stop) })
	s.done.Wait()
	return s.sent
}

// outage is how long the server is away: a moment, or as long as
// SENTINEL_INFLUX_OUTAGE says (make e2e-influx-outage).
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SENTINEL_INFLUX_OUTAGE")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

func TestRealServerGetsEverythingAfterAnOutage(t *testing.T) {
	const rate = 1000 // spans a second
	server, away := realServer(t), outage(t)
	server.query(`CREATE DATABASE "` + server.database + `"`)
	line := newCable(t, server.url)
	host := newStorageHost(t, t.TempDir())

	cfg := server.config(APIAuto)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoint":         "http://" + line.address,
		"sending_queue":    map[string]any{"storage": "file_storage", "sizer": "items", "queue_size": 5_000_000},
		"retry_on_failure": map[string]any{"max_elapsed_time": 0, "initial_interval": "100ms", "max_interval": "2s"},
	}).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	start := func() exporter.Traces {
		set := exportertest.NewNopSettings(metadata.Type)
		set.ID = component.NewID(metadata.Type) // by which the queue is found again
		e, err := NewFactory().CreateTraces(t.Context(), set, cfg)
		require.NoError(t, err)
		require.NoError(t, e.Start(t.Context(), host))
		return e
	}
	s := &sender{exporter: start()}
	defer func() { require.NoError(t, s.exporter.Shutdown(context.Background())) }()
	s.run(t, rate)
	defer s.end()
	stored := func() int { return int(server.count("telemetry", "event_id")) }
	require.Eventually(t, func() bool { return stored() >= rate/2 }, 30*time.Second, 50*time.Millisecond)

	line.pull()
	before := s.accepted()
	wait(t, away/2)
	// A collector that restarts in the middle of it forgets nothing.
	s.mu.Lock()
	stopped := time.Now()
	assert.NoError(t, s.exporter.Shutdown(context.Background()))
	s.exporter = start()
	restart := time.Since(stopped)
	s.mu.Unlock()
	wait(t, away/2)
	atMost := before + 10*rate // what was under way when the line was pulled
	kept := stored()
	assert.Less(t, kept, atMost, "the server was away")

	backlog := s.accepted() - kept
	line.plug()
	back := time.Now()
	deadline := time.Minute + 2*away
	require.Eventually(t, func() bool { return s.accepted()-stored() < 2*rate }, deadline, 100*time.Millisecond, "catches up under load")
	caughtUp := time.Since(back)
	sent := s.end()
	if !assert.Eventually(t, func() bool { return stored() >= sent }, deadline, 100*time.Millisecond) {
		t.Logf("stored %d of %d", stored(), sent)
	}
	lost := sent - stored()
	assert.Zero(t, lost)
	t.Logf("server away for %s at %d spans/s, exporter restarted in %s", away, rate, restart.Round(time.Millisecond))
	t.Logf("sent %d, stored %d, lost %d, backlog %d, caught up under load in %s", sent, stored(), lost, backlog, caughtUp.Round(100*time.Millisecond))
	t.Logf("RESULT influx.outage_lost_events %d events", lost)
	t.Logf("RESULT influx.catch_up_s %.1f s", caughtUp.Seconds())
}

// wait lets the load go on for a while; it is part of the load, not of a check.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		require.NoError(t, errors.New("the test was ended"))
	}
}
