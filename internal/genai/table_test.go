package genai

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// callMark makes a span a call without saying anything about a concept.
const callMark = "test.is_call"

// conceptExtractor reads the concepts of the standard table out of every span
// that carries callMark.
func conceptExtractor(t *testing.T) *Extractor {
	t.Helper()
	logs := []logRule{{name: callMark, failed: true}}
	for _, r := range standard.logs {
		logs = append(logs, logRule{name: r.name, failed: true})
	}
	x, err := newExtractor(&table{calls: []callRule{{anyOf: []string{callMark}}}, logs: logs, concepts: standard.concepts}, Options{CaptureText: true, Embeddings: true})
	require.NoError(t, err)
	return x
}

// sample is a value for a selector, as it is written and as it must be read.
// Samples of different seeds differ.
type sample struct {
	raw  any // string, int64, float64 or bool
	want any
}

func sampleFor(c concept, s *selector, seed int) sample {
	switch conceptSpec[c].kind {
	case kindCount:
		return sample{int64(100 + seed), int64(100 + seed)}
	case kindCost:
		cost := 0.5 + float64(seed)
		if s.scale != 0 {
			return sample{cost / s.scale, cost}
		}
		return sample{cost, cost}
	case kindBool:
		if s.matches != "" {
			return sample{"ai.streamText", true}
		}
		return sample{seed%2 == 0, seed%2 == 0}
	case kindProvider:
		return sample{"provider-" + strconv.Itoa(seed), "provider-" + strconv.Itoa(seed)}
	case kindVector:
		return sample{fmt.Sprintf("[%d, 0.5]", seed), []float32{float32(seed), .5}}
	case kindMillis:
		ms := 250 + float64(seed)
		switch s.unit {
		case unitSeconds, unitSecondsOrNanos:
			return sample{ms / 1000, ms}
		case unitRFC3339:
			return sample{(testStart + pcommon.Timestamp(ms*1e6)).AsTime().Format("2006-01-02T15:04:05.000Z"), ms}
		default:
			return sample{ms, ms}
		}
	}
	if s.ge > 0 {
		return sample{int64(s.ge) + int64(seed), strconv.Itoa(int(s.ge) + seed)}
	}
	if s.matches != "" {
		name := "FAILED" + strings.Repeat("_AGAIN", seed)
		return sample{name, name}
	}
	if len(s.in) > 0 {
		return sample{s.in[0], s.in[0]}
	}
	return sample{fmt.Sprintf("value %d", seed), fmt.Sprintf("value %d", seed)}
}

func valueOf(ev *Event, c concept) any {
	vector := func(v []float32) any {
		if v == nil {
			return nil
		}
		return v
	}
	number := func(f Field, v any) any {
		if !ev.Has(f) {
			return nil
		}
		return v
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch c {
	case conceptPromptEmbedding:
		return vector(ev.PromptEmbedding)
	case conceptResponseEmbedding:
		return vector(ev.ResponseEmbedding)
	case conceptOperation:
		return text(ev.Operation)
	case conceptProvider:
		return text(ev.Provider)
	case conceptRequestModel:
		return text(ev.RequestModel)
	case conceptResponseModel:
		return text(ev.ResponseModel)
	case conceptResponseID:
		return text(ev.ResponseID)
	case conceptInputTokens:
		return number(FieldInputTokens, ev.InputTokens)
	case conceptOutputTokens:
		return number(FieldOutputTokens, ev.OutputTokens)
	case conceptTotalTokens:
		return number(FieldTotalTokens, ev.TotalTokens)
	case conceptCacheReadTokens:
		return number(FieldCacheReadTokens, ev.CacheReadTokens)
	case conceptCacheWriteTokens:
		return number(FieldCacheWriteTokens, ev.CacheWriteTokens)
	case conceptReasoningTokens:
		return number(FieldReasoningTokens, ev.ReasoningTokens)
	case conceptCacheWrite5mTokens:
		return number(FieldCacheWrite5mTokens, ev.CacheWrite5mTokens)
	case conceptCacheWrite1hTokens:
		return number(FieldCacheWrite1hTokens, ev.CacheWrite1hTokens)
	case conceptAudioInputTokens:
		return number(FieldAudioInputTokens, ev.AudioInputTokens)
	case conceptAudioOutputTokens:
		return number(FieldAudioOutputTokens, ev.AudioOutputTokens)
	case conceptImageInputTokens:
		return number(FieldImageInputTokens, ev.ImageInputTokens)
	case conceptServiceTier:
		return text(ev.ServiceTier)
	case conceptCost:
		return number(FieldCost, ev.CostUSD)
	case conceptStreaming:
		return ev.Streaming
	case conceptTTFT:
		return number(FieldTTFT, ev.TTFTMillis)
	case conceptDuration:
		return number(FieldLatency, ev.LatencyMillis)
	case conceptFinishReason:
		return text(ev.FinishReason)
	case conceptErrorType:
		return text(ev.ErrorType)
	case conceptErrorMessage:
		return text(ev.ErrorMessage)
	case conceptConversation:
		return text(ev.Conversation)
	case conceptUser:
		return text(ev.User)
	case conceptTenant:
		return text(ev.Tenant)
	case conceptAgent:
		return text(ev.Agent)
	case conceptService:
		return text(ev.Service)
	case conceptEnvironment:
		return text(ev.Environment)
	case conceptRegion:
		return text(ev.Region)
	case conceptPrompt:
		return text(ev.PromptText)
	case conceptResponse:
		return text(ev.ResponseText)
	default:
		panic("unknown concept")
	}
}

// wrap writes a value as the JSON text in which the path finds it.
func wrap(t *testing.T, path string, raw any) string {
	t.Helper()
	steps, err := parsePath(path)
	require.NoError(t, err)
	text := fmt.Sprint(raw)
	if s, ok := raw.(string); ok {
		text = strconv.Quote(s)
	}
	for i := len(steps) - 1; i >= 0; i-- {
		switch steps[i].kind {
		case stepEach:
			text = "[" + text + "]"
		case stepAny:
			text = `{"other":` + text + "}"
		default:
			text = `{"before":[{}],` + strconv.Quote(steps[i].name) + ":" + text + "}"
		}
	}
	return text
}

func put(v pcommon.Value, raw any) {
	switch r := raw.(type) {
	case string:
		v.SetStr(r)
	case int64:
		v.SetInt(r)
	case float64:
		v.SetDouble(r)
	case bool:
		v.SetBool(r)
	default:
		panic("unknown type")
	}
}

// carrier is a resource and a span of it under construction.
type carrier struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	span     ptrace.Span
}

func newCarrier(c concept) carrier {
	s := newSpan()
	s.Attributes().PutBool(callMark, true)
	if c == conceptDuration {
		s.SetEndTimestamp(0)
	}
	if c == conceptErrorMessage {
		s.Status().SetCode(ptrace.StatusCodeError) // a message without a failure is dropped
	}
	return carrier{pcommon.NewResource(), pcommon.NewInstrumentationScope(), s}
}

// write puts raw where the selector finds it.
func (c carrier) write(t *testing.T, s *selector, raw any) {
	t.Helper()
	for _, w := range s.when {
		c.span.Attributes().PutStr(w.key, w.in[0])
	}
	if s.scope != "" {
		c.scope.SetName(s.scope)
	}
	if s.span != "" {
		c.span.SetName(s.span)
	}
	if s.status != ptrace.StatusCodeUnset {
		c.span.Status().SetCode(s.status)
	}
	switch {
	case s.json != "":
		raw = wrap(t, s.json, raw)
	case s.jsonSum != "":
		raw = fmt.Sprintf(`{%q:%v}`, s.jsonSum, raw)
	}
	attrs := c.span.Attributes()
	switch {
	case s.resource:
		attrs = c.resource.Attributes()
	case s.event != "" || len(s.events) > 0:
		e := c.span.Events().AppendEmpty()
		e.SetName(append(s.events, s.event)[0])
		attrs = e.Attributes()
		if s.unit == unitEventTime {
			e.SetTimestamp(testStart + pcommon.Timestamp(raw.(float64)*1e6))
			return
		}
	}
	key := s.key
	if len(s.fields) > 0 {
		key += "." + s.fields[0]
	}
	key = strings.NewReplacer("<N>", "0", "<M>", "0").Replace(key)
	if s.each {
		put(attrs.PutEmptySlice(key).AppendEmpty(), raw)
		return
	}
	put(attrs.PutEmpty(key), raw)
}

func (c carrier) read(t *testing.T, x *Extractor) (Event, Problem) {
	t.Helper()
	var ev Event
	res := x.Resource(c.resource)
	is, problems := x.FromSpan(&res, c.scope, c.span, &ev)
	require.True(t, is)
	return ev, problems
}

// onLogs reports whether a selector is used for log records.
func onLogs(s *selector) bool {
	return !s.resource && s.event == "" && len(s.events) == 0 && s.span == "" && s.status == ptrace.StatusCodeUnset && !s.sinceStart
}

// readLog reads the attributes of the span as those of a log event.
func (c carrier) readLog(t *testing.T, x *Extractor, name string) (Event, Problem) {
	t.Helper()
	rec := plog.NewLogRecord()
	rec.SetEventName(name)
	rec.SetTimestamp(testStart)
	c.span.Attributes().CopyTo(rec.Attributes())
	var ev Event
	is, problems := x.FromLog(nil, c.scope, rec, &ev)
	require.True(t, is)
	return ev, problems
}

func rowName(c concept, i int, s *selector) string {
	parts := []string{fmt.Sprintf("%s/%d/%s", conceptSpec[c].name, i, s.key)}
	if s.resource {
		parts = append(parts, "resource")
	}
	return strings.TrimSpace(strings.Join(append(parts, s.event, s.json), " "))
}

func TestEveryRowOfTheTableIsFound(t *testing.T) {
	x := conceptExtractor(t)
	for c := range conceptCount {
		require.NotEmpty(t, standard.concepts[c], conceptSpec[c].name)
		for i := range standard.concepts[c] {
			s := &standard.concepts[c][i]
			t.Run(rowName(c, i, s), func(t *testing.T) {
				in := newCarrier(c)
				v := sampleFor(c, s, 2)
				in.write(t, s, v.raw)
				check := func(ev Event, problems Problem) {
					t.Helper()
					if f, ok := v.want.(float64); ok {
						assert.InDelta(t, f, valueOf(&ev, c), 1e-6)
					} else {
						assert.Equal(t, v.want, valueOf(&ev, c))
					}
					assert.Zero(t, problems&^(MissingModel|MissingEnd), problems.String())
				}
				if s.log == "" {
					check(in.read(t, x))
				}
				if onLogs(s) {
					check(in.readLog(t, x, cmp.Or(s.log, callMark)))
				}
			})
		}
	}
}

func TestPreferenceFollowsTheTableNotTheSpan(t *testing.T) {
	x := conceptExtractor(t)
	for c := range conceptCount {
		list := standard.concepts[c]
		for i := range list {
			for j := i + 1; j < len(list); j++ {
				better, worse := &list[i], &list[j]
				if better.key == worse.key && better.event == worse.event && better.resource == worse.resource {
					continue // both read the same attribute
				}
				log := cmp.Or(better.log, worse.log)
				if log != "" && (!onLogs(better) || !onLogs(worse) || better.log != "" && worse.log != "" && better.log != worse.log) {
					continue // never on the same record
				}
				for _, first := range []*selector{better, worse} {
					in := newCarrier(c)
					want, other := sampleFor(c, better, 1), sampleFor(c, worse, 2)
					if first == better {
						in.write(t, better, want.raw)
						in.write(t, worse, other.raw)
					} else {
						in.write(t, worse, other.raw)
						in.write(t, better, want.raw)
					}
					read := in.read
					if log != "" {
						read = func(t *testing.T, x *Extractor) (Event, Problem) {
							t.Helper()
							return in.readLog(t, x, log)
						}
					}
					ev, _ := read(t, x)
					msg := rowName(c, i, better) + " against " + rowName(c, j, worse)
					if f, ok := want.want.(float64); ok {
						assert.InDelta(t, f, valueOf(&ev, c), 1e-6, msg)
					} else {
						assert.Equal(t, want.want, valueOf(&ev, c), msg)
					}
				}
			}
		}
	}
}

func TestRefusedValueGivesWayToTheNextSelector(t *testing.T) {
	x := conceptExtractor(t)
	for c := range conceptCount {
		var bad any
		switch conceptSpec[c].kind {
		case kindCount, kindCost:
			bad = int64(-1)
		case kindMillis:
			bad = "soon"
		case kindName, kindID, kindProvider:
			bad = strings.Repeat("x", maxNameBytes+1)
		default:
			continue
		}
		list := standard.concepts[c]
		for j := 1; j < len(list); j++ {
			if list[j].log != "" || list[0].resource || list[0].event != "" || list[0].ge > 0 || list[j].event != "" && list[j].status == 0 && list[j].unit == 0 {
				continue
			}
			in := newCarrier(c)
			in.write(t, &list[0], bad)
			v := sampleFor(c, &list[j], 2)
			in.write(t, &list[j], v.raw)
			ev, problems := in.read(t, x)
			if f, ok := v.want.(float64); ok {
				assert.InDelta(t, f, valueOf(&ev, c), 1e-6, rowName(c, j, &list[j]))
			} else {
				assert.Equal(t, v.want, valueOf(&ev, c), rowName(c, j, &list[j]))
			}
			assert.NotZero(t, problems&^(MissingModel|MissingEnd), rowName(c, j, &list[j]))
		}
	}
}
