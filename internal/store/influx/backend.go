package influx

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var (
	_ store.Backend    = (*Backend)(nil)
	_ store.Aggregator = (*Backend)(nil)
)

// Backend answers from an InfluxDB. It connects with the first question; a
// server that is down makes questions fail, and nothing else.
type Backend struct {
	config Config
	client *client
	closed atomic.Bool
}

// New makes a backend. It makes no request.
func New(c Config) (*Backend, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Client == nil {
		return nil, errors.New("a client is needed")
	}
	b := &Backend{config: c}
	b.client = newClient(&b.config)
	return b, nil
}

// Capabilities implements [store.Reader].
func (b *Backend) Capabilities() store.Capabilities {
	return store.Capabilities{
		Count: true, Cursor: true, Offset: true, Trace: true, Filters: true, ByID: true,
		// Percentiles are computed from the values themselves.
		Aggregate: true,
	}
}

func (b *Backend) target(ctx context.Context) (*target, error) {
	if b.closed.Load() {
		return nil, store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.client.target(ctx)
}

// Ping implements [store.Reader]. A database that does not exist yet is no
// fault: the first write may create it.
func (b *Backend) Ping(ctx context.Context) error {
	t, err := b.target(ctx)
	if err != nil {
		return err
	}
	return t.reachable(ctx, t.events)
}

// WriteEvents implements [store.Writer]: events are written by the influxdb
// exporter.
func (b *Backend) WriteEvents(context.Context, []genai.Event) error { return b.refuseWrite() }

// WriteAnomalies implements [store.Writer], see [Backend.WriteEvents].
func (b *Backend) WriteAnomalies(context.Context, []anomaly.Anomaly) error { return b.refuseWrite() }

func (b *Backend) refuseWrite() error {
	if b.closed.Load() {
		return store.ErrClosed
	}
	return fmt.Errorf("write: %w: it is read only, the influxdb exporter writes", store.ErrUnsupported)
}

// Close implements [store.Backend]. Questions in progress go on.
func (b *Backend) Close(context.Context) error {
	if !b.closed.Swap(true) {
		b.config.Client.CloseIdleConnections()
	}
	return nil
}
