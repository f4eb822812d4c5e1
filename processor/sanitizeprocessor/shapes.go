package sanitizeprocessor

import (
	"net"
	"net/netip"
	"strings"
)

// maxIDBytes is the longest value that is taken for an id.
const maxIDBytes = 128

// secretPrefixes begin credentials; a value that begins with one is no id.
var secretPrefixes = []string{
	"sk-", "sk_", "pk_", "rk_", "AKIA", "ASIA", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
	"hf_", "eyJ", "ya29", "whsec_", "npm_", "pypi-", "dop_v1_", "SG", "shpat_", "lin_api_", "gsk_", "xai-", "r8_", "dapi",
}

// secretBegins are their first bytes.
var secretBegins = func() (t [256]bool) {
	for _, p := range secretPrefixes {
		t[p[0]] = true
	}
	return t
}()

// protected tells whether a value under a key of that class is an id, a time or a
// version, and so is not looked into.
func protected(c keyClass, v string) bool {
	switch {
	case c&classHost != 0:
		return isAddress(v) || isID(v)
	case c&classID != 0:
		return isID(v)
	case c&classTime != 0:
		return isTime(v)
	case c&classVersion != 0:
		return isVersion(v)
	}
	return false
}

// isID tells whether v has the shape of an id: letters, digits, '-' and '_' only;
// with '-' between digits alone it may be a number of a person; and neither a
// credential nor an IBAN.
func isID(v string) bool {
	if v == "" || len(v) > maxIDBytes {
		return false
	}
	letters, separators, upper := 0, 0, true
	for i := range len(v) {
		switch ch := v[i]; {
		case ch >= '0' && ch <= '9':
		case ch >= 'A' && ch <= 'Z':
			letters++
		case isLower(ch):
			letters++
			upper = false
		case ch == '-' || ch == '_':
			separators++
		default:
			return false
		}
	}
	if letters == 0 {
		return separators == 0 || len(v) == 36
	}
	if secretBegins[v[0]] {
		for _, p := range secretPrefixes {
			if strings.HasPrefix(v, p) {
				return false
			}
		}
	}
	iban := upper && separators == 0 && len(v) >= 15 && len(v) <= 34 && !isDigit(v[0]) && !isDigit(v[1]) && isDigit(v[2]) && isDigit(v[3])
	return !iban
}

// isAddress tells whether v is an IP or a MAC address, perhaps with a port.
func isAddress(v string) bool {
	if len(v) > 64 || !strings.ContainsAny(v, ".:-") {
		return false
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(v); err == nil {
		return true
	}
	_, err := net.ParseMAC(v)
	return err == nil
}

// isTime tells whether v is a count of seconds or parts of them since 1970, or a
// point in time or a duration as ISO 8601 writes them.
func isTime(v string) bool {
	if v == "" || len(v) > 40 {
		return false
	}
	digits, others := 0, 0
	for i := range len(v) {
		switch ch := v[i]; {
		case isDigit(ch):
			digits++
		case ch == '.':
		case strings.IndexByte("-:+TZ ", ch) >= 0:
			others++
		default:
			return false
		}
	}
	if others == 0 {
		return digits > 0
	}
	return len(v) >= 8 && isDate(v)
}

// isDate tells whether v begins as 2006-01-02 or is a time of day.
func isDate(v string) bool {
	if len(v) >= 10 && v[4] == '-' && v[7] == '-' {
		return (v[0] == '1' || v[0] == '2') && (len(v) == 10 || v[10] == 'T' || v[10] == ' ')
	}
	return v[2] == ':' && v[5] == ':'
}

// isVersion tells whether v has the shape of a version or of a commit.
func isVersion(v string) bool {
	if v == "" || len(v) > 64 || strings.HasPrefix(v, "sk-") {
		return false
	}
	for i := range len(v) {
		ch := v[i]
		if !isDigit(ch) && !isLower(ch) && (ch < 'A' || ch > 'Z') && strings.IndexByte(".-+_", ch) < 0 {
			return false
		}
	}
	// 123-45-6789 is none.
	return strings.IndexByte(v, '.') >= 0 || isID(v)
}

func isDigit(b byte) bool { return b-'0' < 10 }

// minTriggered is the length below which a value without digits and without the
// characters that addresses and assignments need cannot be sensitive.
const minTriggered = 16

// plain tells whether a short value cannot be sensitive.
func plain(v string) bool {
	if len(v) < 6 {
		return true
	}
	if len(v) >= minTriggered {
		return false
	}
	for i := range len(v) {
		switch ch := v[i]; {
		case isDigit(ch), ch == '@', ch == ':', ch == '=', ch >= 0x80, ch == '\\', ch == '{', ch == '[':
			return false
		}
	}
	return true
}
