package drift

import (
	"unicode"
	"unicode/utf8"
)

// FNV-1a.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// spread turns a hash into all bits.
func spread(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Project adds component i of a vector of any dimension: signed feature hashing
// (Weinberger et al. 2009), which keeps inner products on average.
func (v *Vector) Project(i int, x float64) {
	if x > -1e18 && x < 1e18 { // neither NaN nor infinite
		v.feature(uint64(i)+fnvOffset, float32(x))
	}
}

func (v *Vector) feature(hash uint64, weight float32) {
	h := spread(hash)
	if h>>63 != 0 {
		weight = -weight
	}
	v[h%Dims] += weight
}

// Normalise makes v a vector of length 1 and reports whether it has a direction.
func (v *Vector) Normalise() bool { return v.normalise() }

// TextVector makes v the direction of a text: the hashed counts of its words and
// of the runs of three characters in them, in lower case. Numbers and signs do
// not count. It reports whether the text has a word.
func TextVector(text string, v *Vector) bool {
	*v = Vector{}
	word := uint64(fnvOffset)
	var a, b rune // the two characters before
	length := 0
	end := func() {
		if length > 0 {
			v.feature(word, 1)
			v.gram(a, b, ' ')
		}
		word, a, b, length = fnvOffset, 0, ' ', 0
	}
	b = ' '
	for _, c := range text {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z':
		case c < utf8.RuneSelf || !unicode.IsLetter(c) && !unicode.IsMark(c):
			end()
			continue
		default:
			c = unicode.ToLower(c)
		}
		if ideographic(c) {
			// Written without spaces: pairs of characters stand for words.
			v.feature(uint64(b)<<32|uint64(c), 1)
			v.feature(uint64(c), .5)
			word, a, b, length = fnvOffset, 0, c, 0
			continue
		}
		word = (word ^ uint64(c)) * fnvPrime
		if length > 0 || b == ' ' {
			v.gram(a, b, c)
		}
		a, b = b, c
		length++
	}
	end()
	return v.normalise()
}

// gram adds a run of three characters at half the weight of a word.
func (v *Vector) gram(a, b, c rune) {
	if a != 0 {
		v.feature(uint64(a)<<42^uint64(b)<<21^uint64(c), .5)
	}
}

func ideographic(c rune) bool {
	return c >= 0x3040 && c <= 0x30ff || c >= 0x3400 && c <= 0x9fff || c >= 0x20000 && c <= 0x3ffff || c >= 0xe00 && c <= 0xeff
}
