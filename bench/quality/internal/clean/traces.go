package clean

import (
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/dataset"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/inject"
	"github.com/llm-devops/llm-sentinel/bench/quality/internal/score"
)

// Count is the number of alerts on real series as they are, after their
// warm-up. Nobody has labelled these: some of the alerts are right.
type Count struct {
	Series int     `json:"series"`
	Points int     `json:"points"`
	Hours  float64 `json:"hours"`
	Alerts int     `json:"alerts"`
}

// Per1000h is the rate of alerts per 1000 series-hours.
func (c Count) Per1000h() float64 {
	if c.Hours == 0 {
		return 0
	}
	return 1000 * float64(c.Alerts) / c.Hours
}

// Per10000 is the rate of alerts per 10 000 points, for series of different
// steps.
func (c Count) Per10000() float64 {
	if c.Points == 0 {
		return 0
	}
	return 1e4 * float64(c.Alerts) / float64(c.Points)
}

// Traces counts alerts at the defaults of a method, by group of series and in
// all.
func Traces(m score.Method, series []dataset.Series) (groups map[string]Count, all Count) {
	groups = map[string]Count{}
	for i := range series {
		s := &series[i]
		from := inject.Warmup(len(s.Values))
		alarms := score.Run(m, s.Times, s.Values).Alarms
		onsets, _ := inject.Rule.Onsets(func(k int) bool { return alarms[k] }, from, len(alarms))
		all.add(len(alarms)-from, s.HoursFrom(from), len(onsets))
		g := groups[s.Group]
		g.add(len(alarms)-from, s.HoursFrom(from), len(onsets))
		groups[s.Group] = g
	}
	return groups, all
}

func (c *Count) add(points int, hours float64, alerts int) {
	c.Series++
	c.Points += points
	c.Hours += hours
	c.Alerts += alerts
}
