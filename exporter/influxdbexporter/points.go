package influxdbexporter

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/influxdata/influxdb-observability/common"
	"github.com/influxdata/influxdb-observability/otel2influx"
	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"
)

// points collects the points of one push, cut into payloads. It is not safe for
// concurrent use.
type points struct {
	maxLines, maxBytes int
	enc                lineprotocol.Encoder
	precision          lineprotocol.Precision
	// ends are the byte and the number of points at which payloads end.
	ends []payloadEnd
	// lines since the last end.
	lines int
	// mark is the byte at which the last point began.
	mark int
	// invalid counts what cannot be a point, why says so for one of it.
	invalid int
	why     string
}

type payloadEnd struct{ bytes, lines int }

var (
	_ otel2influx.InfluxWriter      = (*points)(nil)
	_ otel2influx.InfluxWriterBatch = (*points)(nil)
)

func newPoints(c *Config) *points {
	p := &points{maxLines: c.PayloadMaxLines, maxBytes: c.PayloadMaxBytes}
	switch c.OTel.Precision {
	case PrecisionMicro:
		p.precision = lineprotocol.Microsecond
	case PrecisionMilli:
		p.precision = lineprotocol.Millisecond
	case PrecisionSecond:
		p.precision = lineprotocol.Second
	}
	p.enc.SetPrecision(p.precision)
	return p
}

// restart forgets all points.
func (p *points) restart() {
	p.enc.Reset()
	p.enc.SetPrecision(p.precision)
	p.ends, p.lines, p.mark = nil, 0, 0
}

// NewBatch implements otel2influx.InfluxWriter: all points are one batch.
func (p *points) NewBatch() otel2influx.InfluxWriterBatch { return p }

// WriteBatch implements otel2influx.InfluxWriterBatch. Points are sent later.
func (p *points) WriteBatch(context.Context) error { return nil }

// EnqueuePoint implements otel2influx.InfluxWriterBatch. Empty names, and values
// that line protocol does not know, are left out; what is no point then is
// counted and no error, for the sake of the other points.
func (p *points) EnqueuePoint(_ context.Context, name string, tags map[string]string, fields map[string]interface{}, at time.Time, _ common.InfluxMetricValueType) error {
	p.mark = len(p.enc.Bytes())
	p.enc.StartLine(name)
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if v := tags[k]; k != "" && v != "" {
			p.enc.AddTag(k, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if v, ok := lineprotocol.NewValue(fields[k]); ok && k != "" {
			p.enc.AddField(k, v)
		}
	}
	p.enc.EndLine(at)
	if err := p.enc.Err(); err != nil {
		p.enc.SetBuffer(p.enc.Bytes()[:p.mark])
		p.enc.ClearErr()
		p.invalid++
		p.why = printable(err.Error())
		return nil
	}
	start := 0
	if n := len(p.ends); n > 0 {
		start = p.ends[n-1].bytes
	}
	if p.lines > 0 && len(p.enc.Bytes())-start > p.maxBytes {
		p.end(p.mark)
	}
	p.lines++
	if p.lines >= p.maxLines {
		p.end(len(p.enc.Bytes()))
	}
	return nil
}

func (p *points) end(at int) {
	p.ends = append(p.ends, payloadEnd{at, p.lines})
	p.lines = 0
}

// total is the number of points in all payloads.
func (p *points) total() (n int) {
	for _, e := range p.ends {
		n += e.lines
	}
	return n
}

// writeAll converts and sends. When a request is to be tried again, so is the
// whole push: a point that is written twice is the same point.
func (e *influxExporter) writeAll(ctx context.Context, convert func(*points) error) error {
	if e.client == nil {
		return errNotStarted
	}
	p := newPoints(e.config)
	err := convert(p)
	e.drop(ctx, kindOTel, reasonInvalid, p.invalid, zap.String("error", p.why))
	if err != nil {
		err = consumererror.NewPermanent(err)
	} else {
		err = e.sendAll(ctx, p)
	}
	e.report(err)
	return err
}

func (e *influxExporter) sendAll(ctx context.Context, p *points) error {
	if p.lines > 0 {
		p.end(len(p.enc.Bytes()))
	}
	if len(p.ends) == 0 {
		return nil
	}
	t, err := e.client.target(ctx)
	if err != nil {
		e.account(ctx, kindOTel, p.total(), outcome{}, err)
		return err
	}
	var refused []error
	start := 0
	for _, end := range p.ends {
		o, err := e.client.write(ctx, t, t.telemetry, p.enc.Bytes()[start:end.bytes], end.lines)
		start = end.bytes
		e.account(ctx, kindOTel, end.lines, o, err)
		if err != nil && !consumererror.IsPermanent(err) {
			return err
		}
		refused = append(refused, err)
	}
	return errors.Join(refused...)
}
