package queryextension

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// A cursor is the place behind the last row of a page together with what must
// not change between the pages of one walk: the time range, whose end would
// otherwise move with the clock, and the number of matches.
//
// On the wire it is base64url of a fixed layout, big endian: version 1 byte,
// flags 1, start 8, end 8, time of the last row 8, id of the last row 16,
// total 8, checksum 8. The checksum also covers the filter, so that a cursor
// that was damaged or belongs to another question is refused. It is no
// signature: a forged cursor can only ask what its forger may ask anyway.
type cursor struct {
	start time.Time // zero: open
	end   time.Time
	after store.Position
	total int64 // negative: not known
}

const (
	cursorVersion = 1
	cursorPayload = 50
	cursorSum     = 8

	cursorAscending = 1 << 0
	cursorHasStart  = 1 << 1
	cursorHasTotal  = 1 << 2
)

var (
	errCursorFormat = errors.New("is not one that this server gave out")
	errCursorSum    = errors.New("is damaged or belongs to a query with other filters")

	cursorEncoding = base64.RawURLEncoding.Strict()
	cursorLength   = cursorEncoding.EncodedLen(cursorPayload + cursorSum)
)

func (c cursor) encode(f filter) string {
	b := make([]byte, 0, cursorPayload+cursorSum)
	var flags byte
	if f.ascending {
		flags |= cursorAscending
	}
	var start, total int64
	if !c.start.IsZero() {
		flags |= cursorHasStart
		start = c.start.UnixNano()
	}
	if c.total >= 0 {
		flags |= cursorHasTotal
		total = c.total
	}
	b = append(b, cursorVersion, flags)
	b = appendInt64(b, start)
	b = appendInt64(b, c.end.UnixNano())
	b = appendInt64(b, c.after.Time.UnixNano())
	b = append(b, c.after.ID[:]...)
	b = appendInt64(b, total)
	sum := f.checksum(b)
	return cursorEncoding.EncodeToString(append(b, sum[:cursorSum]...))
}

func decodeCursor(text string, f filter) (cursor, error) {
	if len(text) != cursorLength {
		return cursor{}, errCursorFormat
	}
	b, err := cursorEncoding.DecodeString(text)
	// The decoder passes over line breaks, so that the length of the text is not
	// that of the bytes.
	if err != nil || len(b) != cursorPayload+cursorSum || b[0] != cursorVersion {
		return cursor{}, errCursorFormat
	}
	if sum := f.checksum(b[:cursorPayload]); string(sum[:cursorSum]) != string(b[cursorPayload:]) {
		return cursor{}, errCursorSum
	}
	flags := b[1]
	if (flags&cursorAscending != 0) != f.ascending {
		return cursor{}, errCursorSum
	}
	c := cursor{end: int64Time(b[10:]), total: -1}
	if flags&cursorHasStart != 0 {
		c.start = int64Time(b[2:])
	}
	c.after.Time = int64Time(b[18:])
	copy(c.after.ID[:], b[26:42])
	if flags&cursorHasTotal != 0 {
		c.total = readInt64(b[42:])
	}
	if c.encode(f) != text { // unknown flags, or a value where its flag says there is none
		return cursor{}, errCursorFormat
	}
	return c, nil
}

// filter is what a client asked for apart from which page of it.
type filter struct {
	kind           string
	service, model string
	events         store.EventFilter
	anomalies      anomalyFilter
	times          timeRange
	ascending      bool
}

// checksum is over the payload of a cursor and the filter. Texts carry their
// length, so that no two filters write the same bytes.
func (f filter) checksum(payload []byte) [sha256.Size]byte {
	b := make([]byte, 0, 256)
	b = append(b, payload...)
	e := f.events
	for _, s := range [...]string{
		f.kind, f.service, f.model, e.TraceID, string(f.anomalies.typ),
		e.Conversation, e.User, e.Provider, e.Operation, e.Environment, e.Tenant,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	failed := byte(0)
	if e.Failed {
		failed = 1
	}
	b = append(b, failed, byte(f.anomalies.severity))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(f.anomalies.minConfidence))
	b = appendInt64(b, f.times.hours)
	for _, t := range [...]time.Time{f.times.givenStart, f.times.givenEnd} {
		if t.IsZero() {
			b = append(b, 0)
			continue
		}
		b = appendInt64(append(b, 1), t.UnixNano())
	}
	return sha256.Sum256(b)
}

func appendInt64(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func readInt64(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b))
}

func int64Time(b []byte) time.Time { return time.Unix(0, readInt64(b)).UTC() }
