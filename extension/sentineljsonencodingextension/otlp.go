package sentineljsonencodingextension

import (
	"errors"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// signal is how one kind of telemetry is decoded.
type signal[T any] struct {
	// key is the one member of a request in OTLP/JSON, in the two spellings that
	// JSON of protobuf may have.
	key, snakeKey string
	none          func() T
	proto, json   func([]byte) (T, error)
	count         func(T) int
}

var (
	traces = signal[ptrace.Traces]{
		"resourceSpans", "resource_spans", ptrace.NewTraces,
		(&ptrace.ProtoUnmarshaler{}).UnmarshalTraces, (&ptrace.JSONUnmarshaler{}).UnmarshalTraces, ptrace.Traces.SpanCount,
	}
	logs = signal[plog.Logs]{
		"resourceLogs", "resource_logs", plog.NewLogs,
		(&plog.ProtoUnmarshaler{}).UnmarshalLogs, (&plog.JSONUnmarshaler{}).UnmarshalLogs, plog.Logs.LogRecordCount,
	}
	metrics = signal[pmetric.Metrics]{
		"resourceMetrics", "resource_metrics", pmetric.NewMetrics,
		(&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics, (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics, pmetric.Metrics.DataPointCount,
	}
)

// decodeOTLP decodes a message in a format of OTLP, unless it is known to be
// bad.
func decodeOTLP[T any](d *decoder, s *signal[T], message []byte, format string, bad *poisonError) (T, error) {
	var data T
	if bad == nil {
		data, bad = s.decode(message, format, d.cfg.MaxDepth)
	}
	if bad != nil {
		return s.none(), d.deadLetters.put(format, []poison{{message, bad}})
	}
	d.counts.decoded(format, s.count(data))
	return data, nil
}

func (s *signal[T]) decode(message []byte, format string, maxDepth int) (T, *poisonError) {
	switch format {
	case formatOTLPProto:
		data, err := guard(s.proto, message)
		if err != nil {
			return data, poisonf(reasonInvalidOTLP, "no OTLP: %s", cut(err.Error(), maxErrorText))
		}
		return data, nil
	case formatOTLPJSON:
		if err := s.checkJSON(message, maxDepth); err != nil {
			return s.none(), err
		}
		data, err := guard(s.json, message)
		if err != nil {
			// The decoder's own words quote the message.
			return data, poisonf(reasonInvalidOTLP, "no OTLP/JSON: %s holds what cannot be read", s.key)
		}
		return data, nil
	default:
		return s.none(), poisonf(reasonInvalidOTLP, "no OTLP: JSON without %s", s.key)
	}
}

// checkJSON accepts one JSON object that has what is to be decoded, or nothing,
// and is not nested too deep. OTLP's own decoder passes over all that it does
// not know, and has no bound.
func (s *signal[T]) checkJSON(message []byte, maxDepth int) *poisonError {
	scan := scanner{data: message, maxDepth: maxDepth}
	if scan.space(); scan.pos == len(message) {
		return poisonf(reasonEmpty, "a message of %d bytes without OTLP/JSON", len(message))
	}
	if message[scan.pos] != '{' {
		return poisonf(reasonInvalidOTLP, "no OTLP/JSON: no object")
	}
	names, found := 0, false
	err := scan.object(0, func(key, _ []byte) *poisonError {
		names++
		k := unquote(key)
		found = found || k == s.key || k == s.snakeKey
		return nil
	})
	if err != nil {
		return err
	}
	if scan.space(); scan.pos < len(message) {
		return scan.unexpected("the end")
	}
	if names > 0 && !found {
		return poisonf(reasonInvalidOTLP, "no OTLP/JSON: an object without %s", s.key)
	}
	return nil
}

// guard turns a panic of a decoder that is not ours into an error: the message
// would come again after a restart, and again.
func guard[T any](decode func([]byte) (T, error), message []byte) (data T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the decoder failed")
		}
	}()
	return decode(message)
}
