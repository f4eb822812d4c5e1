package redact

import (
	"strings"
	"unicode/utf8"
)

// Lengths of RFC 5321, section 4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 255
)

// scanEmails finds local@domain, where the domain has a top-level domain of letters
// (or punycode).
func (s *Scanner) scanEmails(dst []Match, text string) []Match {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			return dst
		}
		i += at
		at = i + 1
		if i == 0 || at == len(text) || class[text[i-1]]&cEmailLocal == 0 {
			continue
		}
		start := localStart(text, i)
		end := domainEnd(text, at)
		if start < i && end > at {
			dst = append(dst, Match{start, end, Email, typeNames[Email]})
			at = end
		}
	}
}

// localStart finds where the local part before at begins.
func localStart(text string, at int) int {
	i := at
	for i > 0 && at-i < maxLocal && class[text[i-1]]&cEmailLocal != 0 {
		i--
		// "\nname@host" in a text with escapes begins behind the escape.
		if i >= 1 && text[i-1] == '\\' && strings.IndexByte("ntrbf", text[i]) >= 0 {
			i++
			break
		}
	}
	for i < at && (strings.IndexByte(".'-%+", text[i]) >= 0 || text[i]&0xC0 == 0x80) {
		i++
	}
	if i < at && text[at-1] == '.' {
		return at
	}
	return i
}

// domainEnd finds where the domain at i ends; i when there is none.
func domainEnd(text string, i int) int {
	j, limit := i, min(len(text), i+maxDomain)
	for j < limit && class[text[j]]&cHost != 0 {
		j++
	}
	if j < len(text) && text[j]&0xC0 == 0x80 {
		return i // longer than a domain can be
	}
	// Trailing dots and hyphens belong to the sentence, and what follows a last
	// dot must be a top-level domain.
	for j > i {
		for j > i && (text[j-1] == '.' || text[j-1] == '-') {
			j--
		}
		dot := strings.LastIndexByte(text[i:j], '.')
		if dot <= 0 {
			return i
		}
		tld := text[i+dot+1 : j]
		if ascii := tld[:asciiEnd(tld)]; !isTLD(tld) && isTLD(ascii) {
			// A dash, an ellipsis or broken bytes stand between it and more text.
			tld, j = ascii, j-len(tld)+len(ascii)
		}
		if isTLD(tld) && text[i] != '.' && !strings.Contains(text[i:j], "..") {
			return j
		}
		j = i + dot
	}
	return i
}

// asciiEnd is where the first byte stands that is not ASCII.
func asciiEnd(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

func isTLD(s string) bool {
	if len(s) < 2 || len(s) > 63 {
		return false
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "xn--") {
		return true
	}
	for i := range len(s) {
		if class[s[i]]&cLetter == 0 {
			return false
		}
	}
	return true
}
