package ledger

import "time"

// Measured is what a metric tells of calls that were made since it was last
// sent: not of one call but of a number of them.
type Measured struct {
	Service, Model string
	// Calls and Failed count calls.
	Calls, Failed int64
	Usage         Usage
}

// service is what is known of one that sends metrics or items of calls.
type service struct {
	// calls and usage are when an item last told of a call, and of its counts.
	calls, usage int64
	// models is what metrics have added.
	models map[string]*measured
}

type measured struct {
	total *Total
	added Total
}

type services struct {
	byName map[string]*service
	limit  int
	window int64
}

func newServices(limit int, window int64) services {
	return services{byName: map[string]*service{}, limit: limit, window: window}
}

// of is the service of a name, or nil if there are too many.
func (s *services) of(name string, now int64) *service {
	v := s.byName[name]
	if v != nil || len(name) > maxText {
		return v
	}
	if len(s.byName) >= s.limit {
		for k, old := range s.byName { // any that was long silent makes room
			if now-old.calls > s.window && len(old.models) == 0 {
				delete(s.byName, k)
				break
			}
		}
		if len(s.byName) >= s.limit {
			return nil
		}
	}
	v = &service{}
	s.byName[name] = v
	return v
}

// seen notes that an item told of a call. What metrics told of the same is taken back.
func (s *services) seen(t *totals, stats *Stats, name string, usage bool, now int64) {
	v := s.of(name, now)
	if v == nil {
		return
	}
	v.calls = now
	if usage {
		v.usage = now
	}
	for _, m := range v.models {
		back := Total{Calls: m.added.Calls, Failed: m.added.Failed}
		if usage {
			back.Tokens = m.added.Tokens
		}
		if back == (Total{}) {
			continue
		}
		stats.Corrections++
		for _, x := range [...]*Total{m.total, &t.sum, &m.added} {
			x.add(&back, -1)
		}
	}
}

func (t *Total) add(o *Total, by int64) {
	t.Calls += by * o.Calls
	t.Failed += by * o.Failed
	for i := range t.Tokens {
		t.Tokens[i] += by * o.Tokens[i]
	}
}

// AddMeasured counts what a metric tells, as far as the service sends no items
// that tell the same, and reports whether anything was counted.
func (l *Ledger) AddMeasured(m *Measured, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.UnixNano()
	v := l.metric.of(m.Service, at)
	if v == nil {
		return false
	}
	var add Total
	if v.calls == 0 || at-v.calls > l.metric.window {
		add.Calls, add.Failed = m.Calls, m.Failed
	}
	if v.usage == 0 || at-v.usage > l.metric.window {
		add.Tokens = m.Usage.tokens
	}
	if add == (Total{}) {
		return false
	}
	total := l.totals.of(m.Service, m.Model)
	x := v.models[m.Model]
	if x == nil && len(v.models) < l.metric.limit {
		if v.models == nil {
			v.models = map[string]*measured{}
		}
		x = &measured{total: total}
		v.models[m.Model] = x
	}
	before := l.totals.sum
	total.add(&add, 1)
	l.totals.sum.add(&add, 1)
	if x != nil {
		x.added.add(&add, 1)
	}
	l.stats.change(&before, &l.totals.sum)
	return true
}
