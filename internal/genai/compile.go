package genai

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// rule is a selector made ready for use.
type rule struct {
	concept concept
	kind    kind
	// prio is larger for preferred selectors, and never 0.
	prio uint8
	unit unit
	// plain: the value is the scalar as it stands.
	plain bool
	// late, if not 0, is the 1-based position in program.late: the selector has
	// conditions, or costs so much that it waits for cheaper ones to fail.
	late uint8

	*detail
}

// detail is what only rules that are not plain need; it is apart to keep rules
// small, as they are looked at for every attribute.
type detail struct {
	sel     *selector
	path    []step
	matches *regexp.Regexp
}

// maxLate bounds the rules that wait for the end of the pass: bits in state.pending.
const maxLate = 128

// program is a compiled table.
type program struct {
	// attributes, patterns, events and resources find a list of rules.
	attributes index
	patterns   index // keys with "<N>" in place of each index
	events     index
	resources  index
	rules      [][]rule
	late       []*rule
	// resourcePrio is the priority of what the resource says about a concept.
	resourcePrio [conceptCount]uint8

	calls     index
	callSlots []callSlot
	named     []callRule // rules on the span name
}

// callSlot is what an attribute says about the kind of a span.
type callSlot struct {
	in []string
	// anyOf and unless are sets of rules.
	anyOf, unless uint8
	// signal is what the attribute says of the span, if signalIn is empty or has its value.
	signal   Signal
	signalIn []string
}

// program compiles the wanted rules, and those of signals.
func (t *table) program(wanted func(concept, *selector) bool, signals bool) (*program, error) {
	p := &program{}
	b := builder{program: p}
	b.addConcepts(t, wanted)
	for i := range t.calls {
		if err := b.addCall(&t.calls[i]); err != nil {
			b.errs = append(b.errs, fmt.Errorf("call rule %d: %w", i, err))
		}
	}
	if err := b.addDecisions(); err != nil {
		b.errs = append(b.errs, err)
	}
	if signals {
		if err := b.addSignals(); err != nil {
			b.errs = append(b.errs, fmt.Errorf("signals: %w", err))
		}
	}
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	p.build()
	if signals {
		p.attributes.allow(evaluationPrefix[0], len(evaluationPrefix)+1)
		p.calls.allow(evaluationPrefix[0], len(evaluationPrefix)+1)
	}
	return p, nil
}

type builder struct {
	*program
	// logs: the program is for log records.
	logs       bool
	anyOfRules int
	errs       []error
}

// addConcepts adds the wanted selectors of all concepts.
func (b *builder) addConcepts(t *table, wanted func(concept, *selector) bool) {
	for c := range t.concepts {
		c := concept(c)
		for rank := range t.concepts[c] {
			if !wanted(c, &t.concepts[c][rank]) {
				continue
			}
			if err := b.add(c, rank, &t.concepts[c][rank]); err != nil {
				b.errs = append(b.errs, fmt.Errorf("concept %s, selector %d: %w", conceptSpec[c].name, rank, err))
			}
		}
	}
}

// build makes the program ready for use, after which nothing may be added.
func (p *program) build() {
	for i := range p.rules {
		for j := range p.rules[i] {
			if r := &p.rules[i][j]; r.late != 0 {
				p.late[r.late-1] = r
			}
		}
	}
	for _, x := range []*index{&p.attributes, &p.patterns, &p.events, &p.resources, &p.calls} {
		x.build()
	}
}

var (
	errNoKey     = errors.New("needs a key, or an event whose time is the value")
	errKeyLength = fmt.Errorf("key must have 1 to %d bytes", maxKey)
	errUnit      = errors.New("a duration needs a unit, and a point in time needs sinceStart")
	errTooMany   = errors.New("too many selectors")
	errFields    = errors.New("fields and several events are for contents only")
	errJSONSum   = errors.New("a sum is a number")
)

func (b *builder) add(c concept, rank int, s *selector) error {
	if b.logs && (s.event != "" || len(s.events) > 0 || s.span != "" || s.status != ptrace.StatusCodeUnset || s.resource) || !b.logs && s.log != "" {
		return nil // not found there
	}
	k := conceptSpec[c].kind
	point := s.unit == unitRFC3339 || s.unit == unitEventTime
	switch {
	case s.key == "" && s.event == "", s.key == "" && s.unit != unitEventTime && s.event != "":
		return errNoKey
	case rank >= 254:
		return errTooMany
	case (k == kindMillis) != (s.unit != unitNone), point != s.sinceStart, s.unit == unitEventTime && s.event == "":
		return errUnit
	case len(s.fields)+len(s.events) > 0 && k != kindContent:
		return errFields
	case s.jsonSum != "" && k != kindCount && k != kindCost:
		return errJSONSum
	}
	r := rule{concept: c, kind: k, prio: uint8(254 - rank), unit: s.unit, detail: &detail{sel: s}}
	var err error
	if s.json != "" {
		if r.path, err = parsePath(s.json); err != nil {
			return err
		}
	}
	if s.matches != "" {
		if r.matches, err = regexp.Compile(s.matches); err != nil {
			return err
		}
	}
	costly := s.json != "" || s.jsonSum != "" || k == kindContent
	r.plain = !costly && !s.each && len(s.in) == 0 && s.ge == 0 && s.matches == "" && s.scale == 0
	switch {
	case s.resource:
		b.resourcePrio[c] = r.prio
		return b.put(&b.resources, s.key, r)
	case s.event != "":
		return b.put(&b.events, s.event, r)
	case len(s.events) > 0:
		for _, name := range s.events {
			if err := b.put(&b.events, name, r); err != nil {
				return err
			}
		}
		return nil
	case k == kindContent && strings.Contains(s.key, "<N>"):
		for _, f := range s.fields {
			if err := b.put(&b.patterns, anyIndex.Replace(s.key+"."+f), r); err != nil {
				return err
			}
		}
		return nil
	}
	if costly || len(s.when) > 0 || s.scope != "" || s.log != "" || s.span != "" || s.status != ptrace.StatusCodeUnset {
		if len(b.late) == maxLate {
			return errTooMany
		}
		b.late = append(b.late, nil)
		r.late = uint8(len(b.late))
	}
	return b.put(&b.attributes, firstIndex.Replace(s.key), r)
}

var (
	firstIndex = strings.NewReplacer("<N>", "0", "<M>", "0")
	anyIndex   = strings.NewReplacer("<M>", "<N>")
)

func (b *builder) put(x *index, key string, r rule) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w, got %d", errKeyLength, len(key))
	}
	x.add(key, len(b.rules))
	if at := x.value(key); at < len(b.rules) {
		b.rules[at] = append(b.rules[at], r)
	} else {
		b.rules = append(b.rules, []rule{r})
	}
	return nil
}

func (b *builder) addCall(c *callRule) error {
	switch {
	case c.span != "":
		b.named = append(b.named, *c)
		return nil
	case c.key != "" && len(c.in) > 0:
		return b.call(c.key, func(s *callSlot) { s.in = append(s.in, c.in...) })
	case len(c.anyOf) > 0:
		if b.anyOfRules == 8 {
			return errTooMany
		}
		bit := uint8(1) << b.anyOfRules
		b.anyOfRules++
		for _, k := range c.anyOf {
			if err := b.call(k, func(s *callSlot) { s.anyOf |= bit }); err != nil {
				return err
			}
		}
		for _, k := range c.unless {
			if err := b.call(k, func(s *callSlot) { s.unless |= bit }); err != nil {
				return err
			}
		}
		return nil
	}
	return errNoKey
}

func (b *builder) call(key string, change func(*callSlot)) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w, got %d", errKeyLength, len(key))
	}
	b.calls.add(key, len(b.callSlots))
	at := b.calls.value(key)
	if at == len(b.callSlots) {
		b.callSlots = append(b.callSlots, callSlot{})
	}
	change(&b.callSlots[at])
	return nil
}
