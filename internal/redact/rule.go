package redact

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

// builtinRules are our rules for secrets, see the head of the file.
//
//go:embed rules.toml
var builtinRules string

// secretRule finds one kind of credential around one of its keywords.
type secretRule struct {
	id       string
	typ      Type
	keywords []string
	re       *regexp.Regexp
	// group is the submatch that is the secret; 0 takes the first that is not empty.
	group   int
	entropy float64
	// run is the length that the word around the keyword (of a named value: the
	// value) has at least; 0 means that only the expression knows.
	run int
	// ahead is the least length of a word that begins within 32 bytes behind the
	// keyword; 0 means any.
	ahead int
	// named says that the expression begins at the keyword: a name, an operator
	// and a value.
	named  bool
	allows []allowList
}

// allowList says which finds are no secrets.
type allowList struct {
	regexes   []*regexp.Regexp
	stopwords []string
	// target is what the expressions are tried on: "" for the secret, "match", "line".
	target string
	all    bool
}

// ruleFile is the format of gitleaks as far as it concerns texts, and our addition of
// names and value for a named value.
type ruleFile struct {
	Allowlist  fileAllowList   `toml:"allowlist"`
	Allowlists []fileAllowList `toml:"allowlists"`
	Rules      []fileRule      `toml:"rules"`
}

type fileRule struct {
	ID          string          `toml:"id"`
	Regex       string          `toml:"regex"`
	Path        string          `toml:"path"`
	SecretGroup int             `toml:"secretGroup"`
	Entropy     float64         `toml:"entropy"`
	Keywords    []string        `toml:"keywords"`
	Allowlist   fileAllowList   `toml:"allowlist"`
	Allowlists  []fileAllowList `toml:"allowlists"`
	Names       string          `toml:"names"`
	Value       string          `toml:"value"`
	Run         int             `toml:"run"`
	Ahead       int             `toml:"ahead"`
}

type fileAllowList struct {
	Condition   string   `toml:"condition"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
}

var builtin = sync.OnceValues(func() ([]*secretRule, error) { return parseRules(builtinRules) })

// loadRules returns the built-in rules and those of a further file; one with the id
// of a built-in rule takes its place.
func loadRules(extra string) ([]*secretRule, error) {
	rules, err := builtin()
	if err != nil {
		return nil, fmt.Errorf("built-in rules: %w", err)
	}
	rules = slices.Clone(rules)
	if extra == "" {
		return rules, nil
	}
	more, err := parseRules(extra)
	if err != nil {
		return nil, fmt.Errorf("extra_rules: %w", err)
	}
	if len(more) > maxExtraRules {
		return nil, fmt.Errorf("extra_rules: at most %d rules, got %d", maxExtraRules, len(more))
	}
	for _, r := range more {
		rules = slices.DeleteFunc(rules, func(o *secretRule) bool { return o.id == r.id })
	}
	return append(rules, more...), nil
}

// parseRules reads a rule file. Rules with a path are about files and left out; a
// rule without keywords cannot be found by a trigger and is an error.
func parseRules(text string) ([]*secretRule, error) {
	var f ruleFile
	if _, err := toml.Decode(text, &f); err != nil {
		return nil, err
	}
	global, err := parseAllow(append([]fileAllowList{f.Allowlist}, f.Allowlists...))
	if err != nil {
		return nil, err
	}
	var rules []*secretRule
	seen := map[string]bool{}
	for i, fr := range f.Rules {
		if fr.ID == "" {
			return nil, fmt.Errorf("rule %d has no id", i+1)
		}
		if seen[fr.ID] {
			return nil, fmt.Errorf("rule %q occurs twice", fr.ID)
		}
		seen[fr.ID] = true
		if fr.Path != "" || fr.Regex == "" && fr.Value == "" {
			continue
		}
		r, err := fr.compile()
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", fr.ID, err)
		}
		r.allows = append(r.allows, global...)
		rules = append(rules, r)
	}
	return rules, nil
}

// Around a named value: up to 20 characters of a longer name, an operator of
// assignment, and quotes.
const (
	nameEnd  = `[ \t\w.-]{0,20}[\s'"\\]{0,4}(?:=>|:{1,3}=|\|\||\?=|[=:>,])[\x60'"\s=\\]{0,6}`
	valueEnd = `(?:[\x60'"\s;,&<)}\]\\]|$)`
)

func (fr *fileRule) compile() (*secretRule, error) {
	r := &secretRule{id: fr.ID, typ: ruleType(fr.ID), group: fr.SecretGroup, entropy: fr.Entropy, run: fr.Run, ahead: fr.Ahead}
	expr := fr.Regex
	if fr.Value != "" {
		r.named = true
		expr = `^(?i)(?:` + fr.Names + `)` + nameEnd + `(` + fr.Value + `)` + valueEnd
	}
	if len(fr.Keywords) == 0 {
		return nil, fmt.Errorf("keywords must not be empty")
	}
	for _, k := range fr.Keywords {
		if len(k) < 2 || len(k) > 64 {
			return nil, fmt.Errorf("keyword %q must have 2 to 64 characters", k)
		}
		for i := range len(k) {
			if k[i] <= ' ' && k[i] != ' ' || k[i] >= 0x7F {
				return nil, fmt.Errorf("keyword %q must be printable ASCII", k)
			}
		}
		r.keywords = append(r.keywords, strings.ToLower(k))
	}
	var err error
	if r.re, err = regexp.Compile(expr); err != nil {
		return nil, err
	}
	if r.group < 0 || r.group > r.re.NumSubexp() {
		return nil, fmt.Errorf("secretGroup must be in 0..%d, got %d", r.re.NumSubexp(), r.group)
	}
	r.allows, err = parseAllow(append([]fileAllowList{fr.Allowlist}, fr.Allowlists...))
	return r, err
}

func parseAllow(lists []fileAllowList) ([]allowList, error) {
	var out []allowList
	for _, l := range lists {
		if len(l.Regexes) == 0 && len(l.StopWords) == 0 {
			continue
		}
		a := allowList{target: l.RegexTarget, all: strings.EqualFold(l.Condition, "AND") || l.Condition == "&&"}
		for _, e := range l.Regexes {
			re, err := regexp.Compile(e)
			if err != nil {
				return nil, fmt.Errorf("allowlist: %w", err)
			}
			a.regexes = append(a.regexes, re)
		}
		for _, w := range l.StopWords {
			a.stopwords = append(a.stopwords, strings.ToLower(w))
		}
		out = append(out, a)
	}
	return out, nil
}

// permits tells whether a find is no secret.
func (a *allowList) permits(secret, match, line string) bool {
	on := secret
	switch a.target {
	case "match":
		on = match
	case "line":
		on = line
	}
	byRegex := slices.ContainsFunc(a.regexes, func(re *regexp.Regexp) bool { return re.MatchString(on) })
	low := strings.ToLower(secret)
	byWord := slices.ContainsFunc(a.stopwords, func(w string) bool { return strings.Contains(low, w) })
	if a.all && len(a.regexes) > 0 && len(a.stopwords) > 0 {
		return byRegex && byWord
	}
	return byRegex || byWord
}

// entropy returns Shannon's entropy of the bytes of s in bits.
func entropy(s string) float64 {
	var count [256]int
	for i := range len(s) {
		count[s[i]]++ //nolint:gosec // a byte is below 256
	}
	h := 0.0
	for _, c := range count {
		if c > 0 {
			p := float64(c) / float64(len(s))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// ruleTypes map beginnings of ids of rules to types.
var ruleTypes = []struct {
	prefix string
	typ    Type
}{
	{"openai-", SecretOpenAI},
	{"anthropic-", SecretAnthropic},
	{"huggingface-", SecretHuggingFace},
	{"aws-", SecretAWS},
	{"gcp-", SecretGCP},
	{"azure-", SecretAzure},
	{"github-", SecretGitHub},
	{"gitlab-", SecretGitLab},
	{"slack-", SecretSlack},
	{"stripe-", SecretStripe},
	{"private-key", SecretPrivateKey},
	{"jwt", SecretJWT},
	{"connection-string", SecretConnectionString},
	{"authorization", SecretAuthorization},
	{"assignment", SecretAssignment},
}

func ruleType(id string) Type {
	for _, t := range ruleTypes {
		if strings.HasPrefix(id, t.prefix) {
			return t.typ
		}
	}
	return SecretOther
}
