package sentineljsonencodingextension

import "bytes"

// split hands on each object of a message that is one object, an array of
// objects, or any number of these with white space between them, such as one a
// line. What is none comes back as poison, with the bytes as they stand; the
// rest of the message goes on behind the next line end that is followed by an
// object or array. More than limit events are refused as a whole, before any is
// handed on.
func split(message []byte, maxDepth, limit int, event func(raw []byte)) []poison {
	events, bad := gather(message, maxDepth, limit)
	if len(events)+len(bad) > limit {
		return []poison{{message, poisonf(reasonTooManyEvents, "more than max_events (%d) events in a message", limit)}}
	}
	if len(events)+len(bad) == 0 {
		if len(bytes.TrimSpace(message)) == 0 {
			return []poison{{message, poisonf(reasonEmpty, "a message of %d bytes without an event", len(message))}}
		}
		return nil // []
	}
	for _, raw := range events {
		event(raw)
	}
	return bad
}

// gather stops when it has found more than limit.
func gather(message []byte, maxDepth, limit int) (events [][]byte, bad []poison) {
	s := scanner{data: message, maxDepth: maxDepth}
	keep := func(raw []byte) {
		if k := kindOf(raw); k != kindObject {
			bad = append(bad, poison{raw, notAnObject(k)})
			return
		}
		events = append(events, raw)
	}
	for s.space(); s.pos < len(message) && len(events)+len(bad) <= limit; s.space() {
		start := s.pos
		raw, err := s.value(0)
		if err == nil {
			if k := kindOf(raw); k != kindObject && k != kindArray {
				err = notAnObject(k)
			}
		}
		switch {
		case err != nil:
			end := resume(message, start)
			bad = append(bad, poison{bytes.TrimRight(message[start:end], " \t\r\n"), err})
			s.pos = end
		case kindOf(raw) == kindArray:
			_ = elements(raw, func(e []byte) *poisonError {
				if len(events)+len(bad) <= limit {
					keep(e)
				}
				return nil
			})
		default:
			keep(raw)
		}
	}
	return events, bad
}

func notAnObject(k valueKind) *poisonError {
	return poisonf(reasonWrongType, "an event must be an object, got %s", kindNames[k])
}

// resume is the start of the first line after start that begins an object or an
// array, else the end of the message. Lines of a broken array may begin with
// an object, so that only another array ends it.
func resume(message []byte, start int) int {
	for at := start; ; {
		i := bytes.IndexByte(message[at:], '\n')
		if i < 0 {
			return len(message)
		}
		at += i + 1
		if at < len(message) && (message[at] == '[' || message[at] == '{' && message[start] != '[') {
			return at
		}
	}
}
