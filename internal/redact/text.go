package redact

// Byte classes.
const (
	cDigit = 1 << iota
	cLetter
	cHex
	cEmailLocal
	cHost
	cKeyword // may stand in the name of a variable
)

var class = func() (t [256]uint8) {
	set := func(chars string, c uint8) {
		for i := range len(chars) {
			t[chars[i]] |= c
		}
	}
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set(digits, cDigit|cHex|cEmailLocal|cHost|cKeyword)
	set(lower+upper, cLetter|cEmailLocal|cHost|cKeyword)
	set("abcdefABCDEF", cHex)
	// Of the characters that RFC 5322 allows in an atom those that addresses have
	// in practice; '*' is left out for masks.
	set("._%+-'", cEmailLocal)
	set("-.", cHost)
	set("_-. \t", cKeyword)
	// Letters of other scripts, as UTF-8, are letters at the borders of words.
	for b := 0x80; b < 0x100; b++ {
		t[b] |= cLetter | cEmailLocal | cHost
	}
	return t
}()

func isDigit(b byte) bool { return b-'0' < 10 }
func isHex(b byte) bool   { return class[b]&cHex != 0 }

// isWord tells whether b continues a word: a letter, digit or underscore.
func isWord(b byte) bool { return class[b]&(cDigit|cLetter) != 0 || b == '_' }

// isASCIIWord is isWord without letters of other scripts: Chinese text has no
// spaces around a number.
func isASCIIWord(b byte) bool { return b < 0x80 && isWord(b) }

// freeLeft tells whether a value may begin at i: at the beginning, behind
// something that is no part of a word, or behind an escape sequence of JSON (\n).
func freeLeft(text string, i int) bool {
	if i == 0 || !isASCIIWord(text[i-1]) {
		return true
	}
	return escapeEnd(text, i)
}

// escapeEnd tells whether an escape sequence such as \n ends before i.
func escapeEnd(text string, i int) bool {
	if i < 2 || text[i-2] != '\\' {
		return false
	}
	switch text[i-1] {
	case 'n', 't', 'r', 'b', 'f':
		return true
	}
	return false
}

// freeRight tells whether a value may end before i.
func freeRight(text string, i int) bool {
	return i >= len(text) || !isASCIIWord(text[i])
}

// Bytes before and after a value in which a word that names it is looked for.
const (
	contextBefore = 64
	contextAfter  = 40
)

// near tells whether one of the words (in lower case) stands within before bytes in
// front of start or within after bytes behind end. A word begins at a letter that
// follows no letter; words in marks of a Redactor do not count.
func near(text string, start, end, before, after int, words []string) bool {
	var buf [contextBefore + contextAfter]byte
	lo, hi := max(0, start-before), min(len(text), end+after)
	n := lower(buf[:], text[lo:start])
	if hasWord(buf[:n], words) {
		return true
	}
	n = lower(buf[:], text[end:hi])
	return hasWord(buf[:n], words)
}

func lower(dst []byte, s string) int {
	n := copy(dst, s)
	for i, b := range dst[:n] {
		if b-'A' < 26 {
			dst[i] = b + 'a' - 'A'
		}
	}
	return n
}

func hasWord(window []byte, words []string) bool {
	for i := range window {
		if i > 0 && class[window[i-1]]&cLetter != 0 && window[i-1] < 0x80 {
			continue
		}
		for _, w := range words {
			if window[i] == w[0] && i+len(w) <= len(window) && string(window[i:i+len(w)]) == w && wordAt(window, i, len(w)) {
				return true
			}
		}
	}
	return false
}

// wordAt tells whether the word of n bytes at i stands for itself. Words of up to
// three letters must end, too: "tin" is no part of "setting", and "id" none of "idea".
func wordAt(window []byte, i, n int) bool {
	if i > 0 {
		if prev := window[i-1]; prev == '[' || prev == '<' {
			return false
		}
	}
	if n <= 3 && i+n < len(window) {
		next := window[i+n]
		return class[next]&cLetter == 0 || next >= 0x80
	}
	return true
}
