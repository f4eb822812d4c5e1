package notify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

const (
	// SuppressedKey is the key of the anomaly's context.additional that holds
	// how many anomalies of the same identity were suppressed since the last
	// notification.
	SuppressedKey = "suppressed_since_last_alert"
	// TruncatedKey marks, in context.additional, an anomaly that was shortened.
	TruncatedKey = "truncated"
)

// DataJSON is the wire form of what the notification is about, in at most limit
// bytes: the anomaly, or its end.
func (n Notification) DataJSON(limit int) ([]byte, error) {
	if n.End == nil {
		return n.AnomalyJSON(limit)
	}
	r := *n.End
	for _, text := range []int{1024, 256, 64} {
		out, err := json.Marshal(&r)
		if err != nil || len(out) <= limit {
			return out, err
		}
		cut := func(s string) string { return CutText(s, text) }
		r.Service, r.Model, r.Metric, r.Summary = cut(r.Service), cut(r.Model), cut(r.Metric), cut(r.Summary)
		r.Type, r.Reason = anomaly.Type(cut(string(r.Type))), anomaly.EndReason(cut(string(r.Reason)))
		r.IDs = r.IDs[:min(len(r.IDs), maxList)]
	}
	return json.Marshal(&r)
}

// AnomalyJSON is the wire form of the anomaly, with the number of suppressed
// ones in its context, in at most limit bytes. A larger one loses its optional
// maps first, and the ends of its texts and lists when that does not help.
func (n Notification) AnomalyJSON(limit int) ([]byte, error) {
	out, err := n.marshal()
	for _, text := range []int{1 << 16, 1024, 256, 64} {
		if err != nil || len(out) <= limit {
			return out, err
		}
		n.Anomaly = shorten(n.Anomaly, text)
		out, err = n.marshal()
	}
	if err == nil && len(out) > limit {
		return nil, fmt.Errorf("anomaly has %d bytes after shortening, allowed are %d", len(out), limit)
	}
	return out, err
}

func (n Notification) marshal() ([]byte, error) {
	a := n.Anomaly
	if n.Suppressed > 0 {
		extra := make(map[string]string, len(a.Context.Additional)+1)
		for k, v := range a.Context.Additional {
			extra[k] = v
		}
		extra[SuppressedKey] = strconv.FormatUint(n.Suppressed, 10)
		a.Context.Additional = extra
	}
	return json.Marshal(a)
}

// shorten drops the optional maps, bounds the lists and cuts each text to
// limit bytes. It shares nothing that it changes with a.
func shorten(a anomaly.Anomaly, limit int) anomaly.Anomaly {
	cut := func(s string) string { return CutText(s, limit) }
	a.Details.Additional = nil
	a.Context.Additional = map[string]string{TruncatedKey: "true"}
	a.Service, a.Model = cut(a.Service), cut(a.Model)
	a.Type, a.Method = anomaly.Type(cut(string(a.Type))), anomaly.Method(cut(string(a.Method)))
	a.Details.Metric = cut(a.Details.Metric)
	a.Details.Methods = cutList(a.Details.Methods, cut)
	a.Remediation = cutList(a.Remediation, cut)
	a.RelatedAlerts = a.RelatedAlerts[:min(len(a.RelatedAlerts), maxList)]
	a.RootCause, a.RunbookURL = cut(a.RootCause), cut(a.RunbookURL)
	c := &a.Context
	c.TraceID, c.SpanID, c.EventID = cut(c.TraceID), cut(c.SpanID), cut(c.EventID)
	c.UserID, c.Region, c.TimeWindow = cut(c.UserID), cut(c.Region), cut(c.TimeWindow)
	return a
}

// maxList bounds the lists of a shortened anomaly.
const maxList = 8

func cutList[S ~string](list []S, cut func(string) string) []S {
	if len(list) == 0 {
		return nil
	}
	out := make([]S, 0, maxList)
	for _, s := range list[:min(len(list), maxList)] {
		out = append(out, S(cut(string(s))))
	}
	return out
}

// CutText shortens s to at most limit bytes, never inside a character.
func CutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "..."
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
