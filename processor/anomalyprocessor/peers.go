package anomalyprocessor

import (
	"math"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

const (
	// touchEvery is the event time between two looks at a series by the memory
	// of peers: what it knows of a series is at most so old.
	touchEvery = time.Minute
	// providerCalls is the number of calls after which the provider is read
	// from a call again.
	providerCalls = 32
	// maxGroup is the most series that are compared by one provider, model or
	// service. Of a larger group nothing is said.
	maxGroup = 256
	// maxProviders is the most providers that are compared with each other.
	maxProviders = 64
)

// What peers have in common.
const (
	sameProvider = iota
	sameModel
	sameService
	numKinships
)

// Bounds of the memory of peers that left something out of an explanation.
const (
	limitGroupSize = iota
	limitMemory
	limitRelated
	numLimits
)

// peers knows which series are in use and which of them are outside their
// limits, so that an anomaly can be compared with what goes on beside it. The
// table of series is never searched for that: a series tells of itself when it
// is new, once in touchEvery, and when an episode begins or ends.
//
// Its lock is taken while a shard of the table is locked, never the other way
// round.
type peers struct {
	window     int64
	maxRelated int
	// silent is set when nothing is explained: the memory is there for cold
	// starts only.
	silent bool

	mu     sync.Mutex
	groups [numKinships]map[string]*group
	log    reportLog
	// limited counts what bounds have left out of the current explanation.
	limited [numLimits]int64
}

func newPeers(cfg *PeersConfig, coldStart bool) *peers {
	if !cfg.Enabled && !coldStart {
		return nil
	}
	p := &peers{window: int64(cfg.Window), maxRelated: cfg.MaxRelated, silent: !cfg.Enabled}
	for i := range p.groups {
		p.groups[i] = map[string]*group{}
	}
	return p
}

// group is the series that have one thing in common.
type group struct {
	members []*member
	// left is the number of series that did not fit in.
	left int
}

// member is what is known of one series. It is guarded by the lock of peers.
type member struct {
	service, model string
	// provider is empty when it is not known, or when mixed: calls of the
	// series went to several.
	provider string
	mixed    bool
	// seen is the event time of a late call, at most touchEvery before the
	// latest.
	seen int64
	// judged and outside are sets of judges: those that have a baseline, and
	// those in an episode, since the times beside.
	judged, outside uint
	since           [len(metrics)]int64
	// samples is the length of the baseline when the provider was read.
	samples uint64
	place   [numKinships]place
	// lent is what new series have taken over last, and lentAt what seen was
	// then.
	lent   *parentage
	lentAt int64
}

type place uint8

const (
	placeNone place = iota
	placeIn
	placeLeft
)

func (m *member) name(kinship int) string {
	return [numKinships]string{m.provider, m.model, m.service}[kinship]
}

// join puts m into its groups, as far as there is room.
func (p *peers) join(m *member) {
	for kinship := range m.place {
		name := m.name(kinship)
		if name == "" || m.place[kinship] == placeIn {
			continue
		}
		g := p.groups[kinship][name]
		if g == nil {
			g = &group{}
			p.groups[kinship][name] = g
		}
		switch {
		case len(g.members) < maxGroup:
			if m.place[kinship] == placeLeft {
				g.left--
			}
			g.members = append(g.members, m)
			m.place[kinship] = placeIn
		case m.place[kinship] == placeNone:
			g.left++
			m.place[kinship] = placeLeft
		}
	}
}

// quit takes m out of one of its groups.
func (p *peers) quit(m *member, kinship int) {
	name := m.name(kinship)
	g := p.groups[kinship][name]
	switch m.place[kinship] {
	case placeNone:
		return
	case placeLeft:
		g.left--
	case placeIn:
		last := len(g.members) - 1
		for i := range g.members {
			if g.members[i] == m {
				g.members[i] = g.members[last]
				g.members[last] = nil
				g.members = g.members[:last]
				break
			}
		}
	}
	m.place[kinship] = placeNone
	if len(g.members) == 0 && g.left == 0 {
		delete(p.groups[kinship], name)
	}
}

// leave forgets a series.
func (p *peers) leave(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for kinship := range m.place {
		p.quit(m, kinship)
	}
}

// serve takes note of the provider of a call.
func (p *peers) serve(m *member, provider string) {
	if provider == "" || provider == m.provider || m.mixed {
		return
	}
	m.mixed = m.provider != ""
	p.quit(m, sameProvider)
	m.provider = provider
	if m.mixed {
		m.provider = ""
	}
}

// onEvict is told by the table of a series that is forgotten.
func (p *peers) onEvict(_ series.Key, ent *entry, _ series.Reason) {
	if ent.member != nil {
		p.leave(ent.member)
	}
}

// touch tells the memory of peers about the series of the event. It is called
// for the first call of a series and then once in touchEvery.
func (b *batch) touch(from origin, ent *entry, key *series.Key) {
	if b.peers == nil || key.Model == series.AllModels {
		ent.touched = math.MaxInt64 // never again
		return
	}
	ent.touched = ent.newest
	if ent.parent != nil && ent.outgrown() {
		ent.parent = nil
	}
	judged, samples := b.baselines(ent)
	m := ent.member
	read := m == nil || samples-m.samples >= providerCalls
	provider := ""
	if read {
		provider = b.provider(from)
	}
	p := b.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	if m == nil {
		m = &member{service: key.Service, model: key.Model}
		m.outside, m.since = ent.outside()
		ent.member = m
	}
	m.seen, m.judged = ent.newest, judged
	if read {
		m.samples = samples
		p.serve(m, p.intern(provider))
	}
	p.join(m)
}

// provider reads the provider of the event, which the measures leave out, from
// its span. An event that came without one was read as a whole.
func (b *batch) provider(from origin) string {
	if from.log == nil && from.span == (ptrace.Span{}) {
		return b.event.Provider
	}
	resource := b.details.Resource(from.resource)
	if !from.read(b.details, &resource, &b.whole) {
		return b.event.Provider
	}
	provider := b.whole.Provider
	b.whole = genai.Event{} // keeps no telemetry alive
	return provider
}

// baselines returns the judges that have a baseline, and the most samples of
// one.
func (b *batch) baselines(ent *entry) (judged uint, samples uint64) {
	for i := range b.judges {
		if ent.states[i] == nil {
			continue
		}
		n := ent.states[i].Samples()
		samples = max(samples, n)
		if n > uint64(b.cfg.MinSamples) {
			judged |= 1 << i
		}
	}
	return judged, samples
}

// intern returns a copy of the name of a provider that does not share memory
// with the telemetry, the same one for all its series.
func (p *peers) intern(name string) string {
	if g := p.groups[sameProvider][name]; g != nil && len(g.members) > 0 {
		return g.members[0].provider
	}
	return strings.Clone(name)
}
