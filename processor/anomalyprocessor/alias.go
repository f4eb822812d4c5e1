package anomalyprocessor

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

const (
	// aliasSlots bounds the remembered names: a power of two, 8 bytes each.
	aliasSlots = 1 << 13
	// aliasWays is the number of slots in which a name may lie.
	aliasWays = 8
	// aliasNames is the number of answering models that one name remembers.
	aliasNames = 4
)

// aliases remembers which model answered last when a service asked for a model
// by a name of another kind: gpt-4o is answered by gpt-4o-2024-08-06. A failed
// call knows only the name that it asked for; this is how it finds its series.
//
// The memory is bounded: a new name takes the place of one that shares its
// slots. It starts empty with the process; a failed call before the first answer
// belongs to the series of the name that was asked for.
//
// It is safe for concurrent use, without locks. In the steady state it
// allocates nothing and writes nothing.
type aliases struct {
	seed  maphash.Seed
	any   atomic.Bool
	slots [aliasSlots]atomic.Pointer[alias]
}

// alias is one name. Only last changes: the index of the model that answered
// last.
type alias struct {
	service, request string
	answered         [aliasNames]string
	last             atomic.Uint32
}

func newAliases() *aliases { return &aliases{seed: maphash.MakeSeed()} }

// aliasFresh is the event time for which a name that was noted is not looked up
// again.
const aliasFresh = int64(time.Minute)

// model is the model of the series that a call belongs to.
func (a *aliases) model(ev *genai.Event) string {
	if ev.Failed && ev.ResponseModel == "" && a.any.Load() {
		if e, _ := a.find(ev.Service, ev.RequestModel); e != nil {
			return e.answered[e.last.Load()]
		}
	}
	return ev.Model()
}

// noteAnswer remembers who answered the call. The series keeps what it noted
// last, so that most calls cost the comparison of a string.
func (b *batch) noteAnswer(ent *entry, key *series.Key) {
	ev := b.event
	if ev.Failed || ev.RequestModel == "" || ev.ResponseModel == "" {
		return
	}
	same := ev.RequestModel == ev.ResponseModel
	if same && !b.aliases.any.Load() {
		return
	}
	if age := b.at - ent.noted; age >= 0 && age < aliasFresh && key.Model == b.model {
		if ent.alias == nil && same || ent.alias != nil && ent.alias.request == ev.RequestModel {
			return
		}
	}
	ent.alias, ent.noted = b.aliases.note(ev.Service, ev.RequestModel, ev.ResponseModel), b.at
}

func (a *aliases) hash(service, request string) uint64 {
	return maphash.String(a.seed, service)*0x9e3779b97f4a7c15 + maphash.String(a.seed, request)
}

// find returns the entry of a name, and the number of its slot or that of the
// slot that a new entry may take.
func (a *aliases) find(service, request string) (e *alias, slot uint64) {
	h := a.hash(service, request)
	slot = h % aliasSlots
	free := false
	for i := range uint64(aliasWays) {
		at := (h + i) % aliasSlots
		e := a.slots[at].Load()
		if e == nil {
			if !free {
				slot, free = at, true
			}
			continue
		}
		if e.request == request && e.service == service {
			return e, at
		}
	}
	if !free {
		slot = (h + h>>32%aliasWays) % aliasSlots
	}
	return nil, slot
}

// note remembers that answered was the answer to request, and returns the entry
// of the name; nil when there is none, since the two are the same.
func (a *aliases) note(service, request, answered string) *alias {
	e, slot := a.find(service, request)
	if e == nil {
		if answered == request {
			return nil
		}
		e = &alias{service: strings.Clone(service), request: strings.Clone(request)}
		e.answered[0] = strings.Clone(answered)
		a.slots[slot].Store(e)
		a.any.Store(true)
		return e
	}
	last := e.last.Load()
	if e.answered[last] == answered {
		return e
	}
	free := (last + 1) % aliasNames
	for i, known := range e.answered {
		if known == answered {
			e.last.Store(uint32(i))
			return e
		}
		if known == "" {
			free = uint32(i)
			break
		}
	}
	next := &alias{service: e.service, request: e.request, answered: e.answered}
	next.answered[free] = strings.Clone(answered)
	next.last.Store(free)
	a.slots[slot].Store(next)
	return next
}
