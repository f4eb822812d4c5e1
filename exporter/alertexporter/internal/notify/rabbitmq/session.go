package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
)

// blockedPause is the pause asked of the retry logic while the broker is
// blocked by a memory or disk alarm.
const blockedPause = 5 * time.Second

var (
	errNack           = errors.New("the broker refused the message (nack)")
	errConfirmTimeout = errors.New("the broker did not confirm in time")
	errShutdown       = errors.New("the exporter is shutting down")
)

// job is one message on its way; result receives exactly one value.
type job struct {
	key      string
	msg      amqp.Publishing
	deadline time.Time
	result   chan error
}

// session owns one link. Its serve loop is the only goroutine that touches the
// link; others hand it jobs.
type session struct {
	cfg    *Config
	link   link
	health notify.Health
	begun  time.Time

	jobs chan *job
	// ended is closed when the session takes no more jobs; each job taken
	// before has its result by then.
	ended chan struct{}

	// Owned by serve.
	pending   []*job         // published, in order, waiting for confirmation
	nextTag   uint64         // delivery tag of pending[0]
	returned  map[string]int // message ids that came back, not yet confirmed
	blocked   string         // reason of the broker, empty when not blocked
	confirmed uint64
}

func newSession(cfg *Config, l link, health notify.Health) *session {
	return &session{
		cfg: cfg, link: l, health: health, begun: time.Now(),
		jobs: make(chan *job), ended: make(chan struct{}),
		nextTag: 1, returned: map[string]int{},
	}
}

// do hands j to the session and waits for the result.
func (s *session) do(ctx context.Context, j *job) error {
	select {
	case s.jobs <- j:
	case <-s.ended:
		return notify.Retryable(notify.ReasonUnavailable, errLinkEnded)
	case <-ctx.Done():
		return notify.Retryable(notify.ReasonUnavailable, ctx.Err())
	}
	select {
	case err := <-j.result:
		return err
	case <-ctx.Done():
		return notify.Retryable(notify.ReasonUnconfirmed, ctx.Err())
	}
}

// serve publishes jobs until the link ends, a confirmation is overdue or ctx
// ends, and returns why. The link must be closed afterwards.
func (s *session) serve(ctx context.Context) error {
	err := s.loop(ctx)
	close(s.ended)
	f := notify.Retryable(notify.ReasonUnavailable, err)
	if errors.Is(err, errConfirmTimeout) {
		f.Reason = notify.ReasonUnconfirmed
	}
	for _, j := range s.pending {
		j.result <- f
	}
	s.pending = nil
	return err
}

func (s *session) loop(ctx context.Context) error {
	overdue := time.NewTimer(time.Hour)
	defer overdue.Stop()
	for {
		jobs := s.jobs
		if len(s.pending) >= window {
			jobs = nil
		}
		if len(s.pending) > 0 {
			overdue.Reset(time.Until(s.pending[0].deadline))
		} else {
			overdue.Stop()
		}
		select {
		case <-ctx.Done():
			return errShutdown
		case j := <-jobs:
			if err := s.publish(j); err != nil {
				return err
			}
		case r := <-s.link.returns():
			s.noteReturn(r)
		case c, ok := <-s.link.confirms():
			if !ok {
				return s.link.reason()
			}
			s.confirm(c)
		case b := <-s.link.blocked():
			s.setBlocked(b)
		case <-overdue.C:
			return errConfirmTimeout
		}
	}
}

func (s *session) publish(j *job) error {
	if s.blocked != "" {
		f := notify.Retryable(notify.ReasonThrottled, fmt.Errorf("the broker is blocked: %s", s.blocked))
		f.RetryAfter = blockedPause
		j.result <- f
		return nil
	}
	j.deadline = time.Now().Add(s.cfg.ConfirmTimeout)
	s.pending = append(s.pending, j)
	if err := s.link.publish(j.key, s.cfg.Mandatory, j.msg); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func (s *session) noteReturn(r amqp.Return) {
	// A closed channel yields empty returns until serve sees the end.
	if r.MessageId != "" {
		s.returned[r.MessageId]++
	}
}

// confirm finishes the message with the tag of c. The return of an unroutable
// message was queued before its confirmation, so it is looked up only after
// the queue of returns is drained.
func (s *session) confirm(c amqp.Confirmation) {
	for drained := false; !drained; {
		select {
		case r, ok := <-s.link.returns():
			s.noteReturn(r)
			drained = !ok
		default:
			drained = true
		}
	}
	if c.DeliveryTag != s.nextTag || len(s.pending) == 0 {
		return
	}
	j := s.pending[0]
	s.pending[0] = nil
	s.pending = s.pending[1:]
	s.nextTag++
	s.confirmed++

	id := j.msg.MessageId
	switch {
	case s.returned[id] > 0:
		if s.returned[id]--; s.returned[id] == 0 {
			delete(s.returned, id)
		}
		j.result <- s.unroutable(j)
	case !c.Ack:
		j.result <- notify.Retryable(notify.ReasonRejected, errNack)
	default:
		j.result <- nil
	}
}

func (s *session) unroutable(j *job) error {
	err := fmt.Errorf("no queue is bound to exchange %q for routing key %q", s.cfg.Exchange, j.key)
	if s.cfg.OnReturn == OnReturnRetry || time.Since(s.begun) < s.cfg.ReturnGrace {
		return notify.Retryable(notify.ReasonUnroutable, err)
	}
	return notify.Permanent(notify.ReasonUnroutable, err)
}

func (s *session) setBlocked(b amqp.Blocking) {
	switch {
	case b.Active:
		s.blocked = b.Reason
		if s.blocked == "" {
			s.blocked = "no reason given"
		}
		s.health(fmt.Errorf("the broker is blocked: %s", s.blocked), false)
	case s.blocked != "":
		s.blocked = ""
		s.health(nil, false)
	}
}
