package sentineljsonencodingextension

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/extension/sentineljsonencodingextension/internal/metadata"
	"github.com/llm-devops/llm-sentinel/internal/genai"
)

func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/golden/*")
	require.NoError(f, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	for _, s := range []string{"", "[]", "{}", oneEvent + "\n" + oneEvent, "\n{\"a\":", "[[{}],1]", `{"model":NaN}`, "\x0a\x00", "{\"a\":\"\\ud800\"}"} {
		f.Add([]byte(s))
	}
}

func encoded(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return b
}

// Whatever the message: no panic, no error, what is not decoded is a part of the
// message, and each event that is decoded is a call with an id that a second
// delivery has, too.
func FuzzMessages(f *testing.F) {
	seeds(f)
	x, err := genai.NewExtractor(genai.Options{CaptureText: true, Embeddings: true})
	require.NoError(f, err)
	cfg := createDefaultConfig().(*Config)
	cfg.Format = formatAuto
	d, err := newDecoder(cfg, extension.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: componenttest.NewNopTelemetrySettings()})
	require.NoError(f, err)
	u := &otlpEncoding{eventEncoding{d}}
	f.Fuzz(func(t *testing.T, message []byte) {
		td, err := u.UnmarshalTraces(message)
		require.NoError(t, err)
		again, err := u.UnmarshalTraces(message)
		require.NoError(t, err)
		require.Equal(t, encoded(t, td), encoded(t, again))
		_, err = u.UnmarshalLogs(message)
		require.NoError(t, err)
		if detect(message) == formatJSON {
			for _, rs := range td.ResourceSpans().All() {
				res := x.Resource(rs.Resource())
				for _, span := range rs.ScopeSpans().At(0).Spans().All() {
					var ev genai.Event
					isCall, _ := x.FromSpan(&res, rs.ScopeSpans().At(0).Scope(), span, &ev)
					require.True(t, isCall)
					given, _ := span.Attributes().Get(genai.AttrEventID)
					require.Equal(t, given.Str(), ev.ID.String())
					require.False(t, span.TraceID().IsEmpty() || span.SpanID().IsEmpty())
				}
			}
		}
		for _, p := range split(message, defaultMaxDepth, 1000, func(raw []byte) {
			require.True(t, bytes.Contains(message, raw))
		}) {
			require.True(t, bytes.Contains(message, p.raw))
		}
	})
}

// The scanner accepts what the standard library accepts, and beyond it only
// numbers that are not finite.
func FuzzScanner(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, message []byte) {
		s := scanner{data: message, maxDepth: 1000}
		_, err := s.value(0)
		s.space()
		ours := err == nil && s.pos == len(message)
		theirs := json.Valid(message)
		if ours && !theirs {
			require.True(t, bytes.Contains(message, []byte("NaN")) || bytes.Contains(message, []byte("Infinity")), "%q", message)
		}
		if theirs && !ours {
			require.Equal(t, reasonTooDeep, err.reason, "%q: %v", message, err)
		}
		if theirs && message[0] == '"' && ours {
			var text string
			if json.Unmarshal(message, &text) == nil && message[len(message)-1] == '"' {
				require.Equal(t, text, unquote(message))
			}
		}
	})
}
