package sentineljsonencodingextension

import "encoding/binary"

// detect tells the format of a message. An OTLP request has only fields of
// number 1, which hold the resources. Its first byte is a line end to JSON, so
// that the lengths must fit, too. No bytes are an OTLP request without
// resources.
func detect(message []byte) string {
	if isOTLPProto(message) {
		return formatOTLPProto
	}
	s := scanner{data: message, maxDepth: 1}
	s.space()
	if s.pos == len(message) || message[s.pos] != '{' {
		return formatJSON
	}
	// The first name tells: OTLP/JSON has no other at this level.
	s.pos++
	s.space()
	start := s.pos
	if start == len(message) || message[start] != '"' || s.text() != nil {
		return formatJSON
	}
	switch unquote(message[start:s.pos]) {
	case "resourceSpans", "resourceLogs", "resourceMetrics", "resource_spans", "resource_logs", "resource_metrics":
		return formatOTLPJSON
	}
	return formatJSON
}

func isOTLPProto(b []byte) bool {
	const field1 = 1<<3 | 2 // length-delimited
	for len(b) > 0 {
		if b[0] != field1 {
			return false
		}
		n, size := binary.Uvarint(b[1:])
		if size <= 0 || n > uint64(len(b)-1-size) {
			return false
		}
		b = b[1+size+int(n):]
	}
	return true
}
