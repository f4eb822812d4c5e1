package anomalyprocessor

import (
	"context"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/detect"
	"github.com/llm-devops/llm-sentinel/internal/series"
)

// Keys of Context.Additional.
const (
	contextOnset        = "onset"
	contextSide         = "side"
	contextAlso         = "also"
	contextOperation    = "operation"
	contextProvider     = "provider"
	contextRequestModel = "request_model"
	contextFinishReason = "finish_reason"
	contextBaseline     = "baseline"
)

// outcome says what the models found on one event, as sets of judges: those
// that got a value, had the samples to judge it, found it anomalous, and those
// of which this is news, and those of which people do not want to be told it.
// Verdicts are there for the anomalous ones.
type outcome struct {
	seen, judged, anomalous, alarms, kept uint
}

func (o outcome) has(set uint, judge int) bool { return set>>judge&1 != 0 }

// report turns the verdicts of the event into the anomalies to mark: the
// strongest alarm of each type. It runs while ent is locked.
func (b *batch) report(ctx context.Context, from origin, ent *entry, key *series.Key, o outcome) []anomaly.Anomaly {
	b.counts.suppressed[suppressOngoing] += int64(bits.OnesCount(o.anomalous &^ o.alarms))
	var strongest []int // judges, one for each type, in the order of the table
	for i := range b.judges {
		if !o.has(o.alarms&^o.kept, i) {
			continue
		}
		if anomaly.Severity(b.verdicts[i].Severity) < b.cfg.MinSeverity {
			b.counts.suppressed[suppressMinSeverity]++
			continue
		}
		rival := -1
		for n, k := range strongest {
			if b.judges[k].metric.typ == b.judges[i].metric.typ {
				rival = n
			}
		}
		if rival < 0 {
			strongest = append(strongest, i)
			continue
		}
		b.counts.suppressed[suppressSameType]++
		if stronger(&b.verdicts[i], &b.verdicts[strongest[rival]]) {
			strongest[rival] = i
		}
	}
	own := b.told[:0]
	for i := range b.found {
		if b.found[i].ended != "" {
			continue
		}
		if b.found[i].severity < b.cfg.MinSeverity {
			b.counts.suppressed[suppressMinSeverity]++
			continue
		}
		own = append(own, b.found[i])
	}
	b.told = own
	if len(strongest)+len(own) == 0 {
		return nil
	}
	resource := b.details.Resource(from.resource)
	b.event.Region = resource.Region
	from.read(b.details, &resource, b.event)
	found := make([]anomaly.Anomaly, 0, len(strongest)+len(own))
	for _, i := range strongest {
		a := b.anomaly(key, ent, i, o)
		b.noteCall(ctx, ent, i, &a, b.verdicts[i].Onset)
		b.remember(a.ID, i)
		found = append(found, a)
		b.tel.detected(ctx, i, &b.verdicts[i])
	}
	for i := range own {
		a := b.ruleAnomaly(key, &own[i])
		b.noteCall(ctx, ent, ruleJudge, &a, own[i].onset)
		b.rememberFinding(a.ID, &own[i])
		found = append(found, a)
		b.tel.found(ctx, &own[i])
	}
	addRelated(found)
	if !b.delivery.span.IsEmpty() {
		if ent.marks == nil {
			ent.marks = &marks{}
		}
		ent.marks.add(b.delivery, found)
	}
	return found
}

func stronger(a, b *detect.Verdict) bool {
	if a.Severity != b.Severity {
		return a.Severity > b.Severity
	}
	return a.Score > b.Score
}

// noteCall compares the anomaly of a call with its peers, and notes that it is
// reported.
func (b *batch) noteCall(ctx context.Context, ent *entry, judge int, a *anomaly.Anomaly, onset int64) {
	b.note(ctx, ent, judge, a, onset, b.at, strings.Clone(b.event.Provider))
}

// anomaly describes the verdict of judge i. Nothing in it shares memory with
// the telemetry.
func (b *batch) anomaly(key *series.Key, ent *entry, i int, o outcome) anomaly.Anomaly {
	ev, j, v := b.event, &b.judges[i], &b.verdicts[i]
	item := ev.ID.String()
	model := strings.Clone(b.model)
	onset := time.Unix(0, v.Onset).UTC()
	a := anomaly.Anomaly{
		ID:         anomaly.NewID(key.Service, model, j.metric.name, j.metric.typ, onset, item),
		Time:       time.Unix(0, b.at).UTC(),
		Severity:   anomaly.Severity(v.Severity),
		Type:       j.metric.typ,
		Service:    key.Service,
		Model:      model,
		Method:     j.methods[v.Findings[0].Detector],
		Confidence: v.Confidence,
		Details: anomaly.Details{
			Metric: j.metric.name, Value: j.metric.value(ev), Baseline: j.metric.tidy(v.Expected), Threshold: v.Limit,
			DeviationSigma: v.Sigma, Methods: make([]anomaly.Method, 0, v.N), Additional: map[string]float64{"score": v.Score, "level": v.Level},
		},
		Context: anomaly.Context{
			EventID:     item,
			TimeWindow:  "last_" + strconv.Itoa(b.cfg.Window) + "_samples",
			SampleCount: v.Samples,
			Additional:  map[string]string{contextOnset: onset.Format(time.RFC3339Nano), contextSide: side(v)},
		},
		Remediation: b.remediation(i, o),
	}
	e := b.expectation(ent, i)
	a.RootCause = ent.parent.tell(ent.states[i].Borrowed(), b.rootCause(i, o, &e), a.Details.Additional, a.Context.Additional)
	for _, f := range v.Findings[:v.N] {
		method := j.methods[f.Detector]
		a.Details.Methods = append(a.Details.Methods, method)
		a.Details.Additional[string(method)+".value"] = f.Value
		a.Details.Additional[string(method)+".score"] = f.Score
		for n, name := range j.model.ExtraNames(f.Detector) {
			if _, taken := a.Details.Additional[name]; taken {
				name = string(method) + "." + name
			}
			a.Details.Additional[name] = f.Extra[n]
		}
	}
	e.addTo(&a)
	b.link(&a, key)
	b.contextFacts(&a, i, o)
	return a
}

// ruleAnomaly describes what a rule has found on the event.
func (b *batch) ruleAnomaly(key *series.Key, f *finding) anomaly.Anomaly {
	ev := b.event
	a := newAnomaly(key, strings.Clone(b.model), ev.ID.String(), b.at, f)
	b.link(&a, key)
	b.eventFacts(&a)
	return a
}

// link adds what leads from the anomaly to the call.
func (b *batch) link(a *anomaly.Anomaly, key *series.Key) {
	ev := b.event
	a.Context.UserID, a.Context.Region = strings.Clone(ev.User), strings.Clone(ev.Region)
	if !ev.TraceID.IsEmpty() {
		a.Context.TraceID = ev.TraceID.String()
	}
	if !ev.SpanID.IsEmpty() {
		a.Context.SpanID = ev.SpanID.String()
	}
	if key.Model != b.model {
		a.Context.Additional[contextBaseline] = key.Service + ", all models"
	}
}

// contextFacts adds what is known about the call beside the judged value.
func (b *batch) contextFacts(a *anomaly.Anomaly, i int, o outcome) {
	ev := b.event
	b.eventFacts(a)
	var also []string
	for k := range b.judges {
		m := b.judges[k].metric
		if k == i || !o.has(o.anomalous, k) || m.typ != a.Type {
			continue
		}
		also = append(also, m.name)
		a.Details.Additional[m.name+".value"] = m.value(ev)
		a.Details.Additional[m.name+".baseline"] = m.tidy(b.verdicts[k].Expected)
	}
	if len(also) > 0 {
		a.Context.Additional[contextAlso] = strings.Join(also, ",")
	}
}

// eventFacts adds what the call says about itself.
func (b *batch) eventFacts(a *anomaly.Anomaly) {
	ev := b.event
	facts := [...]struct{ key, value string }{
		{contextOperation, ev.Operation},
		{contextProvider, ev.Provider},
		{contextFinishReason, ev.FinishReason},
		{contextRequestModel, b.requestModel()},
	}
	for _, f := range facts {
		if f.value != "" {
			a.Context.Additional[f.key] = strings.Clone(f.value)
		}
	}
}

// requestModel is the model that was asked for when another one answers.
func (b *batch) requestModel() string {
	if b.event.RequestModel != b.model {
		return b.event.RequestModel
	}
	return ""
}

func side(v *detect.Verdict) string {
	if v.Side < 0 {
		return "below"
	}
	return "above"
}
