package sanitizeprocessor

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// scorer judges one text.
type scorer interface {
	Score(text string, p injection.Provenance) injection.Verdict
}

// candidate is a text that is to be scored. A message is JSON, whose role is not
// known yet.
type candidate struct {
	text       string
	provenance injection.Provenance
	message    bool
}

// verdict is the highest score of some texts. scored is false when none was read.
type verdict struct {
	score      float64
	scored     bool
	flagged    bool
	provenance injection.Provenance
	rules      []string
	// user tells that a message holds text of the user.
	user bool
}

func (v *verdict) size() int {
	n := 0
	for _, r := range v.rules {
		n += len(r) + 16
	}
	return n
}

func (v *verdict) worse(o *verdict) {
	v.user = v.user || o.user
	if o.scored && (!v.scored || o.flagged && !v.flagged || o.flagged == v.flagged && o.score > v.score) {
		user := v.user
		*v = *o
		v.user = user
	}
}

// Attributes whose whole value is the result of a tool, or documents.
var (
	toolResultKeys = []string{"gen_ai.tool.call.result", "ai.toolCall.result", "gcp.vertex.agent.tool_response", "mcp.response.value"}
	documentKeys   = []string{"gen_ai.retrieval.documents", "retrieval.documents."}
)

// gatherSpan lists the texts of a call that are new with it: the newest turn of
// the user, and results of tools and documents after it.
func (p *pass) gatherSpan(span ptrace.Span) {
	p.texts = p.texts[:0]
	p.gather(span.Attributes())
	for _, e := range span.Events().All() {
		p.gatherEvent(e.Name(), e.Attributes())
	}
}

func (p *pass) gatherRecord(rec plog.LogRecord) {
	p.texts = p.texts[:0]
	name := eventName(rec)
	if name == "" {
		return
	}
	p.gather(rec.Attributes())
	p.gatherEvent(name, rec.Attributes())
	if provenance, ok := eventProvenance(name); ok {
		body := rec.Body()
		if body.Type() == pcommon.ValueTypeMap {
			if content, found := body.Map().Get("content"); found {
				body = content
			}
		}
		p.candidate(body, provenance)
	} else if rec.Body().Type() == pcommon.ValueTypeMap {
		p.gather(rec.Body().Map())
	}
}

// eventProvenance tells who wrote the content of an event.
func eventProvenance(name string) (injection.Provenance, bool) {
	switch {
	case name == "gen_ai.user.message", strings.HasSuffix(name, ".user_prompt"):
		return injection.User, true
	case name == "gen_ai.tool.message":
		return injection.Tool, true
	}
	return 0, false
}

func (p *pass) gatherEvent(name string, attrs pcommon.Map) {
	provenance, ok := eventProvenance(name)
	if !ok {
		if name == "gen_ai.client.inference.operation.details" || name == "gen_ai.content.prompt" {
			p.gather(attrs)
		}
		return
	}
	for _, k := range [...]string{"content", "prompt"} {
		if v, found := attrs.Get(k); found {
			p.candidate(v, provenance)
		}
	}
}

// gather lists the texts in attributes.
func (p *pass) gather(attrs pcommon.Map) {
	newest := -1
	var turn []candidate // the parts of the newest turn of the user
	for k, v := range attrs.All() {
		c := p.keys.class(k)
		switch {
		case c&(classUntrusted|classMessages) == 0:
		case c&classUntrusted != 0:
			switch {
			case slices.Contains(toolResultKeys, k):
				p.candidate(v, injection.Tool)
			case k == documentKeys[0], strings.HasSuffix(k, "content"):
				p.candidate(v, injection.Retrieval)
			}
		case c&classMessages == 0 || c&classAnswer != 0 || strings.HasPrefix(k, genai.AttrSystemInstructions):
		default:
			n, roleKey, indexed := indexedKey(k)
			if !indexed {
				p.gatherMessages(k, v)
				continue
			}
			role := ""
			if r, ok := attrs.Get(roleKey); ok {
				role = r.Str()
			}
			provenance, known := provenanceOf(role)
			switch {
			case known && provenance.Untrusted():
				p.candidate(v, provenance)
			case (!known || provenance == injection.User) && n >= newest:
				if n > newest {
					newest, turn = n, turn[:0]
				}
				if text := v.AsString(); text != "" {
					turn = append(turn, candidate{text: text, provenance: injection.User})
				}
			}
		}
	}
	p.texts = append(p.texts, turn...)
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// candidate lists a value whose author is known.
func (p *pass) candidate(v pcommon.Value, provenance injection.Provenance) {
	if text := v.AsString(); text != "" {
		p.texts = append(p.texts, candidate{text: text, provenance: provenance})
	}
}

// gatherMessages lists the messages in a value, newest first, to be read until one
// of the user.
func (p *pass) gatherMessages(key string, v pcommon.Value) {
	var text string
	switch v.Type() {
	case pcommon.ValueTypeStr:
		text = v.Str()
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		text = v.AsString()
	default:
		return
	}
	if !isJSON(text) {
		// gen_ai.prompt.0.role and the like are no text of anybody.
		if text != "" && !strings.HasSuffix(key, ".role") {
			p.texts = append(p.texts, candidate{text: text, provenance: injection.User})
		}
		return
	}
	p.parts = splitMessages(p.parts[:0], text)
	before := len(p.texts)
	for i := len(p.parts) - 1; i >= 0; i-- {
		if at := p.parts[i]; at.element {
			p.texts = append(p.texts, candidate{text: text[at.start:at.end], message: true})
		}
	}
	if len(p.texts) == before {
		p.texts = append(p.texts, candidate{text: text, message: true})
	}
}

// messageScope is the scope of the score of a whole message in the cache.
const messageScope = 1 << 16

// score reads the listed texts and returns the worst. Of each list of messages it
// stops behind the newest turn of the user. What is not known costs budget.
func (p *pass) score() (worst verdict) {
	budget := p.cfg.PromptInjection.MaxTexts
	for i := 0; i < len(p.texts); i++ {
		c := &p.texts[i]
		k := partKey{hash: maphash.String(p.seed, c.text), length: uint32(len(c.text)), scope: uint32(c.provenance)}
		if c.message {
			k.scope = messageScope
		}
		v, known := p.scores.get(k)
		switch {
		case known:
			p.tally.hits[cacheInjection]++
		case budget == 0:
			p.tally.unscored++
			continue
		default:
			p.tally.misses[cacheInjection]++
			budget--
			v = p.scoreOne(c)
			p.scores.put(k, v)
		}
		worst.worse(&v)
		if c.message && v.user {
			for i+1 < len(p.texts) && p.texts[i+1].message {
				i++
			}
		}
	}
	clear(p.texts)
	return worst
}

func (p *pass) scoreOne(c *candidate) (out verdict) {
	if !c.message {
		return p.judged(c.text, c.provenance)
	}
	var s said
	s.read(c.text)
	for _, t := range [...]struct {
		text       string
		provenance injection.Provenance
	}{{s.user.String(), injection.User}, {s.tool.String(), injection.Tool}, {s.retrieval.String(), injection.Retrieval}} {
		if t.text != "" {
			v := p.judged(t.text, t.provenance)
			v.user = t.provenance == injection.User
			out.worse(&v)
		}
	}
	return out
}

func (p *pass) judged(text string, provenance injection.Provenance) verdict {
	v := p.detector.Score(text, provenance)
	return verdict{score: v.Score, scored: true, flagged: v.Flagged, provenance: provenance, rules: v.Rules}
}

// markInjection writes the score of an item.
func (p *pass) markInjection(attrs pcommon.Map, v *verdict) {
	if !v.scored || !v.flagged && v.score < p.cfg.PromptInjection.MinScore {
		return
	}
	attrs.PutDouble(genai.AttrPromptInjectionScore, math.Round(v.score*1e4)/1e4)
	attrs.PutStr(genai.AttrPromptInjectionProvenance, v.provenance.String())
	if len(v.rules) > 0 {
		list := attrs.PutEmptySlice(genai.AttrPromptInjectionRules)
		for _, r := range v.rules {
			list.AppendEmpty().SetStr(r)
		}
	}
	if v.flagged {
		p.tally.flagged[v.provenance]++
		attrs.PutBool(genai.AttrPromptInjectionFlagged, true)
		attrs.PutStr(genai.AttrPromptInjectionKind, kindOf(v.rules))
	}
}

// kindOf names an attempt in the words of the contract for security_threat.
func kindOf(rules []string) string {
	switch {
	case slices.Contains(rules, "markdown_exfiltration"), slices.Contains(rules, "prompt_extraction"):
		return "data_exfiltration"
	case slices.Contains(rules, "role_escape"):
		return "jailbreak_attempt"
	}
	return "prompt_injection"
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
