package anomaly

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// MarkSpan adds the anomalies to span: one span event each, and the span
// attributes for the highest severity and the distinct types. Marks that the
// span carries already are kept and taken into account, so that two anomaly
// processors in one pipeline add up.
func MarkSpan(span ptrace.Span, found []Anomaly) {
	if len(found) == 0 {
		return
	}
	for i := range found {
		ev := span.Events().AppendEmpty()
		ev.SetName(EventName)
		ev.SetTimestamp(pcommon.NewTimestampFromTime(found[i].Time))
		found[i].ToAttributes(ev.Attributes())
	}
	summarise(span.Attributes(), found)
}

// summarise writes the highest severity and the distinct types of found and of
// what m says already.
func summarise(m pcommon.Map, found []Anomaly) {
	highest := SeverityLow
	if v, ok := m.Get(AttrSeverity); ok {
		if s, err := ParseSeverity(v.AsString()); err == nil {
			highest = s
		}
	}
	var names []string
	if v, ok := m.Get(AttrTypes); ok && v.Type() == pcommon.ValueTypeSlice {
		for _, e := range v.Slice().All() {
			names = append(names, e.AsString())
		}
	}
	for i := range found {
		highest = max(highest, found[i].Severity)
		names = appendDistinct(names, string(found[i].Type))
	}
	m.PutStr(AttrSeverity, highest.String())
	list := m.PutEmptySlice(AttrTypes)
	for _, n := range names {
		list.AppendEmpty().SetStr(n)
	}
}

func appendDistinct(list []string, s string) []string {
	for _, e := range list {
		if e == s {
			return list
		}
	}
	return append(list, s)
}

// FromSpan yields the anomalies that span carries, in the order of its events.
// An event that bears the name but cannot be decoded is yielded as an error;
// the iteration goes on.
func FromSpan(span ptrace.Span) iter.Seq2[Anomaly, error] {
	return func(yield func(Anomaly, error) bool) {
		if _, marked := span.Attributes().Get(AttrSeverity); !marked {
			return
		}
		for i := 0; i < span.Events().Len(); i++ {
			ev := span.Events().At(i)
			if ev.Name() != EventName {
				continue
			}
			if !yield(FromAttributes(ev.Attributes(), ev.Timestamp().AsTime())) {
				return
			}
		}
	}
}

// ToAttributes writes every field of a, except Time, into m. Empty texts and
// undefined numbers are left out.
func (a *Anomaly) ToAttributes(m pcommon.Map) {
	m.EnsureCapacity(m.Len() + 20 + len(a.Details.Additional) + len(a.Context.Additional))
	m.PutStr(AttrID, a.ID.String())
	m.PutStr(AttrSeverity, a.Severity.String())
	m.PutStr(AttrType, string(a.Type))
	m.PutStr(AttrService, a.Service)
	m.PutStr(AttrModel, a.Model)
	m.PutStr(AttrMethod, string(a.Method))
	putList(m, AttrMethods, a.Details.Methods)
	putFloat(m, AttrConfidence, a.Confidence)
	m.PutStr(AttrMetric, a.Details.Metric)
	putFloat(m, AttrValue, a.Details.Value)
	putFloat(m, AttrBaseline, a.Details.Baseline)
	putFloat(m, AttrThreshold, a.Details.Threshold)
	putFloat(m, AttrDeviationSigma, a.Details.DeviationSigma)
	for k, v := range a.Details.Additional {
		putFloat(m, PrefixDetail+k, v)
	}
	putStr(m, AttrTraceID, a.Context.TraceID)
	putStr(m, AttrSpanID, a.Context.SpanID)
	putStr(m, AttrEventID, a.Context.EventID)
	putStr(m, AttrUserID, a.Context.UserID)
	putStr(m, AttrRegion, a.Context.Region)
	putStr(m, AttrTimeWindow, a.Context.TimeWindow)
	m.PutInt(AttrSampleCount, int64(min(a.Context.SampleCount, math.MaxInt64)))
	for k, v := range a.Context.Additional {
		m.PutStr(PrefixContext+k, v)
	}
	putStr(m, AttrRootCause, a.RootCause)
	putList(m, AttrRemediation, a.Remediation)
	if len(a.RelatedAlerts) > 0 {
		s := m.PutEmptySlice(AttrRelatedAlerts)
		for _, id := range a.RelatedAlerts {
			s.AppendEmpty().SetStr(id.String())
		}
	}
	putStr(m, AttrRunbookURL, a.RunbookURL)
}

func putStr(m pcommon.Map, k, v string) {
	if v != "" {
		m.PutStr(k, v)
	}
}

func putFloat(m pcommon.Map, k string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m.PutDouble(k, v)
	}
}

func putList[S ~string](m pcommon.Map, k string, list []S) {
	if len(list) == 0 {
		return
	}
	s := m.PutEmptySlice(k)
	s.EnsureCapacity(len(list))
	for _, e := range list {
		s.AppendEmpty().SetStr(string(e))
	}
}

// FromAttributes reads what ToAttributes wrote. Strings of the result share
// memory with m. Numbers that are missing become NaN. An error names the
// attribute that is missing or malformed.
func FromAttributes(m pcommon.Map, at time.Time) (Anomaly, error) {
	a := Anomaly{Time: at.UTC(), Confidence: math.NaN()}
	a.Details = Details{Value: math.NaN(), Baseline: math.NaN(), Threshold: math.NaN(), DeviationSigma: math.NaN()}
	var err error
	fail := func(k string, v pcommon.Value, want string) {
		if err == nil {
			err = fmt.Errorf("attribute %s must be %s, got %q", k, want, v.AsString())
		}
	}
	for k, v := range m.All() {
		switch k {
		case AttrID:
			id, e := uuid.Parse(v.AsString())
			if e != nil {
				fail(k, v, "a UUID")
			}
			a.ID = id
		case AttrSeverity:
			s, e := ParseSeverity(v.AsString())
			if e != nil {
				fail(k, v, "low, medium, high or critical")
			}
			a.Severity = s
		case AttrType:
			a.Type = Type(v.AsString())
		case AttrService:
			a.Service = v.AsString()
		case AttrModel:
			a.Model = v.AsString()
		case AttrMethod:
			a.Method = Method(v.AsString())
		case AttrMethods:
			a.Details.Methods = getList[Method](v)
		case AttrConfidence:
			a.Confidence = getFloat(v)
		case AttrMetric:
			a.Details.Metric = v.AsString()
		case AttrValue:
			a.Details.Value = getFloat(v)
		case AttrBaseline:
			a.Details.Baseline = getFloat(v)
		case AttrThreshold:
			a.Details.Threshold = getFloat(v)
		case AttrDeviationSigma:
			a.Details.DeviationSigma = getFloat(v)
		case AttrTraceID:
			a.Context.TraceID = v.AsString()
		case AttrSpanID:
			a.Context.SpanID = v.AsString()
		case AttrEventID:
			a.Context.EventID = v.AsString()
		case AttrUserID:
			a.Context.UserID = v.AsString()
		case AttrRegion:
			a.Context.Region = v.AsString()
		case AttrTimeWindow:
			a.Context.TimeWindow = v.AsString()
		case AttrSampleCount:
			a.Context.SampleCount = uint64(max(v.Int(), 0))
		case AttrRootCause:
			a.RootCause = v.AsString()
		case AttrRemediation:
			a.Remediation = getList[string](v)
		case AttrRelatedAlerts:
			for _, s := range getList[string](v) {
				id, e := uuid.Parse(s)
				if e != nil {
					fail(k, v, "a list of UUIDs")
					continue
				}
				a.RelatedAlerts = append(a.RelatedAlerts, id)
			}
		case AttrRunbookURL:
			a.RunbookURL = v.AsString()
		default:
			if name, ok := strings.CutPrefix(k, PrefixDetail); ok {
				setFloat(&a.Details.Additional, name, getFloat(v))
			} else if name, ok := strings.CutPrefix(k, PrefixContext); ok {
				if a.Context.Additional == nil {
					a.Context.Additional = map[string]string{}
				}
				a.Context.Additional[name] = v.AsString()
			}
		}
	}
	switch {
	case err != nil:
	case a.ID == uuid.Nil:
		err = fmt.Errorf("attribute %s is missing", AttrID)
	case !a.Severity.Valid():
		err = fmt.Errorf("attribute %s is missing", AttrSeverity)
	case a.Type == "":
		err = fmt.Errorf("attribute %s is missing", AttrType)
	}
	return a, err
}

func getFloat(v pcommon.Value) float64 {
	switch v.Type() {
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeInt:
		return float64(v.Int())
	default:
		return math.NaN()
	}
}

func getList[S ~string](v pcommon.Value) []S {
	if v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	out := make([]S, 0, v.Slice().Len())
	for _, e := range v.Slice().All() {
		out = append(out, S(e.AsString()))
	}
	return out
}
