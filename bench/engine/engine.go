package main

import (
	"fmt"

	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

// engine judges values with states of type S.
type engine[S any] interface {
	Init(st *S)
	Judge(st *S, at int64, x float64) (alarm bool)
	// Fetch reads what Judge will need, see [series.Options].
	Fetch(st *S) uint64
	Save(dst []byte, st *S) []byte
	Load(src []byte, st *S) (rest []byte, err error)
}

// perCall judges as the product judges single calls.
type perCall struct{ *detect.Model }

func (e perCall) Init(st *detect.State) { e.Reset(st) }

func (e perCall) Judge(st *detect.State, at int64, x float64) bool {
	if e.Absorb(st, at, x) {
		return false
	}
	v := e.Observe(st, at, x)
	return v.Alarm
}

func (perCall) Fetch(st *detect.State) uint64 { return st.Fetch() }

func (e perCall) Save(dst []byte, st *detect.State) []byte { return e.AppendState(dst, st) }

func (e perCall) Load(src []byte, st *detect.State) ([]byte, error) { return e.ReadState(src, st) }

// perStep judges as the product judges the means of time steps.
type perStep struct{ *ensemble.Model }

func (perStep) Init(*ensemble.State) {}

func (e perStep) Judge(st *ensemble.State, at int64, x float64) bool {
	v := e.Observe(st, at, x)
	return v.Alarm
}

func (perStep) Fetch(st *ensemble.State) uint64 { return st.Fetch() }

func (perStep) Save(dst []byte, st *ensemble.State) []byte { return st.Append(dst) }

func (perStep) Load(src []byte, st *ensemble.State) ([]byte, error) { return st.Read(src) }

// full judges every value both ways. The product judges a mean only once a
// minute: this is what a value costs at most.
type full struct {
	calls perCall
	steps perStep
}

type fullState struct {
	Calls detect.State
	Steps ensemble.State
}

func (e full) Init(st *fullState) { e.calls.Init(&st.Calls) }

func (e full) Judge(st *fullState, at int64, x float64) bool {
	a := e.calls.Judge(&st.Calls, at, x)
	b := e.steps.Judge(&st.Steps, at, x)
	return a || b
}

func (full) Fetch(st *fullState) uint64 { return st.Calls.Fetch() + st.Steps.Fetch() }

func (e full) Save(dst []byte, st *fullState) []byte {
	return e.steps.Save(e.calls.Save(dst, &st.Calls), &st.Steps)
}

func (e full) Load(src []byte, st *fullState) ([]byte, error) {
	rest, err := e.calls.Load(src, &st.Calls)
	if err != nil {
		return nil, err
	}
	return e.steps.Load(rest, &st.Steps)
}

// detectorSet is what a value is judged by.
type detectorSet struct {
	name    string
	measure func(name string, n int, o options) (*figure, error)
}

// detectorSets are the four classical detectors, the nine of the ensemble, and
// all of them.
func detectorSets() []detectorSet {
	return []detectorSet{
		{"classic", func(name string, n int, o options) (*figure, error) {
			calls, _, err := models()
			if err != nil {
				return nil, err
			}
			return measure[detect.State](name, perCall{calls}, n, o)
		}},
		{"step", func(name string, n int, o options) (*figure, error) {
			_, steps, err := models()
			if err != nil {
				return nil, err
			}
			return measure[ensemble.State](name, perStep{steps}, n, o)
		}},
		{"full", func(name string, n int, o options) (*figure, error) {
			calls, steps, err := models()
			if err != nil {
				return nil, err
			}
			return measure[fullState](name, full{perCall{calls}, perStep{steps}}, n, o)
		}},
	}
}

func models() (*detect.Model, *ensemble.Model, error) {
	calls, err := detect.NewModel(detect.Config{Scale: detect.Log})
	if err != nil {
		return nil, nil, fmt.Errorf("build the model of calls: %w", err)
	}
	steps, err := ensemble.NewModel(ensemble.Config{})
	if err != nil {
		return nil, nil, fmt.Errorf("build the model of steps: %w", err)
	}
	return calls, steps, nil
}
