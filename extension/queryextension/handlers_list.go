package queryextension

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// pageMetadata stands beside the rows. What is not known is left out.
type pageMetadata struct {
	TotalCount *int64 `json:"total_count,omitempty"`
	Page       *int   `json:"page,omitempty"`
	PageSize   int    `json:"page_size"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// metadataBytes is room for the longest possible metadata and the brackets.
const metadataBytes = 512

// statusClientClosed is what proxies log for a client that did not wait. It is
// never seen by a client.
const statusClientClosed = 499

// question is how rows of one kind are asked for.
type question[T json.Marshaler] struct {
	kind  string
	rows  func(context.Context, store.Reader, *listRequest) iter.Seq2[T, error]
	count func(context.Context, store.Reader, *listRequest) (int64, error)
	place func(*T) store.Position
}

func serveList[T json.Marshaler](s *server, w http.ResponseWriter, r *http.Request, q question[T]) {
	l, e := parseList(r.URL.RawQuery, q.kind, s.now())
	if e == nil {
		var body []byte
		var next string
		if body, next, e = buildPage(r.Context(), s, l, q); e == nil {
			if next != "" {
				w.Header().Set("Link", nextLink(r.URL, next))
			}
			send(w, r, http.StatusOK, typeJSON, body)
			return
		}
	}
	sendError(w, r, e)
}

// nextLink points at the page behind a cursor, relative to this one (RFC 8288).
func nextLink(u *url.URL, cursor string) string {
	v := u.Query()
	v.Del("offset") // a cursor already stands behind it
	v.Set("cursor", cursor)
	return "<" + u.EscapedPath() + "?" + v.Encode() + `>; rel="next"`
}

// buildPage returns the body and the cursor of the next page, "" for the last.
func buildPage[T json.Marshaler](ctx context.Context, s *server, l *listRequest, q question[T]) (body []byte, next string, refused *apiError) {
	reader, err := s.reader(ctx)
	if err != nil {
		return nil, "", s.queryError(ctx, q.kind, fmt.Errorf("%w: %w", errNoReader, err))
	}
	caps := reader.Capabilities()
	if e := refuse(l.needs(caps)...); e != nil {
		return nil, "", e
	}

	limit := l.query.Limit
	l.query.Limit++ // one row more tells whether there is a next page
	buf := pageBuffer{limit: s.cfg.MaxResponseBytes - metadataBytes}
	buf.WriteString(`{"data":[`)
	var last store.Position
	n, more := 0, false
	for row, err := range q.rows(ctx, reader, l) {
		if err != nil {
			return nil, "", s.queryError(ctx, q.kind, err)
		}
		if n == limit {
			more = true
			break
		}
		b, err := row.MarshalJSON()
		if err != nil {
			return nil, "", s.queryError(ctx, q.kind, fmt.Errorf("encode row %s: %w", q.place(&row).ID, err))
		}
		if !buf.fits(len(b) + 1) {
			s.reject(ctx, rejectedSize)
			return nil, "", pageTooLarge(s.cfg.MaxResponseBytes, n)
		}
		if n > 0 {
			buf.WriteByte(',')
		}
		buf.Write(b)
		last = q.place(&row)
		n++
	}
	// A backend that ends early without a word must not make a short page that
	// looks like the end.
	if err := ctx.Err(); err != nil {
		return nil, "", s.queryError(ctx, q.kind, err)
	}

	total, err := countTotal(ctx, reader, caps, l, q, n, more)
	if err != nil {
		return nil, "", s.queryError(ctx, q.kind, err)
	}
	meta := pageMetadata{PageSize: limit}
	if total >= 0 {
		meta.TotalCount = &total
	}
	if !l.cursor {
		page := l.query.Offset / limit
		meta.Page = &page
	}
	if more && caps.Cursor {
		meta.NextCursor = cursor{start: l.query.Start, end: l.query.End, after: last, total: total}.encode(l.filter)
	}
	b, err := json.Marshal(meta)
	if err != nil {
		return nil, "", s.queryError(ctx, q.kind, err)
	}
	buf.WriteString(`],"metadata":`)
	buf.Write(b)
	buf.WriteString("}\n")
	return buf.Bytes(), meta.NextCursor, nil
}

// countTotal returns the number of matches, negative when it is not known. It
// is counted once for a walk over pages, and not at all when the page shows it.
func countTotal[T json.Marshaler](ctx context.Context, reader store.Reader, caps store.Capabilities, l *listRequest, q question[T], n int, more bool) (int64, error) {
	switch {
	case l.cursor:
		return l.total, nil
	case !more && (n > 0 || l.query.Offset == 0):
		return int64(l.query.Offset + n), nil
	case caps.Count:
		return q.count(ctx, reader, l)
	default:
		return -1, nil
	}
}

func pageTooLarge(limit, rows int) *apiError {
	e := &apiError{
		status: http.StatusBadRequest, code: codeResponseTooLarge,
		message: fmt.Sprintf("the page is larger than %d bytes after %d rows; ask with a lower limit", limit, rows),
		details: map[string]any{"max_response_bytes": limit, "rows_that_fit": rows},
	}
	if rows == 0 {
		e.message = fmt.Sprintf("a single row is larger than %d bytes; raise max_response_bytes", limit)
	}
	return e
}

// errNoReader wraps what the storage extension answered in place of a reader.
var errNoReader = errors.New("storage extension has no reader")

// queryError turns a failed question into what the client may know, and logs
// the rest. The cause of the context comes first: a backend that was
// interrupted may report that in words of its own.
func (s *server) queryError(ctx context.Context, kind string, err error) *apiError {
	switch {
	case errors.Is(context.Cause(ctx), errRequestTimeout):
		s.reject(ctx, rejectedTimeout)
		return &apiError{
			status: http.StatusRequestTimeout, code: codeTimeout, cause: err,
			message: fmt.Sprintf("no answer within %s; narrow the time range or lower limit", s.cfg.RequestTimeout),
			details: map[string]any{"request_timeout": s.cfg.RequestTimeout.String()},
		}
	case ctx.Err() != nil && s.isClosing():
		return &apiError{status: http.StatusServiceUnavailable, code: codeStorageUnavailable, message: "the server is shutting down", cause: err}
	case ctx.Err() != nil:
		return &apiError{status: statusClientClosed, code: "client_closed_request", message: "the client did not wait", cause: err}
	case errors.Is(err, store.ErrUnsupported):
		return &apiError{status: http.StatusBadRequest, code: codeUnsupported, message: "the configured storage backend cannot serve this combination of parameters", cause: err}
	case errors.Is(err, store.ErrTooMany):
		return &apiError{
			status: http.StatusBadRequest, code: codeResponseTooLarge, cause: err,
			message: "the answer is too large; narrow the time range or the filters, or group by less",
		}
	}
	s.logger.Error("query failed", zap.String("request_id", infoOf(ctx).id), zap.String("kind", kind), zap.Error(err))
	if errors.Is(err, store.ErrClosed) || errors.Is(err, errNoReader) {
		return &apiError{status: http.StatusServiceUnavailable, code: codeStorageUnavailable, message: "the storage is not available now; see the collector's log", cause: err}
	}
	return &apiError{status: http.StatusInternalServerError, code: codeQueryFailed, message: "the storage could not answer; see the collector's log", cause: err}
}

func (s *server) isClosing() bool { return ended(s.closing) }

func (s *server) isDraining() bool { return ended(s.draining) }

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
