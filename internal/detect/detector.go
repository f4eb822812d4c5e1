package detect

// result is what a detector says about one value.
type result struct {
	// score is normalised: 1 is the threshold. Never negative.
	score float64
	// value is the statistic in the unit of the threshold, signed by side.
	value float64
	// side is the side of the deviation: +1 above, -1 below, 0 none.
	side int8
}

// detector is one method. It is immutable; what it remembers of a series lies
// in w, its words of the state, whose use is its own. Arguments are passed by value so that nothing
// escapes to the heap.
//
// A detector judges both sides always: whether a side matters to the user is
// decided by the model, since the baseline must follow either.
type detector interface {
	judge(r reference, w []uint64) result
	// limits returns the limits on both sides, on the judged scale.
	limits(r reference) (lo, hi float64)
	// extra returns the numbers named by Info.Extra, in the unit of the metric
	// where they have one. It is called for findings only.
	extra(m *Model, r reference, w []uint64) [MaxExtra]float64
}

// shiftDetector is a detector that sees sustained shifts rather than single
// values. The model keeps the baseline frozen from accept until over.
type shiftDetector interface {
	detector
	// accept is called when a finding was accepted as a shift to side.
	accept(w []uint64, side int8)
	// over reports whether the evidence for a shift to side is used up.
	over(w []uint64, side int8) bool
	// since returns the number of values, and the event time of the first,
	// that the evidence for a shift to side comes from.
	since(w []uint64, side int8) (n int, onset int64)
	// clear forgets all evidence.
	clear(w []uint64)
	// absorb takes in a value at z, the standardised deviation, as judge would
	// while no shift is on. When the evidence would reach the threshold it leaves
	// w as it is and returns false.
	absorb(w []uint64, z, slow float64, at int64) bool
	// valid reports whether w can have been written by this detector.
	valid(w []uint64) bool
}
