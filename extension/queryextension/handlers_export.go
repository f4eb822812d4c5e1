package queryextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/export"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	// exportPage is how many rows are asked for at once: a reader that a slow
	// client holds open would keep the storage from tidying up.
	exportPage = 5000
	// exportWriteTimeout bounds how long one write to the client may take;
	// http::write_timeout would end every long export.
	exportWriteTimeout = 30 * time.Second
)

var (
	exportTelemetryParams = exportParams(telemetryParams)
	exportAnomalyParams   = exportParams(anomalyParams)
)

func exportParams(list []string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(p string) bool { return p == "cursor" || p == "offset" })
	return sortedWith(list, "format")
}

// exporting is how rows of one kind are written to a file.
type exporting[T any] struct {
	kind   string
	params []string
	rows   func(context.Context, store.Reader, *listRequest) iter.Seq2[T, error]
	count  func(context.Context, store.Reader, *listRequest) (int64, error)
	place  func(*T) store.Position
	open   func(io.Writer, export.Format) export.Writer[T]
}

func (s *server) handleExportTelemetry(w http.ResponseWriter, r *http.Request) {
	serveExport(s, w, r, exporting[genai.Event]{
		kind: kindTelemetry, params: exportTelemetryParams, rows: askEvents.rows, count: askEvents.count, place: askEvents.place, open: export.Events,
	})
}

func (s *server) handleExportAnomalies(w http.ResponseWriter, r *http.Request) {
	serveExport(s, w, r, exporting[anomaly.Anomaly]{
		kind: kindAnomalies, params: exportAnomalyParams, rows: askAnomalies.rows, count: askAnomalies.count, place: askAnomalies.place, open: export.Anomalies,
	})
}

func serveExport[T any](s *server, w http.ResponseWriter, r *http.Request, q exporting[T]) {
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	default:
		s.reject(r.Context(), rejectedExports)
		w.Header().Set("Retry-After", "30")
		sendError(w, r, &apiError{
			status: http.StatusTooManyRequests, code: codeTooManyRequests, message: "too many exports are being written; try again later",
			details: map[string]any{"max_exports": cap(s.exports)},
		})
		return
	}
	f := &file[T]{server: s, exporting: q, w: w, control: http.NewResponseController(w)}
	if e := f.prepare(r); e != nil {
		sendError(w, r, e)
		return
	}
	// The first page is found before anything is sent: an error until then is
	// still an answer.
	first, err := f.page(r.Context())
	if err != nil {
		sendError(w, r, s.refusal(r.Context(), q.kind, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.format.ContentType())
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, q.kind, s.now().UTC().Format("20060102T150405Z"), f.format))
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	if err := f.write(r.Context(), first); err != nil {
		s.logger.Warn("an export was cut off", zap.String("request_id", infoOf(r.Context()).id), zap.String("kind", q.kind), zap.Int("rows", f.sent), zap.Error(err))
		// A closed connection is the one thing that no client takes for the end.
		panic(http.ErrAbortHandler)
	}
}

// file is one export on its way to a client.
type file[T any] struct {
	*server
	exporting[T]
	w       http.ResponseWriter
	control *http.ResponseController
	reader  store.Reader
	list    *listRequest
	format  export.Format
	// limit is the number of rows to write. When the client did not set it,
	// capped is true and more rows than that are an error.
	limit  int
	capped bool
	sent   int
	ended  bool
}

func (f *file[T]) prepare(r *http.Request) *apiError {
	v, e := parseValues(r.URL.RawQuery, f.params)
	if e != nil {
		return e
	}
	if f.list, e = parseFilters(v, f.kind, f.now()); e != nil {
		return e
	}
	var err error
	f.format = export.CSV
	if name, ok := v["format"]; ok {
		if f.format, err = export.ParseFormat(strings.ToLower(name)); err != nil {
			return badParameter(codeInvalidParameter, "format", name, "one of csv, jsonl, parquet")
		}
	}
	if f.limit, e = parseInt(v, codeInvalidLimit, "limit", 1, f.cfg.MaxExportRows, f.cfg.MaxExportRows); e != nil {
		return e
	}
	_, given := v["limit"]
	f.capped = !given
	ctx := r.Context()
	if f.reader, err = f.server.reader(ctx); err != nil {
		return f.queryError(ctx, f.kind, fmt.Errorf("%w: %w", errNoReader, err))
	}
	caps := f.reader.Capabilities()
	f.list.cursor = true
	if e := refuse(f.list.needs(caps)...); e != nil {
		return e
	}
	if f.capped && caps.Count {
		return f.mustFit(ctx)
	}
	return nil
}

// mustFit refuses an export that would not hold all rows.
func (f *file[T]) mustFit(ctx context.Context) *apiError {
	ctx, cancel := context.WithTimeoutCause(ctx, f.cfg.RequestTimeout, errRequestTimeout)
	defer cancel()
	n, err := f.count(ctx, f.reader, f.list)
	if err != nil {
		return f.queryError(ctx, f.kind, err)
	}
	if n > int64(f.limit) {
		return &apiError{
			status: http.StatusBadRequest, code: codeResponseTooLarge,
			message: fmt.Sprintf("the export would have %d rows, more than max_export_rows (%d); narrow the time range, or set limit", n, f.limit),
			details: map[string]any{"rows": n, "max_export_rows": f.limit},
		}
	}
	return nil
}

var errMoreRows = errors.New("there are more rows than max_export_rows")

// page finds the next rows and moves on behind them.
func (f *file[T]) page(ctx context.Context) ([]T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.cfg.RequestTimeout, errRequestTimeout)
	defer cancel()
	q := *f.list
	q.query.Limit = min(exportPage, f.limit-f.sent)
	over := f.capped && f.sent == f.limit
	if over {
		q.query.Limit = 1
	}
	rows := make([]T, 0, q.query.Limit)
	for row, err := range f.rows(ctx, f.reader, &q) {
		if err != nil {
			return nil, f.queryError(ctx, f.kind, err)
		}
		if rows = append(rows, row); over {
			return nil, errMoreRows
		}
	}
	if err := ctx.Err(); err != nil { // a backend that ends early without a word
		return nil, f.queryError(ctx, f.kind, err)
	}
	f.ended = len(rows) < q.query.Limit
	if len(rows) > 0 {
		after := f.place(&rows[len(rows)-1])
		f.list.query.After = &after
	}
	f.sent += len(rows)
	f.ended = f.ended || f.sent == f.limit && !f.capped
	return rows, nil
}

func (f *file[T]) write(ctx context.Context, rows []T) error {
	if err := f.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	out := f.open(patientWriter{f.w, f.control}, f.format)
	for {
		for i := range rows {
			if err := out.Write(&rows[i]); err != nil {
				return err
			}
		}
		f.telemetry.APIExportedRowsTotal.Add(ctx, int64(len(rows)))
		if f.ended {
			return out.Close()
		}
		if f.isDraining() {
			return errStreamEnd
		}
		var err error
		if rows, err = f.page(ctx); err != nil {
			return err
		}
	}
}

// patientWriter gives each write a time of its own.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p patientWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(exportWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}
