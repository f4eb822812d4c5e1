package line

import (
	"strings"
	"unicode/utf8"
)

// Longest texts, in bytes. InfluxDB 1.x refuses a key of 64 KiB, 3.x a string
// of 64 KiB.
const (
	maxTagBytes   = 1024
	maxFieldBytes = 4096
	maxJSONBytes  = 32 << 10
	// MaxTextBytes bounds what Options.MaxTextBytes may be.
	MaxTextBytes = 60_000
)

// CleanTag makes a text fit for a tag value, a tag name or a measurement: valid
// UTF-8, no control characters, not too long, and no backslash where servers
// read it differently (before another, before what is escaped, at the end).
// What needs no change, the common case, is returned as it is.
func CleanTag(s string) string {
	if len(s) > maxTagBytes {
		s = Cut(s, maxTagBytes)
	}
	if plainTag(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i, r := range s { // invalid bytes arrive as U+FFFD
		switch {
		case r < 0x20 || r == 0x7f:
			r = ' '
		case r == '\\' && oddBackslash(s, i):
			r = '/'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oddBackslash reports whether the backslash at i has a meaning to some server.
func oddBackslash(s string, i int) bool {
	if i+1 == len(s) {
		return true
	}
	switch c := s[i+1]; c {
	case '\\', ',', '=', ' ', 0x7f:
		return true
	default:
		return c < 0x20 // becomes a blank
	}
}

func plainTag(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80:
			ascii = false
		case c < 0x20 || c == 0x7f || c == '\\' && oddBackslash(s, i):
			return false
		}
	}
	return ascii || utf8.ValidString(s)
}

// cleanText makes a text fit for a string field: valid UTF-8 and at most limit
// bytes. What stands in the way of quoting is escaped when it is written.
func cleanText(s string, limit int) string {
	if len(s) > limit {
		s = Cut(s, limit)
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Cut shortens s to at most n bytes, never inside a character.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// CleanText is what a text field holds of s.
func CleanText(s string) string { return cleanText(s, maxFieldBytes) }
