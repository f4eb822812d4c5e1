package injection

import (
	"strings"
	"unicode/utf8"
)

// One level of decoding. A payload must be long enough to hold an instruction, and
// must decode to readable text.
const (
	minBase64  = 24 // characters, 18 bytes
	minHex     = 32 // characters, 16 bytes
	minHidden  = 12 // bytes of decoded text
	maxHidden  = 16 // payloads of one text that are tried
	minRot13   = 2  // words that are common English only in rot13
	zeroInWord = 2  // invisible characters inside words that make a text suspicious
)

// decodeAll finds what is encoded in the text and calls fn with it, at most
// maxHidden times and budget bytes; it gives what is left of the budget.
func decodeAll(text string, budget int, fn func(hidden, encoding string)) int {
	tried := 0
	offer := func(hidden []byte, encoding string) {
		if tried == maxHidden || len(hidden) < minHidden || len(hidden) > budget || !readable(hidden) {
			return
		}
		tried++
		budget -= len(hidden)
		fn(string(hidden), encoding)
	}
	for start := 0; start < len(text) && tried < maxHidden; {
		if !isBase64[text[start]] {
			start++
			continue
		}
		end, hex := start, true
		for end < len(text) && isBase64[text[end]] {
			hex = hex && hexValue(text[end]) >= 0
			end++
		}
		run := text[start:end]
		switch {
		case hex && len(run) >= minHex:
			offer(unhex(run), DecodedHex)
		case len(run) >= minBase64:
			offer(unbase64(run), DecodedBase64)
		}
		start = end
	}
	spaced := spacedHex(text)
	offer(spaced, DecodedHex)
	if rot13Words(text) >= minRot13 {
		offer(rot13(text), DecodedRot13)
	}
	tags, bits, stripped := unhide(text)
	offer(tags, DecodedZeroWidth)
	offer(bits, DecodedZeroWidth)
	offer(stripped, DecodedZeroWidth)
	return budget
}

var isBase64 = func() (t [256]bool) {
	for i := range t {
		b := byte(i)
		t[i] = isLetter(b) || b >= '0' && b <= '9' || b == '+' || b == '/' || b == '-' || b == '_'
	}
	return t
}()

// unbase64 decodes the standard and the URL alphabet, with or without padding. A
// last character that is not a whole byte is left out.
func unbase64(run string) []byte {
	out := make([]byte, 0, len(run)*3/4)
	acc, bits := uint32(0), 0
	for i := range len(run) {
		b := run[i]
		var v byte
		switch {
		case b >= 'A' && b <= 'Z':
			v = b - 'A'
		case b >= 'a' && b <= 'z':
			v = b - 'a' + 26
		case b >= '0' && b <= '9':
			v = b - '0' + 52
		case b == '+' || b == '-':
			v = 62
		default:
			v = 63
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

func hexValue(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

func unhex(run string) []byte {
	out := make([]byte, 0, len(run)/2)
	for i := 0; i+1 < len(run); i += 2 {
		out = append(out, byte(hexValue(run[i])<<4|hexValue(run[i+1])))
	}
	return out
}

// spacedHex decodes the longest run of pairs of hex digits with a space, comma,
// colon, \x or 0x between them.
func spacedHex(text string) []byte {
	var best []byte
	for i := 0; i+1 < len(text); {
		var run []byte
		for i+1 < len(text) && hexValue(text[i]) >= 0 && hexValue(text[i+1]) >= 0 {
			run = append(run, byte(hexValue(text[i])<<4|hexValue(text[i+1])))
			i += 2
			rest := text[i:]
			for _, sep := range [...]string{`\x`, ", 0x", ",0x", " 0x", " ", ":", ","} {
				if strings.HasPrefix(rest, sep) {
					i += len(sep)
					break
				}
			}
		}
		if len(run) > len(best) {
			best = run
		}
		if len(run) == 0 {
			i++
		}
	}
	return best
}

func rot13(text string) []byte {
	out := []byte(text)
	for i, b := range out {
		if isLetter(b) {
			base := b&0x20 | 'A'
			out[i] = base + (b-base+13)%26
		}
	}
	return out
}

// rot13Words counts the words that are common English in rot13.
func rot13Words(text string) int {
	n, h, inWord := 0, uint32(fnv32), false
	for i := 0; i <= len(text); i++ {
		b := byte(' ')
		if i < len(text) {
			b = fold[text[i]]
		}
		if isWord[b] {
			h, inWord = (h^uint32(b))*prime, true
			continue
		}
		if inWord && words.find(h)&classRot13 != 0 {
			n++
		}
		h, inWord = fnv32, false
	}
	return n
}

// unhide gives the text spelt in tag characters, the text spelt in two kinds of
// zero-width characters as bits, and the text without invisible characters if
// enough of them were inside words.
func unhide(text string) (tags, bits, stripped []byte) {
	inWords, n, acc := 0, 0, byte(0)
	for i := 0; i < len(text); {
		size := 0
		if text[i] >= 0xC2 {
			size = invisible(text[i:])
		}
		if size == 0 {
			stripped = append(stripped, text[i])
			i++
			continue
		}
		if b := tagByte(text[i:]); b >= ' ' && b < 0x7F {
			tags = append(tags, b)
		}
		if text[i] == 0xE2 && text[i+1] == 0x80 && (text[i+2] == 0x8B || text[i+2] == 0x8C) {
			acc = acc<<1 | (text[i+2] - 0x8B)
			if n++; n%8 == 0 {
				bits = append(bits, acc)
			}
		}
		if suspicious(text, i, size) {
			inWords++
		}
		i += size
	}
	if inWords < zeroInWord {
		stripped = nil
	}
	return tags, bits, stripped
}

// readable tells whether bytes are text: valid UTF-8, hardly a control character,
// mostly letters, and more than one word.
func readable(b []byte) bool {
	letters, spaces := 0, 0
	for _, c := range b {
		switch {
		case isLetter(c) || c >= 0x80:
			letters++
		case c == ' ':
			spaces++
		case c < ' ' && c != '\n' && c != '\t' && c != '\r':
			return false
		}
	}
	return spaces > 0 && letters*10 >= len(b)*6 && utf8.Valid(b)
}
