package redact

import "iter"

// Counts counts found values by type. The zero value is empty and ready; it is
// not safe for concurrent use.
type Counts struct {
	n [numTypes]int
	// Drop tells that a value was found whose action is DropAttribute.
	Drop bool
}

// Add counts n values more of type t.
func (c *Counts) Add(t Type, n int) {
	if t < numTypes {
		c.n[t] += n
	}
}

// Merge adds the counts of other.
func (c *Counts) Merge(other *Counts) {
	for t, n := range other.n {
		c.n[t] += n
	}
	c.Drop = c.Drop || other.Drop
}

// Get returns how many values of type t were counted.
func (c *Counts) Get(t Type) int {
	if t >= numTypes {
		return 0
	}
	return c.n[t]
}

// Total returns the number of all values.
func (c *Counts) Total() int {
	sum := 0
	for _, n := range c.n {
		sum += n
	}
	return sum
}

// All yields the types that were found, in a stable order, with their counts.
func (c *Counts) All() iter.Seq2[Type, int] {
	return func(yield func(Type, int) bool) {
		for t, n := range c.n {
			if n > 0 && !yield(Type(t), n) {
				return
			}
		}
	}
}

// Reset empties the counts.
func (c *Counts) Reset() { *c = Counts{} }
