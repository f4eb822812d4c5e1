package anomalyprocessor

import (
	"encoding/binary"
	"errors"

	"github.com/llm-devops/llm-sentinel/internal/detect/burst"
)

// securityVersion is that of the serialised form.
const securityVersion = 1

// appendState leaves out fingerprints of prompts and users: they mean nothing
// without those that follow at once.
func (s *securityState) appendState(dst []byte) []byte {
	dst = append(dst, securityVersion)
	for _, at := range s.told {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(at))
	}
	dst = s.refusals.Append(dst)
	var near *burst.State
	if s.prompts != nil {
		near = &s.prompts.near
	}
	for _, optional := range [...]*burst.State{s.pii, near} {
		if optional == nil {
			dst = append(dst, 0)
			continue
		}
		dst = optional.Append(append(dst, 1))
	}
	return dst
}

func (*securityRule) readState(src []byte) (ruleState, error) {
	in := reader{b: src}
	if v := in.take(1); v == nil || v[0] != securityVersion {
		return nil, errors.New("of another version")
	}
	s := &securityState{}
	for i := range s.told {
		s.told[i] = int64(in.uint64())
	}
	if in.failed {
		return nil, errors.New("truncated")
	}
	var err error
	if in.b, err = s.refusals.Read(in.b); err != nil {
		return nil, err
	}
	var optional [2]*burst.State
	for i := range optional {
		has := in.take(1)
		if in.failed || has[0] > 1 {
			return nil, errors.New("malformed")
		}
		if has[0] == 1 {
			optional[i] = &burst.State{}
			if in.b, err = optional[i].Read(in.b); err != nil {
				return nil, err
			}
		}
	}
	if len(in.b) > 0 {
		return nil, errors.New("bytes left over")
	}
	s.pii = optional[0]
	if optional[1] != nil {
		s.prompts = &flood{near: *optional[1]}
	}
	return s, nil
}
