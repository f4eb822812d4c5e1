package genai

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTableErrorsAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		concept concept
		row     selector
		want    string
	}{
		"no key":                   {conceptUser, selector{}, "needs a key"},
		"event without key":        {conceptUser, selector{event: "e"}, "needs a key"},
		"long key":                 {conceptUser, selector{key: strings.Repeat("k", maxKey+1)}, "key must have 1 to 127 bytes, got 128"},
		"duration without unit":    {conceptTTFT, selector{key: "a"}, "needs a unit"},
		"unit without duration":    {conceptUser, selector{key: "a", unit: unitMillis}, "needs a unit"},
		"point in time as it is":   {conceptTTFT, selector{key: "a", unit: unitRFC3339}, "needs sinceStart"},
		"event time without event": {conceptTTFT, selector{key: "a", unit: unitEventTime, sinceStart: true}, "point in time"},
		"fields of a number":       {conceptInputTokens, selector{key: "a", fields: []string{"b"}}, "are for contents only"},
		"sum of a name":            {conceptUser, selector{key: "a", jsonSum: "b"}, "a sum is a number"},
		"path":                     {conceptUser, selector{key: "a", json: "b..c"}, "empty member name"},
		"array mark":               {conceptUser, selector{key: "a", json: "b]["}, "no array mark"},
		"regular expression":       {conceptStreaming, selector{key: "a", matches: "("}, "missing closing )"},
	} {
		t.Run(name, func(t *testing.T) {
			var broken table
			broken.concepts[tc.concept] = []selector{tc.row}
			_, err := newExtractor(&broken, Options{CaptureText: true})
			require.ErrorContains(t, err, tc.want)
			assert.ErrorContains(t, err, "concept "+conceptSpec[tc.concept].name+", selector 0")
		})
	}
	_, err := newExtractor(&table{calls: []callRule{{}}}, Options{})
	require.ErrorContains(t, err, "call rule 0")
	_, err = NewExtractor(Options{MaxTextBytes: -1})
	require.ErrorContains(t, err, "max text bytes must not be negative, got -1")
}
