package detect

// MaxExtra is the most extra numbers of a [Finding].
const MaxExtra = 5

// Severities of a [Verdict], in the order of the anomaly contract.
const (
	SeverityLow      uint8 = 1
	SeverityMedium   uint8 = 2
	SeverityHigh     uint8 = 3
	SeverityCritical uint8 = 4
)

// Verdict is the judgement on one value.
type Verdict struct {
	// Alarm is set when this value gives a new finding to report now: an
	// episode has begun outside the cool-down, or what was told of before has
	// become more severe and is now high or critical. An episode hence alarms
	// once, and at most twice more; Onset tells which alarms belong together.
	Alarm bool
	// Anomalous is set while the series is outside its limits, also when the
	// finding was reported before or falls into the cool-down.
	Anomalous bool
	// Rebased is set on the value with which a sustained shift was accepted as
	// the new normal. It ends the episode. Expected is then the new level, and
	// Severity is low.
	Rebased bool
	// Recovered is set on the value with which an episode ended because the
	// series is back within its limits. Onset is that of the ended episode.
	Recovered bool
	// Severity is 1..4 (low..critical) when Anomalous, else 0.
	Severity uint8
	// Confidence in [0, 1] when Anomalous, else 0.
	Confidence float64
	// Side is +1 above and -1 below the expected value, 0 when neither.
	Side int8
	// Expected is the expected value and Limit the limit on the crossed side,
	// both in the unit of the metric. Set when Anomalous; otherwise see
	// [Model.Expect].
	Expected, Limit float64
	// Level is the value of a spike, or the mean of the newest values of a
	// shift, in the unit of the metric.
	Level float64
	// Sigma is the signed distance of the value from the expected one in
	// robust standard deviations of the judged scale, within +-MaxSigma.
	Sigma float64
	// Score is that of the strongest detector; 1 is its threshold.
	Score float64
	// Onset is the event time (unix ns) of the first point of the episode, set
	// when Anomalous, Rebased or Recovered.
	Onset int64
	// Samples is the number of values that the baseline has learned from.
	Samples uint64
	// N is the number of Findings, strongest first.
	N        int
	Findings [MaxDetectors]Finding
}

// Finding is the result of one detector that fired.
type Finding struct {
	// Detector is an index into the detectors of the model.
	Detector uint8
	// Score is normalised: 1 is the threshold.
	Score float64
	// Value is the statistic in the unit of the detector's threshold.
	Value float64
	// Limit is the limit on the crossed side in the unit of the metric.
	Limit float64
	// Extra holds further numbers, named by [Model.ExtraNames].
	Extra [MaxExtra]float64
}
