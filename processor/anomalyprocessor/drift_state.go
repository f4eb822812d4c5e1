package anomalyprocessor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/drift"
)

// driftStateVersion is the version of the serialised form of a driftState.
const driftStateVersion = 1

// The relations that are judged.
const (
	relationVerbosity = iota
	relationLatency
	relationTTFT
	numRelations
)

// driftState is what is kept of one series: about 2 KB, and 2 KB more when its
// calls carry texts or embeddings.
type driftState struct {
	input, output, finish drift.Dist
	// relations are nil until a call has both numbers.
	relations [numRelations]*drift.Relation
	// quiet is, for each of driftTypes, the event time until which no further
	// drift is told.
	quiet [4]int64
	// nextText is the event time from which a call is looked at for texts; gap
	// is the time to the look after it while none are found.
	nextText int64
	gap      time.Duration
	// text is nil until a call has a text or an embedding.
	text *driftText
}

type driftText struct {
	promptLanguage, responseLanguage, refusal drift.Dist
	prompt, response                          driftVector
}

// driftVector is the mean direction of texts or, when given, of embeddings of
// the telemetry.
type driftVector struct {
	drift.Centroid
	given bool
}

func newDriftState() *driftState {
	return &driftState{
		input: drift.NewNumbers(drift.NumberBins), output: drift.NewNumbers(drift.NumberBins), finish: drift.NewCategories(len(finishReasons)),
	}
}

func newDriftText() *driftText {
	return &driftText{
		promptLanguage: drift.NewCategories(int(drift.Languages)), responseLanguage: drift.NewCategories(int(drift.Languages)),
		refusal: drift.NewCategories(2),
	}
}

func (r *driftRule) newState() ruleState { return newDriftState() }

// parts of a state in the order in which they are written.
type driftPart interface {
	AppendState(dst []byte) []byte
	ReadState(src []byte) (rest []byte, err error)
}

func (st *driftState) parts() []driftPart { return []driftPart{&st.input, &st.output, &st.finish} }

func (t *driftText) parts() []driftPart {
	return []driftPart{&t.promptLanguage, &t.responseLanguage, &t.refusal, &t.prompt.Centroid, &t.response.Centroid}
}

// Bits of the set of what a state holds, after one for each relation.
const (
	hasText = 1 << (numRelations + iota)
	promptGiven
	responseGiven
	driftSet
)

func (st *driftState) appendState(dst []byte) []byte {
	var set byte
	for i, rel := range st.relations {
		if rel != nil {
			set |= 1 << i
		}
	}
	if st.text != nil {
		set |= hasText
		if st.text.prompt.given {
			set |= promptGiven
		}
		if st.text.response.given {
			set |= responseGiven
		}
	}
	dst = append(dst, driftStateVersion, set)
	for _, x := range st.quiet {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(st.nextText))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(st.gap))
	for _, p := range st.parts() {
		dst = p.AppendState(dst)
	}
	for _, rel := range st.relations {
		if rel != nil {
			dst = rel.AppendState(dst)
		}
	}
	if st.text != nil {
		for _, p := range st.text.parts() {
			dst = p.AppendState(dst)
		}
	}
	return dst
}

var errDriftState = errors.New("state of drift")

func (r *driftRule) readState(src []byte) (ruleState, error) {
	st := newDriftState()
	const fixed = 2 + 8*len(st.quiet) + 8 + 8
	switch {
	case len(src) < fixed:
		return nil, fmt.Errorf("%w: truncated", errDriftState)
	case src[0] != driftStateVersion:
		return nil, fmt.Errorf("%w: version %d, want %d", errDriftState, src[0], driftStateVersion)
	case src[1] >= driftSet, src[1]&hasText == 0 && src[1] >= hasText:
		return nil, fmt.Errorf("%w: unknown parts %#x", errDriftState, src[1])
	}
	set := src[1]
	next := func(at int) int64 { return int64(binary.LittleEndian.Uint64(src[2+8*at:])) }
	for i := range st.quiet {
		st.quiet[i] = next(i)
	}
	st.nextText, st.gap = next(len(st.quiet)), time.Duration(next(len(st.quiet)+1))
	if st.gap < 0 || st.gap > maxTextGap {
		return nil, fmt.Errorf("%w: gap of %v", errDriftState, st.gap)
	}
	parts := st.parts()
	for i := range st.relations {
		if set>>i&1 != 0 {
			st.relations[i] = &drift.Relation{}
			parts = append(parts, st.relations[i])
		}
	}
	if set&hasText != 0 {
		st.text = newDriftText()
		st.text.prompt.given, st.text.response.given = set&promptGiven != 0, set&responseGiven != 0
		parts = append(parts, st.text.parts()...)
	}
	rest := src[fixed:]
	var err error
	for _, p := range parts {
		if rest, err = p.ReadState(rest); err != nil {
			return nil, fmt.Errorf("%w: %w", errDriftState, err)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes left over", errDriftState, len(rest))
	}
	return st, nil
}
