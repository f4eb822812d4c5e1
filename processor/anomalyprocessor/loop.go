package anomalyprocessor

const (
	// loopWindow is the number of latest tool calls that are judged.
	loopWindow = 10
	// loopRing is the number that are kept, to know repeated deliveries.
	loopRing = 16
	// maxPeriod is the longest cycle of tool calls that is recognised as one.
	maxPeriod = 3
	// scattered is the number of equal calls that are a loop although others lie
	// between them in no order.
	scattered = 5
)

// toolCall is one execution of a tool, as hashes. Arguments and result are 0
// when the telemetry does not carry them.
type toolCall struct {
	span, parent, tool, arguments, result uint64
	at                                    int64
}

// same reports whether two calls do the same and, as far as known, got the same
// result. What cannot be compared because arguments are missing is not the same.
func (c *toolCall) same(o *toolCall) bool {
	return c.tool == o.tool && c.arguments != 0 && c.arguments == o.arguments && c.result == o.result
}

// toolHistory is the ring of the latest tool calls of a conversation.
type toolHistory struct {
	ring [loopRing]toolCall
	n    uint64
	// repeats counts the calls of the loop that goes on, 0 for none; quiet the
	// calls since that were not part of it.
	repeats, quiet uint64
	onset          int64
}

// loop is what was found at the newest tool call.
type loop struct {
	// repeats is the number of calls of the loop so far, period the number of
	// different calls in it, 0 when they come in no order.
	repeats uint64
	period  int
	// limit is the number of equal calls from which on there is a loop.
	limit int
	onset int64
}

// last is the i-th latest call, 0 for the newest.
func (h *toolHistory) last(i int) *toolCall { return &h.ring[(h.n-1-uint64(i))%loopRing] }

// known reports whether the call was seen already: the same span, delivered
// again, or a span of another instrumentation around or inside of one for the
// same call.
func (h *toolHistory) known(c *toolCall) bool {
	if c.span == 0 {
		return false
	}
	for i := range int(min(h.n, loopRing)) {
		o := h.last(i)
		if o.span == c.span || (o.span == c.parent || o.parent == c.span) && o.arguments == c.arguments {
			return true
		}
	}
	return false
}

// add takes note of a call and reports the loop that it is part of.
func (h *toolHistory) add(c toolCall, repetitions int) (loop, bool) {
	h.ring[h.n%loopRing] = c
	h.n++
	size := int(min(h.n, loopWindow))
	count, first := 0, 0
	for i := range size {
		if h.last(i).same(&c) {
			count, first = count+1, i
		}
	}
	if c.result == 0 {
		repetitions = min(repetitions+2, loopWindow)
	}
	period, limit := h.period(size, repetitions), repetitions
	if period == 0 {
		limit = max(repetitions, scattered)
	}
	if period == 0 && count < limit {
		if h.quiet++; h.quiet >= loopWindow {
			h.repeats = 0
		}
		return loop{}, false
	}
	if h.repeats == 0 {
		h.repeats, h.onset = uint64(count), h.last(first).at
	} else {
		h.repeats++
	}
	h.quiet = 0
	return loop{repeats: h.repeats, period: period, limit: limit, onset: h.onset}, true
}

// period is the length of the shortest cycle that the newest calls have gone
// through at least as often as asked for; 0 for none.
func (h *toolHistory) period(size, repetitions int) int {
	for p := 1; p <= maxPeriod; p++ {
		need := min(p*repetitions, loopWindow)
		if need > size || need < 2*p {
			continue
		}
		equal := true
		for i := 0; i+p < need && equal; i++ {
			equal = h.last(i).same(h.last(i + p))
		}
		if equal {
			return p
		}
	}
	return 0
}
