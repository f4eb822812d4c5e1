package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// index notes where e can be found. appendRun keeps what was noted.
func (p *partition) index(nanos int64, e *genai.Event) {
	if !p.indexed {
		return
	}
	if !e.TraceID.IsEmpty() {
		p.noted = p.noted.add(lookupHash(lookupTrace, e.TraceID[:]), nanos)
	}
	p.noted = p.noted.add(lookupHash(lookupID, e.ID[:]), nanos)
	if e.Conversation != "" {
		p.noted = p.noted.add(lookupHash(lookupConversation, e.Conversation), nanos)
	}
	if e.User != "" {
		p.noted = p.noted.add(lookupHash(lookupUser, e.User), nanos)
	}
	if e.Service != "" && p.hasSeries() {
		p.noted = p.noted.add(seriesHash(e.Service, e.Model()), nanos)
	}
}

// appendRun makes a run of what was noted for the hour, and merges runs as long
// as there are enough of one level. It runs inside a transaction, after the
// rows were inserted and before [partition.count].
func (w *writer) appendRun(p *partition) error {
	if len(p.noted) == 0 {
		return nil
	}
	w.scratch = p.noted.sortByHash(w.scratch)
	err := w.addRun(p, p.noted)
	p.noted = p.noted[:0]
	for err == nil {
		group := crowdedLevel(p.runs)
		if group == nil {
			if len(p.runs) > 1 {
				w.scattered[p.hour] = time.Now()
			}
			return nil
		}
		err = w.merge(p, group)
	}
	return err
}

func (w *writer) addRun(p *partition, e entries) error {
	stmt, err := w.conn.Prepare("INSERT INTO lookup(hour, run, first, seq, data) VALUES(?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	r := run{entries: int64(e.len())}
	for _, o := range p.runs {
		r.id = max(r.id, o.id+1)
	}
	for i := range e.len() {
		r.last = max(r.last, e.offset(i))
	}
	stmt.BindInt64(1, p.hour)
	stmt.BindInt64(2, r.id)
	for seq := 0; len(e) > 0; seq++ {
		n := min(len(e), chunkEntries*entryBytes)
		stmt.BindInt64(3, int64(e.hash(0)))
		stmt.BindInt64(4, int64(seq))
		stmt.BindBytes(5, e[:n])
		if err := step(stmt); err != nil {
			return fmt.Errorf("add to the lookup of hour %s: %w", p.name, err)
		}
		e = e[n:]
	}
	p.runs = append(p.runs, r)
	p.runsChanged = true
	return nil
}

// crowdedLevel returns mergeRuns runs of one level, or nil.
func crowdedLevel(runs []run) []run {
	levels := map[int][]run{}
	for _, r := range runs {
		level := r.level()
		levels[level] = append(levels[level], r)
		if group := levels[level]; len(group) == mergeRuns && total(group) <= maxRunEntries {
			return group
		}
	}
	return nil
}

func total(runs []run) (n int64) {
	for _, r := range runs {
		n += r.entries
	}
	return n
}

// fewest returns the runs to merge so that a closed hour has as few as can be,
// or nil. Each query reads from each run.
func fewest(runs []run) []run {
	bySize := slices.SortedFunc(slices.Values(runs), func(a, b run) int { return cmp.Compare(a.entries, b.entries) })
	n := len(bySize)
	for n > 1 && total(bySize[:n]) > maxRunEntries {
		n--
	}
	if n < 2 {
		return nil
	}
	return bySize[:n]
}

// merge makes one run of a group. Entries older than the oldest row are left
// out: their rows were trimmed.
func (w *writer) merge(p *partition, group []run) error {
	e := make(entries, 0, min(max(total(group), 0), maxRunEntries)*entryBytes)
	var ends []int
	for _, r := range group {
		var err error
		if e, err = w.readRun(e, p, r); err != nil {
			return err
		}
		ends = append(ends, len(e))
		if err := w.dropRun(p, r); err != nil {
			return err
		}
	}
	for to := make(entries, len(e)); len(ends) > 1; e, to = to, e { // pairs, so that each entry is moved log2(n) times
		half := ends[:0]
		start := 0
		for i := 0; i < len(ends); i += 2 {
			end := ends[min(i+1, len(ends)-1)]
			mergeEntries(to[start:end], e[start:end], ends[i]-start)
			half = append(half, end)
			start = end
		}
		ends = half
	}
	if p.trimmed > 0 {
		e = e.from(p.trimmed)
	}
	if len(e) == 0 {
		return nil
	}
	return w.addRun(p, e)
}

// from keeps the entries whose time is at least offset. It changes e.
func (e entries) from(offset int64) entries {
	out := e[:0]
	for i := range e.len() {
		if e.offset(i) >= offset {
			out = append(out, e.at(i)...)
		}
	}
	return out
}

// readRun appends the entries of a run to e.
func (w *writer) readRun(e entries, p *partition, r run) (_ entries, err error) {
	stmt, err := w.conn.Prepare("SELECT data FROM lookup WHERE hour = ? AND run = ? ORDER BY first, seq")
	if err != nil {
		return nil, err
	}
	defer func() {
		if x := stmt.Reset(); err == nil {
			err = x
		}
	}()
	stmt.BindInt64(1, p.hour)
	stmt.BindInt64(2, r.id)
	before := len(e)
	var buf [chunkEntries * entryBytes]byte
	for {
		more, err := stmt.Step()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		e = append(e, buf[:stmt.ColumnBytes(0, buf[:])]...)
	}
	if n := int64(len(e) - before); n != r.entries*entryBytes {
		return nil, fmt.Errorf("lookup of hour %s: run %d has %d bytes instead of %d entries: %w", p.name, r.id, n, r.entries, errLookup)
	}
	return e, nil
}

// gatherQuiet is how long an hour must be without writes before its runs are
// gathered.
const gatherQuiet = 5 * time.Second

// quietHour returns an hour to gather.
func (w *writer) quietHour(now time.Time) (hour int64, found bool) {
	for h, at := range w.scattered {
		if now.Sub(at) >= gatherQuiet {
			return h, true
		}
	}
	return 0, false
}

// gather merges the runs of one hour that is not written to any more, and
// reports whether there may be another. Reading a closed hour then costs one
// step.
func (s *Store) gather(ctx context.Context) (more bool, err error) {
	if err := s.acquire(ctx); err != nil {
		return false, nil // closing
	}
	defer s.release()
	hour, found := s.w.quietHour(time.Now())
	if !found {
		return false, nil
	}
	err = s.w.transaction(ctx.Done(), func() error {
		p, err := s.w.partition(hour)
		if err != nil {
			return err
		}
		if group := fewest(p.runs); group != nil {
			if err := s.w.merge(p, group); err != nil {
				return err
			}
		}
		return p.count(0, 1)
	})
	if err != nil {
		if ctx.Err() != nil {
			return false, nil
		}
		return false, fmt.Errorf("gather the lookup of hour %s: %w", partitionName(hour), err)
	}
	delete(s.w.scattered, hour)
	s.noteSize()
	return true, nil
}

// gatherQuietHours gathers for at most half of the time until the next tick, so
// that flushing is not late.
func (s *Store) gatherQuietHours(ctx context.Context, tick time.Duration) error {
	for start := time.Now(); time.Since(start) < tick/2; {
		if more, err := s.gather(ctx); err != nil || !more {
			return err
		}
	}
	return nil
}

// errLookup is reported as damage.
var errLookup = errors.Join(errors.New("the lookup does not fit to its catalogue"), sqlite.ResultCorrupt.ToError())

func (w *writer) dropRun(p *partition, r run) error {
	stmt, err := w.conn.Prepare("DELETE FROM lookup WHERE hour = ? AND run = ?")
	if err != nil {
		return err
	}
	stmt.BindInt64(1, p.hour)
	stmt.BindInt64(2, r.id)
	if err := step(stmt); err != nil {
		return err
	}
	p.runs = slices.DeleteFunc(slices.Clone(p.runs), func(o run) bool { return o.id == r.id })
	p.runsChanged = true
	return nil
}

// trimRunsBefore drops the runs that tell only of rows before the oldest one.
func (w *writer) trimRunsBefore(p *partition, offset int64) error {
	p.trimmed = offset
	for _, r := range p.runs {
		if r.last < offset {
			if err := w.dropRun(p, r); err != nil {
				return err
			}
		}
	}
	return nil
}
