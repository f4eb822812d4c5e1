package genai

import "unicode/utf8"

// truncatedSuffix marks text that was cut.
const truncatedSuffix = "...[truncated]"

// defaultMaxTextBytes is the default of [Options.MaxTextBytes].
const defaultMaxTextBytes = 10_000

// truncate keeps at most n bytes of s, never cutting inside a character, and
// marks what it cut. Text that fits is returned as it is.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:boundary(s, n)] + truncatedSuffix
}

// boundary is the largest i <= n at which s may be cut. Bytes that are no UTF-8
// are cut anywhere.
func boundary(s string, n int) int {
	for i := n; i > 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n
}

// content collects a text that may come in several parts.
type content struct {
	prio uint8
	// A single part shares memory with the telemetry; buf is used from the
	// second part on.
	one  string
	buf  []byte
	full bool
}

// add takes a part of a selector with the given priority. Parts of the best
// selector are joined by line ends; those of others are dropped. It reports
// whether more would be of use.
func (c *content) add(s string, prio uint8, limit int) (more bool) {
	if s == "" || prio < c.prio {
		return true
	}
	if prio > c.prio {
		*c = content{prio: prio, buf: c.buf[:0]}
	}
	switch {
	case c.full:
	case c.one == "" && len(c.buf) == 0:
		c.one = truncate(s, limit)
		c.full = len(s) > limit
	default:
		if len(c.buf) == 0 {
			c.buf = append(c.buf, c.one...)
			c.one = ""
		}
		c.buf = append(c.buf, '\n')
		room := limit - len(c.buf)
		if len(s) <= room {
			c.buf = append(c.buf, s...)
			break
		}
		if room > 0 {
			c.buf = append(c.buf, s[:boundary(s, room)]...)
		}
		c.buf = append(c.buf, truncatedSuffix...)
		c.full = true
	}
	return !c.full
}

func (c *content) String() string {
	if len(c.buf) > 0 {
		return string(c.buf)
	}
	return c.one
}
