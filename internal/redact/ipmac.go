package redact

import (
	"net/netip"
	"strings"
)

// versionBefore tells whether the word in front of i says that a version follows.
func versionBefore(text string, i int) bool {
	for n := 0; n < 3 && i > 0 && containsByte(" :=\"'", text[i-1]); n++ {
		i--
	}
	end := i
	for i > 0 && end-i < 8 && class[text[i-1]]&cLetter != 0 {
		i--
	}
	switch strings.ToLower(text[i:end]) {
	case "version", "v", "ver", "release", "build":
		return true
	}
	return false
}

// ipv4 matches four octets. It returns the end, or 0.
func ipv4(text string, x *number) int {
	at := 0
	for k := range 4 {
		size := int(x.size[k])
		if size == 0 || size > 3 || k > 0 && x.sep[k] != '.' {
			return 0
		}
		d := x.digits[at : at+size]
		if size > 1 && d[0] == 0 || numberOf(d) > 255 {
			return 0
		}
		at += size
	}
	e := x.end[3]
	if e < len(text) && (isASCIIWord(text[e]) || text[e] == '.' && e+1 < len(text) && isDigit(text[e+1])) {
		return 0
	}
	if e+1 < len(text) && (text[e] == '-' || text[e] == '+') && isWord(text[e+1]) && !isDigit(text[e+1]) {
		return 0 // a version with a suffix
	}
	if i := x.start; i > 0 {
		if !freeLeft(text, i) {
			return 0
		}
		switch b := text[i-1]; {
		case b == '.', b == '+', b == '-' && i > 1 && isASCIIWord(text[i-2]),
			b == '/' && i > 1 && isASCIIWord(text[i-2]): // Chrome/120.0.0.0
			return 0
		}
		if versionBefore(text, i) {
			return 0
		}
	}
	return prefixEnd(text, e, 32)
}

// prefixEnd includes a prefix length of CIDR notation (/24) at e.
func prefixEnd(text string, e, longest int) int {
	if e >= len(text) || text[e] != '/' {
		return e
	}
	i, n := e+1, 0
	for i < len(text) && isDigit(text[i]) && i < e+4 {
		n = n*10 + int(text[i]-'0')
		i++
	}
	if i == e+1 || n > longest || !freeRight(text, i) {
		return e
	}
	return i
}

// zoneEnd includes a zone (%eth0) at e.
func zoneEnd(text string, e int) int {
	if e+1 >= len(text) || text[e] != '%' {
		return e
	}
	i := e + 1
	for i < len(text) && isASCIIWord(text[i]) && i < e+17 {
		i++
	}
	if i == e+1 {
		return e
	}
	return i
}

// scanColons finds IPv6 and MAC addresses around colons.
func (s *Scanner) scanColons(dst []Match, text string) []Match {
	for i := 0; ; {
		k := strings.IndexByte(text[i:], ':')
		if k < 0 {
			return dst
		}
		k += i
		i = k + 1
		if i == len(text) {
			return dst
		}
		next := text[i]
		if next != ':' && !isHex(next) {
			continue
		}
		if k > 0 && next != ':' && !isHex(text[k-1]) {
			continue
		}
		start := k
		for start > 0 && (isHex(text[start-1]) || text[start-1] == ':') && k-start < 40 {
			start--
		}
		end := k
		for end < len(text) && (isHex(text[end]) || text[end] == ':' || text[end] == '.') && end-start < 64 {
			end++
		}
		i = end
		for end > start && text[end-1] == '.' {
			end--
		}
		if m, ok := s.colons(text, start, end); ok {
			dst = append(dst, m)
		}
	}
}

// colons judges text[start:end] of hexadecimal digits, colons and dots.
func (s *Scanner) colons(text string, start, end int) (Match, bool) {
	if end-start < 3 && !s.bare[IPAddress] || end-start < 2 {
		return Match{}, false
	}
	if !freeRight(text, end) {
		return Match{}, false
	}
	if s.on[MACAddress] && freeLeft(text, start) {
		if n := macLength(text, start, ':'); n > 0 && start+n == end {
			return Match{start, end, MACAddress, typeNames[MACAddress]}, true
		}
	}
	if !s.on[IPAddress] {
		return Match{}, false
	}
	// A colon behind the address belongs to the text, as does one before it.
	if text[end-1] == ':' && !strings.HasSuffix(text[start:end], "::") {
		end--
	}
	if end-start > 1 && text[start] == ':' && text[start+1] != ':' {
		start++
	}
	if !freeLeft(text, start) && text[start] != ':' || start > 0 && text[start] == ':' && isASCIIWord(text[start-1]) {
		return Match{}, false
	}
	v := text[start:end]
	if len(v) > 45 || len(v) < 3 && !s.bare[IPAddress] {
		return Match{}, false
	}
	if colons := strings.Count(v, ":"); colons < 2 || colons < 7 && !strings.Contains(v, "::") && !strings.Contains(v, ".") {
		return Match{}, false
	}
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is6() {
		return Match{}, false
	}
	// "a::b" may be a qualified name of C++; it needs a digit or a whole group.
	if !hasDigit(v) && !s.bare[IPAddress] {
		return Match{}, false
	}
	return Match{start, prefixEnd(text, zoneEnd(text, end), 128), IPAddress, typeNames[IPAddress]}, true
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

// macLength returns the length of six octets with sep at i, or of three groups of
// four with dots; 0 for none, and for broadcast and the empty address.
func macLength(text string, i int, sep byte) int {
	step, n := 3, 17
	if sep == '.' {
		step, n = 5, 14
	}
	if i+n > len(text) {
		return 0
	}
	v := text[i : i+n]
	zeros, efs := true, true
	for k := range len(v) {
		if k%step == step-1 {
			if v[k] != sep {
				return 0
			}
			continue
		}
		if !isHex(v[k]) {
			return 0
		}
		zeros = zeros && v[k] == '0'
		efs = efs && v[k]|0x20 == 'f'
	}
	if zeros || efs {
		return 0
	}
	return n
}

// scanMAC finds addresses with hyphens.
func scanMAC(dst []Match, text string) []Match {
	for i := 0; ; {
		k := strings.IndexByte(text[i:], '-')
		if k < 0 {
			return dst
		}
		k += i
		i = k + 1
		start := k - 2
		if start < 0 || k+3 >= len(text) || text[k+3] != '-' || !isHex(text[k-1]) || !freeLeft(text, start) || start > 0 && text[start-1] == '-' {
			continue
		}
		n := macLength(text, start, '-')
		end := start + n
		if n == 0 || !freeRight(text, end) || end+1 < len(text) && text[end] == '-' && isASCIIWord(text[end+1]) {
			continue
		}
		if !hasHexLetter(text[start:end]) && !near(text, start, end, 24, 0, macWords) {
			continue
		}
		dst = append(dst, Match{start, end, MACAddress, typeNames[MACAddress]})
		i = end
	}
}

// macDots matches three groups of four with dots, of which text[i:i+4] is one. An
// address without any digit is not found.
func macDots(text string, i int) (Match, bool) {
	for _, start := range [...]int{i, i - 5, i - 10} {
		if start < 0 {
			break
		}
		end := start + 14
		if macLength(text, start, '.') == 0 || !freeLeft(text, start) || !freeRight(text, end) || start > 0 && text[start-1] == '.' ||
			end+1 < len(text) && text[end] == '.' && isASCIIWord(text[end+1]) || !hasHexLetter(text[start:end]) {
			continue
		}
		return Match{start, end, MACAddress, typeNames[MACAddress]}, true
	}
	return Match{}, false
}

var macWords = []string{"mac", "hardware", "physical", "ethernet", "ether", "lladdr", "bssid"}

func hasHexLetter(s string) bool {
	for i := range len(s) {
		if isHex(s[i]) && !isDigit(s[i]) {
			return true
		}
	}
	return false
}
