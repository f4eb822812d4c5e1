package queryextension

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	typeEvents        = "text/event-stream"
	headerLastEventID = "Last-Event-ID"

	streamHeartbeat = 15 * time.Second
	// streamWriteTimeout bounds how long one event may take to be written;
	// http::write_timeout would end every stream.
	streamWriteTimeout = 10 * time.Second
	// streamBuffer is how many batches a slow client may be behind.
	streamBuffer = 64
	// maxReplay bounds what a client that reconnects is given.
	maxReplay = 10_000
	// replayPage is how many of them are read at a time.
	replayPage = 500
	// replayMemory is how long anomalies that were replayed may still come from
	// the feed.
	replayMemory = time.Minute
)

var streamParams = []string{"anomaly_type", "min_confidence", "model", "service", "severity"}

// streamFilter says which anomalies a client wants to be told of.
type streamFilter struct {
	service, model string
	anomalyFilter
}

func (f *streamFilter) matches(a *anomaly.Anomaly) bool {
	return (f.service == "" || a.Service == f.service) && (f.model == "" || a.Model == f.model) &&
		(f.severity == 0 || a.Severity == f.severity) && (f.typ == "" || a.Type == f.typ) && a.Confidence >= f.minConfidence
}

func parseStream(r *http.Request) (f streamFilter, last *store.Position, e *apiError) {
	v, e := parseValues(r.URL.RawQuery, streamParams)
	if e != nil {
		return f, nil, e
	}
	if e := v.texts(map[string]*string{"service": &f.service, "model": &f.model}); e != nil {
		return f, nil, e
	}
	if f.anomalyFilter, e = v.anomalyFilter(); e != nil {
		return f, nil, e
	}
	if text := r.Header.Get(headerLastEventID); text != "" {
		if last = parseEventID(text); last == nil {
			return f, nil, badParameter(codeInvalidParameter, headerLastEventID, text, "the id of an event of this stream")
		}
	}
	return f, last, nil
}

func eventID(a *anomaly.Anomaly) string {
	return strconv.FormatInt(a.Time.UnixNano(), 10) + "-" + a.ID.String()
}

// parseEventID is nil for what eventID does not write.
func parseEventID(text string) *store.Position {
	nanos, id, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(nanos, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != nanos {
		return nil
	}
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id {
		return nil
	}
	return &store.Position{Time: time.Unix(0, n).UTC(), ID: u}
}

// handleStream tells of new anomalies until the client leaves or the server
// stops.
func (s *server) handleStream(w http.ResponseWriter, r *http.Request) {
	filter, last, e := parseStream(r)
	if e != nil {
		sendError(w, r, e)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.reject(r.Context(), rejectedStreams)
		w.Header().Set("Retry-After", "5")
		sendError(w, r, &apiError{
			status: http.StatusTooManyRequests, code: codeTooManyRequests, message: "too many streams are open; try again later",
			details: map[string]any{"max_streams": cap(s.streams)},
		})
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	asked, stop := context.WithTimeoutCause(ctx, s.cfg.RequestTimeout, errRequestTimeout)
	defer stop()
	reader, err := s.reader(asked)
	if err != nil {
		sendError(w, r, s.queryError(asked, kindAnomalies, fmt.Errorf("%w: %w", errNoReader, err)))
		return
	}
	if s.isDraining() {
		sendError(w, r, &apiError{status: http.StatusServiceUnavailable, code: codeStorageUnavailable, message: "the server is shutting down"})
		return
	}
	w.Header().Set("Content-Type", typeEvents)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
	if r.Method == http.MethodHead {
		return
	}
	s.telemetry.APIStreams.Add(ctx, 1)
	defer s.telemetry.APIStreams.Add(context.WithoutCancel(ctx), -1)
	st := &stream{server: s, w: w, control: http.NewResponseController(w), reader: reader, filter: filter}
	// A client that leaves, a write that fails and a server that stops all end a
	// stream in the ordinary way: there is nobody to tell.
	_ = st.run(ctx, last)
}

// stream is one client of the stream route.
type stream struct {
	*server
	w       http.ResponseWriter
	control *http.ResponseController
	reader  store.Reader
	filter  streamFilter
	// replayed are the anomalies that the feed may bring again until forget.
	replayed map[uuid.UUID]struct{}
	forget   time.Time
}

var errStreamEnd = errors.New("the server is shutting down")

func (st *stream) run(ctx context.Context, last *store.Position) error {
	// Subscribed first, so that nothing falls between the replay and the feed.
	feed := st.feed(st.reader.Capabilities()).Subscribe(ctx, streamBuffer)
	// Whole requests are read by now: what http::read_timeout is for is done.
	if err := st.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := st.write(": anomalies as they are found\nretry: 2000\n\n"); err != nil {
		return err
	}
	if last != nil {
		if err := st.replay(ctx, *last); err != nil {
			return err
		}
	}
	beat := time.NewTicker(streamHeartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-st.draining:
			return errStreamEnd
		case <-beat.C:
			if err := st.write(":\n\n"); err != nil {
				return err
			}
		case item, ok := <-feed:
			if !ok {
				return ctx.Err()
			}
			if err := st.deliver(ctx, item); err != nil {
				return err
			}
		}
	}
}

func (st *stream) deliver(ctx context.Context, item store.FeedItem) error {
	if item.Missed > 0 {
		if err := st.missed(ctx, item.Missed); err != nil {
			return err
		}
	}
	if st.replayed != nil && time.Now().After(st.forget) {
		st.replayed = nil
	}
	for i := range item.Anomalies {
		a := &item.Anomalies[i]
		if _, again := st.replayed[a.ID]; again || !st.filter.matches(a) {
			continue
		}
		if err := st.tell(a); err != nil {
			return err
		}
	}
	return nil
}

// replay tells of what is kept behind last, oldest first. It reads page by page,
// so that a client that is slow to read holds no query open.
func (st *stream) replay(ctx context.Context, last store.Position) error {
	st.replayed = map[uuid.UUID]struct{}{}
	defer func() { st.forget = time.Now().Add(replayMemory) }()
	for len(st.replayed) < maxReplay {
		page, more, err := st.behind(ctx, last)
		if err != nil {
			return err
		}
		for i := range page {
			if st.isDraining() {
				return errStreamEnd
			}
			if err := st.tell(&page[i]); err != nil {
				return err
			}
			st.replayed[page[i].ID] = struct{}{}
			last = store.Position{Time: page[i].Time, ID: page[i].ID}
		}
		if !more {
			return nil
		}
		if len(page) == 0 {
			break // without cursors, more of one time than can be read
		}
	}
	left, err := st.countBehind(ctx, last)
	if err != nil || left == 0 {
		return err
	}
	return st.missed(ctx, left)
}

func (st *stream) replayQuery(last store.Position) store.AnomalyQuery {
	return store.AnomalyQuery{
		Query: store.Query{
			Service: st.filter.service, Model: st.filter.model, Start: last.Time, End: st.now().Add(futureTolerance), Ascending: true,
		},
		Severity: st.filter.severity, Type: st.filter.typ, MinConfidence: st.filter.minConfidence,
	}
}

// behind reads the next page behind a position, and whether there may be more.
func (st *stream) behind(ctx context.Context, last store.Position) (page []anomaly.Anomaly, more bool, err error) {
	q := st.replayQuery(last)
	if !q.Start.Before(q.End) {
		return nil, false, nil
	}
	q.Limit = replayPage
	if st.reader.Capabilities().Cursor {
		q.After = &last
	} else {
		q.Limit = maxReplay // all at once: there is no place to go on from
	}
	ctx, cancel := context.WithTimeout(ctx, st.cfg.RequestTimeout)
	defer cancel()
	if page, err = take(ctx, q.Limit, st.reader.Anomalies(ctx, q)); err != nil {
		// The client tries again behind what it got until here.
		_ = st.queryError(ctx, kindAnomalies, err)
		return nil, false, err
	}
	more = len(page) == q.Limit
	page = slices.DeleteFunc(page, func(a anomaly.Anomaly) bool {
		return a.Time.Equal(last.Time) && bytes.Compare(a.ID[:], last.ID[:]) <= 0
	})
	return page, more, nil
}

// countBehind is how many anomalies follow a position, but for those of the very
// same time; at least 1 when the backend cannot count.
func (st *stream) countBehind(ctx context.Context, last store.Position) (int64, error) {
	if !st.reader.Capabilities().Count {
		return 1, nil
	}
	q := st.replayQuery(store.Position{Time: last.Time.Add(1)})
	if !q.Start.Before(q.End) {
		return 0, nil
	}
	q.Limit = 1
	ctx, cancel := context.WithTimeout(ctx, st.cfg.RequestTimeout)
	defer cancel()
	return st.reader.CountAnomalies(ctx, q)
}

func (st *stream) tell(a *anomaly.Anomaly) error {
	b, err := a.MarshalJSON()
	if err != nil {
		return err
	}
	return st.write("event: anomaly\nid: " + eventID(a) + "\ndata: " + string(b) + "\n\n")
}

func (st *stream) missed(ctx context.Context, n int64) error {
	st.telemetry.APIStreamMissedTotal.Add(ctx, n)
	return st.write("event: missed\ndata: {\"count\":" + strconv.FormatInt(n, 10) + "}\n\n")
}

// write sends text at once, or fails when that takes too long. Between writes
// the connection has no deadline.
func (st *stream) write(text string) error {
	deadline := func(t time.Time) error {
		if err := st.control.SetWriteDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return nil
	}
	if err := deadline(time.Now().Add(streamWriteTimeout)); err != nil {
		return err
	}
	if _, err := st.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := st.control.Flush(); err != nil {
		return err
	}
	return deadline(time.Time{})
}
