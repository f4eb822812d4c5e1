package embedded

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"zombiezen.com/go/sqlite"
)

// The lookup finds the events of a trace, a session, a service or another value
// that is spread over all of an hour. An ordinary index over such values writes one
// page for nearly each row, which cost as much as all else together. Here each
// transaction appends its entries as one sorted run, and runs of like size are
// merged: a log-structured merge tree (O'Neil et al., 1996), in chunks that
// are rows of the table lookup, so that SQLite keeps it whole.
//
// An entry is the hash of a kind and a value, and the time of the event within
// its hour. It is a hint: readers compare the value with the row, and entries
// of rows that are gone do no harm.
const (
	// entryBytes: 6 bytes of hash and 6 bytes of time, big endian, so that bytes
	// order as entries do.
	entryBytes = 12
	// chunkEntries fill what is left of a page beside other chunks, and one page
	// of its own, which is how SQLite lays out a row of this size.
	chunkEntries = 387
	// mergeRuns of one level become one run of the next; levels are powers of it.
	mergeRuns = 1 << mergeBits
	mergeBits = 4
	// maxRunEntries bounds a merge, and with it its time and memory (12 MB). A
	// larger hour keeps several runs of that size.
	maxRunEntries = 1 << 20
	// maxLookup bounds the entries that a query reads of one hour. A value with
	// more is not worth a lookup: its rows are found by reading them all.
	maxLookup = 1 << 16

	hashMask = 1<<48 - 1
)

const ddlLookup = `
CREATE TABLE lookup(hour INTEGER, run INTEGER, first INTEGER, seq INTEGER, data BLOB NOT NULL, PRIMARY KEY(hour, run, first, seq)) WITHOUT ROWID;
ALTER TABLE partitions ADD COLUMN runs BLOB;
`

// lookupKind is what an entry is about.
type lookupKind byte

const (
	lookupTrace lookupKind = iota + 1
	lookupConversation
	lookupID
	lookupUser
	lookupService
	lookupModel
)

// lookupHash is FNV-1a over kind and value with the finalizer of splitmix64, to
// 48 bits. It is part of the file format.
func lookupHash[T string | []byte](kind lookupKind, value T) uint64 {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return (h ^ h>>31) & hashMask
}

// modelBits are the last bits of the hash of a series.
const modelBits = 16

// seriesHash is the hash of a service and a model: those of one service are
// next to each other.
func seriesHash(service, model string) uint64 {
	return lookupHash(lookupService, service)>>modelBits<<modelBits | lookupHash(lookupModel, model)>>(48-modelBits)
}

// hashes is a range of hashes, both ends included.
type hashes struct{ first, last uint64 }

func only(hash uint64) hashes { return hashes{hash, hash} }

// entries is a sequence of encoded entries.
type entries []byte

func (e entries) len() int { return len(e) / entryBytes }

func (e entries) at(i int) []byte { return e[i*entryBytes : (i+1)*entryBytes] }

func (e entries) add(hash uint64, nanos int64) entries {
	var b [entryBytes + 4]byte
	binary.BigEndian.PutUint64(b[:], hash<<16)
	binary.BigEndian.PutUint64(b[6:], uint64(nanos-hourOf(nanos)*nanosPerHour)<<16)
	return append(e, b[:entryBytes]...)
}

func (e entries) hash(i int) uint64 { return binary.BigEndian.Uint64(e[i*entryBytes:]) >> 16 }

func (e entries) offset(i int) int64 {
	b := e.at(i)
	return int64(b[6])<<40 | int64(b[7])<<32 | int64(binary.BigEndian.Uint32(b[8:]))
}

// sortByHash sorts entries that are in order of time by hash, and by time where
// hashes are equal: a stable radix sort, least significant byte first. scratch
// is used as working memory and returned in its new size; it must not be e.
func (e entries) sortByHash(scratch entries) entries {
	scratch = slices.Grow(scratch[:0], len(e))[:len(e)]
	from, to := e, scratch
	for digit := 5; digit >= 0; digit-- { // an even number of passes ends in e
		var next [256]int
		for i := digit; i < len(from); i += entryBytes {
			next[from[i]] += entryBytes
		}
		at := 0
		for d, n := range next {
			next[d] = at
			at += n
		}
		for i := 0; i < len(from); i += entryBytes {
			d := from[i+digit]
			copyEntry(to[next[d]:], from[i:])
			next[d] += entryBytes
		}
		from, to = to, from
	}
	return scratch
}

// copyEntry is faster than copy for this size.
func copyEntry(to, from []byte) {
	_, _ = to[entryBytes-1], from[entryBytes-1]
	binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
	binary.LittleEndian.PutUint32(to[8:], binary.LittleEndian.Uint32(from[8:]))
}

// mergeEntries merges two sorted sequences, which lie one behind the other in
// from and meet at middle, into to. Which of them has the next entry cannot be
// foreseen, so that a branch on it would cost more than all else here: the
// selection is written such that it compiles to conditional moves.
func mergeEntries(to, from entries, middle int) {
	x, y, at := 0, middle, 0
	for x < middle && y < len(from) {
		a, b := binary.BigEndian.Uint64(from[x:]), binary.BigEndian.Uint64(from[y:])
		if a == b { // rare but for values that many events share
			a, b = uint64(binary.BigEndian.Uint32(from[x+8:])), uint64(binary.BigEndian.Uint32(from[y+8:]))
		}
		next, stepX, stepY := x, entryBytes, 0
		if b < a {
			next, stepX, stepY = y, 0, entryBytes
		}
		copyEntry(to[at:], from[next:])
		x, y, at = x+stepX, y+stepY, at+entryBytes
	}
	at += copy(to[at:], from[x:middle])
	copy(to[at:], from[y:])
}

// run is one sorted sequence of entries of an hour.
type run struct {
	id, entries int64
	// last is the largest time within the hour of an entry.
	last int64
}

// level of a run: runs of one level differ in size by less than mergeRuns.
func (r run) level() int { return (bits.Len64(uint64(r.entries)) - 1) / mergeBits }

// encodeRuns is the form of the runs of an hour in the catalogue. It is never
// nil: NULL marks an hour that has no lookup.
func encodeRuns(runs []run) []byte {
	out := []byte{1} // version of the lookup
	for _, r := range runs {
		for _, v := range [...]int64{r.id, r.entries, r.last} {
			out = binary.AppendUvarint(out, uint64(v))
		}
	}
	return out
}

// decodeRuns reads what encodeRuns wrote. known is false for an hour whose
// lookup cannot be used.
func decodeRuns(data []byte) (runs []run, known bool) {
	if len(data) == 0 || data[0] != 1 {
		return nil, false
	}
	data = data[1:]
	for len(data) > 0 {
		var v [3]int64
		for i := range v {
			u, n := binary.Uvarint(data)
			if n <= 0 || u > 1<<62 {
				return nil, false
			}
			v[i], data = int64(u), data[n:] //nolint:gosec // i counts the elements of v
		}
		runs = append(runs, run{v[0], v[1], v[2]})
	}
	return runs, true
}

// lookupTimes returns the times at which events with such hashes may be, in
// ascending order and without duplicates. found is false when the hour cannot
// tell, or could tell of more than maxLookup.
func lookupTimes(conn *sqlite.Conn, p *catalogued, want hashes) (times []int64, found bool, err error) {
	runs, known := decodeRuns(p.lookup)
	if !known {
		return nil, false, nil
	}
	stmt, err := conn.Prepare("SELECT data FROM lookup WHERE hour = ? AND run = ? AND first <= ? ORDER BY first DESC, seq DESC")
	if err != nil {
		return nil, false, err
	}
	for _, r := range runs {
		times, err = runTimes(stmt, p.hour, r.id, want, times)
		if err != nil {
			return nil, false, fmt.Errorf("lookup of hour %s: %w", p.name, err)
		}
		if len(times) > maxLookup {
			return nil, false, nil
		}
	}
	slices.Sort(times)
	return slices.Compact(times), true, nil
}

func runTimes(stmt *sqlite.Stmt, hour, run int64, want hashes, times []int64) (_ []int64, err error) {
	defer func() {
		if e := stmt.Reset(); err == nil {
			err = e
		}
	}()
	stmt.BindInt64(1, hour)
	stmt.BindInt64(2, run)
	stmt.BindInt64(3, int64(want.last))
	var buf [chunkEntries * entryBytes]byte
	for len(times) <= maxLookup {
		more, err := stmt.Step()
		if err != nil || !more {
			return times, err
		}
		e := entries(buf[:stmt.ColumnBytes(0, buf[:])/entryBytes*entryBytes])
		first := sort.Search(e.len(), func(i int) bool { return e.hash(i) >= want.first })
		for i := first; i < e.len() && e.hash(i) <= want.last; i++ {
			times = append(times, hour*nanosPerHour+e.offset(i))
		}
		if first > 0 {
			return times, nil // the chunk before holds smaller ones only
		}
	}
	return times, nil
}
