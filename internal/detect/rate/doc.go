// Package rate judges how often something happens: which share of the calls of
// a series fails ([Errors]), and how many calls come at all ([Arrivals]).
//
// Both are tests of counts, not of a ratio or a rate that was computed before:
// one failed call of one is a ratio of 100 % and no evidence, 60 of 100 are.
// Times are event times in unix nanoseconds that the caller passes in; there is
// no clock, no goroutine and no randomness, so that a replay gives the same
// result.
//
// # Errors
//
// The baseline is a Beta distribution: prior weight 100 calls at the prior rate
// (1 %), plus the calls of the series with a memory of 2000. The null rate of
// the test is its mean plus one standard deviation, at least .1 %, so that a
// rate that is not known well needs more evidence. Four Bernoulli CUSUMs run
// beside each other, one for each alternative rate p1, spaced evenly in
// log odds from the smallest increase worth a mark to 90 %:
//
//	S <- max(0, S + ln(p1/p0))         for a failed call
//	S <- max(0, S + ln((1-p1)/(1-p0))) for one that succeeded
//
// (Page 1954; Reynolds and Stoumbos 1999 for the Bernoulli case.) Each is the
// largest likelihood ratio over all windows that end now. Its average run length
// is at least e^h calls (Lorden 1971), so that h = ln(4/1e-6) = 15.2 bounds the
// false alarms of the four together at one in a million calls. The window of the
// CUSUM that alarms gives onset, failed and answered calls.
//
// Calls are learned in blocks of 32 (128 once the memory is full), not while a CUSUM is above a third of its
// limit, and not during an episode. An episode ends when the likelihood ratio
// between the baseline and the rate of the episode exceeds 1000 (recovered), or
// after an hour and 100 calls, when its rate becomes the baseline (rebased).
//
// # Arrivals
//
// Calls are counted in bins of a minute. Windows of 1, 4, 16 and 64 bins are
// compared with the expected number. Traffic is not Poisson: gaps are Weibull,
// people come in bursts, and the day has a rhythm. So for each window length the
// index of dispersion D is learned: the mean of (n - expected)^2 / expected,
// where expected is what was forecast before the window began. All that makes
// the forecast wrong, the rhythm of the day included, is in D, and widens the
// limits. n, expected and their tail are then taken in units of D
// (quasi-Poisson; Wedderburn 1974), with the gamma-Poisson duality
//
//	P(N <= n) = P(Gamma(n+1) > mu),  P(N >= n) = P(Gamma(n) <= mu)
//
// and the cube-root approximation of the gamma distribution (Wilson and
// Hilferty 1931), which gives a standard normal deviate z. A window counts when
// z reaches 5 (p = 2.9e-7) and the number is at most half or at least twice the
// expected one. A surge is found by the call that exceeds the limit, a drop by
// the call that comes when the window has closed and calls that are up to a
// minute late are in. Silence is judged between calls: with mu calls expected
// since the last one, p is the larger of exp(-mu/D) and of the tail of a Weibull
// distribution with the coefficient of variation of the gaps between the last
// 512 calls, exp(-(mu Gamma(1+1/k))^k).
//
// D cannot tell a stop from the rhythm of the day. So the deepest fall of
// windows of each length and the longest gap without an alarm are remembered,
// with a memory of a week. What exceeds them several times is judged with D of
// short windows; a gap that does not exceed the longest one is no evidence.
//
// The expected rate is an exponential mean with a memory of an hour, or of 256
// calls where these take longer (at most a day). It learns a bin when the bin is
// 16 minutes old and no episode is on. A window of 64 minutes is compared with
// the rate before it. A change that lasts an hour becomes the normal rate
// (rebased). Each episode widens the limits of its series by half, up to three
// times, forgotten over a week: a series that surges daily is not news daily.
//
// False alarm rates and delays are measured by the tests of the package and
// stated in docs/detectors.md.
package rate
