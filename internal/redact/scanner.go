package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DefaultMaxTextBytes is the length up to which a text is looked at.
const DefaultMaxTextBytes = 4 << 20

// Limits of Options.
const (
	maxAllowValues = 10_000
	maxExtraRules  = 2_000
)

// Options say what a Scanner looks for. The zero value looks for everything.
type Options struct {
	// Types are the names of the types to look for, or groups ("pii", "secret",
	// "all"); empty means all.
	Types []string
	// Disable names types, groups or ids of secret rules to leave out.
	Disable []string
	// Bare names types whose numbers are believed without a separator or a word that
	// names them, where the checksum is right: for fields that hold such values.
	Bare []string
	// AllowValues are values that are no match, without regard to case.
	AllowValues []string
	// AllowPatterns are regular expressions (RE2); a value in which one is found is
	// no match.
	AllowPatterns []string
	// ExtraRules is a file of further secret rules in the format of gitleaks (TOML).
	ExtraRules string
	// MaxTextBytes is the length up to which texts are looked at; 0 means
	// DefaultMaxTextBytes, less than 0 is an error. A Redactor replaces the rest.
	MaxTextBytes int
}

// Scanner finds sensitive values. It is immutable and safe for concurrent use.
type Scanner struct {
	on, bare typeSet
	// anyNumber says that a type is on that is found from its digits.
	anyNumber bool
	allow     map[string]struct{}
	patterns  []*regexp.Regexp
	rules     []*secretRule
	keywords  *automaton
	// wanted are the number rules that are on, by the size of their first group.
	wanted  [25][]*numberRule
	maxText int
}

// NewScanner returns a Scanner. Errors name the field and the value.
func NewScanner(o Options) (*Scanner, error) {
	s := &Scanner{maxText: o.MaxTextBytes, allow: map[string]struct{}{}}
	if s.maxText < 0 {
		return nil, fmt.Errorf("max_text_bytes must not be negative, got %d", s.maxText)
	}
	if s.maxText == 0 {
		s.maxText = DefaultMaxTextBytes
	}
	if len(o.Types) == 0 {
		o.Types = []string{"all"}
	}
	if err := s.on.addNames("types", o.Types); err != nil {
		return nil, err
	}
	rules, err := loadRules(o.ExtraRules)
	if err != nil {
		return nil, err
	}
	off, noRules, err := parseDisabled(o.Disable, rules)
	if err != nil {
		return nil, err
	}
	for t := range s.on {
		s.on[t] = s.on[t] && !off[t]
	}
	if err := s.bare.addNames("bare", o.Bare); err != nil {
		return nil, err
	}
	if len(o.AllowValues) > maxAllowValues || len(o.AllowPatterns) > maxAllowValues {
		return nil, fmt.Errorf("allow_values and allow_patterns hold at most %d entries", maxAllowValues)
	}
	for _, v := range o.AllowValues {
		s.allow[strings.ToLower(v)] = struct{}{}
	}
	for _, p := range o.AllowPatterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("allow_patterns: %q: %w", p, err)
		}
		s.patterns = append(s.patterns, re)
	}
	for _, r := range rules {
		if s.on[r.typ] && !slices.Contains(noRules, r.id) {
			s.rules = append(s.rules, r)
		}
	}
	s.keywords = newAutomaton(s.rules)
	for i := range numberRules {
		r := &numberRules[i]
		if !s.on[r.typ] {
			continue
		}
		s.anyNumber = true
		for size := range s.wanted {
			if r.begins(uint8(size)) {
				s.wanted[size] = append(s.wanted[size], r)
			}
		}
	}
	for _, t := range []Type{Phone, CreditCard, IBAN, IPAddress, MACAddress, CryptoAddress, UKNINO, ESNIF, ESNIE, ITFiscalCode, FIHETU, SGNRIC, CNResidentID} {
		s.anyNumber = s.anyNumber || s.on[t]
	}
	return s, nil
}

// parseDisabled splits names of types from ids of rules.
func parseDisabled(names []string, rules []*secretRule) (off typeSet, noRules []string, err error) {
	for _, name := range names {
		if slices.ContainsFunc(rules, func(r *secretRule) bool { return r.id == name }) {
			noRules = append(noRules, name)
		} else if err := off.addNames("disable", []string{name}); err != nil {
			return off, nil, fmt.Errorf("%w, and no rule", err)
		}
	}
	return off, noRules, nil
}

// Scan appends the matches in text to dst: ascending, not overlapping. It looks
// at the first Options.MaxTextBytes bytes. A text without matches costs no
// allocation.
func (s *Scanner) Scan(dst []Match, text string) []Match {
	if len(text) > s.maxText {
		text = text[:cutRune(text, s.maxText)]
	}
	old := len(dst)
	if s.on[Email] {
		dst = s.scanEmails(dst, text)
	}
	if s.on[IPAddress] || s.on[MACAddress] {
		dst = s.scanColons(dst, text)
	}
	if s.on[MACAddress] {
		dst = scanMAC(dst, text)
	}
	if s.anyNumber {
		dst = s.scanDigits(dst, text)
	}
	if len(s.rules) > 0 || s.on[CryptoAddress] {
		dst = s.scanKeywords(dst, text)
	}
	if len(dst) == old {
		return dst
	}
	return dst[:old+len(s.resolve(dst[old:], text))]
}

// resolve drops what is allowed, sorts, and makes one match of several that overlap:
// of all their text, so that nothing of it stays, and of the best type.
func (s *Scanner) resolve(found []Match, text string) []Match {
	found = slices.DeleteFunc(found, func(m Match) bool { return s.allowed(text, m) })
	slices.SortFunc(found, func(a, b Match) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		if a.End != b.End {
			return b.End - a.End
		}
		return int(a.Type) - int(b.Type)
	})
	kept := found[:0]
	for _, m := range found {
		if len(kept) == 0 || kept[len(kept)-1].End <= m.Start {
			kept = append(kept, m)
			continue
		}
		last := &kept[len(kept)-1]
		if last.Type == SecretConnectionString && m.Type == Email {
			continue // password@host is no address
		}
		if m.Type == SecretConnectionString && last.Type == Email {
			*last = m
			continue
		}
		if better(m, *last) {
			last.Type, last.Rule = m.Type, m.Rule
		}
		last.End = max(last.End, m.End)
	}
	return kept
}

// better prefers secrets, then named secrets, then what is longer.
func better(a, b Match) bool {
	if a.Type.Secret() != b.Type.Secret() {
		return a.Type.Secret()
	}
	if a.Type.Secret() && (a.Type >= SecretAuthorization) != (b.Type >= SecretAuthorization) {
		return a.Type < SecretAuthorization
	}
	return a.End-a.Start > b.End-b.Start
}

func (s *Scanner) allowed(text string, m Match) bool {
	v := text[m.Start:m.End]
	if len(s.allow) > 0 {
		if _, ok := s.allow[strings.ToLower(v)]; ok {
			return true
		}
	}
	for _, p := range s.patterns {
		if p.MatchString(v) {
			return true
		}
	}
	return ownToken(text, m.Start)
}

// ownToken tells whether position i lies in the hexadecimal part of a token that a
// Redactor wrote.
func ownToken(text string, i int) bool {
	for n := 0; i > 0 && n < tokenHex && isHex(text[i-1]); n++ {
		i--
	}
	return strings.HasSuffix(text[:i], tokenMark)
}

// cutRune returns the largest index up to n that does not split a rune of text.
func cutRune(text string, n int) int {
	for i := n; i > n-4 && i > 0; i-- {
		if text[i]&0xC0 != 0x80 {
			return i
		}
	}
	return n
}
