package embedded

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

var _ store.FeedbackStore = (*Store)(nil)

const (
	// maxComment bounds the texts that a person writes, maxFeedbackName the names
	// that are taken from the anomaly, in bytes.
	maxComment      = 1024
	maxFeedbackName = 4096

	feedbackColumns = "id, time, anomaly, verdict, until, comment, author, service, model, type, method, metric, value, baseline"
)

func checkFeedback(f *store.Feedback) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("write feedback: %w: "+format, append([]any{store.ErrInvalid}, args...)...)
	}
	switch {
	case f.ID == uuid.Nil:
		return bad("it has no id")
	case f.AnomalyID == uuid.Nil:
		return bad("it has no id of an anomaly")
	case f.Time.Before(minTime) || f.Time.After(maxTime) || f.Time.IsZero():
		return bad("time is %s", f.Time)
	}
	switch f.Verdict {
	case store.VerdictTrue, store.VerdictFalse:
		if !f.Until.IsZero() {
			return bad("verdict %q has no end, got until %s", f.Verdict, f.Until)
		}
	case store.VerdictMute:
		if f.Until.IsZero() || f.Until.Before(minTime) || f.Until.After(maxTime) {
			return bad("verdict %q needs an end, got until %s", f.Verdict, f.Until)
		}
	default:
		return bad("unknown verdict %q", f.Verdict)
	}
	for _, t := range [...]struct {
		name, text string
		limit      int
	}{
		{"comment", f.Comment, maxComment},
		{"author", f.Author, maxComment},
		{"service", f.Service, maxFeedbackName},
		{"model", f.Model, maxFeedbackName},
		{"type", string(f.Type), maxFeedbackName},
		{"method", string(f.Method), maxFeedbackName},
		{"metric", f.Metric, maxFeedbackName},
	} {
		if len(t.text) > t.limit {
			return bad("%s has %d bytes, at most %d are kept", t.name, len(t.text), t.limit)
		}
	}
	return nil
}

// WriteFeedback implements [store.FeedbackStore]. It returns [store.ErrInvalid]
// for feedback without ids or time, with an unknown verdict, with an end that does
// not fit to the verdict, and with texts that are too long.
func (s *Store) WriteFeedback(ctx context.Context, f store.Feedback) error {
	if err := checkFeedback(&f); err != nil {
		return err
	}
	err := s.change(ctx, "write feedback", nil, func([]planned) error {
		if err := s.w.addFeedback(&f); err != nil {
			return err
		}
		return s.w.limitFeedback(store.MaxFeedback)
	})
	if err == nil {
		s.w.versions.bumpAll()
	}
	return err
}

func (w *writer) addFeedback(f *store.Feedback) error {
	stmt, err := w.conn.Prepare("INSERT INTO feedback(" + feedbackColumns + ") VALUES(" +
		placeholders(countColumns(feedbackColumns)) + ") ON CONFLICT(id) DO NOTHING")
	if err != nil {
		return err
	}
	if err := stmt.ClearBindings(); err != nil {
		return err
	}
	b := &binder{stmt: stmt}
	b.bytes(f.ID[:])
	b.int(f.Time.UnixNano())
	b.bytes(f.AnomalyID[:])
	b.exactly(string(f.Verdict))
	if b.skipIf(f.Until.IsZero()) {
		b.int(f.Until.UnixNano())
	}
	for _, t := range [...]string{f.Comment, f.Author, f.Service, f.Model, string(f.Type), string(f.Method), f.Metric} {
		b.exactly(t)
	}
	b.float(f.Value, true)
	b.float(f.Baseline, true)
	return step(stmt)
}

// limitFeedback removes the oldest feedback beyond most.
func (w *writer) limitFeedback(most int64) error {
	n, err := queryInt(w.conn, "SELECT count(*) FROM feedback")
	if err != nil || n <= most {
		return err
	}
	return sqlitex.ExecuteTransient(w.conn, "DELETE FROM feedback WHERE id IN (SELECT id FROM feedback ORDER BY time, id LIMIT ?)",
		&sqlitex.ExecOptions{Args: []any{n - most}})
}

// Feedback implements [store.FeedbackStore].
func (s *Store) Feedback(ctx context.Context, q store.FeedbackQuery) iter.Seq2[store.Feedback, error] {
	return stream(ctx, s, "read feedback", checkLimit(q.Limit), func(conn *sqlite.Conn, emit func(store.Feedback, int) error) error {
		w := &where{}
		if q.AnomalyID != uuid.Nil {
			w.add("anomaly = ?", q.AnomalyID[:])
		}
		if !q.Start.IsZero() {
			w.add("time >= ?", clampNanos(q.Start))
		}
		return eachRow(conn, "SELECT "+feedbackColumns+" FROM feedback"+w.sql.String()+" ORDER BY time DESC, id DESC LIMIT ?",
			append(w.args, int64(q.Limit)), func(stmt *sqlite.Stmt) error {
				r := &row{stmt: stmt}
				f := scanFeedback(r)
				return emit(f, r.size)
			})
	})
}

func scanFeedback(r *row) (f store.Feedback) {
	r.bytes(f.ID[:])
	f.Time = time.Unix(0, r.int()).UTC()
	r.bytes(f.AnomalyID[:])
	f.Verdict = store.Verdict(r.text())
	if !r.null() {
		f.Until = time.Unix(0, r.int()).UTC()
	}
	f.Comment, f.Author, f.Service, f.Model = r.text(), r.text(), r.text(), r.text()
	f.Type, f.Method, f.Metric = anomaly.Type(r.text()), anomaly.Method(r.text()), r.text()
	f.Value, f.Baseline = r.float(), r.float()
	return f
}
