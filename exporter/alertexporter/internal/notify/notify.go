// Package notify holds what notification targets have in common: the
// notification, the target interface and the classes of failure.
//
// A target knows nothing of queues, retries or deduplication; it makes one
// attempt and says what came of it.
package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/component"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// Types of notifications: about a found anomaly, and about the end of one.
const (
	EventType     = "anomaly.detected"
	EventResolved = "anomaly.resolved"
)

// Notification is one anomaly that a target shall tell about.
type Notification struct {
	Anomaly anomaly.Anomaly
	// Suppressed is the number of anomalies of the same identity that were
	// not notified since the last notification of that identity.
	Suppressed uint64
	// End is set when the notification is about the end of the anomaly. Of
	// Anomaly only ID, Time (that of the end), Severity, Type, Service and Model
	// are set then.
	End *anomaly.Resolution
}

// ID names the notification. It is the id of the anomaly, or one that follows
// from it for its end, so that it is the same for every attempt, every replica
// and every target.
func (n Notification) ID() string {
	if n.End != nil {
		return uuid.NewSHA1(n.Anomaly.ID, []byte(EventResolved)).String()
	}
	return n.Anomaly.ID.String()
}

// Type is the type of the notification.
func (n Notification) Type() string {
	if n.End != nil {
		return EventResolved
	}
	return EventType
}

// Target delivers notifications to one place. Notify may be called from
// several goroutines between Start and Shutdown.
type Target interface {
	// Start must not fail because the receiving side is unreachable.
	Start(ctx context.Context, host component.Host) error
	// Notify makes one attempt. It returns nil only when the receiving side
	// confirmed the notification, and a *Error otherwise.
	Notify(ctx context.Context, n Notification) error
	// Shutdown is idempotent, waits for the target's goroutines, and may be
	// called without Start.
	Shutdown(ctx context.Context) error
}

// Health reports the state of a target: nil when it works. A permanent error
// lasts until the collector restarts.
type Health func(err error, permanent bool)

// Reason says in one word why an attempt failed; it is a metric label.
type Reason string

// The reasons of failed attempts.
const (
	// ReasonInvalid: the notification cannot be expressed for the target.
	ReasonInvalid Reason = "invalid"
	// ReasonRejected: the receiver understood and refused.
	ReasonRejected Reason = "rejected"
	// ReasonRedirected: the receiver answered with a redirect, which is not followed.
	ReasonRedirected Reason = "redirected"
	// ReasonDisabled: the receiver said earlier that it is gone for good.
	ReasonDisabled Reason = "disabled"
	// ReasonUnroutable: the broker found no queue for the message.
	ReasonUnroutable Reason = "unroutable"
	// ReasonThrottled: the receiver asked for a pause.
	ReasonThrottled Reason = "throttled"
	// ReasonUnavailable: the receiver could not be reached or failed.
	ReasonUnavailable Reason = "unavailable"
	// ReasonUnconfirmed: the message left, its confirmation did not come in time.
	ReasonUnconfirmed Reason = "unconfirmed"
)

// Error is a failed attempt.
type Error struct {
	Reason Reason
	// Permanent tells that another attempt would fail the same way.
	Permanent bool
	// RetryAfter is the pause that the receiver asked for; zero when none.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Permanent builds an error that a retry cannot cure.
func Permanent(r Reason, err error) *Error { return &Error{Reason: r, Permanent: true, Err: err} }

// Retryable builds an error that may go away.
func Retryable(r Reason, err error) *Error { return &Error{Reason: r, Err: err} }

// Classify gives the failure inside err; an error of another kind counts as
// unavailable and retryable.
func Classify(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Retryable(ReasonUnavailable, err)
}
