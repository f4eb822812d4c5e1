package sentineljsonencodingextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
)

// outcome is what became of a dead letter.
type outcome string

const (
	outcomeWritten  outcome = "written"
	outcomeRepeated outcome = "repeated" // written a moment ago
	outcomeDropped  outcome = "dropped"  // there is no dead letter
	outcomeRefused  outcome = "refused"  // can never be written
	outcomeGaveUp   outcome = "gave_up"  // the collector stopped while waiting
)

// counters are the extension's metrics with their attributes made ready.
type counters struct {
	telemetry *metadata.TelemetryBuilder
	encoding  metric.MeasurementOption
	formats   map[string]metric.MeasurementOption
	reasons   map[reason]metric.MeasurementOption
	outcomes  map[outcome]metric.MeasurementOption
	adjust    [adjustmentCount]metric.MeasurementOption
}

func newCounters(id component.ID, tb *metadata.TelemetryBuilder) counters {
	with := func(kv ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(kv, attribute.String("encoding", id.String()))...))
	}
	c := counters{
		telemetry: tb, encoding: with(),
		formats:  map[string]metric.MeasurementOption{},
		reasons:  map[reason]metric.MeasurementOption{},
		outcomes: map[outcome]metric.MeasurementOption{},
	}
	for _, f := range []string{formatJSON, formatOTLPProto, formatOTLPJSON} {
		c.formats[f] = with(attribute.String("format", f))
	}
	for _, r := range reasons {
		c.reasons[r] = with(attribute.String("reason", string(r)))
	}
	for _, o := range []outcome{outcomeWritten, outcomeRepeated, outcomeDropped, outcomeRefused, outcomeGaveUp} {
		c.outcomes[o] = with(attribute.String("outcome", string(o)))
	}
	for i, name := range adjustmentNames {
		c.adjust[i] = with(attribute.String("reason", name))
	}
	return c
}

func (c *counters) decoded(format string, n int) {
	if n > 0 {
		c.telemetry.EncodingItemsTotal.Add(context.Background(), int64(n), c.formats[format])
	}
}

func (c *counters) adjusted(a *adjustments) {
	for i, n := range a {
		if n > 0 {
			c.telemetry.EncodingAdjustedTotal.Add(context.Background(), n, c.adjust[i])
		}
	}
}

func (c *counters) poisoned(r reason) {
	c.telemetry.EncodingPoisonTotal.Add(context.Background(), 1, c.reasons[r])
}

func (c *counters) ended(o outcome, n int) {
	if n > 0 {
		c.telemetry.EncodingDeadLettersTotal.Add(context.Background(), int64(n), c.outcomes[o])
	}
}

func (c *counters) failed() {
	c.telemetry.EncodingDeadLetterErrorsTotal.Add(context.Background(), 1, c.encoding)
}

func (c *counters) removed(n int) {
	if n > 0 {
		c.telemetry.EncodingDeadLetterFilesRemovedTotal.Add(context.Background(), int64(n), c.encoding)
	}
}
