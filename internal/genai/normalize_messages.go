package genai

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Limits of the messages that are written.
const (
	maxMessages     = 256
	maxMessageCalls = 32
	maxMessageBytes = 1 << 20
)

// flatMessages are conventions that write one attribute for each part of a
// message, as <prefix><N>.<field>.
var flatMessages = []struct{ prefix, to string }{
	{"llm.input_messages.", AttrInputMessages},
	{"gen_ai.prompt.", AttrInputMessages},
	{"llm.output_messages.", AttrOutputMessages},
	{"gen_ai.completion.", AttrOutputMessages},
}

// flatMessage is a message under construction.
type flatMessage struct {
	role, content, finish, callID string
	parts                         []string
	calls                         []flatCall
}

type flatCall struct{ id, name, arguments string }

// The JSON form of messages in the GenAI conventions.
type wireMessage struct {
	Role   string     `json:"role"`
	Parts  []wirePart `json:"parts"`
	Finish string     `json:"finish_reason,omitempty"`
}

type wirePart struct {
	Type      string          `json:"type"`
	Content   string          `json:"content,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Response  string          `json:"response,omitempty"`
}

// normalizeMessages writes flat messages as JSON text, unless there are messages
// in the current form.
func normalizeMessages(attrs pcommon.Map) {
	found := map[string][]flatMessage{}
	budget := maxMessageBytes
	for k, v := range attrs.All() {
		if k == "" || k[0] != 'l' && k[0] != 'g' || v.Type() != pcommon.ValueTypeStr {
			continue
		}
		for _, f := range flatMessages {
			rest, ok := strings.CutPrefix(k, f.prefix)
			if !ok {
				continue
			}
			at, field, ok := cutIndex(rest, maxMessages)
			if !ok || len(v.Str()) > budget {
				break
			}
			list := found[f.prefix]
			for len(list) <= at {
				list = append(list, flatMessage{})
			}
			if list[at].take(strings.TrimPrefix(field, "message."), v.Str()) {
				budget -= len(v.Str())
			}
			found[f.prefix] = list
			break
		}
	}
	for _, f := range flatMessages {
		if list := found[f.prefix]; len(list) > 0 && !(normalizer{attrs}).has(f.to) {
			if text := messageJSON(list); text != "" {
				attrs.PutStr(f.to, text)
			}
		}
	}
}

// cutIndex splits "3.role" into 3 and "role".
func cutIndex(s string, limit int) (at int, field string, ok bool) {
	digits, field, ok := strings.Cut(s, ".")
	if !ok || len(digits) == 0 || len(digits) > 3 {
		return 0, "", false
	}
	at, err := strconv.Atoi(digits)
	return at, field, err == nil && at >= 0 && at < limit
}

// take enters one attribute; it is false for one that is of no use.
func (m *flatMessage) take(field, value string) bool {
	if calls, ok := strings.CutPrefix(field, "tool_calls."); ok {
		return m.takeCall(calls, value)
	}
	switch field {
	case "role":
		m.role = value
	case "content":
		m.content = value
	case "finish_reason":
		m.finish = value
	case "tool_call_id":
		m.callID = value
	default:
		rest, ok := strings.CutPrefix(field, "contents.")
		if !ok {
			return false
		}
		at, name, ok := cutIndex(rest, maxMessageCalls)
		if !ok || name != "message_content.text" {
			return false
		}
		for len(m.parts) <= at {
			m.parts = append(m.parts, "")
		}
		m.parts[at] = value
	}
	return true
}

func (m *flatMessage) takeCall(s, value string) bool {
	at, name, ok := cutIndex(s, maxMessageCalls)
	if !ok {
		return false
	}
	for len(m.calls) <= at {
		m.calls = append(m.calls, flatCall{})
	}
	switch strings.TrimPrefix(strings.TrimPrefix(name, "tool_call."), "function.") {
	case "id":
		m.calls[at].id = value
	case "name":
		m.calls[at].name = value
	case "arguments":
		m.calls[at].arguments = value
	default:
		return false
	}
	return true
}

// messageJSON is the JSON text of messages; those about which nothing is known
// are left out.
func messageJSON(list []flatMessage) string {
	out := make([]wireMessage, 0, len(list))
	for i := range list {
		if m := list[i].wire(); m.Role != "" || len(m.Parts) > 0 {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return ""
	}
	text, err := json.Marshal(out)
	if err != nil {
		return ""
	}
	return string(text)
}

func (m *flatMessage) wire() wireMessage {
	w := wireMessage{Role: m.role, Finish: m.finish, Parts: []wirePart{}}
	text := func(s string) {
		switch {
		case s == "":
		case m.callID != "":
			w.Parts = append(w.Parts, wirePart{Type: "tool_call_response", ID: m.callID, Response: s})
		default:
			w.Parts = append(w.Parts, wirePart{Type: "text", Content: s})
		}
	}
	text(m.content)
	for _, p := range m.parts {
		text(p)
	}
	for _, c := range m.calls {
		if c == (flatCall{}) {
			continue
		}
		part := wirePart{Type: "tool_call", ID: c.id, Name: c.name}
		switch {
		case c.arguments == "":
		case json.Valid([]byte(c.arguments)):
			part.Arguments = json.RawMessage(c.arguments)
		default: // cut off: as text
			if quoted, err := json.Marshal(c.arguments); err == nil {
				part.Arguments = quoted
			}
		}
		w.Parts = append(w.Parts, part)
	}
	return w
}
