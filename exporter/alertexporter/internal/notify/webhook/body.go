package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
)

// maxBody keeps every body below the 20 kB that Standard Webhooks recommends;
// maxEnvelope of it is for what stands around the anomaly.
const (
	maxBody     = 20_000
	maxEnvelope = 200
)

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
	data, err := n.DataJSON(maxBody - maxEnvelope)
	if err != nil {
		return nil, fmt.Errorf("encode the data: %w", err)
	}
	at := n.Anomaly.Time.UTC().Format(time.RFC3339Nano)
	if f == FormatSentinel {
		return json.Marshal(sentinelBody{EventType: n.Type(), Timestamp: at, Data: data})
	}
	return json.Marshal(standardBody{Type: n.Type(), Timestamp: at, Data: data})
}
