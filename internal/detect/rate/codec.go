package rate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrState is wrapped by all errors of reading a serialised state.
var ErrState = errors.New("state of a rate")

// reader takes numbers off src; after the first failure it yields zeros.
type reader struct {
	src []byte
	err error
}

func (r *reader) check(ok bool, what string) {
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrState, what)
	}
}

func (r *reader) take(n int) []byte {
	r.check(len(r.src) >= n, "truncated")
	if r.err != nil {
		return make([]byte, n)
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) i64() int64  { return int64(binary.LittleEndian.Uint64(r.take(8))) }

// f64 reads a number in 0..limit.
func (r *reader) f64(limit float64, what string) float64 {
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
	r.check(x >= 0 && x <= limit, what)
	return x
}

// flags reads a byte of which only the low n bits may be set.
func (r *reader) flags(n uint) uint8 {
	b := r.u8()
	r.check(b>>n == 0, "flags are malformed")
	return b
}

// version checks the first byte.
func (r *reader) version(want uint8) {
	if v := r.u8(); r.err == nil && v != want {
		r.err = fmt.Errorf("%w: version must be %d, got %d", ErrState, want, v)
	}
}

func (r *reader) end() error {
	r.check(len(r.src) == 0, "bytes left over")
	return r.err
}

func appendF64(dst []byte, x ...float64) []byte {
	for _, x := range x {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

func appendU32(dst []byte, x ...uint32) []byte {
	for _, x := range x {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return dst
}

func appendI64(dst []byte, x ...int64) []byte {
	for _, x := range x {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// fingerprint mixes numbers (FNV-1a over their bytes).
func fingerprint(parts ...uint64) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for range 8 {
			h = (h ^ p&0xff) * 1099511628211
			p >>= 8
		}
	}
	return h
}
