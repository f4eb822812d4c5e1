package detect

import (
	"encoding/binary"
	"math/bits"
)

// The usual case of merge: a full window of flatWindow values, of which as many
// of the oldest go as new ones come in. No branch depends on the values, as a
// processor could not predict it. What is done for each place is done for eight
// at a time, in the bytes of a word, the first one lowest.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
	// upto is 0, 1 .. 7.
	upto = 0x0706050403020100
)

// oldest has a one for each of eight places whose value is among the count oldest
// of a full window. born is where these values stand in the ring, and head the
// place of the very oldest.
func oldest(born uint64, head uint8, count int) uint64 {
	age := (born | highs - uint64(head)*ones) & ((flatWindow - 1) * ones)
	return ^(age | highs - uint64(count)*ones) >> 7 & ones
}

// forget takes the count oldest values out of the sums, and returns the set of
// their places.
func (w *window) forget(count int) (gone uint64) {
	for i := 0; i < flatWindow; i += 8 {
		born := binary.LittleEndian.Uint64(w.born[i : i+8])
		gone |= oldest(born, w.head, count) * 0x0102040810204080 >> 56 << i // a bit for each byte
	}
	for set := gone; set != 0; set &= set - 1 {
		d := float64(w.value[bits.TrailingZeros64(set)&(flatWindow-1)]) - float64(w.pivot)
		w.sum -= d
		w.sum2 -= d * d
	}
	return gone
}

// replace puts the first count values of the sorted block in the place of as many
// of the oldest, which forget has returned.
func (w *window) replace(block *[lagSize]fresh, count int, gone uint64) {
	// Values that go are written behind the end.
	var value [2 * flatWindow]float32
	var born [2 * flatWindow]uint8
	var before [flatWindow + lagSize]uint8 // new values right in front of a place
	places := w.notAbove(block)
	for j, f := range block[:count] {
		p := places[j]
		before[p]++
		at := (p + j - bits.OnesCount64(gone&(1<<p-1))) & (flatWindow - 1)
		value[at], born[at] = f.value(), f.born()
	}
	// Each value moves up by the number of new ones before it, and down by that
	// of those before it that go: sums over all lower bytes, by multiplication.
	var came, left uint64
	for i := 0; i < flatWindow; i += 8 {
		b := binary.LittleEndian.Uint64(w.born[i : i+8])
		old := oldest(b, w.head, count)
		came += binary.LittleEndian.Uint64(before[i:i+8]) * ones
		left += old * ones
		to := uint64(i)*ones + upto + came - (left - old) | old*flatWindow
		came, left = came>>56*ones, left>>56*ones
		for k := range 8 {
			at := to & (2*flatWindow - 1)
			value[at], born[at] = w.value[i+k], uint8(b)
			to, b = to>>8, b>>8
		}
	}
	copy(w.value[:], value[:])
	copy(w.born[:], born[:])
}

// notAbove is, for each value of the block, the number of values of a full window
// that are not above it: eight binary searches side by side, as each step of one
// has to wait for the step before.
func (w *window) notAbove(block *[lagSize]fresh) (n [lagSize]int) {
	for _, step := range [...]int{32, 16, 8, 4, 2, 1, 1} {
		for j := range n {
			at := w.value[(n[j]+step-1)&(flatWindow-1)]
			n[j] += step &^ int((block[j].rank()-newFresh(at, 0).rank())>>63)
		}
	}
	return n
}
