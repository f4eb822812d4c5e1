package sentineljsonencodingextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
)

// eventEncoding decodes traces.
type eventEncoding struct{ *decoder }

// otlpEncoding decodes logs and metrics, too.
type otlpEncoding struct{ eventEncoding }

var (
	_ extension.Extension                   = (*eventEncoding)(nil)
	_ extensioncapabilities.PipelineWatcher = (*eventEncoding)(nil)
	_ ptrace.Unmarshaler                    = (*eventEncoding)(nil)
	_ ptrace.Unmarshaler                    = (*otlpEncoding)(nil)
	_ plog.Unmarshaler                      = (*otlpEncoding)(nil)
	_ pmetric.Unmarshaler                   = (*otlpEncoding)(nil)
)

// decoder is what the encodings share. It is safe for use by any number of
// goroutines.
type decoder struct {
	cfg         *Config
	set         extension.Settings
	telemetry   *metadata.TelemetryBuilder
	counts      counters
	deadLetters *deadLetters
}

func newDecoder(cfg *Config, set extension.Settings) (*decoder, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	d := &decoder{cfg: cfg, set: set, telemetry: tb, counts: newCounters(set.ID, tb)}
	d.deadLetters = newDeadLetters(cfg, set, &d.counts)
	return d, nil
}

// Start makes ready what dead letters need. A broker that is away is waited for
// when there is a dead letter.
func (d *decoder) Start(ctx context.Context, host component.Host) error {
	return d.deadLetters.start(ctx, host)
}

// Ready implements [extensioncapabilities.PipelineWatcher].
func (*decoder) Ready() error { return nil }

// NotReady ends waiting for a dead letter that cannot be written: receivers are
// about to stop, and would wait for the message that waits.
func (d *decoder) NotReady() error {
	d.deadLetters.giveUp()
	return nil
}

// Shutdown ends waiting, and closes files and connections.
func (d *decoder) Shutdown(ctx context.Context) error {
	d.deadLetters.giveUp()
	err := d.deadLetters.close(ctx)
	d.telemetry.Shutdown()
	return err
}

// UnmarshalTraces decodes a message. What cannot be decoded goes to the dead
// letter and is no error; the rest of the message, possibly nothing, comes back.
// While the dead letter cannot be written, it waits. It fails only when the
// collector stops in the meantime.
func (e *eventEncoding) UnmarshalTraces(message []byte) (ptrace.Traces, error) {
	format, bad := e.formatOf(message)
	if bad == nil && format == formatJSON {
		return e.events(message)
	}
	return decodeOTLP(e.decoder, &traces, message, format, bad)
}

// UnmarshalLogs decodes a message of OTLP logs. See
// [eventEncoding.UnmarshalTraces].
func (e *otlpEncoding) UnmarshalLogs(message []byte) (plog.Logs, error) {
	format, bad := e.formatOf(message)
	return decodeOTLP(e.decoder, &logs, message, format, bad)
}

// UnmarshalMetrics decodes a message of OTLP metrics. See
// [eventEncoding.UnmarshalTraces].
func (e *otlpEncoding) UnmarshalMetrics(message []byte) (pmetric.Metrics, error) {
	format, bad := e.formatOf(message)
	return decodeOTLP(e.decoder, &metrics, message, format, bad)
}

// formatOf tells the format of a message that is not too large.
func (d *decoder) formatOf(message []byte) (string, *poisonError) {
	format := d.cfg.Format
	if len(message) > d.cfg.MaxMessageBytes {
		if format == formatAuto {
			format = ""
		}
		return format, poisonf(reasonTooLarge, "a message of %d bytes, more than max_message_bytes (%d)", len(message), d.cfg.MaxMessageBytes)
	}
	if format == formatAuto {
		format = detect(message)
	}
	return format, nil
}

// events decodes a message of JSON events.
func (d *decoder) events(message []byte) (ptrace.Traces, error) {
	out := newSpans()
	var adj adjustments
	var undecoded []poison
	bad := split(message, d.cfg.MaxDepth, d.cfg.MaxEvents, func(raw []byte) {
		ev, err := decode(raw, limits{metadata: d.cfg.MaxMetadataEntries}, &adj)
		if err != nil {
			undecoded = append(undecoded, poison{raw, err})
			return
		}
		out.add(ev)
	})
	if err := d.deadLetters.put(formatJSON, append(bad, undecoded...)); err != nil {
		return ptrace.NewTraces(), err
	}
	d.counts.decoded(formatJSON, out.td.SpanCount())
	d.counts.adjusted(&adj)
	return out.td, nil
}
