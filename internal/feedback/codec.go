package feedback

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// version is that of the serialised form.
const version = 1

var (
	magic      = [4]byte{'L', 'S', 'F', 'B'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// ErrMalformed is wrapped by all errors of [Memory.Read].
	ErrMalformed = errors.New("memory of feedback is malformed")
)

// Append appends the serialised memory: magic, version, the newest position that
// was left out, the subjects, a checksum. Equal memories give equal bytes.
func (m *Memory) Append(b []byte) []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	start := len(b)
	b = append(append(b, magic[:]...), version)
	b = appendTime(b, m.floor.time)
	b = append(b, m.floor.id[:]...)
	subjects := make([]Subject, 0, len(m.subjects))
	for s := range m.subjects {
		subjects = append(subjects, s)
	}
	slices.SortFunc(subjects, func(x, y Subject) int {
		return compareTexts(x.Service, y.Service, x.Model, y.Model, string(x.Type), string(y.Type))
	})
	b = binary.AppendUvarint(b, uint64(len(subjects)))
	for _, s := range subjects {
		b = appendText(appendText(appendText(b, s.Service), s.Model), string(s.Type))
		list := m.subjects[s]
		b = binary.AppendUvarint(b, uint64(len(list)))
		for i := range list {
			b = list[i].append(b)
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// compareTexts compares pairs of texts, the first that differ decide.
func compareTexts(pairs ...string) int {
	for i := 0; i < len(pairs); i += 2 {
		if c := strings.Compare(pairs[i], pairs[i+1]); c != 0 {
			return c
		}
	}
	return 0
}

func (v *verdict) append(b []byte) []byte {
	b = append(b, v.id[:]...)
	b = append(b, v.anomaly[:]...)
	b = appendTime(b, v.time)
	b = append(b, byte(v.kind))
	if v.kind == kindMute {
		b = appendTime(b, v.until)
	}
	b = appendText(appendText(b, v.metric), v.class)
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.deviation))
}

// appendTime writes unix ns, and 0 for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	var ns int64
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	return binary.LittleEndian.AppendUint64(b, uint64(ns))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Read replaces the memory by what Append wrote. On error it is left as it was.
func (m *Memory) Read(b []byte) error {
	const least = len(magic) + 1 + 4
	if len(b) < least || !bytes.Equal(b[:len(magic)], magic[:]) {
		return fmt.Errorf("%w: it was not written by this processor", ErrMalformed)
	}
	if v := b[len(magic)]; v != version {
		return fmt.Errorf("%w: version must be %d, got %d", ErrMalformed, version, v)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("%w: the checksum does not match", ErrMalformed)
	}
	r := reader{b: body[len(magic)+1:]}
	read := Memory{subjects: map[Subject][]verdict{}}
	read.floor = position{time: r.time(), id: r.id()}
	n := 0
	for range r.count(MaxVerdicts) {
		s := Subject{Service: r.text(), Model: r.text(), Type: anomaly.Type(r.text())}
		list := r.verdicts(&read.floor)
		if _, twice := read.subjects[s]; twice || len(list) == 0 {
			r.failed = true
		}
		if n += len(list); r.failed || n > MaxVerdicts {
			return ErrMalformed
		}
		read.subjects[s] = list
	}
	if r.failed || len(r.b) > 0 {
		return ErrMalformed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subjects, m.floor = read.subjects, read.floor
	m.n.Store(int64(n))
	return nil
}

// reader takes values off the front of b. After the first value that is not
// there or cannot be, failed stays true.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (r *reader) time() time.Time {
	ns := int64(r.uint64())
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (r *reader) id() (id uuid.UUID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

// count reads a number of at most limit.
func (r *reader) count(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if r.failed || n <= 0 || v > limit {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string { return string(r.take(r.count(MaxName))) }

// verdicts reads those of a subject: in order, and newer than floor.
func (r *reader) verdicts(floor *position) []verdict {
	n := r.count(maxPerSubject)
	var list []verdict
	last := *floor
	for range n {
		v := verdict{id: r.id(), anomaly: r.id(), time: r.time()}
		if k := r.take(1); k != nil {
			v.kind = kind(k[0])
		}
		if v.kind == kindMute {
			v.until = r.time()
		}
		v.metric, v.class, v.deviation = r.text(), r.text(), math.Float64frombits(r.uint64())
		if v.kind > kindMute || v.time.IsZero() || math.IsNaN(v.deviation) || math.IsInf(v.deviation, 0) || v.position().compare(last) <= 0 {
			r.failed = true
		}
		if r.failed {
			return nil
		}
		last = v.position()
		list = append(list, v)
	}
	supersede(list)
	return list
}
