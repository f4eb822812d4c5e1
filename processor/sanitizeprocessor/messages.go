package sanitizeprocessor

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// said is what a message holds that is worth a score: text of the user, and text
// that nobody in the conversation wrote.
type said struct {
	user, tool, retrieval strings.Builder
}

// read finds the texts of a message in any of the forms of a chat API.
func (s *said) read(message string) {
	var v any
	if err := json.Unmarshal([]byte(message), &v); err != nil {
		// Cut off: the role, which mostly comes first, decides for all of it.
		if p, known := provenanceOf(roleInText(message)); known {
			s.add(message, p)
		} else {
			s.add(message, injection.User)
		}
		return
	}
	s.walk(v, injection.User, maxDepth)
}

func (s *said) add(text string, p injection.Provenance) {
	var b *strings.Builder
	switch p {
	case injection.User:
		b = &s.user
	case injection.Tool:
		b = &s.tool
	case injection.Retrieval:
		b = &s.retrieval
	default:
		return // what operator and model wrote is no attack
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(text)
}

// Members of messages that hold text or parts with text.
var textMembers = []string{
	"content", "contents", "parts", "text", "message", "messages", "kwargs", "data", "prompt", "input",
	"functionResponse", "function_response", "toolResult", "tool_result", "response", "result", "output",
}

func (s *said) walk(v any, p injection.Provenance, depth int) {
	if depth == 0 {
		return
	}
	switch v := v.(type) {
	case string:
		s.add(v, p)
	case []any:
		for _, e := range v {
			s.walk(e, p, depth-1)
		}
	case map[string]any:
		if p.Untrusted() {
			s.all(v, p, depth-1)
			return
		}
		for _, name := range [...]string{"role", "type"} {
			word, _ := v[name].(string)
			if calls[word] {
				return // the model's own
			}
			if q, known := provenanceOf(word); known {
				p = q
				if q.Untrusted() {
					s.all(v, p, depth-1)
					return
				}
			}
		}
		for _, k := range textMembers {
			if e, ok := v[k]; ok {
				switch k {
				case "functionResponse", "function_response", "toolResult", "tool_result":
					s.all(e, injection.Tool, depth-1)
				default:
					s.walk(e, p, depth-1)
				}
			}
		}
	}
}

// all takes each text inside of v but names and types.
func (s *said) all(v any, p injection.Provenance, depth int) {
	if depth == 0 {
		return
	}
	switch v := v.(type) {
	case string:
		s.add(v, p)
	case []any:
		for _, e := range v {
			s.all(e, p, depth-1)
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			switch k {
			case "role", "type", "id", "name", "tool_call_id", "tool_use_id", "call_id", "mime_type":
			default:
				s.all(v[k], p, depth-1)
			}
		}
	}
}

// calls are the types of parts in which the model asks for a tool.
var calls = map[string]bool{
	"tool_call": true, "server_tool_call": true, "tool_use": true, "server_tool_use": true, "function_call": true, "functionCall": true, "reasoning": true, "thinking": true,
}

// provenanceOf reads the role of a message or the type of a part.
func provenanceOf(role string) (p injection.Provenance, known bool) {
	switch strings.ToLower(role) {
	case "user", "human", "humanmessage":
		return injection.User, true
	case "system", "developer", "systemmessage":
		return injection.System, true
	case "assistant", "model", "ai", "aimessage":
		return injection.Assistant, true
	case "tool", "function", "toolmessage", "tool_call_response", "server_tool_call_response", "tool_result", "function_call_output",
		"tool-result", "web_search_tool_result", "mcp_tool_result":
		return injection.Tool, true
	case "document", "context", "retrieval", "search_result":
		return injection.Retrieval, true
	}
	return 0, false
}

// roleInText finds the first role in a JSON text that is cut off.
func roleInText(s string) string {
	_, rest, ok := strings.Cut(s, `"role"`)
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, ": \t\n\"")
	if end := strings.IndexByte(rest, '"'); end >= 0 {
		return rest[:end]
	}
	return ""
}

// indexedKey reads <prefix>.<N>.…content, and gives the key of the role beside it.
func indexedKey(key string) (n int, role string, ok bool) {
	for _, prefix := range [...]string{"gen_ai.prompt.", "llm.input_messages."} {
		rest, found := strings.CutPrefix(key, prefix)
		if !found {
			continue
		}
		number, field, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return 0, "", false
		}
		switch {
		case field == "content":
			return n, prefix + number + ".role", true
		case strings.HasPrefix(field, "message.content"):
			return n, prefix + number + ".message.role", true
		}
	}
	return 0, "", false
}
