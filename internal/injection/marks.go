package injection

import "strings"

// Special tokens of chat templates, in small letters.
var templateTokens = []string{
	"<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>", "<|eot_id|>",
	"<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "<|start_of_role|>", "<|end_of_turn|>",
	"<|endofprompt|>", "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|tool_call|>",
	"<start_of_turn>", "<end_of_turn>", "<<sys>>", "<</sys>>", "[inst]", "[/inst]", "[system_prompt]",
	"[/system_prompt]", "[available_tools]", "[tool_results]", "<system>", "</system>", "<system_prompt>",
	"</system_prompt>", "<system-reminder>", "</system-reminder>", "</s>[inst]", "<s>[inst]",
}

// Headings that stand for a turn in instruction templates.
var turnHeadings = []string{
	"### instruction", "### system", "### response", "### human", "### assistant", "### new instruction",
	"## system", "# system prompt", "# instructions:", "### input:",
}

// Longest text that is compared at a mark.
const maxMark = 32

// mark looks at the mark at i for template tokens, fake turns and images.
func (s *scanner) mark(i int) {
	rest := s.text[i:]
	switch rest[0] {
	case '<', '[':
		if hasPrefixFold(rest, templateTokens) {
			s.found |= ruleTemplate
		}
		// [system](#instructions) and [system]: are turns of one product's pages.
		if hasPrefixFold(rest, []string{"[system](#", "[assistant](#", "[user](#", "[system]"}) {
			s.found |= ruleFakeTurn
		}
	case '#':
		if s.lineStart && hasPrefixFold(rest, turnHeadings) {
			s.found |= ruleFakeTurn
		}
		if i > 0 && s.text[i-1] == '#' {
			return
		}
	case '!':
		if len(rest) > 1 && rest[1] == '[' {
			s.image(rest)
		}
		return
	}
}

// image notes a markdown image whose address carries data out: a query with a
// placeholder or an empty value to be filled in, or a long encoded one.
func (s *scanner) image(rest string) {
	const maxImage = 512
	rest = rest[:min(len(rest), maxImage)]
	open := strings.Index(rest, "](")
	if open < 0 {
		return
	}
	address := rest[open+2:]
	end := strings.IndexAny(address, ")\n")
	if end < 0 {
		end = len(address)
	}
	address = address[:end]
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "//") {
		return
	}
	if strings.ContainsAny(address, "{}[]<>$") || strings.Contains(address, "%7B") {
		s.found |= ruleExfiltration
		return
	}
	_, query, ok := strings.Cut(address, "?")
	if !ok {
		return
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case value == "", len(value) >= 48, leakWords[strings.ToLower(key)]:
			s.found |= ruleExfiltration
		case strings.Contains(value, "_HERE"), strings.Contains(value, "DATA"), strings.Contains(value, "SECRET"):
			s.found |= ruleExfiltration
		}
	}
}

// leakWords are names of parameters that carry what was said.
var leakWords = map[string]bool{
	"data": true, "secret": true, "prompt": true, "conversation": true, "history": true, "chat": true, "leak": true,
	"exfil": true, "context": true, "message": true, "messages": true, "password": true, "token": true, "info": true,
}

func hasPrefixFold(s string, list []string) bool {
	s = s[:min(len(s), maxMark)]
	for _, p := range list {
		if len(s) >= len(p) && s[1]|0x20 == p[1]|0x20 && strings.EqualFold(s[:len(p)], p) {
			return true
		}
	}
	return false
}
