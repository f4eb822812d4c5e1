package llmtraffic

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The generator must give back what was measured: medians, 95th percentiles
// and correlation of the token counts, and the speed of the models.
func TestGeneratedCallsFollowTheFit(t *testing.T) {
	for _, svc := range Services(6) {
		t.Run(svc.Name, func(t *testing.T) {
			svc.Streaming, svc.MaxTokens = 1, 1<<30
			o := testOptions()
			o.Services, o.Models = []Service{svc}, Models(1)
			o.Rate, o.Duration, o.ErrorRate = 40, 30*time.Minute, 0
			calls := allCalls(t, o, 1)
			require.Greater(t, len(calls), 50_000)
			var in, out, ttft, tpot []float64
			for i := range calls {
				c := &calls[i]
				in, out = append(in, float64(c.Input)), append(out, float64(c.Output))
				ttft = append(ttft, float64(c.TTFT)/1e9/(1+fitted.PrefillShare()*(float64(c.Input)/ReferenceInputTokens-1)))
				if c.Output > 1 && c.End-c.Start < int64(maxLatency) {
					tpot = append(tpot, float64(c.End-c.Start-c.TTFT)/1e9/float64(c.Output-1))
				}
			}
			p, s := fitted.Token(svc.Tokens), fitted.Speed(o.Models[0].Speed)
			assert.InEpsilon(t, p.InputMedian, quantile(in, .5), .03, "input median")
			assert.InEpsilon(t, p.InputP95, quantile(in, .95), .05, "input p95")
			assert.InEpsilon(t, p.OutputMedian, quantile(out, .5), .03, "output median")
			assert.InEpsilon(t, p.OutputP95, quantile(out, .95), .05, "output p95")
			assert.InDelta(t, p.Rho, 2*math.Sin(math.Pi/6*spearman(in, out)), .02, "correlation of input and output")
			assert.InEpsilon(t, s.TTFTMedian, quantile(ttft, .5), .03, "TTFT median")
			assert.InEpsilon(t, s.TTFTSigma, logSD(ttft), .05, "TTFT spread")
			assert.InEpsilon(t, s.TPOTMedian, quantile(tpot, .5), .03, "time per output token")
			assert.InEpsilon(t, s.TPOTSigma, logSD(tpot), .05, "spread of the time per output token")
		})
	}
}

func TestGapsFollowTheFit(t *testing.T) {
	o := testOptions()
	o.Services, o.Models, o.FlatRate, o.Rate = Services(1), Models(1), true, 20
	g, err := NewGenerator(o, 0, 1)
	require.NoError(t, err)
	s := g.arrivals[0]
	var gaps []float64
	for last := s.next; len(gaps) < 50_000; last = s.next {
		s.advance()
		gaps = append(gaps, float64(s.next-last)/1e9)
	}
	mean, sd := meanSD(gaps)
	assert.InEpsilon(t, 1/s.rate, mean, .02)
	assert.InEpsilon(t, fitted.Arrival.CV, sd/mean, .03)
}

func TestParameterTableIsWhatTheTracesSay(t *testing.T) {
	f, err := Fit(dataDir(t))
	require.NoError(t, err)
	want, err := f.GoSource()
	require.NoError(t, err)
	have, err := os.ReadFile("params_gen.go")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(have), "run llmload fit --out internal/llmtraffic/params_gen.go")
}

func TestFitNamesTheMissingFile(t *testing.T) {
	_, err := Fit(t.TempDir())
	assert.ErrorContains(t, err, "AzureLLMInferenceTrace_conv.csv")
}

func TestFitMath(t *testing.T) {
	assert.InDelta(t, 2.5, quantile([]float64{4, 1, 3, 2}, .5), 1e-12)
	assert.InDelta(t, 4, quantile([]float64{4, 1, 3, 2}, 1), 1e-12)
	assert.True(t, math.IsNaN(quantile(nil, .5)))
	assert.Equal(t, []float64{0, 1.5, 1.5, 3}, ranks([]float64{1, 2, 2, 9}))
	assert.InDelta(t, 1, spearman([]float64{1, 2, 3}, []float64{1, 8, 27}), 1e-12)
	assert.InDelta(t, 2, theilSen([]float64{0, 1, 2, 3, 4, 5}, []float64{1, 3, 5, 7, 9, 700}), .01)
	assert.InDelta(t, 1, weibullShape(1), 1e-9, "an exponential distribution has CV 1")
}
