package redact

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var cleanText = strings.Repeat("The answer to question 42, of 2024-05-06, is in https://example.com/a?b=1: see x := f(3).\n", 100)

func BenchmarkScanClean(b *testing.B) {
	s := defaultScanner(b)
	var found []Match
	b.SetBytes(int64(len(cleanText)))
	b.ReportAllocs()
	for b.Loop() {
		found = s.Scan(found[:0], cleanText)
	}
}

// Messages as instrumentations write them: JSON with escapes, and arguments of tools
// as JSON in a string.
func BenchmarkRedactCleanMessages(b *testing.B) {
	args, err := json.Marshal(map[string]any{"query": cleanText[:900], "limit": 10})
	require.NoError(b, err)
	messages, err := json.Marshal([]map[string]any{{"role": "user", "content": cleanText}, {"role": "assistant", "tool_calls": []any{map[string]any{"arguments": string(args)}}}})
	require.NoError(b, err)
	text := string(messages)
	r := newRedactor(b, Options{}, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, changed := r.Redact(text, nil); changed {
			b.Fatal("the text is clean")
		}
	}
}

func BenchmarkNewScanner(b *testing.B) {
	for b.Loop() {
		if _, err := NewScanner(Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
