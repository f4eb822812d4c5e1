// Package detect judges the values of a time series, one at a time, against a
// baseline that it learns from the series itself. It knows nothing of
// telemetry: values, event times and configuration come in, verdicts go out.
// There is no clock, no goroutine and no randomness, so that a replay gives
// identical verdicts.
//
// # Baseline
//
// A value is first judged, then learned, and learned late: the newest 8 values
// wait in a lag, so that the beginning of a shift cannot hide the rest of it.
// The reference advances in blocks of 8: the lag grows to 15 values, then the
// oldest 8 of them are learned together. Between two blocks all limits are
// constants, and a value within them costs a logarithm, some comparisons and
// the step of two sums; see [Model.Absorb].
//
// Two references are kept, both on the judged scale (linear, or the logarithm
// for metrics whose noise is multiplicative):
//
//   - a window of the last 64 values with exact order statistics, for spikes;
//   - mean, variance and lag-1 correlation with a memory of 128 values, for
//     shifts.
//
// Values outside the limits are not learned; all others are learned, at most 5
// robust standard deviations from the median. While a shift lasts nothing is
// learned. Judgement starts at 16 values, with limits that are wider the fewer
// values there are (quantiles of Student's t), so that a fresh series is not a
// source of alarms. No series is credited with less noise than 1 % of its
// level: smaller steps are quantisation.
//
// A series can borrow the spread of another one, see [Model.Borrow]: where its
// first 16 values spread less than that, they are widened to the geometric mean
// of both, and count on as such until they have left the window. Between the
// 17th and the 32nd value that takes away half of the alarms on noise (per
// million values, alone and with a parent: normal 12 and 0, AR(1) .7 2400 and
// 1100, Student t3 1900 and 1200; later on 1, 200 and 3800). Alone, 16 values are
// as honest as many on independent noise. On noise with a memory they are not:
// it cannot be seen in them.
//
// # Detectors
//
//	z_score  |x - mean| / (s sqrt(1+1/n)) beyond the t quantile that is as rare
//	         as 5 standard deviations of a known normal distribution
//	mad      |x - median| / max(1.4826 MAD, 80 % span / 2.563, floor) beyond 5.5
//	iqr      beyond the quartiles by 3.5 interquartile ranges
//	cusum    sums of z - .5, z winsorised at 3, beyond 14
//
// All detectors see every value, on both sides. Scores are normalised: 1 is
// the threshold. When the MAD is zero the mean absolute deviation (times
// 1.2533) stands in, then the floor. Correlation between successive values
// slows the sums down and lowers the number of values that the window counts
// for. A series that shows isolated spikes gets limits up to 3 times as wide,
// and loses them again over about ten thousand quiet values for each spike.
//
// For metrics whose tail is heavy by nature, Config.LoneScore asks more of a
// value that is alone outside the limits: a higher score, or other detectors
// that agree, or a second such value soon after it.
//
// # Episodes
//
// A run of findings is one episode with one onset. It alarms once, and again
// only if it becomes more severe and is then high or critical. It ends as
// recovered when 8 values in a row were within limits and no shift is on, or
// as rebased after 3 windows (192 values), when the new level becomes the
// normal one. A shift to a side that the configuration does not want reported
// goes the same way in silence, and after half a window.
//
// The default cool-down of 5 minutes bounds what one noisy series can do to
// 288 alarms a day, and is about the interval at which notifications are
// repeated or grouped anyway.
//
// # Operating point
//
// The defaults come from an alarm budget of about one in a million normal
// values, both sides taken together, not from the customary 3 standard
// deviations or h = 5, which alarm once in some hundred values. Measured with
// the defaults on the log scale, 1000 series of 5000 values each, alarms without
// cool-down; see operating_point_test.go:
//
//	noise of the logarithm                 alarms per million   alarms in the first 64
//	                                       values (64th on)     values of 100 series
//	normal, sigma .4, .6, .8                     0.2                 0
//	time to first token + tokens * speed         1.6                 0
//	normal, period 2000, peak 2 x trough          16                 0.1
//	AR(1) .7                                      20                 8
//	Poisson, mean 20                              63                 0.2
//	mixture, 15 % six times as long               76                 1.4
//	Student t, 5 degrees of freedom              470                 2.8
//	Student t, 3 degrees of freedom             1000                14
//
// The alarms on the last two are values 10 to 1000 times the median.
//
//	lasting shift, sigma .5   1 sigma    1.4 (x2)   2 sigma    3 sigma
//	                          (x1.6)                (x2.7)     (x4.5)
//	after 1000 values         33 (97 %)  16.7       10.3       6.9 values
//	after 64 values           33 (72 %)  20 (99 %)  11.2       7.3 values
//	after 32 values           30 (38 %)  25 (80 %)  13 (96 %)  8.9
//
// (mean delay, and the share found within 100 values where it is not all)
//
//	share of bursts found     x3      x5      x10     x30
//	sigma .3, 1 value         5 %     44 %    97 %    100 %
//	sigma .3, 5 values        23 %    89 %    100 %   100 %
//	sigma .3, 10 values       100 %   100 %   100 %   100 %
//	sigma .6, 1 value         0 %     1 %     6 %     55 %
//	sigma .6, 5 values        0 %     5 %     28 %    95 %
//	sigma .6, 10 values       36 %    98 %    100 %   100 %
//
// Public traces of LLM traffic, taken request by request without their times
// (62 794 token counts, no labels, smallest deviation 20 %): 6 alarms.
//
// # Limits
//
// A slow drift is followed, not reported: less than about half a standard
// deviation per 130 values. A season shorter than some thousand values is a
// drift that is reported. Two populations in one series (a short and a long
// kind of request) are noise with a heavy tail: keep them in series of their
// own. A single value is judged against all requests of its series; it has to
// be an order of magnitude off when these spread by a factor of two.
package detect
