package corpus

import (
	"hash/fnv"
	"math/bits"
	"strings"
	"unicode"
)

const (
	// TestShare is the percentage of texts that is never trained on.
	TestShare = 30
	// Folds of the texts to train on.
	Folds = 3
	// shingle is the number of words of a shingle, sketchSize the number of MinHash
	// values of a text (Broder, "On the resemblance and containment of documents",
	// 1997), bandRows how many of them make a band of the locality-sensitive index.
	shingle    = 3
	sketchSize = 32
	bandRows   = 4
	// nearShare is the share of equal MinHash values, an estimate of the Jaccard
	// similarity of shingles, from which two texts are near-duplicates.
	nearShare = 0.4
)

// normal is the text in small letters with all else than letters taken as a space.
func normal(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return mix(h.Sum64())
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Key is the hash of a text that splits go by: letters only.
func Key(text string) uint64 { return hash(strings.Join(normal(text), " ")) }

// InTest tells whether texts with the key are kept from training.
func InTest(key uint64) bool { return key%100 < TestShare }

// Fold gives the fold, 0..Folds-1, of a key.
func Fold(key uint64) int { return int(mix(key^0xF01D) % Folds) }

type sketch [sketchSize]uint32

func sketchOf(text string) sketch {
	var s sketch
	for i := range s {
		s[i] = ^uint32(0)
	}
	w := normal(text)
	for i := range max(1, len(w)-shingle+1) {
		h := hash(strings.Join(w[min(i, len(w)):min(len(w), i+shingle)], " "))
		for j := range s {
			h = mix(h + 0x9e3779b97f4a7c15)
			s[j] = min(s[j], uint32(h))
		}
	}
	return s
}

// Index finds near-duplicates.
type Index struct {
	sketches []sketch
	bands    map[uint64][]int
}

// NewIndex gives an empty index.
func NewIndex() *Index { return &Index{bands: map[uint64][]int{}} }

// Add adds a text.
func (x *Index) Add(text string) { x.add(sketchOf(text)) }

func (x *Index) add(s sketch) {
	n := len(x.sketches)
	x.sketches = append(x.sketches, s)
	for _, b := range s.bands() {
		x.bands[b] = append(x.bands[b], n)
	}
}

// Near tells whether a near-duplicate of the text was added.
func (x *Index) Near(text string) bool { return x.near(sketchOf(text)) }

func (x *Index) near(s sketch) bool {
	for _, b := range s.bands() {
		for _, n := range x.bands[b] {
			equal := 0
			for i := range s {
				if s[i] == x.sketches[n][i] {
					equal++
				}
			}
			if float64(equal) >= nearShare*sketchSize {
				return true
			}
		}
	}
	return false
}

func (s *sketch) bands() (out [sketchSize / bandRows]uint64) {
	for i, v := range s {
		h := &out[i/bandRows]
		*h = mix(bits.RotateLeft64(*h, 17) ^ uint64(v))
	}
	for b := range out {
		out[b] ^= mix(uint64(b) + 1)
	}
	return out
}

// Distinct leaves out texts that are near-duplicates of an earlier one.
func Distinct(sources []Source) []Source {
	seen := map[bool]*Index{false: NewIndex(), true: NewIndex()}
	var out []Source
	for _, s := range sources {
		// The same words may be a request and, in a document, an attack.
		index := seen[s.Kind == Attack || s.Kind == Payload]
		if s.Kind == Form {
			out = append(out, s)
			continue
		}
		sk := sketchOf(s.Text)
		if index.near(sk) {
			continue
		}
		index.add(sk)
		out = append(out, s)
	}
	return out
}
