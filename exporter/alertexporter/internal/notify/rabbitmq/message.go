package rabbitmq

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

const appID = "llm-sentinel"

// maxBody keeps a message within one frame of the broker's default size.
const maxBody = 120_000

// maxHeader bounds a text in a message header, in bytes.
const maxHeader = 256

// template is a routing key in parts: literals and placeholders in turn.
type template []part

type part struct {
	text        string
	placeholder bool
}

// parseTemplate reads a routing key with placeholders.
func parseTemplate(s string) (template, error) {
	if s == "" || len(s) > maxShortString {
		return nil, fmt.Errorf("routing_key must have 1 to %d bytes, got %d", maxShortString, len(s))
	}
	var t template
	for s != "" {
		open := strings.IndexAny(s, "{}")
		if open < 0 {
			return append(t, part{text: s}), nil
		}
		if s[open] == '}' {
			return nil, fmt.Errorf("routing_key has a '}' without '{' in %q", s)
		}
		if open > 0 {
			t = append(t, part{text: s[:open]})
		}
		end := strings.IndexByte(s, '}')
		if end < open {
			return nil, fmt.Errorf("routing_key has a '{' without '}' in %q", s)
		}
		switch name := s[open+1 : end]; name {
		case "severity", "type", "service", "model":
			t = append(t, part{text: name, placeholder: true})
		default:
			return nil, fmt.Errorf("routing_key knows {severity}, {type}, {service} and {model}, got {%s}", name)
		}
		s = s[end+1:]
	}
	return t, nil
}

// key builds the routing key of a, at most 255 bytes long.
func (t template) key(a *anomaly.Anomaly) string {
	var b strings.Builder
	for _, p := range t {
		if !p.placeholder {
			b.WriteString(p.text)
			continue
		}
		switch p.text {
		case "severity":
			b.WriteString(a.Severity.String())
		case "type":
			writeWord(&b, string(a.Type))
		case "service":
			writeWord(&b, a.Service)
		case "model":
			writeWord(&b, a.Model)
		}
	}
	return b.String()[:min(b.Len(), maxShortString)]
}

// writeWord writes s as one word of a topic key: a dot would begin another
// word, and '*' and '#' are wildcards of bindings. The result is ASCII, so
// that a key can be cut at any byte.
func writeWord(b *strings.Builder, s string) {
	if s == "" {
		b.WriteByte('_')
		return
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
}

// publishing builds the message of n.
func publishing(n notify.Notification, sentAt time.Time) (amqp.Publishing, error) {
	body, err := n.DataJSON(maxBody)
	if err != nil {
		return amqp.Publishing{}, fmt.Errorf("encode the data: %w", err)
	}
	a := &n.Anomaly
	headers := amqp.Table{
		"severity": a.Severity.String(),
		"service":  cut(a.Service),
		"model":    cut(a.Model),
		"type":     cut(string(a.Type)),
	}
	if n.Suppressed > 0 {
		headers["suppressed"] = int64(min(n.Suppressed, 1<<62))
	}
	if len(a.Context.TraceID) == 32 && len(a.Context.SpanID) == 16 {
		headers["traceparent"] = "00-" + a.Context.TraceID + "-" + a.Context.SpanID + "-01"
	}
	return amqp.Publishing{
		Headers:      headers,
		ContentType:  "application/json",
		DeliveryMode: amqp.Persistent,
		MessageId:    n.ID(),
		Timestamp:    sentAt.UTC(),
		Type:         n.Type(),
		AppId:        appID,
		Body:         body,
	}, nil
}

func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxHeader)], "")
}
