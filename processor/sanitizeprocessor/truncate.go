package sanitizeprocessor

import (
	"strings"
	"unicode/utf8"
)

// truncatedSuffix marks text that was cut. It comes on top of the limit.
const truncatedSuffix = "...[truncated]"

// truncate keeps at most n bytes of s and marks what it cut. It never cuts inside
// of a character. What was cut before, by this limit or a lower one, stays as it is.
func truncate(s string, n int) (string, bool) {
	if len(s) <= n || strings.HasSuffix(s, truncatedSuffix) && len(s) <= n+len(truncatedSuffix) {
		return s, false
	}
	return s[:boundary(s, n)] + truncatedSuffix, true
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

// truncateStrings applies the limit to each string in a JSON text, as written,
// which may be cut off. An escape sequence is never cut.
func truncateStrings(s string, n int) (out string, cut int) {
	if len(s) <= n {
		return s, 0
	}
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); {
		begin := strings.IndexByte(s[i:], '"')
		if begin < 0 {
			break
		}
		begin += i + 1
		end := stringEnd(s, begin)
		literal := s[begin:end]
		if len(literal) > n && (!strings.HasSuffix(literal, truncatedSuffix) || len(literal) > n+len(truncatedSuffix)) {
			b.WriteString(s[from : begin+escapeBoundary(literal, n)])
			b.WriteString(truncatedSuffix)
			from = end
			cut++
		}
		i = end + 1
	}
	if cut == 0 {
		return s, 0
	}
	b.WriteString(s[from:])
	return b.String(), cut
}

// stringEnd is the index of the quote that ends the JSON string whose content
// begins at i; len(s) if none does.
func stringEnd(s string, i int) int {
	for {
		q := strings.IndexByte(s[i:], '"')
		if q < 0 {
			return len(s)
		}
		q += i
		slashes := 0
		for j := q - 1; j >= i && s[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return q
		}
		i = q + 1
	}
}

// escapeBoundary is the largest i <= n at which the content of a JSON string may
// be cut.
func escapeBoundary(s string, n int) int {
	n = boundary(s, n)
	// The longest escape sequence, \uD83D\uDE00, has twelve bytes.
	for start := max(0, n-12); start < n; start++ {
		if s[start] != '\\' || start > 0 && oddSlashes(s, start) {
			continue
		}
		if end := start + escapeLen(s[start:]); end > n {
			return start
		}
	}
	return n
}

// oddSlashes tells whether the backslash at i is itself escaped.
func oddSlashes(s string, i int) bool {
	n := 0
	for j := i - 1; j >= 0 && s[j] == '\\'; j-- {
		n++
	}
	return n%2 == 1
}

// escapeLen is the length of the escape sequence at the begin of s; a surrogate
// pair is one.
func escapeLen(s string) int {
	if len(s) < 2 || s[1] != 'u' {
		return 2
	}
	if len(s) >= 12 && (s[2] == 'd' || s[2] == 'D') && strings.IndexByte("89abAB", s[3]) >= 0 && s[6] == '\\' && s[7] == 'u' {
		return 12
	}
	return 6
}
