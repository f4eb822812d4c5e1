package anomalyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/llm-devops/llm-sentinel/processor/anomalyprocessor/internal/metadata"
)

// NewFactory returns the factory of the processor "anomaly".
func NewFactory() processor.Factory {
	f := &factory{}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
		processor.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

type factory struct {
	engines engines
}

// createTraces is called once for each pipeline that names the component id;
// all of them get the same engine.
func (f *factory) createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	lease, err := newLease(&f.engines, set, cfg.(*Config), outlet{traces: next})
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, lease.Value.processTraces,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(lease.start),
		processorhelper.WithShutdown(lease.shutdown),
	)
}

// createLogs is createTraces for logs: both signals of an id share an engine.
func (f *factory) createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	lease, err := newLease(&f.engines, set, cfg.(*Config), outlet{logs: next})
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, lease.Value.processLogs,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(lease.start),
		processorhelper.WithShutdown(lease.shutdown),
	)
}
