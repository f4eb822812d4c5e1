package score

import (
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

// logOffset gives zero a place on the log scale, in the unit of the values.
const logOffset = .01

// told is the score of values outside the limits whose episode was reported
// before: just below the threshold.
const told = 1 - 1e-6

// sentinel is the product's engine with its default detectors. Values are
// judged on the log scale until the first negative one, and from then on as
// they are. Both models learn from the beginning.
type sentinel struct {
	log, linear           *detect.Model
	logState, linearState detect.State
	signed                bool
}

func newSentinel() Scorer {
	c := detect.DefaultConfig()
	s := &sentinel{linear: mustModel(c)}
	c.Scale, c.LogOffset = detect.Log, logOffset
	s.log = mustModel(c)
	s.linearState, s.logState = s.linear.NewState(), s.log.NewState()
	return s
}

// mustModel panics on a configuration that the engine refuses: it is a constant
// of this file.
func mustModel(c detect.Config) *detect.Model {
	m, err := detect.NewModel(c)
	if err != nil {
		panic(err)
	}
	return m
}

func (s *sentinel) Judge(t time.Time, x float64) Judgement {
	s.signed = s.signed || x < 0
	v := s.linear.Observe(&s.linearState, t.UnixNano(), x)
	if !s.signed {
		v = s.log.Observe(&s.logState, t.UnixNano(), x)
	}
	j := Judgement{Score: v.Score, Evidence: v.Score, Alarm: v.Alarm}
	switch {
	case v.Alarm:
		j.Score = max(j.Score, 1)
	case j.Score >= 1:
		j.Score = told
	}
	return j
}
