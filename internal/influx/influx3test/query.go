package influx3test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"
)

type queryRequest struct {
	DB     string         `json:"db"`
	Q      string         `json:"q"`
	Format string         `json:"format"`
	Params map[string]any `json:"params"`
}

// querySQL serves /api/v3/query_sql.
func (s *Server) querySQL(w http.ResponseWriter, r *http.Request) {
	req, status, err := readQuery(r)
	if err != nil {
		fail(w, status, err.Error())
		return
	}
	s.mu.Lock()
	d := s.databases[req.DB]
	var res *result
	if d != nil {
		var st *statement
		if st, err = parse(req.Q, req.Params); err == nil {
			res, err = d.run(st)
		}
	}
	s.mu.Unlock()
	if d == nil {
		fail(w, http.StatusNotFound, "query error: database not found: "+req.DB)
		return
	}
	if err != nil {
		// Planning errors are plain text.
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(err.Error()))
		return
	}
	body, err := res.encode(req.Format)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", map[string]string{"json": "application/json", "jsonl": "application/jsonl"}[req.Format])
	_, _ = w.Write(body)
}

func readQuery(r *http.Request) (req queryRequest, status int, err error) {
	switch r.Method {
	case http.MethodPost:
		if ct := r.Header.Get("Content-Type"); ct != "application/json" {
			return req, http.StatusUnsupportedMediaType, fmt.Errorf("content type must be application/json, got %q", ct)
		}
		err = decodeStrict(r.Body, &req)
	case http.MethodGet:
		err = req.fromURL(r.URL.Query())
	default:
		return req, http.StatusMethodNotAllowed, errors.New("method not allowed")
	}
	if err != nil {
		return req, http.StatusBadRequest, fmt.Errorf("serde error: %w", err)
	}
	if req.Q == "" || req.DB == "" {
		return req, http.StatusBadRequest, errors.New("missing query parameters 'db' and 'q'")
	}
	if req.Format == "" {
		req.Format = "json"
	}
	if req.Format != "json" && req.Format != "jsonl" {
		return req, http.StatusBadRequest, fmt.Errorf("format %q is not one that this server knows", req.Format)
	}
	for name, v := range req.Params {
		switch v := v.(type) {
		case string, bool:
		case json.Number:
			n, err := number(v.String())
			if err != nil {
				return req, http.StatusBadRequest, err
			}
			req.Params[name] = n
		default:
			return req, http.StatusBadRequest, fmt.Errorf("parameter %s must be a text, number or truth value, got %T", name, v)
		}
	}
	return req, 0, nil
}

func (req *queryRequest) fromURL(q url.Values) error {
	if err := onlyParameters(q, "db", "q", "format", "params"); err != nil {
		return err
	}
	req.DB, req.Q, req.Format = q.Get("db"), q.Get("q"), q.Get("format")
	if !q.Has("params") {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(q.Get("params"))))
	d.UseNumber()
	return d.Decode(&req.Params)
}

// encode writes rows as one array, or as a line each.
func (res *result) encode(format string) ([]byte, error) {
	var b bytes.Buffer
	if format == "json" {
		b.WriteByte('[')
	}
	for i, r := range res.rows {
		if i > 0 && format == "json" {
			b.WriteByte(',')
		}
		if err := res.encodeRow(&b, r); err != nil {
			return nil, err
		}
		if format == "jsonl" {
			b.WriteByte('\n')
		}
	}
	if format == "json" {
		b.WriteByte(']')
	}
	return b.Bytes(), nil
}

func (res *result) encodeRow(b *bytes.Buffer, r row) error {
	b.WriteByte('{')
	first := true
	for _, name := range res.columns {
		v, ok := r[name]
		if !ok {
			continue // null
		}
		if f, isFloat := v.(float64); isFloat && (math.IsNaN(f) || math.IsInf(f, 0)) {
			continue
		}
		if res.types[name] == typeTime {
			v = formatTime(v.(int64))
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return nil
}

// formatTime writes a time without zone, with 0, 3, 6 or 9 decimals.
func formatTime(nanos int64) string {
	at := time.Unix(0, nanos).UTC()
	layout := "2006-01-02T15:04:05.000000000"
	switch n := at.Nanosecond(); {
	case n == 0:
		layout = "2006-01-02T15:04:05"
	case n%1_000_000 == 0:
		layout = "2006-01-02T15:04:05.000"
	case n%1000 == 0:
		layout = "2006-01-02T15:04:05.000000"
	}
	return at.Format(layout)
}
