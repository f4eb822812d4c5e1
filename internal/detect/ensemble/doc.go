// Package ensemble judges the values of a time series with one value per step
// (a rate or a mean per minute, say) by nine detectors that look at different
// things, and says how rare what it sees is for this very series.
//
// # Detectors
//
// Each turns the newest value, and those before it, into a statistic that is 0
// or more:
//
//	level       generalised likelihood ratio over the last 1, 2, 4 … 32 values:
//	            the largest |sum z| / sqrt(m), z being the deviation from a
//	            reference of about 100 values in its standard deviations, cut at
//	            6 (MOSUM; Romano et al., JMLR 2023)
//	shift       mean of the last 30 values against a reference of about 1500
//	season      distance from the usual value at this half hour of a weekday or
//	            a weekend (Brutlag, LISA 2000); the period need not be told
//	jump        step from the last value on the square root scale, on which the
//	            noise of counts does not grow with their level (Anscombe 1948),
//	            relative to what is usual at the hour
//	step        step from the last value
//	fall        fall from the last value and from a reference of about 15, as a
//	            ratio: a drop to a tenth is as rare as a rise to ten times, but
//	            small as a step. Twice in a row it counts more
//	shape       relative entropy of the histogram of the last 30 values against
//	            the nearest of the 16 remembered (Wang et al., IM 2011)
//	gap         how far, as a ratio, all of the last 7 values are below all of
//	            the 25 before
//	rise        Student's t of the mean of the last 16 values against the 16
//	            before, on the log scale, less the rise that the season is known
//	            to bring, and divided by (1 + r) / (1 - r) for the serial
//	            correlation r
//
// The references lag behind the values that are compared with them. They are
// exponentially weighted, and values far away count as if they were at the edge
// (3 or 5 standard deviations), so that an incident hardly moves them.
//
// # Calibration
//
// A statistic means nothing by itself: one series is calm, another jumps. So each
// but the last two is ranked among its own earlier values, in a histogram of bins
// of a factor of 1.19 (four to a power of two) around their mean: the empirical rank up to
// the 97th percentile, and an exponential tail with the mean excess beyond it
// (peaks over threshold; Siffer et al., KDD 2017, with shape 0). The result is
// in decades, -log10 of a p-value. What came three times before cannot be rarer
// than that by more than a factor.
//
// Gap and rise are not ranked: they are compared with the values just before them,
// by a measure that is the same for every series, and speak from the 65th value on.
// Ranks forget: after an incident of half an hour the next like it is nothing new
// in a series of an hour.
//
// # Cost
//
// A state takes 1304 bytes, nearly all of which are read for every value, so that
// with many series memory is what a value waits for. Sums that follow from the
// newest values (of the level, of the shapes) are in whole steps, hence exact, and
// are carried on from one value to the next.
//
// # Evidence
//
// The decades are weighted and combined by their Euclidean norm: one detector
// that is certain suffices, and several that are less so add up. The weights
// are the same for all series, see weights. The score is the evidence, and a
// little for how far the value is away and for how long a step is: of finer
// steps there are more, and they have to say more.
//
// # News
//
// A value alarms when its score reaches Config.Threshold, unless a value of
// like evidence (less than a decade below it) came before it within
// Config.CoolDown. That is a time, since incidents last hours however often one
// looks, within bounds in values. Eighteen values in a row that show little end
// it: what stands alone does not hide the next.
//
// Evidence is not a p-value; Verdict.P is one: the rank of the evidence among
// the earlier evidence of the series, by the same calibration. It counts values,
// and an incident that lasts is many of them. Verdict.Rate counts alarms: the same
// tail, over those values only that are news. It is what Config.Rate bounds.
//
// Verdict.Rank is for those who compare the values of a series, told before or
// not: evidence gets used to what comes again, and the distance does not.
//
// # Cold start
//
// A new series is judged from its 33rd value on. Until its own evidence has
// been seen 100 times, P comes from what is usual in any series: how far the
// newest value is from those before it that are kept, in their standard
// deviations, on the linear or the logarithmic scale, whichever says less, under
// a tail as heavy as Student's t with 3 degrees of freedom; or how far the
// smaller of the newest two is, where both are on one side. Evidence and the
// decades of level are at least what this says. Only the gross shows: five times
// a level that is steady within 10 % at once, within 25 % with the second value.
// On seven kinds of noise P was at most 1.4 times too frequent in the first 100
// values, and mostly far too seldom.
//
// A series that takes over from another one, see [State.Adopt], is judged from
// its 17th value on. It has the histograms, the distribution of evidence and the
// shapes of its parent, with a bounded weight; the scale of the parent, as a
// ratio of the level, counts as 16 values where it is the larger. Until 144 own
// values a single value must be rare among the evidence of the parent as well,
// so that a series with a parent alarms less without cause than one without, on
// any kind of noise; a parent that is calmer than its child costs nothing but
// that.
//
// # Limits
//
// Nothing is judged before 32 values of which 8 differ from the one before. The
// first 30 values of a statistic have no rank, and add no evidence. An incident
// in the warm-up hides the like of it for the next 100 values. An incident that
// comes back is found less and less: it is part of the series. Steps should be
// about even; a gap counts as one step.
package ensemble
