package genai

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestNumbersAreAcceptedInEveryType(t *testing.T) {
	for name, raw := range map[string]any{
		"int": int64(27), "double": 27.0, "text": "27", "text with space": " 27 ", "decimal text": "27.0", "fraction": 27.9,
	} {
		s := callSpan()
		require.NoError(t, s.Attributes().PutEmpty(AttrUsageInputTokens).FromRaw(raw))
		ev, problems := read(t, s)
		assert.EqualValues(t, 27, ev.InputTokens, name)
		assert.True(t, ev.Has(FieldInputTokens), name)
		assert.Zero(t, problems, name)
	}
}

func TestRefusedNumbersAreMissingNotZero(t *testing.T) {
	for name, tc := range map[string]struct {
		key  string
		raw  any
		want Problem
	}{
		"negative tokens":         {AttrUsageInputTokens, -1, NegativeTokens},
		"negative tokens, double": {AttrUsageInputTokens, -0.5, NegativeTokens},
		"negative tokens, text":   {AttrUsageInputTokens, "-7", NegativeTokens},
		"least tokens":            {AttrUsageInputTokens, int64(math.MinInt64), NegativeTokens},
		"absurd tokens":           {AttrUsageOutputTokens, 1_000_000_001, AbsurdTokens},
		"absurd tokens, double":   {AttrUsageOutputTokens, 1e300, AbsurdTokens},
		"absurd tokens, text":     {AttrUsageOutputTokens, "99999999999999999999", AbsurdTokens},
		"most tokens":             {AttrUsageOutputTokens, int64(math.MaxInt64), AbsurdTokens},
		"NaN tokens":              {AttrUsageInputTokens, math.NaN(), NotANumber},
		"infinite tokens":         {AttrUsageInputTokens, math.Inf(1), NotANumber},
		"NaN as text":             {AttrUsageInputTokens, "NaN", NotANumber},
		"overflow as text":        {AttrUsageInputTokens, "1e999", NotANumber},
		"tokens as bool":          {AttrUsageInputTokens, true, WrongType},
		"tokens as map":           {AttrUsageInputTokens, map[string]any{"a": 1}, WrongType},
		"tokens as list":          {AttrUsageInputTokens, []any{1}, WrongType},
		"tokens as bytes":         {AttrUsageInputTokens, []byte{1}, WrongType},
		"tokens as prose":         {AttrUsageInputTokens, "many", WrongType},
		"tokens as long text":     {AttrUsageInputTokens, strings.Repeat("1", 1_000_000), WrongType},
		"tokens as spaces":        {AttrUsageInputTokens, "   ", 0},
		"tokens as empty text":    {AttrUsageInputTokens, "", 0},
		"tokens as null":          {AttrUsageInputTokens, nil, 0},
		"negative cost":           {AttrUsageCost, -0.01, NegativeCost},
		"absurd cost":             {AttrUsageCost, 1e7, AbsurdCost},
		"NaN cost":                {AttrUsageCost, math.NaN(), NotANumber},
		"negative TTFT":           {AttrTimeToFirstChunk, -1.0, NegativeDuration},
		"absurd TTFT":             {AttrTimeToFirstChunk, 1e9, AbsurdDuration},
		"infinite TTFT":           {AttrTimeToFirstChunk, math.Inf(1), NotANumber},
		"greatest TTFT":           {AttrTimeToFirstChunk, math.MaxFloat64, AbsurdDuration},
		"stream as number":        {AttrRequestStream, 7, WrongType},
		"stream as prose":         {AttrRequestStream, "perhaps", WrongType},
		"provider as number":      {AttrProviderName, 7, WrongType},
		"user as list":            {AttrUserID, []any{"u"}, WrongType},
		"long user":               {AttrUserID, strings.Repeat("u", 1025), TextTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			s := callSpan()
			clean, _ := read(t, s)
			require.NoError(t, s.Attributes().PutEmpty(tc.key).FromRaw(tc.raw))
			ev, problems := read(t, s)
			assert.Equal(t, tc.want, problems, problems.String())
			assert.Equal(t, clean, ev, "the rest of the event must not suffer")
		})
	}
}

func TestOtherTypesThatMakeSenseAreAccepted(t *testing.T) {
	s := callSpan()
	s.Attributes().PutInt(AttrUserID, 42)
	s.Attributes().PutStr(AttrRequestStream, "true")
	s.Attributes().PutDouble(AttrUsageCost, math.Copysign(0, -1))
	ev, problems := read(t, s)
	assert.Zero(t, problems)
	assert.Equal(t, "42", ev.User)
	assert.True(t, ev.Streaming)
	assert.False(t, math.Signbit(ev.CostUSD))
}

func TestTimes(t *testing.T) {
	at := func(year int) pcommon.Timestamp {
		return pcommon.NewTimestampFromTime(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
	}
	ok := at(2026)
	for name, tc := range map[string]struct {
		start, end pcommon.Timestamp
		want       Problem
		wantStart  pcommon.Timestamp
		wantEnd    pcommon.Timestamp
		latency    any
	}{
		"good":             {ok, ok + 2e9, 0, ok, ok + 2e9, 2000.0},
		"instant":          {ok, ok, 0, ok, ok, 0.0},
		"no end":           {ok, 0, MissingEnd, ok, 0, nil},
		"no start":         {0, ok, MissingStart, 0, ok, nil},
		"no times":         {0, 0, MissingStart | MissingEnd, 0, 0, nil},
		"end before start": {ok, ok - 1, EndBeforeStart, ok, ok - 1, nil},
		"start in 1970":    {1, ok, TimeOutOfRange, 0, ok, nil},
		"end in 1970":      {ok, at(1970), TimeOutOfRange, ok, 0, nil},
		"both in 1970":     {at(1970), at(1970) + 1, TimeOutOfRange, 0, 0, nil},
		"start in 2300":    {at(2300), ok, TimeOutOfRange, 0, ok, nil},
		"end in 2300":      {ok, at(2300), TimeOutOfRange, ok, 0, nil},
		"greatest end":     {ok, math.MaxUint64, TimeOutOfRange, ok, 0, nil},
		"first second":     {minTime, minTime + 1e9, 0, minTime, minTime + 1e9, 1000.0},
		"last second":      {maxTime - 1e9 - 1, maxTime - 1, 0, maxTime - 1e9 - 1, maxTime - 1, 1000.0},
		"too late by one":  {ok, maxTime, TimeOutOfRange, ok, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := callSpan()
			s.SetStartTimestamp(tc.start)
			s.SetEndTimestamp(tc.end)
			ev, problems := read(t, s)
			assert.Equal(t, tc.want, problems, problems.String())
			assert.Equal(t, tc.wantStart, ev.Start)
			assert.Equal(t, tc.wantEnd, ev.End)
			assert.Equal(t, tc.latency, valueOf(&ev, conceptDuration))
			assert.Equal(t, "gpt-4o", ev.RequestModel)
		})
	}
}

func TestReportedDurationStandsInForTheSpans(t *testing.T) {
	s := callSpan()
	s.Attributes().PutDouble("llm.latency_ms", 812.5)
	ev, _ := read(t, s)
	assert.InDelta(t, 1500, ev.LatencyMillis, 1e-9, "the span knows best")
	s.SetEndTimestamp(0)
	ev, problems := read(t, s)
	assert.InDelta(t, 812.5, ev.LatencyMillis, 1e-9)
	assert.Equal(t, MissingEnd, problems)
}

func TestFirstTokenBeforeTheStartIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		at   pcommon.Timestamp
		want Problem
	}{
		"before start": {testStart - 1, NegativeDuration},
		"in 1970":      {5, TimeOutOfRange},
		"no time":      {0, 0},
		"much later":   {testStart + 8*24*3600*1e9, AbsurdDuration},
	} {
		s := callSpan()
		e := s.Events().AppendEmpty()
		e.SetName("gen_ai.choice")
		e.SetTimestamp(tc.at)
		ev, problems := read(t, s)
		assert.Equal(t, tc.want, problems, name)
		assert.False(t, ev.Has(FieldTTFT), name)
	}
}

func TestCallWithoutModel(t *testing.T) {
	s := newSpan()
	s.Attributes().PutStr(AttrOperationName, "chat")
	ev, problems := read(t, s)
	assert.Equal(t, MissingModel, problems)
	assert.Empty(t, ev.Model())
}

func TestAPIKeysAreNeverCopied(t *testing.T) {
	s := callSpan()
	for _, k := range []string{"api.key", "api_key", "llm.api.key", "password", "http.request.header.authorization"} {
		s.Attributes().PutStr(k, "sk-very-secret")
	}
	for _, o := range []Options{{}, {CaptureText: true}} {
		ev, _ := readWith(t, newTestExtractor(t, o), s)
		raw, err := ev.MarshalJSON()
		require.NoError(t, err)
		assert.NotContains(t, string(raw), "secret")
	}
}

func TestHugeSpansAreCheap(t *testing.T) {
	prompt := strings.Repeat("prompt ", 10_000_000/7)
	messages := `[{"role":"user","parts":[{"type":"text","content":"` + prompt + `"}]}]`
	big := callSpan()
	for _, k := range []string{"gen_ai.prompt", "llm.prompt", "gen_ai.prompt.0.content", "gen_ai.completion"} {
		big.Attributes().PutStr(k, prompt)
	}
	big.Attributes().PutStr(AttrInputMessages, messages)
	big.Attributes().PutStr(AttrOutputMessages, messages)
	big.Attributes().PutStr(AttrUserID, prompt)
	big.Status().SetCode(ptrace.StatusCodeError)
	big.Status().SetMessage("é" + prompt)

	ev, problems := read(t, big)
	assert.Equal(t, TextTooLong, problems)
	assert.Empty(t, ev.PromptText)
	assert.LessOrEqual(t, len(ev.ErrorMessage), defaultMaxTextBytes+len(truncatedSuffix))

	ev, _ = readWith(t, newTestExtractor(t, Options{CaptureText: true, MaxTextBytes: 100}), big)
	assert.Equal(t, prompt[:100]+"...[truncated]", ev.PromptText)
	assert.Equal(t, prompt[:100]+"...[truncated]", ev.ResponseText)

	many := millionAttributes(t)
	x := newTestExtractor(t, Options{})
	var event Event
	scope := pcommon.NewInstrumentationScope()
	allocs := testing.AllocsPerRun(5, func() { x.FromSpan(nil, scope, many, &event) })
	assert.Zero(t, allocs, "a million attributes")
	ev, _ = readWith(t, newTestExtractor(t, Options{CaptureText: true, MaxTextBytes: 100}), many)
	assert.LessOrEqual(t, len(ev.PromptText), 100+len(truncatedSuffix))
}

// millionAttributes is a call with a million attributes beside the two that
// make it one. It is written as protobuf because Map.Put looks for the key first.
func millionAttributes(t *testing.T) ptrace.Span {
	t.Helper()
	field := func(num int, b []byte) []byte {
		return append(binary.AppendUvarint([]byte{byte(num<<3 | 2)}, uint64(len(b))), b...)
	}
	attribute := func(k, v string) []byte {
		return field(9, append(field(1, []byte(k)), field(2, field(1, []byte(v)))...))
	}
	span := append(attribute(AttrOperationName, "chat"), attribute(AttrRequestModel, "m")...)
	for i := range 1_000_000 {
		span = append(span, attribute("gen_ai.prompt."+strconv.Itoa(i)+".content", "x")...)
	}
	u := ptrace.ProtoUnmarshaler{}
	td, err := u.UnmarshalTraces(field(1, field(2, field(2, span))))
	require.NoError(t, err)
	s := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	s.SetTraceID(testTrace)
	s.SetSpanID(testSpan)
	require.Equal(t, 1_000_002, s.Attributes().Len())
	return s
}
