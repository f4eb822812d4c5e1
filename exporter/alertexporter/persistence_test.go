package alertexporter

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// storageAt starts the stock file storage over dir.
func storageAt(t *testing.T, dir string) component.Component {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	ext, err := f.Create(t.Context(), extensiontest.NewNopSettings(f.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, ext.Shutdown(context.Background())) })
	return ext
}

func TestPersistentQueueSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	id := component.MustNewID("file_storage")
	persist := func(c *Config) { c.Queue.Get().StorageID = &id }

	dead := &fakeTarget{answer: func(notify.Notification) error { return errDown }}
	alive := &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": dead, "two": alive})
	storage := storageAt(t, dir)
	r := create(t, persist)
	r.host.extensions[id] = storage
	require.NoError(t, r.Start(t.Context(), r.host))
	a, b := sample("a", 0, anomaly.SeverityHigh), sample("b", 0, anomaly.SeverityCritical)
	require.NoError(t, r.ConsumeTraces(t.Context(), batch(1, []anomaly.Anomaly{a, b})))
	eventually(t, func() bool { return len(alive.seen()) == 2 && len(dead.seen()) >= 2 }, "not attempted")
	require.NoError(t, r.Shutdown(t.Context()))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Len(t, files, 2, "the targets share one queue")

	back, other := &fakeTarget{}, &fakeTarget{}
	useTargets(t, map[string]*fakeTarget{"one": back, "two": other})
	r = create(t, persist)
	r.host.extensions[id] = storage
	require.NoError(t, r.Start(t.Context(), r.host))
	eventually(t, func() bool { return len(back.seen()) == 2 }, "lost in the restart")
	require.NoError(t, r.Shutdown(t.Context()))
	var got []anomaly.Anomaly
	for _, n := range back.seen() {
		got = append(got, n.Anomaly)
	}
	assert.ElementsMatch(t, ids([]anomaly.Anomaly{a, b}), ids(got))
	assert.Empty(t, other.seen(), "told again after the restart")
}
