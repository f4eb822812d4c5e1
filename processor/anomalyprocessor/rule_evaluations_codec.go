package anomalyprocessor

import (
	"encoding/binary"
	"errors"
	"math"
)

// evaluationVersion is that of the serialised form.
const evaluationVersion = 1

func (s *evaluationState) appendState(dst []byte) []byte {
	dst = append(dst, evaluationVersion)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s.evaluators)))
	for _, e := range s.evaluators {
		dst = appendText(dst, e.name)
		flags := e.scale
		if e.graded {
			flags |= 2
		}
		dst = append(dst, flags, e.n)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.sum))
		dst = e.fails.Append(dst)
		if e.scores == nil {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		dst = e.rule.model(e).AppendState(dst, e.scores)
	}
	return dst
}

func (r *evaluationRule) readState(src []byte) (ruleState, error) {
	in := reader{b: src}
	if v := in.take(3); v == nil || v[0] != evaluationVersion {
		return nil, errors.New("of another version")
	}
	n := int(binary.LittleEndian.Uint16(src[1:]))
	if n > r.cfg.MaxEvaluators {
		return nil, errors.New("has too many evaluators")
	}
	s := &evaluationState{}
	for range n {
		e := r.newEvaluator(in.text())
		flags := in.take(2)
		e.sum = math.Float64frombits(in.uint64())
		if in.failed || flags[0]&1 >= numScales || flags[0]>>2 != 0 || flags[1] >= scoreBlock || !(math.Abs(e.sum) <= math.MaxFloat64) || s.find(e.name) != nil {
			return nil, errors.New("evaluator is malformed")
		}
		e.scale, e.graded, e.n = flags[0]&1, flags[0]&2 != 0, flags[1]
		var err error
		if in.b, err = e.fails.Read(in.b); err != nil {
			return nil, err
		}
		has := in.take(1)
		if in.failed || has[0] > 1 {
			return nil, errors.New("evaluator is malformed")
		}
		if has[0] == 1 {
			m := r.model(e)
			st := m.NewState()
			if in.b, err = m.ReadState(in.b, &st); err != nil {
				return nil, err
			}
			e.scores = &st
		}
		s.evaluators = append(s.evaluators, e)
	}
	if len(in.b) > 0 {
		return nil, errors.New("bytes left over")
	}
	return s, nil
}
