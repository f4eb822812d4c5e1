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

// packed is a key that is kept, in one string that is detached from the buffers
// that the parts were read from.
type packed struct {
	text string
	// service is the length of the service; model that of the model, and
	// parentBit.
	service, model uint32
}

const parentBit = 1 << 31

func pack(k *Key, parent bool) packed {
	var text strings.Builder
	text.Grow(len(k.Service) + len(k.Model) + len(k.Metric))
	text.WriteString(k.Service)
	text.WriteString(k.Model)
	text.WriteString(k.Metric)
	p := packed{text: text.String(), service: uint32(len(k.Service)), model: uint32(len(k.Model))}
	if parent {
		p.model |= parentBit
	}
	return p
}

func (p *packed) parent() bool { return p.model&parentBit != 0 }

// ends are where in the text the service and the model end.
func (p *packed) ends() (service, model int) {
	return int(p.service), int(p.service) + int(p.model&^parentBit)
}

func (p *packed) is(k *Key) bool {
	a, b := p.ends()
	return a == len(k.Service) && b == a+len(k.Model) && len(p.text) == b+len(k.Metric) &&
		p.text[:a] == k.Service && p.text[a:b] == k.Model && p.text[b:] == k.Metric
}

func (p *packed) unpack() Key {
	a, b := p.ends()
	return Key{Service: p.text[:a], Model: p.text[a:b], Metric: p.text[b:]}
}
