package burst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	stateVersion = 1
	// StateSize is the length of a serialised state in bytes.
	StateSize = 1 + 3*8 + 4 + 8 + ringSize*16 + 1 + 4*8
)

// ErrState is wrapped by all errors of [State.Read].
var ErrState = errors.New("burst state")

// Append appends the serialised state to dst.
func (s *State) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, stateVersion)
	dst = le.AppendUint64(dst, s.items)
	dst = le.AppendUint64(dst, math.Float64bits(s.baseN))
	dst = le.AppendUint64(dst, math.Float64bits(s.baseHits))
	for _, p := range s.pending {
		dst = append(dst, p.n, p.hits)
	}
	dst = le.AppendUint64(dst, s.hits)
	for _, h := range s.ring {
		dst = le.AppendUint64(dst, h.item)
		dst = le.AppendUint64(dst, uint64(h.at))
	}
	b := &s.burst
	dst = append(dst, b.told)
	for _, x := range [...]uint64{b.start, b.last, b.hits, uint64(b.onset)} {
		dst = le.AppendUint64(dst, x)
	}
	return dst
}

// Read reads what Append wrote at the start of src and returns the rest. On
// error s is a new series.
func (s *State) Read(src []byte) (rest []byte, err error) {
	*s = State{}
	if len(src) < StateSize {
		return nil, fmt.Errorf("%w: truncated", ErrState)
	}
	if src[0] != stateVersion {
		return nil, fmt.Errorf("%w: version must be %d, got %d", ErrState, stateVersion, src[0])
	}
	at := 1
	u64 := func() uint64 { at += 8; return binary.LittleEndian.Uint64(src[at-8:]) }
	u8 := func() uint8 { at++; return src[at-1] }
	var r State
	r.items = u64()
	r.baseN, r.baseHits = math.Float64frombits(u64()), math.Float64frombits(u64())
	for i := range r.pending {
		r.pending[i] = pending{u8(), u8()}
	}
	r.hits = u64()
	for i := range r.ring {
		r.ring[i] = hit{u64(), int64(u64())}
	}
	r.burst.told = u8()
	r.burst.start, r.burst.last, r.burst.hits, r.burst.onset = u64(), u64(), u64(), int64(u64())
	if what := r.malformed(); what != "" {
		return nil, fmt.Errorf("%w: %s", ErrState, what)
	}
	*s = r
	return src[StateSize:], nil
}

// malformed names what cannot be true of a state.
func (s *State) malformed() string {
	const most = 1 << 53
	switch {
	case s.items > most || s.hits > s.items:
		return "counts are malformed"
	case !(s.baseN >= 0 && s.baseN <= most && s.baseHits >= 0 && s.baseHits <= s.baseN):
		return "baseline is malformed"
	case s.pending[0].n > block || s.pending[1].n >= block || s.pending[0].hits > s.pending[0].n || s.pending[1].hits > s.pending[1].n:
		return "newest items are malformed"
	case s.burst.told > Critical || s.burst.start > s.items || s.burst.last > s.items || s.burst.hits > s.hits:
		return "burst is malformed"
	}
	n := min(s.hits, ringSize)
	for i := range n {
		item := s.ring[(s.hits-1-i)%ringSize].item
		if item >= s.items || i > 0 && item >= s.ring[(s.hits-i)%ringSize].item {
			return "hits are malformed"
		}
	}
	return ""
}
