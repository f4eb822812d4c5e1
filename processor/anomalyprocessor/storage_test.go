package anomalyprocessor

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

var storageID = component.MustNewID("mem_storage")

// memStorage is a storage extension in memory that can fail.
type memStorage struct {
	component.StartFunc
	component.ShutdownFunc

	mu     sync.Mutex
	data   map[string][]byte
	open   int
	sets   int
	failAt int // fail every Set from this one on; 0 never
	broken bool
	refuse bool
}

var errBroken = errors.New("disk on fire")

func newMemStorage() *memStorage { return &memStorage{data: map[string][]byte{}} }

func (m *memStorage) GetClient(_ context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	if m.refuse || kind != component.KindProcessor || id.Type().String() != "anomaly" || name == "" {
		return nil, errBroken
	}
	m.open++
	return &memClient{memStorage: m}, nil
}

type memClient struct{ *memStorage }

func (c *memClient) Get(_ context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return nil, errBroken
	}
	return c.data[key], nil
}

func (c *memClient) Set(_ context.Context, key string, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sets++
	if c.broken || c.failAt > 0 && c.sets >= c.failAt {
		return errBroken
	}
	c.data[key] = slices.Clone(value)
	return nil
}

func (c *memClient) Delete(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.data, key)
	return nil
}

func (c *memClient) Batch(context.Context, ...*storage.Operation) error { return errBroken }

func (c *memClient) Close(context.Context) error {
	c.open--
	return nil
}

type testHost map[component.ID]component.Component

func (h testHost) GetExtensions() map[component.ID]component.Component { return h }
