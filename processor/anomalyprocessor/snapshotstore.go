package anomalyprocessor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// A snapshot is a list of chunks and one head that names them. Two sets of
// chunk keys ("slots") take turns: chunks are written into the slot that the
// head does not name, then the head is replaced, then the old chunks go. A
// crash at any point leaves the head with a complete set of chunks.
const (
	headKey = "head"

	snapshotVersion = 1
	// chunkBytes is the size at which a chunk is written. Values of this size
	// suit every storage extension (databases, files, Redis).
	chunkBytes = 1 << 20
	// maxChunks and maxMetrics bound what a head may claim.
	maxChunks  = 1 << 16
	maxMetrics = 256
)

var (
	headMagic  = [4]byte{'L', 'S', 'A', 'H'}
	chunkMagic = [4]byte{'L', 'S', 'A', 'C'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// errRefused marks snapshots that must not be used, as against a storage
	// that does not work.
	errRefused = errors.New("snapshot refused")
)

// head describes a complete snapshot.
type head struct {
	generation uint64
	chunks     uint32
	series     uint64
	size       uint64
	savedAt    time.Time
	metrics    []headMetric
}

// headMetric names a metric whose states the snapshot holds. A state can be
// read only by a model with the same fingerprint.
type headMetric struct {
	name        string
	fingerprint uint64
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errRefused, fmt.Errorf(format, args...))
}

func (h *head) append(b []byte) []byte {
	start := len(b)
	b = append(b, headMagic[:]...)
	b = append(b, snapshotVersion)
	b = binary.LittleEndian.AppendUint64(b, h.generation)
	b = binary.LittleEndian.AppendUint32(b, h.chunks)
	b = binary.LittleEndian.AppendUint64(b, h.series)
	b = binary.LittleEndian.AppendUint64(b, h.size)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.savedAt.UnixNano()))
	b = binary.AppendUvarint(b, uint64(len(h.metrics)))
	for _, m := range h.metrics {
		b = appendText(b, m.name)
		b = binary.LittleEndian.AppendUint64(b, m.fingerprint)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// open checks what all values of a snapshot have in common and returns a
// reader of the body.
func open(value []byte, magic [4]byte, what string) (*reader, error) {
	if len(value) < len(magic)+1+4 || !bytes.Equal(value[:len(magic)], magic[:]) {
		return nil, refuse("the %s was not written by this processor", what)
	}
	if v := value[len(magic)]; v != snapshotVersion {
		return nil, refuse("the %s has version %d, this processor reads version %d", what, v, snapshotVersion)
	}
	body, sum := value[:len(value)-4], binary.LittleEndian.Uint32(value[len(value)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, refuse("the checksum of the %s does not match", what)
	}
	return &reader{b: body[len(magic)+1:]}, nil
}

func readHead(value []byte) (head, error) {
	r, err := open(value, headMagic, "head")
	if err != nil {
		return head{}, err
	}
	h := head{generation: r.uint64(), chunks: r.uint32(), series: r.uint64(), size: r.uint64()}
	h.savedAt = time.Unix(0, int64(r.uint64())).UTC()
	n := r.uvarint()
	if r.failed || n > maxMetrics || h.chunks > maxChunks {
		return head{}, refuse("the head is malformed")
	}
	for range n {
		h.metrics = append(h.metrics, headMetric{name: r.text(), fingerprint: r.uint64()})
	}
	if r.failed || len(r.b) > 0 {
		return head{}, refuse("the head is malformed")
	}
	return h, nil
}

func chunkKey(generation uint64, index uint32) string {
	return "chunk/" + strconv.FormatUint(generation%2, 10) + "/" + strconv.FormatUint(uint64(index), 10)
}

// saveSnapshot writes the records that fill collects. What the current head
// names stays untouched until the new head is in place.
func saveSnapshot(ctx context.Context, c storage.Client, h head, fill func(*chunks)) (head, error) {
	old, err := c.Get(ctx, headKey)
	if err != nil {
		return head{}, fmt.Errorf("read the head: %w", err)
	}
	if previous, err := readHead(old); err == nil {
		h.generation = previous.generation + 1
	}
	list := chunks{generation: h.generation}
	fill(&list)
	if len(list.full) > maxChunks {
		return head{}, fmt.Errorf("the snapshot needs %d chunks, the most is %d", len(list.full), maxChunks)
	}
	for i, chunk := range list.full {
		if err := ctx.Err(); err != nil {
			return head{}, fmt.Errorf("write chunk %d: %w", i, err)
		}
		chunk = binary.LittleEndian.AppendUint32(chunk, crc32.Checksum(chunk, castagnoli))
		if err := c.Set(ctx, chunkKey(h.generation, uint32(i)), chunk); err != nil {
			return head{}, fmt.Errorf("write chunk %d: %w", i, err)
		}
		h.size += uint64(len(chunk))
		list.full[i] = nil
	}
	h.chunks, h.series = uint32(len(list.full)), list.records
	if err := c.Set(ctx, headKey, h.append(nil)); err != nil {
		return head{}, fmt.Errorf("replace the head: %w", err)
	}
	// From here on the snapshot is valid. What is left over in both slots is
	// removed, so that a shrinking state gives its space back.
	if err := removeChunks(ctx, c, h.generation, h.chunks); err != nil {
		return h, err
	}
	return h, removeChunks(ctx, c, h.generation+1, 0)
}

// removeChunks deletes the chunks of the generation's slot from index on.
func removeChunks(ctx context.Context, c storage.Client, generation uint64, index uint32) error {
	for ; index < maxChunks; index++ {
		key := chunkKey(generation, index)
		v, err := c.Get(ctx, key)
		if err == nil && v == nil {
			return nil
		}
		if err == nil {
			err = c.Delete(ctx, key)
		}
		if err != nil {
			return fmt.Errorf("remove an old chunk: %w", err)
		}
	}
	return nil
}

// loadSnapshot reads the newest snapshot and hands each record region to
// restore. found is false when there is none.
func loadSnapshot(ctx context.Context, c storage.Client, restore func(head, *reader) error) (h head, found bool, err error) {
	value, err := c.Get(ctx, headKey)
	if err != nil {
		return head{}, false, fmt.Errorf("read the head: %w", err)
	}
	if value == nil {
		return head{}, false, nil
	}
	if h, err = readHead(value); err != nil {
		return head{}, true, err
	}
	for i := range h.chunks {
		if value, err = c.Get(ctx, chunkKey(h.generation, i)); err != nil {
			return h, true, fmt.Errorf("read chunk %d: %w", i, err)
		}
		r, err := open(value, chunkMagic, "chunk "+strconv.FormatUint(uint64(i), 10))
		if err != nil {
			return h, true, err
		}
		if g, n := r.uint64(), r.uint32(); r.failed || g != h.generation || n != i {
			return h, true, refuse("chunk %d belongs to another snapshot", i)
		}
		if err := restore(h, r); err != nil {
			return h, true, err
		}
	}
	return h, true, nil
}

// chunks collects records. It does not touch the storage, so that records can
// be added under a lock.
type chunks struct {
	generation uint64
	full       [][]byte // the last one may have room left
	records    uint64
}

// add lets encode append one record.
func (c *chunks) add(encode func([]byte) []byte) {
	last := len(c.full) - 1
	if last < 0 || len(c.full[last]) >= chunkBytes {
		b := append([]byte(nil), chunkMagic[:]...)
		b = append(b, snapshotVersion)
		b = binary.LittleEndian.AppendUint64(b, c.generation)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c.full)))
		c.full = append(c.full, b)
		last++
	}
	c.full[last] = encode(c.full[last])
	c.records++
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// reader takes values off the front of b. After the first value that is not
// there, failed stays true and every further value is zero.
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

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.failed || n <= 0 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) bytes() []byte { return r.take(r.uvarint()) }
