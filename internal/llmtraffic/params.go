package llmtraffic

// TokenProfile describes the token counts of one workload: input and output
// tokens are log-normal, tied by the correlation of their logarithms.
type TokenProfile struct {
	Name   string
	Source string
	// N is the number of rows that the fit used.
	N int
	// Median and P95 in tokens; the log-normal passes through both.
	InputMedian, InputP95   float64
	OutputMedian, OutputP95 float64
	// Rho is the correlation of ln(input) and ln(output), from the rank
	// correlation; 0 when the source holds no pairs.
	Rho float64
	// InputMax and OutputMax bound the samples, in tokens.
	InputMax, OutputMax float64
}

// SpeedProfile describes how fast one measured deployment answers.
type SpeedProfile struct {
	Name   string
	Source string
	N      int
	// TTFTMedian is the time to first token in seconds at ReferenceInputTokens;
	// TTFTSigma the standard deviation of its logarithm.
	TTFTMedian, TTFTSigma float64
	// TPOTMedian is the time per output token after the first, in seconds;
	// TPOTSigma the standard deviation of its logarithm.
	TPOTMedian, TPOTSigma float64
}

// LoadStep is one run of the vLLM load test: medians at one arrival scale.
type LoadStep struct {
	Scale                 int
	N                     int
	TTFTMedian, TTFTSigma float64
	TotalMedian           float64
	// InputSlope is the robust (Theil-Sen) slope of TTFT over input tokens in
	// seconds per token.
	InputSlope float64
}

// ArrivalProfile describes the gaps between requests.
type ArrivalProfile struct {
	Source string
	N      int
	// CV is the coefficient of variation of the gaps; WeibullShape the shape
	// of the Weibull distribution with this CV.
	CV, WeibullShape float64
}

// DiurnalProfile holds the request rate by hour of the trace's day relative to
// its mean. The source does not say in which time zone hour 0 lies.
type DiurnalProfile struct {
	Source string
	N      int
	Hourly [24]float64
}

// Fitted is the parameter table of the generator: numbers only, measured on
// the traces that Source names. params_gen.go is written by `llmload fit`.
type Fitted struct {
	Tokens  []TokenProfile
	Speeds  []SpeedProfile
	Loads   []LoadStep
	Arrival ArrivalProfile
	Diurnal DiurnalProfile
}

// ReferenceInputTokens is the prompt length of the llmperf measurements.
const ReferenceInputTokens = 550

// Parameters returns the checked-in parameter table.
func Parameters() Fitted { return fitted }

// PrefillShare is the share of TTFT at ReferenceInputTokens that grows in
// proportion to the input. It comes from the slope of the least loaded vLLM
// run, which covers prompts up to 1 015 tokens: for longer prompts it is an
// extrapolation, since no public trace at hand pairs long prompts with TTFT.
func (f Fitted) PrefillShare() float64 {
	if len(f.Loads) == 0 || f.Loads[0].TTFTMedian <= 0 {
		return 0
	}
	return min(max(f.Loads[0].InputSlope*ReferenceInputTokens/f.Loads[0].TTFTMedian, 0), 1)
}

// Token returns the token profile of that name; the zero profile if unknown.
func (f Fitted) Token(name string) TokenProfile {
	for _, t := range f.Tokens {
		if t.Name == name {
			return t
		}
	}
	return TokenProfile{}
}

// Speed returns the speed profile of that name; the zero profile if unknown.
func (f Fitted) Speed(name string) SpeedProfile {
	for _, s := range f.Speeds {
		if s.Name == name {
			return s
		}
	}
	return SpeedProfile{}
}
