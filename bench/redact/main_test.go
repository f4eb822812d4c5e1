package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/redact"
)

func TestGeneratedTextIsCleanAndTheSameInEveryRun(t *testing.T) {
	s, err := redact.NewScanner(redact.Options{})
	require.NoError(t, err)
	pieces := generated(200_000)
	assert.Equal(t, pieces, generated(200_000))
	assert.Equal(t, pieces, clean(s, pieces))
}

func TestRunsWithoutTheDataSet(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.TempDir(), 1, &out))
	assert.Contains(t, out.String(), "generated text only")
	assert.Regexp(t, `RESULT redact.clean_mb_per_s \d+\.\d MB/s`, out.String())
	assert.Regexp(t, `RESULT redact.over_regexp \d+\.\d ratio`, out.String())
	assert.Error(t, run("", 0, &out))
}
