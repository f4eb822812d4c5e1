package feedback

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// MaxVerdicts is the most verdicts that are kept; the newest are.
	MaxVerdicts = 10_000
	// maxPerSubject is the most of one service, model and type.
	maxPerSubject = 32
	// MaxName is the length of a name, in bytes, up to which verdicts are learned.
	MaxName = 512
	// maxAhead is how far a verdict may lie in the future.
	maxAhead = 24 * time.Hour
)

// Subject is what a verdict is about at the widest.
type Subject struct {
	Service, Model string
	Type           anomaly.Type
}

// Finding is an anomaly that may be marked.
type Finding struct {
	Subject
	Metric string
	// Class is that of [ClassOf], Deviation that of [Deviation].
	Class     string
	Deviation float64
}

// Decision says what becomes of a finding.
type Decision uint8

// Decisions.
const (
	// Mark it.
	Mark Decision = iota
	// Tolerate it: the like of it was called false.
	Tolerate
	// Mute it: nobody wants to be told of its subject now.
	Mute
)

type kind uint8

const (
	kindFalse kind = iota
	kindTrue
	kindMute
)

// verdict is what is kept of one.
type verdict struct {
	id, anomaly uuid.UUID
	time, until time.Time
	kind        kind
	// superseded: a newer verdict about the same anomaly is there. One to mute it
	// supersedes only others to mute it.
	superseded    bool
	metric, class string
	deviation     float64
}

// position orders verdicts.
type position struct {
	time time.Time
	id   uuid.UUID
}

func (p position) compare(o position) int {
	return cmp.Or(p.time.Compare(o.time), bytes.Compare(p.id[:], o.id[:]))
}

func (v *verdict) position() position { return position{v.time, v.id} }

// Memory is what verdicts have taught. The zero value is an empty one. It is safe
// for concurrent use; while it is empty, to ask costs a load.
type Memory struct {
	n atomic.Int64

	mu       sync.RWMutex
	subjects map[Subject][]verdict // in the order of their positions
	// floor is the newest position that was left out for want of room.
	floor position
}

// Len is the number of verdicts that are kept.
func (m *Memory) Len() int { return int(m.n.Load()) }

// Learn takes in a verdict about a finding of the given class and deviation. It
// returns false when it changes nothing: it is known, too old, from the future,
// nameless or with names that are too long, or there are too many newer ones.
func (m *Memory) Learn(f *store.Feedback, class string, deviation float64, now time.Time) bool {
	v := verdict{
		id: f.ID, anomaly: f.AnomalyID, time: f.Time.UTC().Round(0), metric: f.Metric, class: class, deviation: deviation,
	}
	if math.IsNaN(deviation) || math.IsInf(deviation, 0) {
		v.deviation = 0
	}
	switch f.Verdict {
	case store.VerdictFalse:
		v.kind = kindFalse
	case store.VerdictTrue:
		v.kind = kindTrue
	case store.VerdictMute:
		v.kind = kindMute
		v.until = f.Until.UTC().Round(0)
		if last := v.time.Add(life); v.until.After(last) {
			v.until = last
		}
	default:
		return false
	}
	age := now.Sub(v.time)
	if age >= life || age < -maxAhead || TooLong(f) || len(class) > MaxName {
		return false
	}
	v.metric, v.class = strings.Clone(v.metric), strings.Clone(v.class)
	s := Subject{Service: strings.Clone(f.Service), Model: strings.Clone(f.Model), Type: anomaly.Type(strings.Clone(string(f.Type)))}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(s, v)
}

// TooLong reports whether nothing is learned from f because of its names.
func TooLong(f *store.Feedback) bool {
	return max(len(f.Service), len(f.Model), len(f.Type), len(f.Method), len(f.Metric)) > MaxName
}

// add puts a verdict in its place, and the oldest out when there are too many.
func (m *Memory) add(s Subject, v verdict) bool {
	if v.position().compare(m.floor) <= 0 {
		return false
	}
	list := m.subjects[s]
	i, known := slices.BinarySearchFunc(list, v.position(), func(o verdict, p position) int { return o.position().compare(p) })
	if known || i == 0 && len(list) == maxPerSubject {
		return false
	}
	if len(list) == maxPerSubject {
		list = slices.Delete(list, 0, 1)
		i--
		m.n.Add(-1)
	}
	if m.subjects == nil {
		m.subjects = map[Subject][]verdict{}
	}
	list = slices.Insert(list, i, v)
	supersede(list)
	m.subjects[s] = list
	if m.n.Add(1) > MaxVerdicts {
		return m.dropOldest() != v.position()
	}
	return true
}

// supersede finds out which verdicts have newer ones about the same anomaly.
func supersede(list []verdict) {
	for i := range list {
		v := &list[i]
		v.superseded = slices.ContainsFunc(list[i+1:], func(o verdict) bool {
			return o.anomaly == v.anomaly && (o.kind != kindMute || v.kind == kindMute)
		})
	}
}

// dropOldest leaves the oldest of all verdicts out and returns its position.
func (m *Memory) dropOldest() position {
	var oldest Subject
	var at position
	for s, list := range m.subjects {
		if p := list[0].position(); at.time.IsZero() || p.compare(at) < 0 {
			oldest, at = s, p
		}
	}
	m.floor = at
	m.cut(oldest, 1)
	return at
}

// cut removes the first n verdicts of a subject.
func (m *Memory) cut(s Subject, n int) {
	list := slices.Delete(m.subjects[s], 0, n)
	m.n.Add(-int64(n))
	if len(list) == 0 {
		delete(m.subjects, s)
		return
	}
	m.subjects[s] = list
}

// Judge decides about a finding at a time of the clock by which verdicts are dated.
func (m *Memory) Judge(f *Finding, now time.Time) Decision {
	if m.n.Load() == 0 {
		return Mark
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := m.subjects[f.Subject]
	if len(list) == 0 {
		return Mark
	}
	for i := range list {
		if v := &list[i]; v.kind == kindMute && !v.superseded && now.Before(v.until) {
			return Mute
		}
	}
	s, side := size(f.Deviation)
	if limitsOf(list, f.Metric, f.Class, side, now).allow(s) {
		return Tolerate
	}
	return Mark
}

// Tolerance is the largest deviation, to the given side (1 above, -1 below), that
// is tolerated of findings like f, whose Deviation does not matter; 0 for none.
func (m *Memory) Tolerance(f *Finding, side int, now time.Time) float64 {
	if m.n.Load() == 0 {
		return 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	l := limitsOf(m.subjects[f.Subject], f.Metric, f.Class, side, now)
	return min(l.tolerated, l.capped)
}

// Expire forgets verdicts that count for nothing any more.
func (m *Memory) Expire(now time.Time) {
	if m.n.Load() == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, list := range m.subjects {
		n := 0
		for n < len(list) && now.Sub(list[n].time) >= life {
			n++
		}
		if n > 0 {
			m.cut(s, n)
		}
	}
}
