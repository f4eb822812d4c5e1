package embedded

import (
	"strings"

	"zombiezen.com/go/sqlite"
)

// measure is what an event adds to the figures.
type measure struct {
	nanos  int64
	failed bool
	// known says which of the numbers below are; the others are zero.
	known known
	// tokens in the order of tokenColumns.
	tokens              [6]int64
	cost, ttft, latency float64
}

type known uint16

// The bits below knowsCost are those of tokens.
const (
	knowsCost known = 1 << (iota + 6)
	knowsTTFT
	knowsLatency
	knowsAll = 1<<9 - 1
)

const tokenColumns = "in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok"

// measureColumns are the columns that scanMeasure reads.
const measureColumns = "time, flags, " + tokenColumns + ", cost_usd, ttft_ms, latency_ms"

func scanMeasure(stmt *sqlite.Stmt, m *measure) {
	*m = measure{nanos: stmt.ColumnInt64(0), failed: stmt.ColumnInt64(1)&flagFailed != 0}
	for i := range m.tokens {
		if v := stmt.ColumnInt64(2 + i); v != 0 || !stmt.ColumnIsNull(2+i) {
			m.tokens[i] = v
			m.known |= 1 << i
		}
	}
	for i, to := range [...]*float64{&m.cost, &m.ttft, &m.latency} {
		if v := stmt.ColumnFloat(8 + i); v != 0 || !stmt.ColumnIsNull(8+i) {
			*to = v
			m.known |= knowsCost << i
		}
	}
}

// dimensionReader reads the dimensions of a row from the columns at first on. The
// names that are not asked for are empty.
type dimensionReader struct {
	words *words
	by    [len(dimensionColumns)]bool
	first int
	ids   map[[len(dimensionColumns)]int64]int
}

// number calls add with the names of a row and returns what it says, or repeats
// what it said for the same names in the same hour.
func (d *dimensionReader) number(stmt *sqlite.Stmt, add func(*[len(dimensionColumns)]string) int) (int, error) {
	var ids [len(dimensionColumns)]int64
	texts := false
	col := d.first
	for i, on := range d.by {
		if !on {
			continue
		}
		if v := stmt.ColumnInt64(col); v != 0 && stmt.ColumnType(col) == sqlite.TypeInteger {
			ids[i] = v
		} else if !stmt.ColumnIsNull(col) {
			texts = true
		}
		col++
	}
	if !texts {
		if n, ok := d.ids[ids]; ok {
			return n, nil
		}
	}
	names, err := d.names(stmt, &ids)
	if err != nil {
		return 0, err
	}
	n := add(names)
	if !texts {
		d.ids[ids] = n
	}
	return n, nil
}

// names are the texts of a row's dimensions. ids are 0 where the row does not hold
// an id of the dictionary.
func (d *dimensionReader) names(stmt *sqlite.Stmt, ids *[len(dimensionColumns)]int64) (*[len(dimensionColumns)]string, error) {
	names := new([len(dimensionColumns)]string)
	col := d.first
	for i, on := range d.by {
		if !on {
			continue
		}
		if ids[i] == 0 {
			names[i] = stmt.ColumnText(col)
		} else {
			var err error
			if names[i], err = d.words.text(ids[i]); err != nil {
				return nil, err
			}
		}
		col++
	}
	return names, nil
}

func (d *dimensionReader) columns() string {
	var b strings.Builder
	for i, on := range d.by {
		if on {
			b.WriteString(", " + dimensionColumns[i])
		}
	}
	return b.String()
}

func newDimensionReader(w *words, by [len(dimensionColumns)]bool) *dimensionReader {
	return &dimensionReader{words: w, by: by, first: countColumns(measureColumns), ids: map[[len(dimensionColumns)]int64]int{}}
}

// addEvents reads the events of an hour.
func (a *aggregation) addEvents(conn *sqlite.Conn, p catalogued) error {
	w := &words{conn: conn, table: "d_" + p.name, known: map[int64]string{}}
	defer w.close()
	cond, err := a.sel.all(conn, &p, w.stored)
	if err != nil || cond == nil {
		return err
	}
	dims := newDimensionReader(w, a.by)
	var m measure
	return eachRow(conn, "SELECT "+measureColumns+dims.columns()+" FROM ev_"+p.name+cond.sql.String(), cond.args, func(stmt *sqlite.Stmt) error {
		scanMeasure(stmt, &m)
		n, err := dims.number(stmt, a.group)
		if err != nil {
			return err
		}
		return a.add(n, &m)
	})
}
