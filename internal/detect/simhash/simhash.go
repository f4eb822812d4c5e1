// Package simhash tells near-identical texts by fingerprints of 64 bits
// (Charikar 2002; Manku, Jain and Das Sarma 2007): texts that share most of
// their pairs of words have fingerprints that differ in few bits.
package simhash

import "math/bits"

const (
	// MaxBytes is how much of a text is looked at.
	MaxBytes = 256
	// MinWords is the number of words below which a text is too short to be
	// told from others.
	MinWords = 6
	// Near is the number of differing bits up to which two texts are
	// near-identical.
	Near = 3
	// WindowSize is the number of latest texts in a [Window].
	WindowSize = 64
	// maxPairs bounds the pairs of words so that sums of bytes do not overflow.
	maxPairs = 120
)

// spread has the bits of a byte as bytes of a word.
var spread = func() (table [256]uint64) {
	for i := range table {
		for bit := range 8 {
			table[i] |= uint64(i>>bit&1) << (8 * bit)
		}
	}
	return table
}()

// Of returns the fingerprint of the last 256 bytes of text: the majority, bit
// by bit, over the hashes of all pairs of neighbouring words. Letter case,
// digits and punctuation do not count. ok is false for texts of fewer than six
// words.
func Of(text string) (fingerprint uint64, ok bool) {
	text = text[max(0, len(text)-MaxBytes):]
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	var sums [8]uint64
	var last uint64
	words, pairs := 0, 0
	h, inWord := uint64(offset), false
	for i := 0; i <= len(text); i++ {
		c := byte(' ')
		if i < len(text) {
			c = text[i]
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c >= 'a' && c <= 'z' || c >= 0x80 {
			h, inWord = (h^uint64(c))*prime, true
			continue
		}
		if !inWord {
			continue
		}
		if words > 0 && pairs < maxPairs {
			m := mix(last ^ bits.RotateLeft64(h, 29))
			for b := range sums {
				sums[b] += spread[byte(m>>(8*b))]
			}
			pairs++
		}
		last, h, inWord = h, offset, false
		words++
	}
	if words < MinWords {
		return 0, false
	}
	for i, eight := range sums {
		for bit := range 8 {
			if n := eight >> (8 * bit) & 255; 2*n > uint64(pairs) {
				fingerprint |= 1 << (8*i + bit)
			}
		}
	}
	return fingerprint, true
}

// mix spreads the entropy of x over all bits (MurmurHash3 finaliser).
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Window holds the latest fingerprints. The zero value is empty.
type Window struct {
	ring [WindowSize]uint64
	n    uint64
}

// Add adds a fingerprint and reports whether a near-identical one was there.
func (w *Window) Add(fingerprint uint64) (near bool) {
	for _, f := range w.ring[:min(w.n, WindowSize)] {
		if bits.OnesCount64(f^fingerprint) <= Near {
			near = true
			break
		}
	}
	w.ring[w.n%WindowSize] = fingerprint
	w.n++
	return near
}
