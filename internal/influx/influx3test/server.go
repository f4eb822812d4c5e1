package influx3test

import (
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Version is the version that the server claims to be.
const Version = "3.2.1"

// Limits of InfluxDB 3 Core.
const (
	// MaxRequestBytes is the largest request body, after decompression.
	MaxRequestBytes = 10 << 20
	// MaxDatabases is the number of databases.
	MaxDatabases = 5
	// MaxColumns is the number of columns of one table, with time.
	MaxColumns = 500
)

// Options of a server. The zero value is a server without authentication.
type Options struct {
	// Token is the only one that is accepted, as "Bearer" or as "Token". Empty:
	// requests need none.
	Token string
}

// Server is a running server. It is safe for concurrent use.
type Server struct {
	// URL is its address, without a slash at the end.
	URL string

	options Options
	http    *httptest.Server

	mu        sync.Mutex
	databases map[string]*database
	requests  []Request
	fault     func(*http.Request) *Fault
}

// Request is what a server remembers of a request.
type Request struct {
	Method, Path, Query string
	// Body as it was sent, after decompression.
	Body []byte
}

// Fault is an answer in place of the right one.
type Fault struct {
	Status int
	Header map[string]string
	Body   string
}

// New starts a server that is closed at the end of the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, databases: map[string]*database{}}
	s.http = httptest.NewServer(s.handler())
	s.URL = s.http.URL
	t.Cleanup(s.http.Close)
	return s
}

// SetFault makes f decide about requests before they are served: what it returns
// is the answer, nil lets the request through. A nil f ends that.
func (s *Server) SetFault(f func(*http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests are the requests so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Rows is the number of points in a table.
func (s *Server) Rows(db, table string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.databases[db]; d != nil && d.tables[table] != nil {
		return len(d.tables[table].rows)
	}
	return 0
}

// Series is the number of distinct sets of tags in a table.
func (s *Server) Series(db, table string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	if d := s.databases[db]; d != nil && d.tables[table] != nil {
		for k := range d.tables[table].rows {
			seen[k.series] = true
		}
	}
	return len(seen)
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	// GET only: the real server answers HEAD /ping with 404.
	mux.HandleFunc("/ping", s.ping)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") })
	mux.HandleFunc("POST /api/v3/write_lp", s.writeV3)
	mux.HandleFunc("POST /api/v2/write", s.writeV2)
	mux.HandleFunc("POST /write", s.writeV1)
	mux.HandleFunc("/api/v3/query_sql", s.querySQL)
	mux.HandleFunc("/api/v3/configure/database", s.configureDatabase)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "not found") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, status, err := readBody(r)
		s.mu.Lock()
		s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: body})
		fault := s.fault
		s.mu.Unlock()
		if fault != nil {
			if f := fault(r); f != nil {
				for k, v := range f.Header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(f.Status)
				_, _ = io.WriteString(w, f.Body)
				return
			}
		}
		if err != nil {
			fail(w, status, err.Error())
			return
		}
		if !s.authorised(r) {
			fail(w, http.StatusUnauthorized, "the request was not authenticated")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		mux.ServeHTTP(w, r)
	})
}

func readBody(r *http.Request) ([]byte, int, error) {
	in := io.Reader(r.Body)
	switch coding := r.Header.Get("Content-Encoding"); coding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, http.StatusBadRequest, fmt.Errorf("error decoding gzip stream: %w", err)
		}
		in = z
	default:
		return nil, http.StatusBadRequest, fmt.Errorf("invalid content encoding: %s", coding)
	}
	body, err := io.ReadAll(io.LimitReader(in, MaxRequestBytes+1))
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	if len(body) > MaxRequestBytes {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("requested size limit of %d bytes exceeded", MaxRequestBytes)
	}
	return body, 0, nil
}

func (s *Server) authorised(r *http.Request) bool {
	if s.options.Token == "" || r.URL.Path == "/health" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return (scheme == "Bearer" || scheme == "Token") && subtle.ConstantTimeCompare([]byte(token), []byte(s.options.Token)) == 1
}

// fail answers with the server's usual form of an error.
func fail(w http.ResponseWriter, status int, message string) {
	failWith(w, status, message, nil)
}

func failWith(w http.ResponseWriter, status int, message string, data any) {
	body := map[string]any{"error": message}
	if data != nil {
		body["data"] = data
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Server) ping(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		fail(w, http.StatusNotFound, "not found")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Influxdb-Build", "Core")
	w.Header().Set("X-Influxdb-Version", Version)
	_ = json.NewEncoder(w).Encode(map[string]string{"version": Version, "revision": "0000000000", "process_id": "00000000-0000-4000-8000-000000000000"})
}

// configureDatabase creates (POST, a JSON body with db) and deletes (DELETE,
// the parameter db) databases.
func (s *Server) configureDatabase(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		var in struct {
			DB              string `json:"db"`
			RetentionPeriod string `json:"retention_period"`
		}
		if err := decodeStrict(r.Body, &in); err != nil {
			fail(w, http.StatusBadRequest, "serde error: "+err.Error())
			return
		}
		if s.databases[in.DB] != nil {
			fail(w, http.StatusConflict, "attempted to create a resource that already exists: "+in.DB)
			return
		}
		if _, status, err := s.database(in.DB); err != nil {
			fail(w, status, err.Error())
		}
	case http.MethodDelete:
		db := r.URL.Query().Get("db")
		if s.databases[db] == nil {
			fail(w, http.StatusNotFound, "the requested resource was not found: "+db)
			return
		}
		delete(s.databases, db)
	default:
		fail(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

var errDatabaseName = errors.New("invalid character in database name: must be ASCII, containing only letters, numbers, underscores, or hyphens, and start with a letter or number")

// database returns the named one and creates it when it is missing, with the
// HTTP status of the error. Lock held on entry.
func (s *Server) database(name string) (*database, int, error) {
	if d := s.databases[name]; d != nil {
		return d, 0, nil
	}
	switch {
	case name == "":
		return nil, http.StatusBadRequest, errors.New("db name cannot be empty")
	case len(name) > 64:
		return nil, http.StatusBadRequest, errors.New("database name is longer than 64 characters")
	case !validDatabaseName(name):
		return nil, http.StatusBadRequest, errDatabaseName
	case len(s.databases) >= MaxDatabases:
		return nil, http.StatusUnprocessableEntity, fmt.Errorf("adding a new database would exceed limit of %d databases", MaxDatabases)
	}
	d := &database{tables: map[string]*table{}}
	s.databases[name] = d
	return d, 0, nil
}

// validDatabaseName allows what the 1.x form database/policy needs too.
func validDatabaseName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '_' && c != '-' && c != '/') {
			return false
		}
	}
	return true
}

func decodeStrict(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	d.DisallowUnknownFields()
	return d.Decode(into)
}
