package evaluate

import "slices"

// Event is a true anomaly: an inclusive range of rows.
type Event struct {
	First, Last int
	// Type names what happened; empty where the set does not say.
	Type string
}

// Rule says how alerts are counted and when one has found an event. It is the
// same for every method.
type Rule struct {
	// Join is the distance in rows up to which an exceedance belongs to the
	// episode of the exceedance before it. Only the first of an episode, its
	// onset, is an alert.
	Join int
	// Before and After widen an event, in rows, for the onsets that find it.
	Before, After int
}

// Onsets returns the rows at which episodes begin, from row from on, and the
// number of exceedances. Those before it are forgotten.
func (r Rule) Onsets(fired func(row int) bool, from, rows int) (onsets []int, exceeded int) {
	last := from - r.Join - 1
	for i := from; i < rows; i++ {
		if !fired(i) {
			continue
		}
		if i-last > r.Join {
			onsets = append(onsets, i)
		}
		last = i
		exceeded++
	}
	return onsets, exceeded
}

// finds reports whether an onset at row finds e.
func (r Rule) finds(row int, e Event) bool {
	return row >= e.First-r.Before && row <= e.Last+r.After
}

// Found returns for each event whether an onset finds it, and the number of
// onsets that find none. Further onsets in a found event are neither.
func (r Rule) Found(onsets []int, events []Event) (found []bool, spurious int) {
	found = make([]bool, len(events))
	for _, o := range onsets {
		hit := false
		for i, e := range events {
			if r.finds(o, e) {
				found[i], hit = true, true
			}
		}
		if !hit {
			spurious++
		}
	}
	return found, spurious
}

// Delays returns, for each event that an onset finds, how many rows after its
// first one the first such onset comes; 0 for one before it.
func (r Rule) Delays(onsets []int, events []Event) []int {
	var out []int
	for _, e := range events {
		if i := slices.IndexFunc(onsets, func(o int) bool { return r.finds(o, e) }); i >= 0 {
			out = append(out, max(0, onsets[i]-e.First))
		}
	}
	return out
}

// Events returns the runs of labels from row from on; a run that began earlier
// is cut there.
func Events(labels []bool, from int) []Event {
	var out []Event
	for i := from; i < len(labels); i++ {
		switch {
		case !labels[i]:
		case i > from && labels[i-1]:
			out[len(out)-1].Last = i
		default:
			out = append(out, Event{First: i, Last: i})
		}
	}
	return out
}

// Counts are numbers of events and alerts.
type Counts struct {
	// Events is the number of true ones, Found those that an alert found.
	Events, Found int
	// Spurious is the number of alerts outside every event.
	Spurious int
	// Sham is the number of events whose rows, with nothing in them, would have
	// been found all the same.
	Sham int
}

// Add adds other to c.
func (c *Counts) Add(other Counts) {
	c.Events += other.Events
	c.Found += other.Found
	c.Spurious += other.Spurious
	c.Sham += other.Sham
}

// Precision is the part of the alerts that count which found an event, in
// [0, 1]: 0 without alerts.
func (c Counts) Precision() float64 { return ratio(c.Found, c.Found+c.Spurious) }

// Recall is the part of the events that were found, in [0, 1].
func (c Counts) Recall() float64 { return ratio(c.Found, c.Events) }

// ShamRecall is what Recall would have been by chance, in [0, 1].
func (c Counts) ShamRecall() float64 { return ratio(c.Sham, c.Events) }

// NetRecall is the recall beyond chance, (R - sham) / (1 - sham), at most 1. It
// is negative when alerts avoid the events.
func (c Counts) NetRecall() float64 {
	if c.Events == c.Sham {
		return 0
	}
	return float64(c.Found-c.Sham) / float64(c.Events-c.Sham)
}

// F1 is the harmonic mean of precision and recall, in [0, 1].
func (c Counts) F1() float64 { return ratio(2*c.Found, c.Found+c.Spurious+c.Events) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
