package genai

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// setValue is set for an attribute. It takes the values that nearly all have
// without asking for their type: the getters give zero for any other type.
func (st *state) setValue(r *rule, v pcommon.Value) {
	switch r.kind {
	case kindCount:
		if n := v.Int(); n > 0 && n <= maxTokens {
			if st.take(r) {
				st.setCount(r.concept, n)
			}
			return
		}
	case kindName, kindID, kindProvider, kindFinish:
		if s := v.Str(); s != "" && len(s) <= maxNameBytes {
			st.setName(r, s)
			return
		}
	case kindSignal:
		if !isEmpty(v) {
			st.signals |= Signal(r.prio)
		}
		return
	case kindVector:
		st.setVector(r, v)
		return
	}
	st.set(r, scalarOf(v))
}

// set checks a value and keeps it if its rule is preferred.
func (st *state) set(r *rule, s scalar) {
	switch r.kind {
	case kindCount:
		n, p, ok := s.count()
		st.problems |= p
		if ok && st.take(r) {
			st.setCount(r.concept, n)
		}
	case kindCost:
		f, p, ok := s.cost()
		st.problems |= p
		if ok && f == 0 {
			st.freeOfCharge = true
		} else if ok && st.take(r) {
			st.ev.CostUSD = f
			st.ev.Present |= FieldCost
		}
	case kindMillis:
		f, p, ok := s.millis(r.unit, st.start)
		st.setMillis(r, f, p, ok)
	case kindBool:
		b, p, ok := s.boolean()
		st.problems |= p
		if ok && st.take(r) {
			st.ev.Streaming = b
		}
	case kindMessage:
		if s.kind == scalarText && st.take(r) {
			st.ev.ErrorMessage = truncate(s.text, st.extractor.maxText)
		}
	default:
		name, p, ok := s.name(r.kind == kindID)
		st.problems |= p
		if ok {
			st.setName(r, name)
		}
	}
}

// take claims the concept for the rule, unless a preferred one has it.
func (st *state) take(r *rule) bool {
	if r.prio <= st.best[r.concept] {
		return false
	}
	st.best[r.concept] = r.prio
	return true
}

func (st *state) setMillis(r *rule, ms float64, p Problem, ok bool) {
	st.problems |= p
	if !ok || !st.take(r) {
		return
	}
	if r.concept == conceptDuration {
		st.duration = ms
		return
	}
	st.ev.TTFTMillis = ms
	st.ev.Present |= FieldTTFT
}

func (st *state) setCount(c concept, n int64) {
	ev := st.ev
	switch c {
	case conceptInputTokens:
		ev.InputTokens = n
		ev.Present |= FieldInputTokens
	case conceptOutputTokens:
		ev.OutputTokens = n
		ev.Present |= FieldOutputTokens
	case conceptTotalTokens:
		ev.TotalTokens = n
		ev.Present |= FieldTotalTokens
	case conceptCacheReadTokens:
		ev.CacheReadTokens = n
		ev.Present |= FieldCacheReadTokens
	case conceptCacheWriteTokens:
		ev.CacheWriteTokens = n
		ev.Present |= FieldCacheWriteTokens
	case conceptReasoningTokens:
		ev.ReasoningTokens = n
		ev.Present |= FieldReasoningTokens
	}
}

func (st *state) setName(r *rule, name string) {
	if r.prio <= st.best[r.concept] {
		return
	}
	switch r.kind {
	case kindProvider:
		name = st.extractor.provider(name)
	case kindFinish:
		name = st.extractor.finishReason(name)
	}
	if name == "" {
		return
	}
	st.best[r.concept] = r.prio
	ev := st.ev
	switch r.concept {
	case conceptOperation:
		ev.Operation = name
	case conceptProvider:
		ev.Provider = name
	case conceptRequestModel:
		ev.RequestModel = name
	case conceptResponseModel:
		ev.ResponseModel = name
	case conceptResponseID:
		ev.ResponseID = name
	case conceptFinishReason:
		ev.FinishReason = name
	case conceptErrorType:
		ev.ErrorType = name
	case conceptConversation:
		ev.Conversation = name
	case conceptUser:
		ev.User = name
	case conceptTenant:
		ev.Tenant = name
	case conceptAgent:
		ev.Agent = name
	case conceptService:
		ev.Service = name
	case conceptEnvironment:
		ev.Environment = name
	case conceptRegion:
		ev.Region = name
	}
}

// finish derives what follows from the rest.
func (st *state) finish(span ptrace.Span) {
	st.unset()
	ev := st.ev
	status := span.Status()
	ev.Failed = status.Code() == ptrace.StatusCodeError || st.best[conceptErrorType] != 0
	switch {
	case !ev.Failed:
		ev.ErrorMessage = ""
	case status.Code() == ptrace.StatusCodeError && status.Message() != "":
		ev.ErrorMessage = truncate(status.Message(), st.extractor.maxText)
	}
	if !ev.Has(FieldTotalTokens) && ev.Has(FieldInputTokens|FieldOutputTokens) {
		ev.TotalTokens = ev.InputTokens + ev.OutputTokens // at most 2e9
		ev.Present |= FieldTotalTokens
	}
	if st.freeOfCharge && !ev.Has(FieldCost) && ev.InputTokens+ev.OutputTokens+ev.TotalTokens == 0 {
		ev.Present |= FieldCost
	}
	if !ev.Has(FieldLatency) && st.best[conceptDuration] != 0 {
		ev.LatencyMillis = st.duration
		ev.Present |= FieldLatency
	}
	if ev.RequestModel == "" && ev.ResponseModel == "" {
		st.problems |= MissingModel
	}
	if st.extractor.captureText {
		ev.PromptText, ev.ResponseText = st.prompt.String(), st.response.String()
	}
	if !st.extractor.measuresOnly {
		ev.identify(span)
		ev.given(span.Attributes())
	}
}
