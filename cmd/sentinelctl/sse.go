package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxEventBytes bounds one event of a stream.
const maxEventBytes = 4 << 20

// serverEvent is one event of a stream of the kind text/event-stream.
type serverEvent struct{ name, id, data string }

// readEvents calls f for each event of the stream until it ends (WHATWG HTML,
// section 9.2.6). An event that is not complete at the end is left out.
func readEvents(r io.Reader, f func(serverEvent) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxEventBytes)
	lines.Split(splitLines)
	var e serverEvent
	var data []string
	size := 0
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if data != nil {
				e.data = strings.Join(data, "\n")
				if err := f(e); err != nil {
					return err
				}
			}
			e.name, e.data, data, size = "", "", nil, 0 // the id stays
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			if !strings.ContainsRune(value, 0) {
				e.id = value
			}
		case "data":
			if size += len(value); size > maxEventBytes {
				return fmt.Errorf("an event of the stream is larger than %d bytes", maxEventBytes)
			}
			data = append(data, value)
		}
	}
	return lines.Err()
}

// splitLines ends lines at CR, LF or CRLF.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	for i, c := range data {
		switch {
		case c == '\n':
			return i + 1, data[:i], nil
		case c == '\r' && i+1 < len(data):
			if data[i+1] == '\n' {
				return i + 2, data[:i], nil
			}
			return i + 1, data[:i], nil
		case c == '\r' && atEOF:
			return i + 1, data[:i], nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
