package queryextension

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/client"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const (
	minMute     = time.Minute
	maxMute     = 30 * day
	defaultMute = 24 * time.Hour
	// maxRemark bounds the texts of feedback, in bytes.
	maxRemark = 1024
	// maxJudged bounds how much feedback is looked at to tell what is active.
	maxJudged = 10_000
)

var feedbackParams = []string{"anomaly_id", "limit"}

// feedbackRequest is the body of POST /api/v1/anomalies/{id}/feedback.
type feedbackRequest struct {
	Verdict store.Verdict `json:"verdict"`
	Until   string        `json:"until"`
	For     string        `json:"for"`
	Comment string        `json:"comment"`
	Author  string        `json:"author"`
}

type feedbackRow struct {
	ID        uuid.UUID     `json:"id"`
	Time      time.Time     `json:"time"`
	AnomalyID uuid.UUID     `json:"anomaly_id"`
	Verdict   store.Verdict `json:"verdict"`
	Until     *time.Time    `json:"until"`
	Comment   string        `json:"comment"`
	Author    string        `json:"author"`

	Service  string         `json:"service"`
	Model    string         `json:"model"`
	Type     anomaly.Type   `json:"anomaly_type"`
	Method   anomaly.Method `json:"detection_method"`
	Metric   string         `json:"metric"`
	Value    *float64       `json:"value"`
	Baseline *float64       `json:"baseline"`
}

func newFeedbackRow(f store.Feedback) feedbackRow {
	row := feedbackRow{
		ID: f.ID, Time: f.Time.UTC(), AnomalyID: f.AnomalyID, Verdict: f.Verdict, Comment: f.Comment, Author: f.Author,
		Service: f.Service, Model: f.Model, Type: f.Type, Method: f.Method, Metric: f.Metric,
		Value: number(f.Value, true), Baseline: number(f.Baseline, true),
	}
	if !f.Until.IsZero() {
		until := f.Until.UTC()
		row.Until = &until
	}
	return row
}

func feedbackRows(all []store.Feedback) []feedbackRow {
	rows := make([]feedbackRow, len(all))
	for i := range all {
		rows[i] = newFeedbackRow(all[i])
	}
	return rows
}

// verdict checks the body. The names in errors are those of its members.
func (b *feedbackRequest) verdict(now time.Time) (store.Feedback, *apiError) {
	f := store.Feedback{ID: uuid.New(), Time: now.UTC(), Verdict: b.Verdict, Comment: b.Comment, Author: b.Author}
	switch b.Verdict {
	case store.VerdictTrue, store.VerdictFalse:
		for name, text := range map[string]string{"until": b.Until, "for": b.For} {
			if text != "" {
				return f, badParameter(codeInvalidParameter, name, text, "left out unless verdict is mute")
			}
		}
	case store.VerdictMute:
		var e *apiError
		if f.Until, e = b.muteEnd(now); e != nil {
			return f, e
		}
	default:
		return f, badParameter(codeInvalidParameter, "verdict", string(b.Verdict), `"true", "false" or "mute"`)
	}
	for _, text := range [...]struct{ name, value string }{{"comment", b.Comment}, {"author", b.Author}} {
		if len(text.value) > maxRemark || !utf8.ValidString(text.value) || strings.ContainsRune(text.value, 0) {
			return f, badParameter(codeInvalidParameter, text.name, text.value, fmt.Sprintf("UTF-8 text of at most %d bytes", maxRemark))
		}
	}
	return f, nil
}

func (b *feedbackRequest) muteEnd(now time.Time) (time.Time, *apiError) {
	const allowed = "1 minute to 30 days"
	length := defaultMute
	switch {
	case b.Until != "" && b.For != "":
		return time.Time{}, badParameter(codeInvalidParameter, "until", b.Until, "left out when for is given")
	case b.Until != "":
		t, err := time.Parse(time.RFC3339Nano, b.Until)
		// Sub saturates, so that any time can be compared.
		if d := t.Sub(now); err != nil || d < minMute || d > maxMute {
			return time.Time{}, badParameter(codeInvalidTime, "until", b.Until, "an RFC 3339 time "+allowed+" from now")
		}
		return t.UTC(), nil
	case b.For != "":
		var ok bool
		if length, ok = parseDuration(b.For); !ok || length < minMute || length > maxMute {
			return time.Time{}, badParameter(codeInvalidParameter, "for", b.For, "a duration of "+allowed+", for example 2h or 7d")
		}
	}
	return now.Add(length).UTC(), nil
}

// provenName is the name of a client that an authenticator has checked, as the
// stock ones tell it; "" when there is none.
func provenName(ctx context.Context) string {
	auth := client.FromContext(ctx).Auth
	if auth == nil {
		return ""
	}
	for _, attribute := range [...]string{"username", "subject"} {
		if name, ok := auth.GetAttribute(attribute).(string); ok && len(name) <= maxRemark && utf8.ValidString(name) {
			return name
		}
	}
	return ""
}

func (s *server) giveFeedback(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	id, e := checkID("id", q.http.PathValue("id"))
	if e != nil {
		return nil, meta, e
	}
	var body feedbackRequest
	if e := s.readJSON(q.http, &body); e != nil {
		return nil, meta, e
	}
	f, e := body.verdict(q.now)
	if e != nil {
		return nil, meta, e
	}
	f, err := s.keepFeedback(ctx, q.reader, q.caps, id, f)
	if err != nil {
		return nil, meta, err
	}
	return newFeedbackRow(f), meta, nil
}

// keepFeedback completes checked feedback by its anomaly and keeps it.
func (s *server) keepFeedback(ctx context.Context, r store.Reader, caps store.Capabilities, id uuid.UUID, f store.Feedback) (store.Feedback, error) {
	if name := provenName(ctx); f.Author == "" {
		f.Author = name
	}
	give := s.feedbackTaker(r)
	if e := refuse(need{needByID, true, caps.ByID}, need{needFeedback, true, give != nil}); e != nil {
		return f, e
	}
	a, err := anomalyByID(ctx, r, id)
	if err != nil {
		return f, err
	}
	f.AnomalyID, f.Service, f.Model, f.Type, f.Method = a.ID, a.Service, a.Model, a.Type, a.Method
	f.Metric, f.Value, f.Baseline = a.Details.Metric, a.Details.Value, a.Details.Baseline
	return f, give(ctx, f)
}

// feedbackTaker is what keeps feedback: the storage extension, which also hands
// it to the engines, else the backend; nil when neither can.
func (s *server) feedbackTaker(r store.Reader) func(context.Context, store.Feedback) error {
	kept := feedbackStore(r)
	if kept == nil {
		return nil
	}
	if host, ok := s.extension.(store.EngineHost); ok {
		return host.GiveFeedback
	}
	return kept.WriteFeedback
}

func (s *server) findFeedback(ctx context.Context, q *inquiry) (any, answerMetadata, error) {
	var meta answerMetadata
	var ask store.FeedbackQuery
	var e *apiError
	if text, ok := q.values["anomaly_id"]; ok {
		if ask.AnomalyID, e = checkID("anomaly_id", text); e != nil {
			return nil, meta, e
		}
	}
	if ask.Limit, e = q.values.limit(); e != nil {
		return nil, meta, e
	}
	kept := feedbackStore(q.reader)
	if e := refuse(need{needFeedback, true, kept != nil}); e != nil {
		return nil, meta, e
	}
	rows := newRowList(s.cfg.MaxResponseBytes - metadataBytes)
	for f, err := range kept.Feedback(ctx, ask) {
		if err != nil {
			return nil, meta, err
		}
		switch fits, err := rows.add(newFeedbackRow(f)); {
		case err != nil:
			return nil, meta, err
		case !fits:
			return nil, meta, pageTooLarge(s.cfg.MaxResponseBytes, rows.n)
		}
	}
	meta.PageSize = ask.Limit
	return rows.close(), meta, ctx.Err()
}

// judgement is what people have said of anomalies.
type judgement struct {
	// verdicts are the newest on each anomaly, without mutes.
	verdicts map[uuid.UUID]store.Verdict
	muted    map[complaint]bool
}

// judgements reads the feedback that still matters at now.
func judgements(ctx context.Context, r store.Reader, now time.Time) (*judgement, error) {
	j := &judgement{verdicts: map[uuid.UUID]store.Verdict{}, muted: map[complaint]bool{}}
	kept := feedbackStore(r)
	if kept == nil {
		return j, nil
	}
	for f, err := range kept.Feedback(ctx, store.FeedbackQuery{Start: now.Add(-maxMute), Limit: maxJudged}) {
		if err != nil {
			return nil, err
		}
		if f.Verdict == store.VerdictMute {
			if f.Until.After(now) {
				j.muted[complaint{f.Service, f.Model, f.Type}] = true
			}
		} else if _, newer := j.verdicts[f.AnomalyID]; !newer {
			j.verdicts[f.AnomalyID] = f.Verdict
		}
	}
	return j, ctx.Err()
}

// dismisses reports whether nobody wants to be told of a.
func (j *judgement) dismisses(a *anomaly.Anomaly) bool {
	return j.verdicts[a.ID] == store.VerdictFalse || j.muted[complaint{a.Service, a.Model, a.Type}]
}
