package llmtraffic

import (
	"sync"
	"sync/atomic"
	"time"
)

// Counts account for every span of a run. After a run
// Spans = Accepted + Rejected + Failed + Unsent.
type Counts struct {
	// Calls are LLM calls made; Spans all spans made, HTTP server spans included.
	Calls int64 `json:"calls"`
	Spans int64 `json:"spans"`
	// Accepted spans were answered with success; Rejected were refused in a
	// partial success; Failed belong to requests that were given up; Unsent
	// were made but not sent, because the run was stopped.
	Accepted int64 `json:"accepted_spans"`
	Rejected int64 `json:"rejected_spans"`
	Failed   int64 `json:"failed_spans"`
	Unsent   int64 `json:"unsent_spans"`

	Requests       int64 `json:"requests"`
	FailedRequests int64 `json:"failed_requests"`
	Retries        int64 `json:"retries"`
	Bytes          int64 `json:"bytes"`
	// EventTime is how far the run has come, in event time.
	EventTime time.Time `json:"event_time"`
}

// Stats collect the counts of a run. They are safe for concurrent use.
type Stats struct {
	calls, spans, accepted, rejected, failed  atomic.Int64
	requests, failedRequests, retries, volume atomic.Int64
	position                                  atomic.Int64

	mu       sync.Mutex
	messages map[string]int
	effects  map[int]*Effect
}

// Effect says which calls an incident changed.
type Effect struct {
	Calls int
	// First and Last are event times.
	First, Last time.Time
	// Times are the event times of the first maxEffectTimes calls, in order.
	Times []time.Time
}

const (
	maxEffectTimes = 100_000
	maxMessages    = 8
)

// Counts returns the state of the run.
func (s *Stats) Counts() Counts {
	c := Counts{
		Calls: s.calls.Load(), Spans: s.spans.Load(), Accepted: s.accepted.Load(), Rejected: s.rejected.Load(), Failed: s.failed.Load(),
		Requests: s.requests.Load(), FailedRequests: s.failedRequests.Load(), Retries: s.retries.Load(), Bytes: s.volume.Load(),
	}
	if p := s.position.Load(); p != 0 {
		c.EventTime = time.Unix(0, p).UTC()
	}
	c.Unsent = c.Spans - c.Accepted - c.Rejected - c.Failed
	return c
}

// Messages returns the distinct errors and partial-success texts with their
// number; at most a handful are kept.
func (s *Stats) Messages() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.messages))
	for k, v := range s.messages {
		out[k] = v
	}
	return out
}

func (s *Stats) message(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.messages == nil {
		s.messages = map[string]int{}
	}
	if _, ok := s.messages[text]; !ok && len(s.messages) >= maxMessages {
		text = "other"
	}
	s.messages[text]++
}

// Effect returns what incident i changed.
func (s *Stats) Effect(i int) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.effects[i]; e != nil {
		return *e
	}
	return Effect{}
}

func (s *Stats) affected(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effects == nil {
		s.effects = map[int]*Effect{}
	}
	e := s.effects[c.Incident]
	if e == nil {
		e = &Effect{}
		s.effects[c.Incident] = e
	}
	t := time.Unix(0, c.Time()).UTC()
	if e.Calls == 0 {
		e.First = t
	}
	e.Calls++
	e.Last = t
	if len(e.Times) < maxEffectTimes {
		e.Times = append(e.Times, t)
	}
}
