package webhook

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

// maxBody keeps every body below the 20 kB that Standard Webhooks recommends.
const maxBody = 20_000

// truncatedKey marks, in context.additional, an anomaly that was shortened.
const truncatedKey = "truncated"

type standardBody struct {
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

type sentinelBody struct {
	EventType string          `json:"event_type"`
	Timestamp string          `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// encode writes the body of n. It depends on n alone, so that each attempt
// sends the same bytes.
func encode(f Format, n notify.Notification) ([]byte, error) {
	body, err := encodeOnce(f, n)
	if err != nil || len(body) < maxBody {
		return body, err
	}
	// The optional maps are the usual reason; texts are shortened only when
	// dropping the maps does not help.
	for _, limit := range []int{1 << 16, 1024, 256, 64} {
		n.Anomaly = shorten(n.Anomaly, limit)
		if body, err = encodeOnce(f, n); err != nil || len(body) < maxBody {
			return body, err
		}
	}
	return nil, fmt.Errorf("body has %d bytes after shortening, allowed are less than %d", len(body), maxBody)
}

func encodeOnce(f Format, n notify.Notification) ([]byte, error) {
	data, err := n.AnomalyJSON()
	if err != nil {
		return nil, fmt.Errorf("encode anomaly: %w", err)
	}
	at := n.Anomaly.Time.UTC().Format(time.RFC3339Nano)
	if f == FormatSentinel {
		return json.Marshal(sentinelBody{EventType: notify.EventType, Timestamp: at, Data: data})
	}
	return json.Marshal(standardBody{Type: notify.EventType, Timestamp: at, Data: data})
}

// shorten drops the optional maps, bounds the lists and cuts each text to
// limit bytes. It shares nothing that it changes with a.
func shorten(a anomaly.Anomaly, limit int) anomaly.Anomaly {
	cut := func(s string) string { return cutText(s, limit) }
	a.Details.Additional = nil
	a.Context.Additional = map[string]string{truncatedKey: "true"}
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

// cutText shortens s to at most limit bytes, never inside a character.
func cutText(s string, limit int) string {
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
