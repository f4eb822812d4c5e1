package e2e

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/extension/queryextension"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a storage extension around a backend: it hands feedback on and tells
// of new anomalies.
type kept struct {
	component.StartFunc
	component.ShutdownFunc

	backend store.Backend
	// down makes the storage unavailable, least makes it one that can do nothing
	// but list.
	down, least atomic.Bool

	mu   sync.Mutex
	feed []chan store.FeedItem
}

var errDown = errors.New("the storage is switched off by the test")

func (k *kept) StoreReader(context.Context) (store.Reader, error) {
	if k.down.Load() {
		return nil, errDown
	}
	return &switchable{Backend: k.backend, k: k}, nil
}

func (k *kept) StoreWriter(context.Context) (store.Writer, error) { return k.backend, nil }

func (k *kept) RegisterEngine(context.Context, store.Engine) (func(), error) { return func() {}, nil }

func (k *kept) LiveBaselines(func(string, store.Baseline) bool) {}

func (k *kept) GiveFeedback(ctx context.Context, f store.Feedback) error {
	return k.backend.(store.FeedbackStore).WriteFeedback(ctx, f)
}

func (k *kept) Subscribe(ctx context.Context, buffer int) <-chan store.FeedItem {
	items := make(chan store.FeedItem, buffer)
	k.mu.Lock()
	k.feed = append(k.feed, items)
	k.mu.Unlock()
	context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		for i, c := range k.feed {
			if c == items {
				k.feed = append(k.feed[:i], k.feed[i+1:]...)
				close(items)
				return
			}
		}
	})
	return items
}

// tell keeps anomalies and tells of them. It returns how many were told.
func (k *kept) tell(t *testing.T, batch ...anomaly.Anomaly) int {
	t.Helper()
	require.NoError(t, k.backend.WriteAnomalies(t.Context(), batch))
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.feed {
		c <- store.FeedItem{Anomalies: batch}
	}
	return len(k.feed)
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// server is a running query extension.
type server struct {
	*kept
	url string
}

// serve starts a query extension over an embedded store of its own.
func serve(t *testing.T) *server {
	t.Helper()
	backend, err := embedded.Open(t.Context(), embedded.Config{Directory: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close(context.Background())) })
	k := &kept{backend: backend}

	factory := queryextension.NewFactory()
	cfg := factory.CreateDefaultConfig().(*queryextension.Config)
	cfg.HTTP.NetAddr.Endpoint = freeAddress(t)
	set := extensiontest.NewNopSettings(factory.Type())
	set.BuildInfo.Version = "1.0.0-test"
	ext, err := factory.Create(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), host{cfg.Storage: k}))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	require.NoError(t, ext.(extensioncapabilities.PipelineWatcher).Ready())
	reportComponents(ext.(componentstatus.Watcher))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &server{kept: k, url: "http://" + cfg.HTTP.NetAddr.Endpoint}
}

// freeAddress is an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// reportComponents tells the extension of a collector with one problem.
func reportComponents(w componentstatus.Watcher) {
	for _, c := range []struct {
		kind component.Kind
		id   string
		err  error
	}{
		{component.KindReceiver, "otlp", nil},
		{component.KindProcessor, "genai", nil},
		{component.KindProcessor, "anomaly", nil},
		{component.KindExporter, "llm_storage", nil},
		{component.KindExporter, "alert", errors.New(`Post "http://localhost:9999/webhook": connect: connection refused`)},
	} {
		event := componentstatus.NewEvent(componentstatus.StatusOK)
		if c.err != nil {
			event = componentstatus.NewRecoverableErrorEvent(c.err)
		}
		source := componentstatus.NewInstanceID(component.MustNewID(c.id), c.kind, pipeline.NewID(pipeline.SignalTraces))
		w.ComponentStatusChanged(source, event)
	}
}

// eventually polls until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
