package influx3test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// MaxTextBytes is the longest value of a tag or string field.
const MaxTextBytes = 64 << 10

var precisions = map[string]lineprotocol.Precision{
	"nanosecond": lineprotocol.Nanosecond, "microsecond": lineprotocol.Microsecond,
	"millisecond": lineprotocol.Millisecond, "second": lineprotocol.Second,
	"ns": lineprotocol.Nanosecond, "us": lineprotocol.Microsecond, "ms": lineprotocol.Millisecond, "s": lineprotocol.Second,
}

// writeV3 serves /api/v3/write_lp.
func (s *Server) writeV3(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := onlyParameters(q, "db", "precision", "accept_partial", "no_sync"); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	// Automatic precision guesses by the size of the number: an error here,
	// because no writer should depend on it.
	precision, ok := precisions[q.Get("precision")]
	if !ok {
		fail(w, http.StatusBadRequest, "serde error: unknown variant `"+q.Get("precision")+"`, expected one of `nanosecond`, `microsecond`, `millisecond`, `second`")
		return
	}
	partial, err := boolParameter(q, "accept_partial", true)
	if err == nil {
		_, err = boolParameter(q, "no_sync", false)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	s.write(w, r, q.Get("db"), precision, partial)
}

// writeV2 serves /api/v2/write, where a bucket is a database.
func (s *Server) writeV2(w http.ResponseWriter, r *http.Request) {
	s.writeCompatible(w, r, r.URL.Query(), "bucket", "org")
}

// writeV1 serves /write, where a policy makes the database db/rp.
func (s *Server) writeV1(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if rp := q.Get("rp"); rp != "" && rp != "autogen" && rp != "default" {
		q.Set("db", q.Get("db")+"/"+rp)
	}
	s.writeCompatible(w, r, q, "db", "rp", "u", "p", "consistency")
}

func (s *Server) writeCompatible(w http.ResponseWriter, r *http.Request, q url.Values, name string, others ...string) {
	if err := onlyParameters(q, append(others, name, "precision")...); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	precision, ok := precisions[q.Get("precision")]
	if !ok {
		fail(w, http.StatusBadRequest, "serde error: unknown precision "+q.Get("precision"))
		return
	}
	s.write(w, r, q.Get(name), precision, true)
}

// refusal is a line that was not written.
type refusal struct {
	OriginalLine string `json:"original_line"`
	LineNumber   int    `json:"line_number"`
	ErrorMessage string `json:"error_message"`
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, db string, precision lineprotocol.Precision, partial bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, status, err := s.database(db)
	if err != nil {
		fail(w, status, err.Error())
		return
	}
	changed := map[string]*table{}
	var refused []refusal
	for i, line := range splitLines(body) {
		if err := d.writeLine(line, precision, changed); err != nil {
			refused = append(refused, refusal{string(line), i + 1, err.Error()})
		}
	}
	if len(refused) > 0 && !partial {
		failWith(w, http.StatusBadRequest, "parsing failed for write_lp endpoint", refused[0])
		return
	}
	for name, t := range changed {
		d.commit(name, t)
	}
	if len(refused) > 0 {
		failWith(w, http.StatusBadRequest, "partial write of line protocol occurred", refused)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// commit adds what was written to a table.
func (d *database) commit(name string, t *table) {
	have := d.tables[name]
	if have == nil {
		d.tables[name] = t
		return
	}
	have.columns, have.names = t.columns, t.names
	for k, r := range t.rows {
		have.put(k, r)
	}
}

// writeLine adds a line to a successor of its table in changed.
func (d *database) writeLine(line []byte, precision lineprotocol.Precision, changed map[string]*table) error {
	dec := lineprotocol.NewDecoderWithBytes(line)
	if !dec.Next() {
		return nil // a comment or an empty line
	}
	name, err := dec.Measurement()
	if err != nil {
		return err
	}
	types, values, key := map[string]columnType{}, row{}, rowKey{}
	var tags []string
	set := func(column []byte, kind columnType, v any) error {
		if string(column) == "time" {
			return errReservedColumn
		}
		if _, ok := types[string(column)]; ok {
			return fmt.Errorf("invalid line protocol - multiple instances of '%s' found", column)
		}
		if text, ok := v.(string); ok && len(text) > MaxTextBytes {
			return fmt.Errorf("value of '%s' is longer than %d bytes", column, MaxTextBytes)
		}
		types[string(column)], values[string(column)] = kind, v
		return nil
	}
	for {
		k, v, err := dec.NextTag()
		if err != nil {
			return err
		}
		if k == nil {
			break
		}
		if len(v) == 0 {
			return fmt.Errorf("tag '%s' has no value", k)
		}
		if err := set(k, typeTag, string(v)); err != nil {
			return err
		}
		tags = append(tags, appendText(appendText("", string(k)), string(v)))
	}
	// The order in which tags are given means nothing.
	slices.Sort(tags)
	key.series = strings.Join(tags, "")
	fields := 0
	for {
		k, v, err := dec.NextField()
		if err != nil {
			return err
		}
		if k == nil {
			break
		}
		fields++
		kind, value := typeString, v.Interface()
		switch v.Kind() {
		case lineprotocol.Int:
			kind = typeInt
		case lineprotocol.Uint:
			kind = typeUint
		case lineprotocol.Float:
			kind = typeFloat
		case lineprotocol.Bool:
			kind = typeBool
		}
		if err := set(k, kind, value); err != nil {
			return err
		}
	}
	if fields == 0 {
		return errors.New("No fields were provided") //nolint:staticcheck // the server's words
	}
	at, err := dec.Time(precision, time.Time{})
	if err != nil {
		return err
	}
	if at.IsZero() {
		return errors.New("the time is missing: it would become that of the server")
	}
	key.nanos = at.UnixNano()
	values["time"] = key.nanos
	t := changed[string(name)]
	if t == nil {
		t = newTable()
		if have := d.tables[string(name)]; have != nil {
			t = have.next()
		}
		changed[string(name)] = t
	}
	if err := t.admit(types); err != nil {
		return err
	}
	t.put(key, values)
	return nil
}

// appendText keeps two texts apart by the length of the first.
func appendText(s, text string) string {
	return s + string(binary.AppendUvarint(nil, uint64(len(text)))) + text
}

// splitLines cuts at the line breaks that are not inside of a quoted field.
func splitLines(text []byte) [][]byte {
	var lines [][]byte
	start, quoted, fields := 0, false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"' && fields:
			quoted = !quoted
		case c == ' ':
			fields = true // quotes mean something only behind the tags
		case c == '\n' && !quoted:
			if i > start {
				lines = append(lines, text[start:i])
			}
			start, fields = i+1, false
		}
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}

func onlyParameters(q url.Values, known ...string) error {
next:
	for name, values := range q {
		for _, k := range known {
			if name == k && len(values) == 1 {
				continue next
			}
		}
		return fmt.Errorf("unknown or repeated parameter %q", name)
	}
	return nil
}

func boolParameter(q url.Values, name string, absent bool) (bool, error) {
	if !q.Has(name) {
		return absent, nil
	}
	v, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, fmt.Errorf("serde error: provided string was not `true` or `false` for %s", name)
	}
	return v, nil
}
