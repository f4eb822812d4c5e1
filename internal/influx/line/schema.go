package line

import (
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// Reason says why an item became no line. The texts are label values.
type Reason string

// The reasons.
const (
	ReasonNone Reason = ""
	// ReasonNoTime: the item has no time, or one that InfluxDB cannot express.
	ReasonNoTime Reason = "no_time"
	// ReasonCrowded: too many items of one series share a time.
	ReasonCrowded Reason = "crowded"
)

// How far the time of a point may lie before and after that of its item.
const (
	ShiftBefore = time.Microsecond
	ShiftAfter  = (maxHops + 1) * time.Microsecond
)

// Options of a [Schema].
type Options struct {
	// Telemetry and Anomaly name the measurements. CleanTag leaves both as they
	// are.
	Telemetry, Anomaly string
	// TelemetryTags and AnomalyTags list the dimensions that are tags.
	TelemetryTags, AnomalyTags []string
	// MaxSeries bounds the distinct tag sets written within SeriesIdleTimeout.
	MaxSeries         int
	SeriesIdleTimeout time.Duration
	// IncludeText also writes prompts and responses, cut to MaxTextBytes, at
	// most [MaxTextBytes].
	IncludeText  bool
	MaxTextBytes int
}

// Schema turns events and anomalies into lines. It is safe for concurrent use;
// lines are written into a buffer of the caller.
//
// Each item is one point. Its time is that of the item, but for the shift that
// keeps points of equal tags and time apart: it lies less than [ShiftBefore]
// before and less than [ShiftAfter] after it. The exact time is a field. What
// is not kept: embeddings, infinite numbers, texts and lists beyond their
// limits, invalid UTF-8.
type Schema struct {
	events    measurement[genai.Event]
	anomalies measurement[anomaly.Anomaly]
	guard     *seriesGuard
	stamper   *stamper
	seed      maphash.Seed
}

// measurement is what is the same for all lines of a kind.
type measurement[T any] struct {
	// name is escaped.
	name []byte
	// tags are sorted by name; the rest are fields.
	tags   []tag[T]
	fields []column[T]
}

type tag[T any] struct {
	*column[T]
	key   []byte // with the comma before
	exact []byte
}

// NewSchema makes the schema of o, which is valid.
func NewSchema(o Options) *Schema {
	s := &Schema{
		events:    newMeasurement(o.Telemetry, o.TelemetryTags, eventColumns),
		anomalies: newMeasurement(o.Anomaly, o.AnomalyTags, anomalyColumns),
		guard:     newSeriesGuard(o.MaxSeries, o.SeriesIdleTimeout), stamper: newStamper(), seed: maphash.MakeSeed(),
	}
	s.events.fields = slices.DeleteFunc(s.events.fields, func(c column[event]) bool {
		return c.Name == columnPrompt || c.Name == columnResponse
	})
	if o.IncludeText {
		for _, text := range []struct {
			name string
			get  func(*event) string
		}{
			{columnPrompt, func(e *event) string { return e.PromptText }},
			{columnResponse, func(e *event) string { return e.ResponseText }},
		} {
			s.events.fields = append(s.events.fields, newColumn(text.name, TypeString,
				func(b *Buffer, c *column[event], e *event) { b.text(c.key, text.get(e), o.MaxTextBytes) }, nil))
		}
	}
	return s
}

func newMeasurement[T any](name string, tags []string, columns []column[T]) measurement[T] {
	m := measurement[T]{name: []byte(strings.NewReplacer(",", `\,`, " ", `\ `).Replace(name))}
	for i := range columns {
		if c := &columns[i]; slices.Contains(tags, c.Name) {
			m.tags = append(m.tags, tag[T]{c, []byte("," + c.Name + "="), []byte(c.Name + ExactSuffix + "=")})
		} else {
			m.fields = append(m.fields, *c)
		}
	}
	slices.SortFunc(m.tags, func(a, b tag[T]) int { return strings.Compare(a.Name, b.Name) })
	return m
}

// Rotate gives the places of idle tag sets back. Call it now and then.
func (s *Schema) Rotate(now time.Time) { s.guard.rotate(now) }

// Series is the number of distinct tag sets written within the idle timeout.
func (s *Schema) Series() int { return s.guard.len() }

// Written describes the line that was added.
type Written struct {
	// Dropped is set when no line was added.
	Dropped Reason
	// Overflow says that tag values were replaced; fields keep them.
	Overflow bool
	// Cut says that a text was shortened, or that parts of a list were left out.
	Cut bool
}

// Event adds the line of e.
func (s *Schema) Event(b *Buffer, e *genai.Event) Written {
	if e.End == 0 && e.Start == 0 {
		return Written{Dropped: ReasonNoTime}
	}
	return write(s, &s.events, b, e, eventNanos(e), e.ID)
}

// Anomaly adds the line of a.
func (s *Schema) Anomaly(b *Buffer, a *anomaly.Anomaly) Written {
	// Beyond these times their number of nanoseconds is not defined.
	if !a.Time.After(time.Unix(0, 0)) || a.Time.After(time.Unix(0, math.MaxInt64)) {
		return Written{Dropped: ReasonNoTime}
	}
	return write(s, &s.anomalies, b, a, a.Time.UnixNano(), a.ID)
}

func write[T any](s *Schema, m *measurement[T], b *Buffer, v *T, nanos int64, id uuid.UUID) Written {
	mark := b.Len()
	lv, changed := startLine(s, m, b, v)
	nanos, ok := s.stamper.stamp(maphash.Bytes(s.seed, b.buf[mark:]), nanos, id)
	if !ok {
		b.Truncate(mark)
		return Written{Dropped: ReasonCrowded}
	}
	for i := range m.fields {
		c := &m.fields[i]
		c.write(b, c, v)
	}
	for i := range m.tags {
		if changed&(1<<i) != 0 {
			b.string(m.tags[i].exact, m.tags[i].tag(v), maxFieldBytes)
		}
	}
	b.end(nanos)
	return Written{Overflow: lv != levelFull, Cut: b.cut}
}

// startLine writes measurement and tags, with as many tag values as the series
// guard admits. changed is the set of tags, by index, that say something else
// than the item.
func startLine[T any](s *Schema, m *measurement[T], b *Buffer, v *T) (lv level, changed uint32) {
	mark := b.Len()
	for lv = levelFull; ; lv++ {
		b.start(m.name)
		changed = 0
		for i := range m.tags {
			t := &m.tags[i]
			value := t.tag(v)
			tagged := CleanTag(value)
			if lv == levelAll && t.Name != ColumnSeverity || lv == levelModel && t.Name == ColumnModel {
				tagged = Overflow
			}
			if tagged != value {
				changed |= 1 << i
			}
			if tagged != "" {
				b.tag(t.key, tagged)
			}
		}
		if s.guard.admit(b.buf[mark:], lv) || lv == levelAll {
			return lv, changed
		}
		b.Truncate(mark)
	}
}
