package series

import "strings"

// AllModels is the model of a parent key, under which series are kept
// together that do not fit into the table.
const AllModels = "*"

// Key identifies a series.
type Key struct {
	Service, Model, Metric string
}

// Parent returns the key under which k is kept when the table is full.
func (k Key) Parent() Key { return Key{Service: k.Service, Model: AllModels, Metric: k.Metric} }

// clone detaches the strings from the buffers they were read from.
func (k Key) clone() Key {
	return Key{Service: strings.Clone(k.Service), Model: strings.Clone(k.Model), Metric: strings.Clone(k.Metric)}
}
