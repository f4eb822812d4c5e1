// Package drift finds lasting changes of a distribution, of a relation between
// two numbers, and of a mean vector, in a stream of values. It knows nothing of
// telemetry, has no clock, no goroutine and no randomness: values and event
// times come in, results go out.
//
// # Windows
//
// Values are collected in windows. A window closes when it holds enough values
// and has lasted long enough; see [Config]. When one closes, the pair of the
// last two windows is compared with the reference, which is everything before
// them, forgotten exponentially. The reference therefore lags: what is judged is
// not part of it, and it takes in a window only when the next one has shown no
// drift. A drift must be significant in the pair and large enough in each of its
// two windows, which is what makes it lasting. Then the pair becomes the
// reference, so that one drift is one result.
//
// # Statistics
//
// Each comparison gives a statistic T that is 1 on average when nothing has
// changed and the values are independent:
//
//	numbers     Anderson-Darling on up to 10 groups of about equal mass in the
//	            reference: the mean over the borders of
//	            (F - F0)^2 / (F'(1-F')) nm/(n+m), F' that of both together
//	            (Anderson & Darling 1952; Pettitt 1976 for two samples)
//	categories  G = 2 sum O ln(O/E) of the 2 x k table, by its k-1 degrees of
//	            freedom (Woolf 1957; Sokal & Rohlf 1981)
//	relation    squared mean residual by its variance, from least squares with
//	            exponential forgetting, updated once a window: the block form of
//	            recursive least squares (Plackett 1950), on logarithms
//	mean vector |mean - mean0|^2 / (trace of the covariance (1/n+1/m)): the
//	            squared maximum mean discrepancy with the linear kernel (Gretton
//	            et al. 2012), which is half the energy distance with the squared
//	            norm in place of the norm (Szekely & Rizzo 2013)
//
// # Calibration
//
// Values of a stream are not independent, so that T is larger than 1 even when
// nothing has changed for good. How much larger is learned from the pairs that
// went before: their mean T is the design effect (Rao & Scott 1981). The p-value
// is that of Fisher's F for T over the design effect; its second degrees of
// freedom are those of the estimate, so that a series that is not known well yet
// needs more (Thomas & Rao 1987). A prior of 8 pairs of independent values
// stands in at the start, the design effect is never taken below 1, and T enters
// it cut to 4 times its value. The first degrees of freedom are 2 for
// numbers, at most 3 for categories, 1 for relations, 3 for vectors. The tail
// then falls as fast as the largest term of the statistic's true distribution, a
// weighted sum of chi-squares, and the p-value errs to the careful side.
//
// Significance alone is cheap on busy series, so that a smallest effect is asked
// for too: the population stability index, a ratio, or a distance of means.
// The excess that is due to chance is subtracted before it is compared.
//
// # Measures
//
//	PSI  sum (p-q) ln(p/q) over the groups, half a value added to each (Siddiqi
//	     2006: .1 a moderate, .25 a large change)
//	KS   largest difference of the distribution functions (Kolmogorov 1933;
//	     Massey 1951), on the fine bins
//	JS   Jensen-Shannon divergence in bits, 0..1 (Lin 1991)
//
// # Memory
//
// A [Dist] of 64 bins takes about 600 bytes, a [Relation] 300, a [Centroid] 900.
package drift
