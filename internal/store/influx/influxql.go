package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// chunkRows is the number of rows that the server puts into one document, so
// that the decoder holds no more of them.
const chunkRows = 500

// influxQL speaks InfluxQL over /query.
type influxQL struct{ c *client }

var influxQLName = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quoteInfluxQL(name string) string { return `"` + influxQLName.Replace(name) + `"` }

// influxQLStatement builds the query for what is selected: points, or with count
// set the number of points that have that column.
func influxQLStatement(sel *selection, count string) *statement {
	s := &statement{}
	s.text.WriteString("SELECT ")
	if count != "" {
		s.text.WriteString("count(" + quoteInfluxQL(count) + ")")
	} else {
		first := true
		for _, c := range sel.columns {
			if c == "time" {
				continue // always there
			}
			if !first {
				s.text.WriteString(", ")
			}
			first = false
			s.text.WriteString(quoteInfluxQL(c))
		}
	}
	s.text.WriteString(" FROM " + quoteInfluxQL(sel.measurement))
	next := s.writeWhere(sel.where, quoteInfluxQL)
	if sel.from > minNanos {
		s.text.WriteString(next + "time >= " + strconv.FormatInt(sel.from, 10))
		next = " AND "
	}
	// Always: without an upper bound some queries end at the present.
	s.text.WriteString(next + "time <= " + strconv.FormatInt(sel.to, 10))
	if count != "" {
		return s
	}
	s.text.WriteString(" ORDER BY time")
	if !sel.ascending {
		s.text.WriteString(" DESC")
	}
	s.text.WriteString(" LIMIT " + strconv.Itoa(sel.limit))
	return s
}

func (d influxQL) rows(ctx context.Context, sel *selection, emit func(columns []string, values []any) error) error {
	return d.run(ctx, sel.place, influxQLStatement(sel, ""), emit)
}

func (d influxQL) count(ctx context.Context, sel *selection, id string) (int64, error) {
	var n int64
	err := d.run(ctx, sel.place, influxQLStatement(sel, id), func(columns []string, values []any) (err error) {
		if len(columns) != 2 {
			return fmt.Errorf("a count must have two columns, got %d", len(columns))
		}
		n, err = asCount(values[1])
		return err
	})
	return n, err
}

// reachable asks something cheap that needs the right to read.
func (d influxQL) reachable(ctx context.Context, p place) error {
	s := &statement{}
	s.text.WriteString("SHOW MEASUREMENTS LIMIT 1")
	return d.run(ctx, p, s, func([]string, []any) error { return nil })
}

func (d influxQL) run(ctx context.Context, p place, s *statement, emit func([]string, []any) error) error {
	form := url.Values{
		"db": {p.database}, "q": {s.text.String()}, "epoch": {"ns"},
		"chunked": {"true"}, "chunk_size": {strconv.Itoa(chunkRows)},
	}
	if p.policy != "" {
		form.Set("rp", p.policy)
	}
	if len(s.params) > 0 {
		params, err := json.Marshal(s.params)
		if err != nil {
			return err
		}
		form.Set("params", string(params))
	}
	err := d.c.post(ctx, "/query", "application/x-www-form-urlencoded", "application/json", strings.NewReader(form.Encode()), func(body io.Reader) error {
		return decodeInfluxQL(body, emit)
	})
	if isMissingDatabase(err) {
		d.c.missingDatabase(p, err)
		return nil
	}
	return err
}

// influxQLAnswer is one document of an answer.
type influxQLAnswer struct {
	Results []struct {
		Series []struct {
			Columns []string `json:"columns"`
			Values  [][]any  `json:"values"`
			Partial bool     `json:"partial"`
		} `json:"series"`
		Partial bool   `json:"partial"`
		Error   string `json:"error"`
	} `json:"results"`
	Error string `json:"error"`
}

// decodeInfluxQL reads an answer of one or more documents. An answer that says
// that more follows, and then ends, is an error.
func decodeInfluxQL(body io.Reader, emit func(columns []string, values []any) error) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	documents, partial := 0, false
	for {
		var a influxQLAnswer
		if err := d.Decode(&a); errors.Is(err, io.EOF) && documents > 0 {
			break
		} else if err != nil {
			return malformed(err)
		}
		documents++
		if a.Error != "" {
			return serverError(http.StatusOK, a.Error)
		}
		partial = false
		for i := range a.Results {
			r := &a.Results[i]
			if r.Error != "" {
				return serverError(http.StatusOK, r.Error)
			}
			partial = partial || r.Partial
			for k := range r.Series {
				series := &r.Series[k]
				partial = partial || series.Partial
				for _, values := range series.Values {
					if len(values) != len(series.Columns) {
						return malformed(fmt.Errorf("a row must have %d values, got %d", len(series.Columns), len(values)))
					}
					if err := emit(series.Columns, values); err != nil {
						return err
					}
				}
			}
		}
	}
	if partial {
		return malformed(errors.New("the answer ends before its end"))
	}
	return nil
}

func asCount(v any) (int64, error) {
	if n, ok := v.(json.Number); ok {
		if i, err := n.Int64(); err == nil && i >= 0 {
			return i, nil
		}
	}
	return 0, malformed(fmt.Errorf("a count must be a number that is not negative, got %v", v))
}
