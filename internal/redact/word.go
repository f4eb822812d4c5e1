package redact

import "strings"

// maxWord is the longest word with digits that is looked at: a taproot address
// has 62 characters, and other Bech32 strings up to 90.
const maxWord = 90

// word looks at the word of letters and digits around text[i:end], for formats that mix
// them. It returns where to go on.
func (s *Scanner) word(dst *[]Match, text string, i, end int) int {
	start := i
	for start > 0 && i-start <= maxWord && class[text[start-1]]&(cLetter|cDigit) != 0 && text[start-1] < 0x80 && !escapeEnd(text, start) {
		start--
	}
	for end < len(text) && end-start <= maxWord && class[text[end]]&(cLetter|cDigit) != 0 && text[end] < 0x80 {
		end++
	}
	if end-start > maxWord || start > 0 && (text[start-1] == '_' || text[start-1] == '@') || end < len(text) && (text[end] == '_' || text[end] == '@') {
		return end
	}
	if m, ok := s.mixed(text, start, end); ok {
		*dst = append(*dst, m)
		return m.End
	}
	return end
}

// mixed matches the formats at text[start:end], a word; some go on behind it.
func (s *Scanner) mixed(text string, start, end int) (Match, bool) {
	found := func(t Type, e int) (Match, bool) { return Match{start, e, t, typeNames[t]}, true }
	w := text[start:end]
	if s.on[IBAN] {
		if e := iban(text, start, end); e > 0 {
			return found(IBAN, e)
		}
	}
	if len(w) == 4 && s.on[MACAddress] && (start > 0 && text[start-1] == '.' || end < len(text) && text[end] == '.') {
		if m, ok := macDots(text, start); ok {
			return m, ok
		}
	}
	if s.on[CryptoAddress] && len(w) >= 25 {
		if bitcoin(w) || len(w) == 42 && w[0] == '0' && w[1]|0x20 == 'x' && ethereum(text, start) == end {
			return found(CryptoAddress, end)
		}
	}
	switch n := len(w); {
	case s.on[UKNINO] && n == 9:
		if e := nino(text, start); e > 0 && s.distinct(UKNINO, text, start, e, ninoWords) {
			return found(UKNINO, e)
		}
	case s.on[ITFiscalCode] && n == 16 && fiscalCode(w):
		return found(ITFiscalCode, end)
	}
	if m, ok := s.spanish(text, start, end); ok {
		return m, ok
	}
	if s.on[SGNRIC] && len(w) == 9 && nric(w) && s.distinct(SGNRIC, text, start, end, nricWords) {
		return found(SGNRIC, end)
	}
	if s.on[FIHETU] {
		if e := hetu(text, start); e > 0 {
			return found(FIHETU, e)
		}
	}
	if s.on[CNResidentID] && len(w) == 18 && cnWithX(w) {
		return found(CNResidentID, end)
	}
	return Match{}, false
}

// distinct tells whether text[start:end] is in capitals, as the authority writes it,
// or has a word near that names it.
func (s *Scanner) distinct(t Type, text string, start, end int, words []string) bool {
	return s.bare[t] || isUpper(text[start:end]) && !chained(text, start, end) || near(text, start, end, contextBefore, contextAfter, words)
}

// chained tells whether a word is a part of something like an id with hyphens.
func chained(text string, start, end int) bool {
	joint := func(i int) bool { return containsByte("-.:/+=", text[i]) }
	return start > 1 && joint(start-1) && isASCIIWord(text[start-2]) || end+1 < len(text) && joint(end) && isASCIIWord(text[end+1])
}

func isUpper(s string) bool {
	for i := range len(s) {
		if s[i]-'a' < 26 {
			return false
		}
	}
	return true
}

func up(b byte) byte {
	if b-'a' < 26 {
		return b - 'a' + 'A'
	}
	return b
}

var (
	ninoWords = []string{"nino", "national insurance", "ni number", "ni no", "insurance number"}
	nifWords  = []string{"nif", "dni", "documento nacional", "identificación"}
	nieWords  = []string{"nie", "extranjero", "identificación"}
	nricWords = []string{"nric", "fin", "singapore", "identity card"}
)

// nino matches a National Insurance number, AA 12 34 56 A, at start.
func nino(text string, start int) int {
	var c [9]byte
	n, i := 0, start
	for ; n < 9 && i < len(text); i++ {
		b := text[i]
		if b == ' ' && (n == 2 || n == 4 || n == 6 || n == 8) && i > start && text[i-1] != ' ' {
			continue
		}
		if n < 2 || n == 8 {
			if b|0x20 < 'a' || b|0x20 > 'z' {
				return 0
			}
		} else if !isDigit(b) {
			return 0
		}
		c[n] = up(b)
		n++
	}
	if n < 9 || !freeRight(text, i) || !freeLeft(text, start) {
		return 0
	}
	// D, F, I, Q, U and V are not used, nor O as the second letter, nor some pairs.
	if strings.IndexByte("DFIQUV", c[0]) >= 0 || strings.IndexByte("DFIQUVO", c[1]) >= 0 || c[8] < 'A' || c[8] > 'D' { //nolint:gosec // c is an array of 9
		return 0
	}
	switch string(c[:2]) {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return 0
	}
	return i
}

// spanish matches NIF (8 digits and a letter) and NIE (X, Y or Z, 7 digits, a letter).
func (s *Scanner) spanish(text string, start, end int) (Match, bool) {
	w := text[start:end]
	typ, words := ESNIF, nifWords
	n, k := 0, 0
	if b := up(w[0]); b == 'X' || b == 'Y' || b == 'Z' {
		typ, words = ESNIE, nieWords
		n, k = int(b-'X'), 1
	}
	digits := 0
	for k < len(w) && isDigit(w[k]) && digits < 9 {
		n = n*10 + int(w[k]-'0')
		digits++
		k++
	}
	if !s.on[typ] || typ == ESNIE && digits != 7 && digits != 8 || typ == ESNIF && digits != 7 && digits != 8 {
		return Match{}, false
	}
	e := start + k
	if k == len(w) && e+1 < len(text) && text[e] == '-' {
		e++
	}
	if e >= len(text) || class[text[e]]&cLetter == 0 || text[e] >= 0x80 || e+1 < end || !freeRight(text, e+1) || chained(text, start, e+1) {
		return Match{}, false
	}
	if "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] != up(text[e]) {
		return Match{}, false
	}
	e++
	if digits == 7 && typ == ESNIF && !s.bare[typ] && !near(text, start, e, contextBefore, contextAfter, words) || !s.distinct(typ, text, start, e, words) {
		return Match{}, false
	}
	return Match{start, e, typ, typeNames[typ]}, true
}

// nric checks a Singapore NRIC or FIN.
func nric(w string) bool {
	first, last := up(w[0]), up(w[8])
	sum := 0
	for i, weight := range [...]int{2, 7, 6, 5, 4, 3, 2} {
		if !isDigit(w[i+1]) {
			return false
		}
		sum += int(w[i+1]-'0') * weight
	}
	switch first {
	case 'S':
		return "JZIHGFEDCBA"[sum%11] == last
	case 'T':
		return "JZIHGFEDCBA"[(sum+4)%11] == last
	case 'F':
		return "XWUTRQPNMLK"[sum%11] == last
	case 'G':
		return "XWUTRQPNMLK"[(sum+4)%11] == last
	case 'M':
		return "XWUTRQPNJLK"[(sum+3)%11] == last
	}
	return false
}

// hetu matches a Finnish personal identity code, DDMMYYCZZZQ, at start.
func hetu(text string, start int) int {
	const n = 11
	if start+n > len(text) || !freeLeft(text, start) || !freeRight(text, start+n) {
		return 0
	}
	w := text[start : start+n]
	v := 0
	for i := range 10 {
		if i == 6 {
			continue
		}
		if !isDigit(w[i]) {
			return 0
		}
		v = v*10 + int(w[i]-'0')
	}
	if strings.IndexByte("-+ABCDEFUVWXY", w[6]) < 0 || "0123456789ABCDEFHJKLMNPRSTUVWXY"[v%31] != w[10] {
		return 0
	}
	day, month, individual := v/10_000_000, v/100_000%100, v%1000
	if !date(month, day) || individual < 2 || start+n < len(text) && text[start+n] == '-' || start > 0 && text[start-1] == '-' {
		return 0
	}
	return start + n
}

// fiscalCode checks an Italian codice fiscale.
func fiscalCode(w string) bool {
	odd := [...]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i := range 15 {
		b := up(w[i])
		letter := b-'A' < 26
		// Digits may be replaced by LMNPQRSTUV to tell namesakes apart.
		switch i {
		case 6, 7, 9, 10, 12, 13, 14:
			if letter && strings.IndexByte("LMNPQRSTUV", b) < 0 {
				return false
			}
		default:
			if !letter {
				return false
			}
		}
		v := int(b - '0')
		if letter {
			v = int(b - 'A')
		}
		if i%2 == 0 {
			v = odd[v]
		}
		sum += v
	}
	return strings.IndexByte("ABCDEHLMPRST", up(w[8])) >= 0 && up(w[15]) == byte('A'+sum%26)
}

// cnWithX checks a Chinese resident identity number that ends in X.
func cnWithX(w string) bool {
	var d [17]byte
	for i := range d {
		if !isDigit(w[i]) {
			return false
		}
		d[i] = w[i] - '0'
	}
	return up(w[17]) == 'X' && cnBody(d[:]) && cnCheck(d[:]) == 10
}
