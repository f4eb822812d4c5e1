package storageextension

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/llm-devops/llm-sentinel/internal/store"
)

// feedbackMatters is the age up to which feedback is handed to an engine that
// registers.
const feedbackMatters = 30 * 24 * time.Hour

// maxFeedbackText is the length of a comment or author, in bytes.
const maxFeedbackText = 1024

// engines are the running detection engines.
type engines struct {
	backend *observed
	log     *zap.Logger

	mu   sync.Mutex
	list []*registration
}

// registration is one engine. Its lock is held while the engine is called, by
// many at a time; who ends the registration waits for them.
type registration struct {
	engine store.Engine
	// ctx ends with the registration, so that a call to the engine which waits
	// for the backend gives up.
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.RWMutex
	gone bool
	// untaught: the feedback of the past could not be read yet. Guarded by
	// engines.mu.
	untaught bool
	// pulled is what the puller knows of the engine. Only it uses that.
	pulled pulled
}

// use calls f with the engine unless the registration has ended.
func (r *registration) use(f func(store.Engine)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.gone {
		f(r.engine)
	}
}

func (e *engines) all() []*registration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// register adds an engine and hands it the feedback of the past. When that
// cannot be read now, it is tried again later: detection must not wait for it.
func (e *engines) register(ctx context.Context, engine store.Engine) (unregister func()) {
	r := &registration{engine: engine}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	// New feedback reaches the engine from here on, so that none is missed.
	e.mu.Lock()
	e.list = append(e.list, r)
	e.mu.Unlock()
	e.teach(r)
	var once sync.Once
	return func() {
		once.Do(func() {
			e.mu.Lock()
			e.list = slices.DeleteFunc(e.list, func(o *registration) bool { return o == r })
			e.mu.Unlock()
			r.cancel()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.gone = true
		})
	}
}

// teach hands the engine the feedback of the past.
func (e *engines) teach(r *registration) {
	if !e.backend.Capabilities().Feedback {
		return
	}
	err := e.handOver(r)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && !r.untaught {
		e.log.Warn("feedback of the past could not be read; it is tried again", zap.String("engine", r.engine.Name()), zap.Error(err))
	}
	r.untaught = err != nil
}

func (e *engines) handOver(r *registration) error {
	q := store.FeedbackQuery{Start: time.Now().Add(-feedbackMatters), Limit: store.MaxFeedback}
	for f, err := range e.backend.Feedback(r.ctx, q) {
		if err != nil {
			return err
		}
		r.use(func(engine store.Engine) { engine.Learn(f) })
	}
	return nil
}

// teachAgain tries what has failed before.
func (e *engines) teachAgain() {
	for _, r := range e.all() {
		e.mu.Lock()
		again := r.untaught
		e.mu.Unlock()
		if again {
			e.teach(r)
		}
	}
}

// give keeps the feedback and hands it to the engines.
func (e *engines) give(ctx context.Context, f store.Feedback) error {
	if err := validFeedback(&f); err != nil {
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	if !e.backend.Capabilities().Feedback {
		return fmt.Errorf("keep feedback: %w", store.ErrUnsupported)
	}
	if err := e.backend.WriteFeedback(ctx, f); err != nil {
		return fmt.Errorf("keep feedback: %w", err)
	}
	for _, r := range e.all() {
		r.use(func(engine store.Engine) { engine.Learn(f) })
	}
	return nil
}

func validFeedback(f *store.Feedback) error {
	switch {
	case f.ID == uuid.Nil:
		return errors.New("id of the feedback must not be empty")
	case f.Time.IsZero():
		return errors.New("time of the feedback must not be empty")
	case f.AnomalyID == uuid.Nil:
		return errors.New("anomaly_id must not be empty")
	case f.Verdict != store.VerdictTrue && f.Verdict != store.VerdictFalse && f.Verdict != store.VerdictMute:
		return fmt.Errorf("verdict must be true, false or mute, got %q", f.Verdict)
	case f.Verdict == store.VerdictMute && !f.Until.After(f.Time):
		return fmt.Errorf("until must be after the time of the feedback, got %s", f.Until.Format(time.RFC3339))
	case f.Verdict != store.VerdictMute && !f.Until.IsZero():
		return fmt.Errorf("until is for mute only, got verdict %q", f.Verdict)
	case len(f.Comment) > maxFeedbackText:
		return fmt.Errorf("comment must have at most %d bytes, got %d", maxFeedbackText, len(f.Comment))
	case len(f.Author) > maxFeedbackText:
		return fmt.Errorf("author must have at most %d bytes, got %d", maxFeedbackText, len(f.Author))
	}
	return nil
}

// live yields what the engines expect now.
func (e *engines) live(yield func(engine string, b store.Baseline) bool) {
	more := true
	for _, r := range e.all() {
		r.use(func(engine store.Engine) {
			name := engine.Name()
			engine.Baselines(time.Time{}, func(b store.Baseline) bool {
				more = yield(name, b)
				return more
			})
		})
		if !more {
			return
		}
	}
}

// close ends all registrations.
func (e *engines) close() {
	e.mu.Lock()
	list := e.list
	e.list = nil
	e.mu.Unlock()
	for _, r := range list {
		r.cancel()
		r.mu.Lock()
		r.gone = true
		r.mu.Unlock()
	}
}
