package score

import (
	"fmt"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/detect/ensemble"
)

// AlertsPerWeek is the default of the processor's trend::alerts_per_week.
const AlertsPerWeek = 2

// Week is the time that it counts in.
const Week = 7 * 24 * time.Hour

// Knob is the product with a bound of so many alerts per series and week without
// cause, as the processor has one besides the threshold.
func Knob(alertsPerWeek float64) Method {
	return Method{
		Title: fmt.Sprintf("at most %v a week", alertsPerWeek), Threshold: ensemble.DefaultThreshold,
		New: func() Scorer { return &knob{sentinel: newSentinel(), perWeek: alertsPerWeek} },
	}
}

// knob is the product with a bound. The step of a series is its shortest.
type knob struct {
	sentinel Scorer
	perWeek  float64
	last     time.Time
	step     time.Duration
}

func (k *knob) Judge(t time.Time, x float64) Judgement {
	if d := t.Sub(k.last); !k.last.IsZero() && d > 0 && (k.step == 0 || d < k.step) {
		k.step = d
	}
	k.last = t
	j := k.sentinel.Judge(t, x)
	j.Alarm = j.Alarm && j.Rate <= k.perWeek*float64(k.step)/float64(Week)
	return j
}
