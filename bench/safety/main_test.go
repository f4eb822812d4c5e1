package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

func write(t *testing.T, folder, name, content string) {
	t.Helper()
	path := filepath.Join(folder, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestAFolderOfTheSameFormIsMeasured(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "presidio_research/synth_dataset_v2.json", `[
		{"full_text": "é mail a@b.com", "spans": [{"entity_type": "EMAIL_ADDRESS", "start_position": 7, "end_position": 14}]},
		{"full_text": "card number one", "spans": [{"entity_type": "CREDIT_CARD", "start_position": 0, "end_position": 4}, {"entity_type": "PERSON", "start_position": 0, "end_position": 4}]},
		{"full_text": "ip 10.0.0.1", "spans": []}]`)
	write(t, folder, "presidio_unit_cases/cases.jsonl", `{"recognizer":"x","entities":["EMAIL_ADDRESS"],"text":"a@b.com","params":{"expected_len":1,"expected_positions":[[0,7]]}}
{"recognizer":"x","entities":["US_SSN"],"text":"666-00-0000","params":{"expected_len":1}}
{"recognizer":"x","entities":["DATE_TIME"],"text":"today","params":{"expected_len":1}}
`)
	var out strings.Builder
	s, err := redact.NewScanner(redact.Options{})
	require.NoError(t, err)
	require.NoError(t, measureSentences(s, folder, &out))
	require.NoError(t, measureCases(folder, &out))
	// One hit, one miss and one false hit: F1 is 2/(2+1+1).
	assert.Contains(t, out.String(), "RESULT pii.f1 0.5000 F1\n")
	assert.Contains(t, out.String(), "RESULT pii.card_f1 0.0000 F1\n")
	assert.Contains(t, out.String(), "RESULT pii.nested 1.0000 share\n")
	assert.Contains(t, out.String(), "RESULT pii.unit_cases 0.5000 share\n")
}

func TestMissingFilesAreSaid(t *testing.T) {
	s, err := redact.NewScanner(redact.Options{})
	require.NoError(t, err)
	assert.ErrorIs(t, measureSentences(s, t.TempDir(), &strings.Builder{}), errNoData)
	assert.ErrorIs(t, measureCases(t.TempDir(), &strings.Builder{}), errNoData)
	assert.ErrorContains(t, run(t.TempDir(), "nothing", &bytes.Buffer{}), `"nothing" is no part`)
}

func TestTelemetryHasNoHitsAndIsTheSameInEveryRun(t *testing.T) {
	s, err := redact.NewScanner(redact.Options{})
	require.NoError(t, err)
	assert.Zero(t, telemetryHits(s, 50_000, &strings.Builder{}))
	all, err := redact.NewScanner(redact.Options{Bare: []string{"all"}})
	require.NoError(t, err)
	var one, two strings.Builder
	assert.Positive(t, telemetryHits(all, 50_000, &one), "without context, numbers do collide")
	telemetryHits(all, 50_000, &two)
	assert.Equal(t, one.String(), two.String())
}

// The figures that the documentation promises.
func TestFiguresOnThePublicSets(t *testing.T) {
	folder := os.Getenv("SENTINEL_DATA")
	if folder == "" {
		folder = "../../../shared/data"
	}
	var sentences []sentence
	if err := load(filepath.Join(folder, "presidio_research", "synth_dataset_v2.json"), &sentences); err != nil {
		t.Skipf("SENTINEL_DATA: %v", err)
	}
	s, err := redact.NewScanner(redact.Options{})
	require.NoError(t, err)
	var all score
	cards := score{}
	for _, x := range sentences {
		for typ, sc := range compare(x, s.Scan(nil, x.Text)) {
			all.add(sc)
			if typ == redact.CreditCard {
				cards.add(sc)
			}
		}
	}
	assert.GreaterOrEqual(t, all.f1(), 0.985)
	assert.GreaterOrEqual(t, cards.f1(), 0.96)
	nested, err := nestedShare(s, sentences)
	require.NoError(t, err)
	assert.EqualValues(t, 1, nested)
}
