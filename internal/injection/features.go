package injection

// Features are hashed n-grams of the folded text: 4 and 5 bytes, 1 to 3 words, and
// the first 1 and 2 words of a sentence
// (feature hashing: Weinberger et al., "Feature Hashing for Large Scale Multitask
// Learning", ICML 2009).

const (
	// Bits is the base-2 logarithm of the number of weights of each head.
	Bits = 18
	// A piece ends at the end of a sentence or line from softPiece bytes on, at a
	// space from hardPiece on, and after maxPiece bytes whatever is there.
	softPiece = 50
	hardPiece = 240
	maxPiece  = 320
	// maxWord is the longest word that counts, in bytes of ASCII.
	maxWord = 24
	// maxFeatures of a piece: two per byte, and five per word with what ends it.
	maxFeatures = 2*maxPiece + 5*(maxPiece/2+1) + 7

	mix64 = 0x9E3779B97F4A7C15
	fnv32 = 2166136261
	prime = 16777619
)

// fold maps bytes to what features see: small ASCII letters, one digit, one space.
var fold = func() (t [256]byte) {
	for i := range t {
		b := byte(i)
		switch {
		case b >= 'A' && b <= 'Z':
			b += 'a' - 'A'
		case b >= '0' && b <= '9':
			b = '0'
		case b <= ' ' || b == 0x7f:
			b = ' '
		}
		t[i] = b
	}
	return t
}()

// isWord tells the folded bytes that words are made of; bytes of UTF-8 beyond
// ASCII count as letters.
var isWord = func() (t [256]bool) {
	for i := range t {
		b := byte(i)
		t[i] = b >= 'a' && b <= 'z' || b == '0' || b >= 0x80 || b == '\''
	}
	return t
}()

// pieceEnd gives the end of the piece that begins at start.
func pieceEnd(text string, start int) int {
	if len(text)-start <= softPiece+softPiece/2 {
		return len(text)
	}
	limit := min(len(text), start+maxPiece)
	for i := start + softPiece; i < limit; i++ {
		switch text[i] {
		case '\n':
			return i + 1
		case '.', '!', '?':
			if i+1 < len(text) && text[i+1] <= ' ' {
				return i + 1
			}
		case ' ', '\t':
			if i >= start+hardPiece {
				return i + 1
			}
		}
	}
	return limit
}

// features hashes the n-grams of a piece into buf and gives their number. Invisible
// characters are skipped, so that they cannot split words.
func features(piece string, buf *[maxFeatures]uint32) int {
	n := 0
	var reg uint64 = ' '
	last := byte(' ')
	word, prev1, prev2 := uint32(fnv32), uint32(0), uint32(0)
	inWord := false
	place := 0 // of the word in its sentence: the first ones tell an imperative
	run := 0   // ASCII letters and digits in a row
	for i := 0; i <= len(piece) && n <= maxFeatures-7; i++ {
		b := byte(' ')
		if i < len(piece) {
			b = fold[piece[i]]
			if b >= 0xC2 && invisible(piece[i:]) > 0 {
				i += invisible(piece[i:]) - 1
				continue
			}
		}
		if isWord[b] {
			word = (word ^ uint32(b)) * prime
			inWord = true
			if b >= 0x80 {
				run = 0
			} else if run++; run > maxWord {
				continue // ids, hashes, base64: nothing to learn from
			}
		} else if inWord {
			inWord = false
			if run > maxWord {
				word, run = fnv32, 0
				continue
			}
			run = 0
			buf[n] = slot(uint64(word) | 1<<40)
			n++
			place++
			if place == 1 {
				buf[n] = slot(uint64(word) | 1<<45)
				n++
			}
			if prev1 != 0 {
				two := uint64(prev1)*31 + uint64(word)
				buf[n] = slot(two | 1<<41)
				n++
				if place == 2 {
					buf[n] = slot(two | 1<<46)
					n++
				}
				if prev2 != 0 {
					buf[n] = slot(uint64(prev2)*961 + two | 1<<42)
					n++
				}
			}
			prev2, prev1 = prev1, word
			word = fnv32
		}
		if b == '.' || b == '!' || b == '?' || b == ':' || i < len(piece) && piece[i] == '\n' {
			place = 0
		}
		if b == ' ' && last == ' ' {
			continue
		}
		last = b
		reg = reg<<8 | uint64(b)
		if reg > 0xFFFFFF {
			buf[n] = slot(reg&0xFFFFFFFF | 1<<43)
			n++
		}
		if reg > 0xFFFFFFFF {
			buf[n] = slot(reg&0xFFFFFFFFFF | 1<<44)
			n++
		}
	}
	return n
}

// slot hashes by multiplication (Knuth, TAOCP vol. 3, 6.4): the highest bits count.
func slot(x uint64) uint32 { return uint32(x * mix64 >> (64 - Bits)) }

// Pieces calls fn with the features of each piece of the text; offset is where the
// piece begins, size its bytes. The slice is reused.
func Pieces(text string, fn func(offset, size int, features []uint32)) {
	var buf [maxFeatures]uint32
	for start := 0; start < len(text); {
		end := pieceEnd(text, start)
		n := features(text[start:end], &buf)
		fn(start, end-start, buf[:n])
		start = end
	}
}
