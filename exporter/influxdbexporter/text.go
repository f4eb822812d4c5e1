package influxdbexporter

import (
	"strings"
	"unicode/utf8"
)

// Longest texts, in bytes. InfluxDB refuses a point with a string of 64 KiB;
// nobody reads longer ones than these in a time series.
const (
	maxTagBytes   = 1024
	maxFieldBytes = 4096
)

// cleanTag makes a text fit for a tag value: valid UTF-8, no control
// characters, no backslash at its end (which line protocol cannot express), not
// too long. What needs no change, the common case, is returned as it is.
func cleanTag(s string) string {
	if len(s) > maxTagBytes {
		s = cut(s, maxTagBytes)
	}
	if plainTag(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r // invalid bytes arrive as U+FFFD
	}, s)
	if strings.HasSuffix(s, `\`) {
		s = strings.TrimRight(s, `\`) + "/"
	}
	return s
}

func plainTag(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			return plainUnicodeTag(s)
		}
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return s == "" || s[len(s)-1] != '\\'
}

func plainUnicodeTag(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s) && s[len(s)-1] != '\\'
}

// cleanText makes a text fit for a string field: valid UTF-8 and not too long.
// The encoder escapes everything else.
func cleanText(s string) string {
	if len(s) > maxFieldBytes {
		s = cut(s, maxFieldBytes)
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// cut shortens s to at most n bytes, never inside a character.
func cut(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
