package redact

import "sync"

// number is a run of digits with single separators in between, from one of its
// groups on. Digits beyond the arrays are not read.
type number struct {
	start  int
	digits [24]byte
	// size[k] are the digits of group k, end[k] is where it ends in the text, and
	// sep[k] is the byte before group k (k > 0).
	size [8]uint8
	end  [8]int
	sep  [8]byte
	n    int
	// groups is how many groups were read; more says that there was no room.
	groups int
	more   bool
}

func isSeparator(b byte) bool {
	return b == ' ' || b == '-' || b == '.' || b == '/' || b == ':'
}

// read fills the number from the digit at i.
func (x *number) read(text string, i int) {
	x.start, x.n, x.groups, x.more = i, 0, 0, false
	for {
		n := 0
		for i < len(text) && isDigit(text[i]) {
			if x.n == len(x.digits) {
				x.more = true
				if n > 0 {
					// The group is longer than any that is looked for.
					x.size[x.groups], x.end[x.groups] = 255, i
					x.groups++
				}
				return
			}
			x.digits[x.n] = text[i] - '0'
			x.n++
			n++
			i++
		}
		x.size[x.groups], x.end[x.groups] = uint8(n), i
		x.groups++
		if i+1 >= len(text) || !isSeparator(text[i]) || !isDigit(text[i+1]) {
			return
		}
		if x.groups == len(x.size) {
			x.more = true
			return
		}
		x.sep[x.groups] = text[i]
		i++
	}
}

// endsAt tells whether a value may end with group k: a sentence may go on behind
// it, and after a space another number, but no other group.
func (x *number) endsAt(text string, k int) bool {
	e := x.end[k]
	if e == len(text) {
		return true
	}
	b := text[e]
	if isASCIIWord(b) || b == '@' || b == '+' && e+1 < len(text) && isASCIIWord(text[e+1]) {
		return false
	}
	if (b == '-' || b == '.' || b == '/' || b == ':' || b == ',') && e+1 < len(text) {
		next := text[e+1]
		return !isDigit(next) && (b == ':' || b == ',' || b == '/' || !isASCIIWord(next))
	}
	return true
}

// beginsAt tells whether a number may begin at i: not inside a word, a longer chain
// of groups, a decimal fraction or a path.
func beginsAt(text string, i int) bool {
	if !freeLeft(text, i) {
		return false
	}
	if i == 0 || isASCIIWord(text[i-1]) {
		return true
	}
	switch text[i-1] {
	case '-', '.', '/', ',', '+', '@', '$':
		return i >= 2 && !isASCIIWord(text[i-2]) && text[i-1] != '@' && text[i-1] != '.' && text[i-1] != '$'
	case ':':
		return i < 2 || !isDigit(text[i-2])
	}
	return true
}

// numberPool keeps numbers, which escape through the checks of the rules.
var numberPool = sync.Pool{New: func() any { return new(number) }}

// scanDigits calls the matchers of numbers at every run of digits.
func (s *Scanner) scanDigits(dst []Match, text string) []Match {
	if nextDigit(text, 0) >= len(text) {
		return dst
	}
	x := numberPool.Get().(*number)
	defer numberPool.Put(x)
	for i := 0; ; {
		i = nextDigit(text, i)
		if i >= len(text) {
			return dst
		}
		end := i + 1
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		if e := s.token(&dst, text, i, end, x); e > end {
			end = e
		}
		i = end
	}
}

// nextDigit returns the position of the first digit from i on, or at least
// len(text). It looks at eight bytes at once.
func nextDigit(text string, i int) int {
	for ; i+8 <= len(text); i += 8 {
		c := text[i : i+8]
		w := uint64(c[0]) | uint64(c[1])<<8 | uint64(c[2])<<16 | uint64(c[3])<<24 |
			uint64(c[4])<<32 | uint64(c[5])<<40 | uint64(c[6])<<48 | uint64(c[7])<<56
		// Digits are 0011dddd with dddd < 10: the exclusive or makes their high nibble
		// 0, and it stays 0 when 6 is added. A borrow in the test for zero bytes can
		// only mark a byte too many, so the loop looks again.
		high := w ^ 0x3030303030303030
		v := (high&0x7F7F7F7F7F7F7F7F + 0x0606060606060606 | high) & 0xF0F0F0F0F0F0F0F0
		if (v-0x0101010101010101)&^v&0x8080808080808080 == 0 {
			continue
		}
		for k := range 8 {
			if isDigit(text[i+k]) {
				return i + k
			}
		}
	}
	for i < len(text) && !isDigit(text[i]) {
		i++
	}
	return i
}

// token handles the run of digits text[i:end]. It returns where to go on.
func (s *Scanner) token(dst *[]Match, text string, i, end int, x *number) int {
	if end-i > 24 && (i == 0 || class[text[i-1]]&cLetter == 0) {
		return end
	}
	// A run that follows a letter is looked at as a whole word only.
	if i > 0 && isASCIIWord(text[i-1]) && !escapeEnd(text, i) {
		return s.word(dst, text, i, end)
	}
	// A National Insurance number in groups: AA 12 34 56 A, or AA 123456A.
	if s.on[UKNINO] && i >= 3 && text[i-1] == ' ' && class[text[i-2]]&class[text[i-3]]&cLetter != 0 && (end-i == 2 || end-i == 6) {
		if e := nino(text, i-3); e > 0 && s.distinct(UKNINO, text, i-3, e, ninoWords) {
			*dst = append(*dst, Match{i - 3, e, UKNINO, typeNames[UKNINO]})
			return e
		}
	}
	if end-i == 4 && s.on[MACAddress] && (i > 0 && text[i-1] == '.' || end < len(text) && text[end] == '.') {
		if m, ok := macDots(text, i); ok {
			*dst = append(*dst, m)
			return m.End
		}
	}
	// Most numbers are short and stand alone.
	if end-i < 4 && (end == len(text) || !isSeparator(text[end]) && text[end] != ')' && class[text[end]]&cLetter == 0) {
		return end
	}
	if e := s.number(dst, text, i, x); e > end {
		return e
	}
	if end < len(text) && (class[text[end]]&cLetter != 0 || text[end] == '-' || text[end] == '+') {
		return s.word(dst, text, i, end)
	}
	return end
}

// number tries the types that begin with a digit. It returns the end of the match,
// else i.
func (s *Scanner) number(dst *[]Match, text string, i int, x *number) int {
	x.read(text, i)
	if s.on[IPAddress] && x.groups >= 4 {
		if e := ipv4(text, x); e > 0 {
			*dst = append(*dst, Match{i, e, IPAddress, typeNames[IPAddress]})
			return e
		}
	}
	if x.n < minPhone && text[i] != '0' && !phoneBegins(text, i) {
		return i
	}
	if !beginsAt(text, i) && !phoneBegins(text, i) {
		return i
	}
	if beginsAt(text, i) {
		if s.on[CreditCard] {
			if e := s.card(text, x); e > 0 {
				*dst = append(*dst, Match{i, e, CreditCard, typeNames[CreditCard]})
				return e
			}
		}
		if r, e := s.identifier(text, x); r != nil {
			*dst = append(*dst, Match{i, e, r.typ, typeNames[r.typ]})
			return e
		}
	}
	if s.on[Phone] {
		if b, e := s.phone(text, x); e > 0 {
			*dst = append(*dst, Match{b, e, Phone, typeNames[Phone]})
			return e
		}
	}
	return i
}
