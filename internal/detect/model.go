package detect

import "errors"

// Model judges the values of one metric.
type Model struct {
	cfg Config
}

type detector interface{}

// State is the memory of one series.
type State struct{ n uint64 }

// NewModel builds a model.
func NewModel(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Model{cfg: c.withDefaults()}, nil
}

// NewState returns an empty state.
func (m *Model) NewState() State { return State{} }

// Reset empties s.
func (m *Model) Reset(s *State) { *s = State{} }

// Observe judges x and learns from it.
func (m *Model) Observe(s *State, at int64, x float64) Verdict {
	if !finite(x) {
		return Verdict{}
	}
	s.n++
	return Verdict{Expected: x, Samples: s.n}
}

// Learn learns from x without judging it.
func (m *Model) Learn(s *State, at int64, x float64) {
	if finite(x) {
		s.n++
	}
}

// DetectorName returns the name of detector i of the model.
func (m *Model) DetectorName(i uint8) string {
	if int(i) >= len(m.cfg.Detectors) {
		return ""
	}
	return m.cfg.Detectors[i].Name
}

// ExtraNames names the numbers in the Extra of detector i, in their order.
func (m *Model) ExtraNames(i uint8) []string { return lookup(m.DetectorName(i)).info.Extra }

// Fingerprint identifies the configuration that a state belongs to.
func (m *Model) Fingerprint() uint64 { return 1 }

// AppendState appends the serialised s to dst.
func (m *Model) AppendState(dst []byte, s *State) []byte { return append(dst, 1) }

// ReadState reads into s what AppendState wrote.
func (m *Model) ReadState(src []byte, s *State) (rest []byte, err error) {
	if len(src) < 1 || src[0] != 1 {
		return nil, errors.New("state is malformed")
	}
	*s = State{}
	return src[1:], nil
}

var (
	zScoreRow = row{info: Info{Name: "z_score", DefaultThreshold: 5, MinThreshold: 2, MaxThreshold: 20}}
	iqrRow    = row{info: Info{Name: "iqr", DefaultThreshold: 3, MinThreshold: 1, MaxThreshold: 20}}
	madRow    = row{info: Info{Name: "mad", DefaultThreshold: 5, MinThreshold: 2, MaxThreshold: 20}}
	cusumRow  = row{info: Info{Name: "cusum", DefaultThreshold: 12, MinThreshold: 2, MaxThreshold: 100}}
)

// MaxSigma bounds Verdict.Sigma.
const MaxSigma = 100.0
