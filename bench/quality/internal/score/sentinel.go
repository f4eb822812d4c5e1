package score

import (
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

// told is the score of values of high evidence that would not be reported,
// because one of like evidence was within the cool-down.
const told = 0

// sentinel is what the product judges the values of a time step by, with its
// defaults.
type sentinel struct {
	model *ensemble.Model
	state ensemble.State
}

func newSentinel() Scorer {
	m, err := ensemble.NewModel(ensemble.Config{})
	if err != nil {
		panic(err) // the zero value is valid
	}
	return &sentinel{model: m}
}

func (s *sentinel) Judge(t time.Time, x float64) Judgement {
	v := s.model.Observe(&s.state, t.UnixNano(), x)
	j := Judgement{Score: v.Score, Evidence: v.Rank(), Alarm: v.Alarm, P: v.P, Rate: v.Rate}
	if !v.News {
		j.Score = told
	}
	return j
}

// logOffset gives zero a place on the log scale, in the unit of the values.
const logOffset = .01

// ongoing is the score of values outside the limits whose episode was reported
// before: just below the threshold.
const ongoing = 1 - 1e-6

// perCall is what the product judges single calls by, with its defaults. Values
// are judged on the log scale until the first negative one, and from then on as
// they are. Both models learn from the beginning.
type perCall struct {
	log, linear           *detect.Model
	logState, linearState detect.State
	signed                bool
}

func newPerCall() Scorer {
	c := detect.DefaultConfig()
	s := &perCall{linear: mustModel(c)}
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

func (s *perCall) Judge(t time.Time, x float64) Judgement {
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
		j.Score = ongoing
	}
	return j
}
