package llmtraffic

import (
	"slices"
	"sort"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// MatchOptions say how strictly anomalies are compared with labels.
type MatchOptions struct {
	// Grace is how long after the end of an incident a finding on its series
	// still belongs to it, in event time; default 10 min.
	Grace time.Duration
	// Slack is how much earlier than the onset the time of a finding may lie,
	// for findings that are dated with the start of a window; default 1 min.
	Slack time.Duration
}

// Detection says whether one incident was found.
type Detection struct {
	Truth TruthLine
	// Anomaly is the first finding of an expected type on the series; nil when
	// the incident was missed.
	Anomaly *anomaly.Anomaly
	// Delay is event time from the onset to the finding; DelayCalls the number
	// of changed calls up to and including the one that showed it.
	Delay      time.Duration
	DelayCalls int
	// Related is the number of further findings on the series that the
	// incident explains.
	Related int
	// Alert is the first notification about the incident; nil when none came.
	Alert *Notification
}

// Report compares a run with its labels.
type Report struct {
	Detections []Detection
	// FalseAlarms are findings that no incident explains; Untouched of them lie
	// on series without any incident.
	FalseAlarms []anomaly.Anomaly
	Untouched   int
	// CleanEnd is the onset of the first incident. CleanAnomalies and
	// CleanAlerts were raised for event times before it.
	CleanEnd       time.Time
	CleanAnomalies int
	CleanAlerts    int
	// FalseAlerts are notifications about false alarms.
	FalseAlerts int
	// BadSignatures are notifications whose signature was not verified.
	BadSignatures int
}

// Missed counts the incidents that were not found.
func (r *Report) Missed() int {
	n := 0
	for i := range r.Detections {
		if r.Detections[i].Anomaly == nil {
			n++
		}
	}
	return n
}

// Match compares anomalies and notifications with the labels. effects holds
// what each incident changed, in the order of truth; it may be nil, then
// DelayCalls stays 0.
func Match(truth []TruthLine, effects []Effect, found []anomaly.Anomaly, notes []Notification, o MatchOptions) Report {
	if o.Grace <= 0 {
		o.Grace = 10 * time.Minute
	}
	if o.Slack <= 0 {
		o.Slack = time.Minute
	}
	found = slices.Clone(found)
	sort.SliceStable(found, func(i, j int) bool { return found[i].Time.Before(found[j].Time) })
	r := Report{Detections: make([]Detection, len(truth))}
	for i := range truth {
		r.Detections[i].Truth = truth[i]
		if r.CleanEnd.IsZero() || truth[i].Start.Before(r.CleanEnd) {
			r.CleanEnd = truth[i].Start
		}
	}
	clean := func(a *anomaly.Anomaly) bool { return !r.CleanEnd.IsZero() && a.Time.Before(r.CleanEnd.Add(-o.Slack)) }
	for i := range found {
		r.add(truth, effects, &found[i], &o)
		if clean(&found[i]) {
			r.CleanAnomalies++
		}
	}
	for i := range notes {
		n := &notes[i]
		if n.SignatureError != nil {
			r.BadSignatures++
		}
		if n.Resolved {
			continue
		}
		inClean, explained := false, len(n.Anomalies) == 0
		for j := range n.Anomalies {
			a := &n.Anomalies[j]
			inClean = inClean || clean(a)
			for k := range truth {
				if covers(&truth[k], a, &o) {
					explained = true
					if d := &r.Detections[k]; d.Alert == nil && expected(&truth[k], a) {
						d.Alert = n
					}
				}
			}
		}
		if inClean {
			r.CleanAlerts++
		}
		if !explained {
			r.FalseAlerts++
		}
	}
	return r
}

func (r *Report) add(truth []TruthLine, effects []Effect, a *anomaly.Anomaly, o *MatchOptions) {
	explained, touched := false, false
	for i := range truth {
		t := &truth[i]
		touched = touched || sameSeries(t, a)
		if !covers(t, a, o) {
			continue
		}
		explained = true
		d := &r.Detections[i]
		if d.Anomaly != nil || !expected(t, a) {
			d.Related++
			continue
		}
		d.Anomaly = a
		d.Delay = max(a.Time.Sub(t.Start), 0)
		if i < len(effects) {
			d.DelayCalls, _ = slices.BinarySearchFunc(effects[i].Times, a.Time, func(x, y time.Time) int {
				if x.After(y) {
					return 1
				}
				return -1
			})
		}
	}
	if !explained {
		r.FalseAlarms = append(r.FalseAlarms, *a)
		if !touched {
			r.Untouched++
		}
	}
}

// sameSeries accepts the requested and the answering model, and findings about
// the whole service.
func sameSeries(t *TruthLine, a *anomaly.Anomaly) bool {
	if a.Service != t.Service {
		return false
	}
	return a.Model == t.Model || a.Model == t.ResponseModel || a.Model == "*" || a.Model == ""
}

// covers reports whether the incident can explain the finding.
func covers(t *TruthLine, a *anomaly.Anomaly, o *MatchOptions) bool {
	end := t.End
	if t.LastEvent != nil && t.LastEvent.After(end) {
		end = *t.LastEvent
	}
	begin := t.Start.Add(-o.Slack)
	if a.Context.EventID != "" && t.FirstEvent != nil {
		// A finding about one call says nothing about an incident that had not
		// changed any call yet. Stores may cut times to milliseconds.
		begin = t.FirstEvent.Add(-time.Millisecond)
	}
	return sameSeries(t, a) && !a.Time.Before(begin) && !a.Time.After(end.Add(o.Grace))
}

func expected(t *TruthLine, a *anomaly.Anomaly) bool {
	return slices.Contains(t.Expected, string(a.Type))
}
