package genai

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestEventIDThatIsGivenIsKept(t *testing.T) {
	const given = "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10"
	x, err := NewExtractor(Options{})
	require.NoError(t, err)
	trace, span := pcommon.TraceID{1}, pcommon.SpanID{2}
	derived := NewEventID(trace, span).String()
	for value, want := range map[string]string{
		given:                                  given,
		strings.ToUpper(given):                 given,
		"":                                     derived,
		"6f1c1a8e":                             derived,
		"00000000-0000-0000-0000-000000000000": derived,
		"zf1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10": derived,
		strings.Repeat("a", 1<<16):             derived,
	} {
		s := ptrace.NewSpan()
		s.SetTraceID(trace)
		s.SetSpanID(span)
		s.Attributes().PutStr(AttrOperationName, OperationChat)
		s.Attributes().PutStr(AttrEventID, value)
		var ev Event
		isCall, _ := x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
		require.True(t, isCall)
		assert.Equal(t, want, ev.ID.String(), "%.40q", value)
	}
}

func TestMetadataThatAreGivenAreKeptWithinLimits(t *testing.T) {
	x, err := NewExtractor(Options{})
	require.NoError(t, err)
	s := ptrace.NewSpan()
	a := s.Attributes()
	a.PutStr(AttrOperationName, OperationChat)
	a.PutStr(AttrMetadataPrefix+"plan", "gold")
	a.PutStr(AttrMetadataPrefix, "no key")
	a.PutInt(AttrMetadataPrefix+"number", 1)
	a.PutStr(AttrMetadataPrefix+"long", strings.Repeat("x", maxGivenMetadataBytes+1))
	var ev Event
	_, _ = x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	require.Equal(t, map[string]string{"plan": "gold"}, ev.Metadata)

	for i := range 2 * maxGivenMetadata {
		a.PutStr(fmt.Sprint(AttrMetadataPrefix, i), "v")
	}
	_, _ = x.FromSpan(nil, pcommon.NewInstrumentationScope(), s, &ev)
	assert.Len(t, ev.Metadata, maxGivenMetadata)
}
