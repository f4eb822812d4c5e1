package genai

import (
	"iter"
	"math/bits"
	"strings"
)

// Problem is a set of things that were wrong with a span. The event stays
// usable: what was refused is missing from it.
type Problem uint32

// The problems.
const (
	// NegativeTokens: a token count below zero.
	NegativeTokens Problem = 1 << iota
	// AbsurdTokens: a token count above a thousand million.
	AbsurdTokens
	// NotANumber: NaN or an infinity.
	NotANumber
	// WrongType: a value of a type that its attribute cannot have.
	WrongType
	// TextTooLong: a name or an id of more than 1024 bytes.
	TextTooLong
	// MissingStart: the span has no start time.
	MissingStart
	// MissingEnd: the span has no end time.
	MissingEnd
	// EndBeforeStart: the span ends before it starts.
	EndBeforeStart
	// TimeOutOfRange: a time before the year 2000 or from 2200 on.
	TimeOutOfRange
	// NegativeDuration: a duration below zero, or a point in time before the span start.
	NegativeDuration
	// AbsurdDuration: a duration of more than a week.
	AbsurdDuration
	// NegativeCost: a cost below zero.
	NegativeCost
	// AbsurdCost: a cost of more than a million dollars.
	AbsurdCost
	// MissingModel: a call that names no model.
	MissingModel

	problemEnd
)

var problemNames = [...]string{
	"negative_tokens", "absurd_tokens", "not_a_number", "wrong_type", "text_too_long",
	"missing_start", "missing_end", "end_before_start", "time_out_of_range",
	"negative_duration", "absurd_duration", "negative_cost", "absurd_cost", "missing_model",
}

// AllProblems is the set of all problems, for building one counter for each.
const AllProblems = problemEnd - 1

// All iterates over the problems of the set, one bit at a time.
func (p Problem) All() iter.Seq[Problem] {
	return func(yield func(Problem) bool) {
		for rest := p; rest != 0; rest &= rest - 1 {
			if !yield(rest & -rest) {
				return
			}
		}
	}
}

// Index is the position of the lowest problem of the set among all problems,
// for tables of counters. It is -1 for the empty set.
func (p Problem) Index() int {
	if p == 0 {
		return -1
	}
	return bits.TrailingZeros32(uint32(p))
}

// String is the name of the problem as used in the reason label of metrics;
// names of several are separated by commas.
func (p Problem) String() string {
	if i := p.Index(); i >= 0 && p&(p-1) == 0 && i < len(problemNames) {
		return problemNames[i]
	}
	var names []string
	for one := range p.All() {
		if i := one.Index(); i < len(problemNames) {
			names = append(names, problemNames[i])
		} else {
			names = append(names, "unknown")
		}
	}
	return strings.Join(names, ",")
}
