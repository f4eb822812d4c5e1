package learn

import (
	"crypto/sha256"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/llm-devops/llm-sentinel/internal/injection"
	"github.com/llm-devops/llm-sentinel/internal/injection/corpus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheShippedModelIsWhatTrainingGives(t *testing.T) {
	folder := os.Getenv("SENTINEL_DATA")
	if folder == "" {
		folder = "../../../../shared/data"
	}
	sources, err := corpus.Load(folder)
	if errors.Is(err, corpus.ErrNoData) {
		t.Skipf("%v: that model.bin can be reproduced is NOT checked", err)
	}
	require.NoError(t, err)
	m, err := Train(Trainable(corpus.Build(corpus.Distinct(sources))))
	require.NoError(t, err)
	want, err := os.ReadFile("../model.bin")
	require.NoError(t, err)
	// Sums, because half a megabyte would be printed.
	assert.Equal(t, sha256.Sum256(want), sha256.Sum256(m.Bytes()), "model.bin is not what `make train-injection` gives")
}

// own is what the project wrote, without public data.
func own() []corpus.Item { return corpus.Build(nil) }

func TestTrainingIsDeterministicAndLearns(t *testing.T) {
	items := Trainable(own())
	a, err := Train(items)
	require.NoError(t, err)
	b, err := Train(items)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(a.Bytes()), sha256.Sum256(b.Bytes()), "two runs differ")
	d, err := injection.New(injection.Options{Model: a})
	require.NoError(t, err)
	found, attacks, wrong, benign := 0, 0, 0, 0
	for _, it := range own() {
		if !corpus.InTest(it.Key) {
			continue
		}
		flagged := d.Score(it.Text, it.Provenance).Flagged
		if it.Attack {
			attacks++
			if flagged {
				found++
			}
		} else {
			benign++
			if flagged {
				wrong++
			}
		}
	}
	assert.Greater(t, float64(found), 0.3*float64(attacks), "of templates that were not trained on")
	assert.Less(t, float64(wrong), 0.1*float64(benign))
}

func TestNothingOfTheTestSplitIsTrainedOn(t *testing.T) {
	all := own()
	for _, it := range Trainable(all, corpus.SetEncoded) {
		assert.False(t, corpus.InTest(it.Key))
		assert.NotEqual(t, corpus.SetEncoded, it.Set, "held out")
	}
	assert.Empty(t, Trainable([]corpus.Item{{Set: "x", NoTraining: true, Key: 99}}))
}

func TestTrainingWithoutBenignTextsIsAnError(t *testing.T) {
	var attacks []corpus.Item
	for _, it := range Trainable(own()) {
		if it.Attack {
			attacks = append(attacks, it)
		}
	}
	_, err := Train(attacks)
	assert.ErrorContains(t, err, "no benign texts")
}
