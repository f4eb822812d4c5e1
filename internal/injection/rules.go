package injection

import "strings"

// ruleSet is a set of rules, one bit each.
type ruleSet uint16

const (
	ruleTemplate ruleSet = 1 << iota
	ruleFakeTurn
	ruleFlood
	ruleZeroWidth
	ruleTag
	ruleMixedScript
	ruleExfiltration
	ruleOverride
	ruleEscape
	ruleRole
	ruleExtraction
	ruleEncoded
	ruleAddressed

	rules = 13
	// hiddenRules tell how a text hides something; they hold for what is hidden, too.
	hiddenRules = ruleZeroWidth | ruleTag | ruleMixedScript
)

// RuleNames has the names of the rules. The order is that of the bits, and of the
// weights in a model file.
var RuleNames = [rules]string{
	"chat_template_token",   // <|im_start|>, [INST], <<SYS>>: special tokens of chat templates
	"fake_turn",             // a line that begins with "system:" or "### Instruction"
	"delimiter_flood",       // long runs of separators or of line breaks
	"zero_width",            // invisible characters inside of words
	"tag_unicode",           // ASCII spelt in the invisible characters U+E0020..U+E007E
	"mixed_script",          // Latin and Cyrillic or Greek letters in one word
	"markdown_exfiltration", // ![](https://host/?q=...): an image whose address carries data
	"override_instruction",  // ignore all previous instructions
	"role_escape",           // do anything now, developer mode, unfiltered
	"role_change",           // you are now, from now on, new task
	"prompt_extraction",     // print your system prompt
	"encoded_payload",       // the hidden text of base64, hex or rot13 scores higher
	"addressed_to_model",    // an imperative on "your answer", or on code to be put into "your code"
}

// names gives the names of the rules of the set, nil for none.
func (r ruleSet) names() []string {
	if r == 0 {
		return nil
	}
	out := make([]string, 0, rules)
	for i, name := range RuleNames {
		if r&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

const (
	floodRun   = 24 // equal separators in a row
	floodLines = 12 // line breaks in a row, also if spelt \n
	window     = 8  // words between the parts of an imperative
)

// scanner looks for the rules in one pass.
type scanner struct {
	text  string
	found ruleSet
	// decode tells that something may be encoded.
	decode bool

	word             uint32 // hash of the word under way
	start            int    // where it began, -1 outside of a word
	ascii, foreign   bool   // letters that it has: Latin, and Cyrillic or Greek
	count            int    // words seen
	prev1, prev2     uint32
	rot              int
	override, reveal int // number of the last word of a class, window or more back at first
	scope, secret    int
	everything       int
	order, your      int
	pointer, code    int
	yourCode         int
	run              int // characters of base64 in a row
	same, newlines   int
	lastByte         byte
	lineStart        bool
}

// scan adds the rules that hit to found, and tells whether something may be encoded.
func scan(text string) (ruleSet, bool) {
	s := scanner{
		text: text, word: fnv32, start: -1, lineStart: true,
		override: -100, reveal: -100, scope: -100, secret: -100, everything: -100, order: -100, your: -100, pointer: -100, code: -100, yourCode: -100,
	}
	for i := 0; i < len(text); i++ {
		raw := text[i]
		b := fold[raw]
		if raw >= 0xC2 {
			if size := invisible(text[i:]); size > 0 {
				s.hidden(i, size)
				i += size - 1
				continue
			}
			if raw >= 0xCE && raw <= 0xD3 {
				s.foreign = true // Greek and Cyrillic
			}
		}
		if isLetter(raw) && raw != 'n' {
			// Most of a text: what runs does, for a letter that ends no line.
			if s.run++; s.run == minBase64 {
				s.decode = true
			}
			s.same, s.newlines, s.lastByte = min(s.same, 0), 0, raw
			if s.start < 0 {
				s.start = i
			}
			s.word = (s.word ^ uint32(b)) * prime
			s.ascii = true
			continue
		}
		s.runs(raw)
		if isWord[b] {
			if s.start < 0 {
				s.start = i
			}
			s.word = (s.word ^ uint32(b)) * prime
			if raw == 'n' {
				s.ascii = true
			}
			continue
		}
		if s.start >= 0 {
			s.endWord(i)
		}
		switch raw {
		case '<', '[', '#', '!', '|':
			s.mark(i)
		case '\n':
			s.lineStart = true
		case ' ', '\t', '\r', '*', '>', '-', '"', '(':
		default:
			s.lineStart = false
		}
		ends := i+1 == len(text) || text[i+1] <= ' '
		if ends && (raw == '.' || raw == '?' || raw == '!') || raw == '\n' && i+1 < len(text) && text[i+1] == '\n' {
			// An imperative does not go on in the next sentence.
			s.override, s.reveal, s.order = -100, -100, -100
		}
	}
	if s.start >= 0 {
		s.endWord(len(text))
	}
	return s.found, s.decode || s.rot >= minRot13
}

// hidden notes an invisible character.
func (s *scanner) hidden(i, size int) {
	if tagByte(s.text[i:]) != 0 {
		// Flags of regions are spelt in tags, after a black flag, with no space.
		if tagByte(s.text[i:]) == ' ' {
			s.found |= ruleTag
		}
		s.decode = true
		return
	}
	if suspicious(s.text, i, size) {
		s.found |= ruleZeroWidth
		s.decode = true
	}
	if s.text[i] == 0xE2 && i+2*size <= len(s.text) && invisible(s.text[i+size:]) > 0 {
		s.decode = true // a row of them may be bits
	}
}

// runs counts equal separators, line breaks, and the alphabet of base64.
func (s *scanner) runs(b byte) {
	if isBase64[b] {
		if s.run++; s.run == minBase64 {
			s.decode = true
		}
	} else {
		if s.run == 2 && (b == ' ' || b == ':' || b == ',' || b == '\\') && hexValue(s.lastByte) >= 0 {
			s.same-- // pairs of hex digits count down; see below
			if s.same <= -minHidden {
				s.decode = true
			}
			s.run, s.lastByte = 0, b
			return
		}
		s.run = 0
	}
	if s.same < 0 && !isBase64[b] {
		s.same = 0
	}
	if b == s.lastByte && (b == '-' || b == '=' || b == '#' || b == '*' || b == '_' || b == '~' || b == '`') {
		if s.same = max(s.same, 0) + 1; s.same >= floodRun {
			s.found |= ruleFlood
		}
	} else if b != s.lastByte && s.same > 0 {
		s.same = 0
	}
	switch b {
	case '\n':
		if s.newlines++; s.newlines >= floodLines {
			s.found |= ruleFlood
		}
	case ' ', '\t', '\r', '\\':
	case 'n':
		if s.lastByte == '\\' || s.lastByte == ' ' && s.newlines > 0 {
			if s.newlines++; s.newlines >= floodLines {
				s.found |= ruleFlood
			}
			break
		}
		s.newlines = 0
	default:
		s.newlines = 0
	}
	s.lastByte = b
}

// endWord judges the word that ends before i.
func (s *scanner) endWord(i int) {
	w := s.word
	class := words.find(w)
	if s.ascii && s.foreign && i-s.start > 2 {
		s.script(s.text[s.start:i])
	}
	s.count++
	if w == yourHash {
		s.your = s.count
	}
	if class != 0 {
		s.judge(class)
		if s.lineStart && class&classTurn != 0 && i < len(s.text) && s.text[i] == ':' {
			s.turn(i)
		}
	}
	if s.prev1 != 0 {
		two := joinWords(joinWords(0, s.prev1), w)
		s.found |= ruleSet(phraseTable.find(two))
		if s.prev2 != 0 {
			s.found |= ruleSet(phraseTable.find(joinWords(joinWords(joinWords(0, s.prev2), s.prev1), w)))
		}
	}
	s.prev2, s.prev1 = s.prev1, w
	s.word, s.start, s.ascii, s.foreign = fnv32, -1, false, false
	s.lineStart = false
}

var yourHash = hashWord("your")

// addressed looks for an imperative on what the model is about to write.
func (s *scanner) addressed(class uint16) {
	n := s.count
	mine := n-s.your <= 2 && n-s.order <= 3*window && s.order > 0
	if class&classReply != 0 && mine {
		s.found |= ruleAddressed
	}
	if class&classCode != 0 {
		if mine && s.code > s.order && s.code < s.your {
			s.found |= ruleAddressed
		}
		if n-s.pointer <= 3 {
			s.code = n
			if n-s.your <= 3*window && s.yourCode > s.order && s.order > 0 {
				s.found |= ruleAddressed
			}
		}
		if n-s.your <= 2 {
			s.yourCode = n
		}
	}
	if class&classPointer != 0 {
		s.pointer = n
	}
	if class&classOrder != 0 && n-s.order > 3*window {
		s.order = n
	}
}

// judge follows the parts of an imperative through the words.
func (s *scanner) judge(class uint16) {
	n := s.count
	s.addressed(class)
	if class&classRot13 != 0 {
		s.rot++
	}
	if class&classEscape != 0 {
		s.found |= ruleEscape
	}
	if class&classObject != 0 && n-s.override <= window && s.scope > s.override {
		s.found |= ruleOverride
	}
	if class&classBefore != 0 && n-s.override <= window && s.everything > s.override {
		s.found |= ruleOverride
	}
	if class&classPrompt != 0 && n-s.reveal <= window && s.secret >= s.reveal && n-s.secret <= 3 {
		s.found |= ruleExtraction
	}
	if class&classSecret != 0 {
		s.secret = n
	}
	if class&classOverride != 0 {
		s.override = n
	} else if class&classScope != 0 {
		s.scope = n
	}
	if class&classReveal != 0 {
		s.reveal = n
	}
	if class&classEverything != 0 {
		s.everything = n
	}
}

// turn notes a fake turn: "system:" at the beginning of a line. A form has such
// lines, too ("User: root"), so only speakers that give orders count, and others
// only after the first line.
func (s *scanner) turn(i int) {
	switch strings.ToLower(s.text[s.start:i]) {
	case "system", "assistant", "developer", "instruction", "instructions":
		s.found |= ruleFakeTurn
	case "human", "ai":
		if s.start > 0 {
			s.found |= ruleFakeTurn
		}
	}
}

// script notes words with Latin letters and lookalikes from another script.
func (s *scanner) script(word string) {
	latin, other := 0, 0
	for _, r := range word {
		switch {
		case r < 0x80 && isLetter(byte(r)):
			latin++
		case r >= 0x370 && r <= 0x3FF || r >= 0x400 && r <= 0x52F:
			other++
		}
	}
	// µs, Δx and the like have one letter of each.
	if latin >= 2 && other >= 1 && latin+other >= 4 {
		s.found |= ruleMixedScript
	}
}
