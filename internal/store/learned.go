package store

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Baseline is what an engine expects of one metric of one series at one time.
type Baseline struct {
	// Time is the event time up to which the engine has learned.
	Time    time.Time
	Service string
	Model   string
	// Metric is the contract name, for example latency_ms; the numbers below
	// are in its unit.
	Metric string
	// Samples that the baseline rests on.
	Samples int64
	// Expected is the median, Lower and Upper bound what is normal for a single
	// call: outside of them a call is marked. On a side on which none is, Lower is
	// 0, or Upper math.MaxFloat64. All three are finite and not negative.
	Expected float64
	Lower    float64
	Upper    float64
}

// BaselineQuery asks for baselines. Empty names match all.
type BaselineQuery struct {
	Service string
	Model   string
	Metric  string
	// Start is inclusive, End exclusive; the zero time leaves that side open.
	Start time.Time
	End   time.Time
	// Limit is the maximum number of results, at least 1.
	Limit int
	// Latest asks for the newest baseline of each series only.
	Latest bool
}

// BaselineStore is implemented by backends whose Capabilities say Baselines.
// The identity of a baseline is its series (service, model, metric) and its time.
type BaselineStore interface {
	WriteBaselines(ctx context.Context, batch []Baseline) error
	// Baselines yields by service, model, metric and ascending time.
	Baselines(ctx context.Context, q BaselineQuery) iter.Seq2[Baseline, error]
}

// Verdict is what a person says about an anomaly.
type Verdict string

// The verdicts.
const (
	// VerdictTrue confirms it.
	VerdictTrue Verdict = "true"
	// VerdictFalse says that it was no anomaly: the engine will be less easily
	// alarmed by the like of it.
	VerdictFalse Verdict = "false"
	// VerdictMute asks not to be told of its service, model and type for a while.
	VerdictMute Verdict = "mute"
)

// Feedback is one verdict of a person. It repeats what it is about, so that it
// can be learned from when the anomaly is gone.
type Feedback struct {
	ID        uuid.UUID
	Time      time.Time // when it was given
	AnomalyID uuid.UUID
	Verdict   Verdict
	// Until is the end of a mute, else zero.
	Until time.Time
	// Comment and Author are free texts, may be empty, at most 1024 bytes each.
	Comment string
	Author  string

	Service string
	Model   string
	Type    anomaly.Type
	Method  anomaly.Method
	Metric  string
	// Value and Baseline as the anomaly had them.
	Value    float64
	Baseline float64
}

// FeedbackQuery asks for feedback, newest first. Zero values match all.
type FeedbackQuery struct {
	AnomalyID uuid.UUID
	Start     time.Time // inclusive
	Limit     int       // at least 1
}

// FeedbackStore is implemented by backends whose Capabilities say Feedback.
// Writing is idempotent by id. Feedback is kept as long as the backend keeps
// anything, but at most MaxFeedback of it: the oldest goes first.
type FeedbackStore interface {
	WriteFeedback(ctx context.Context, f Feedback) error
	Feedback(ctx context.Context, q FeedbackQuery) iter.Seq2[Feedback, error]
}

// MaxFeedback bounds the kept feedback.
const MaxFeedback = 100_000

// Engine is a running detection engine as the storage extension sees it. All
// methods are safe for concurrent use.
type Engine interface {
	// Name is the component id, for example anomaly/chat.
	Name() string
	// Baselines yields what the engine expects now of each series that had a
	// call since the given event time; the zero time asks for all. The baselines
	// of a series follow each other. Nothing is locked while yield runs.
	Baselines(since time.Time, yield func(Baseline) bool)
	// Learn applies feedback. It is idempotent by id, and does not depend on the
	// order. What is about a series that the engine does not know yet is kept for
	// when it comes.
	Learn(f Feedback)
}

// EngineHost is implemented by a storage extension that keeps baselines and
// hands feedback on. Engines register when they start. Feedback of the last
// time that matters is handed to an engine when it registers.
type EngineHost interface {
	// RegisterEngine returns the function that ends the registration; after it
	// has returned the engine is not called any more.
	RegisterEngine(ctx context.Context, e Engine) (unregister func(), err error)
	// GiveFeedback keeps the feedback and hands it to the engines. It returns
	// ErrInvalid for what makes no sense, and ErrUnsupported when the backend
	// keeps no feedback; nothing is learned then.
	GiveFeedback(ctx context.Context, f Feedback) error
	// LiveBaselines yields what the registered engines expect now. yield must
	// not call the host.
	LiveBaselines(yield func(engine string, b Baseline) bool)
}
