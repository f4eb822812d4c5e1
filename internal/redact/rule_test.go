package redact

import (
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample writes a text that the expression matches.
func sample(r *rand.Rand, b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		var chars []rune
		for i := 0; i < len(re.Rune); i += 2 {
			for c := max(re.Rune[i], '!'); c <= min(re.Rune[i+1], '~'); c++ {
				chars = append(chars, c)
			}
		}
		if len(chars) == 0 {
			chars = []rune{re.Rune[0]}
		}
		b.WriteRune(chars[r.IntN(len(chars))])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('.')
	case syntax.OpCapture, syntax.OpPlus:
		sample(r, b, re.Sub[0])
	case syntax.OpRepeat:
		for range max(re.Min, min(re.Max, 1)) {
			sample(r, b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, s := range re.Sub {
			sample(r, b, s)
		}
	case syntax.OpAlternate:
		sample(r, b, re.Sub[r.IntN(len(re.Sub))])
	}
}

// found tells whether the rule finds something in text, from its keywords on.
func found(s *Scanner, text string) bool { return len(s.Scan(nil, text)) > 0 }

func ruleScanner(t *testing.T, r *secretRule) *Scanner {
	t.Helper()
	s := defaultScanner(t)
	s.on = typeSet{}
	s.anyNumber = false
	s.rules = []*secretRule{r}
	s.keywords = newAutomaton(s.rules)
	return s
}

func TestEveryRuleFindsWhatItDescribes(t *testing.T) {
	rules, err := builtin()
	require.NoError(t, err)
	require.Greater(t, len(rules), 180)
	for _, r := range rules {
		re, err := syntax.Parse(r.re.String(), syntax.Perl)
		require.NoError(t, err)
		rnd := rand.New(rand.NewPCG(1, 1))
		s := ruleScanner(t, r)
		hits := 0
		for range 60 {
			var b strings.Builder
			sample(rnd, &b, re)
			if found(s, "first: "+b.String()+"\n") || found(s, "{\"a\":\""+b.String()) {
				hits++
			}
		}
		assert.Positive(t, hits, "%s: no sample of %s is found", r.id, r.re)
	}
}

// telemetry writes values that occur in telemetry and are no secrets.
func telemetry(r *rand.Rand) []string {
	hexa := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdef"[r.IntN(16)]
		}
		return string(b)
	}
	h := hexa(32)
	return []string{
		h, hexa(16), hexa(40), hexa(64), hexa(7), strings.ToUpper(h), h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:],
		strconv.Itoa(1_700_000_000 + r.IntN(1e8)), strconv.Itoa(1_700_000_000_000 + r.IntN(1e11)), strconv.Itoa(1_700_000_000_000_000_000 + r.IntN(1e17)),
		fmt.Sprintf("v%d.%d.%d", r.IntN(9), r.IntN(99), r.IntN(99)), "20240506" + strconv.Itoa(100000+r.IntN(99999)), "sha256:" + hexa(64),
		"00-" + hexa(32) + "-" + hexa(16) + "-01",
	}
}

func TestNoRuleFiresOnIdsOfTelemetry(t *testing.T) {
	rules, err := builtin()
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		for _, v := range telemetry(rnd) {
			for _, r := range rules {
				if !r.named {
					assert.False(t, r.re.MatchString("id "+v+" end") && len(ruleScanner(t, r).Scan(nil, "id "+v+" end")) > 0, "%s: %s", r.id, v)
				}
			}
		}
	}
	// A name of the vendor does not make an id a secret.
	s := defaultScanner(t)
	for _, v := range telemetry(rnd) {
		for _, r := range rules {
			if !r.named || r.id == "assignment" {
				continue
			}
			for _, k := range r.keywords {
				for _, text := range []string{k + "_trace_id=" + v + " ", k + " request_id: " + v + " ", k + ".span.id=\"" + v + "\""} {
					for _, m := range s.Scan(nil, text) {
						assert.NotContains(t, text[m.Start:m.End], v, "%s in %s", m.Rule, text)
					}
				}
			}
		}
	}
}

func TestKeysOfProvidersAreFound(t *testing.T) {
	s := defaultScanner(t)
	x := func(n int) string { return strings.Repeat("aB3dE5gH7jK9", 40)[:n] }
	for text, want := range map[string]string{
		"sk-proj-" + x(64):                           "secret.openai_key",
		"sk-" + x(48):                                "secret.openai_key",
		"sk-ant-api03-" + x(93) + "AA":               "secret.anthropic_key",
		"hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH": "secret.huggingface_token",
		"AKIAQYLPMN5HHHFPZAM2":                       "secret.aws_key",
		"AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY":    "secret.gcp_key",
		"ghp_" + x(36):                               "secret.github_token",
		"glpat-" + x(20):                             "secret.gitlab_token",
		"xoxb-123456789012-123456789012-" + x(24):    "secret.slack_token",
		"sk_live_" + x(24):                           "secret.stripe_key",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + x(43):             "secret.jwt",
		"postgresql://app:pa55w0rd@db:5432/x":                                   "secret.connection_string",
		"redis://:pa55w0rd@cache:6379":                                          "secret.connection_string",
		"Server=db;User Id=sa;Password=pa55w0rd;":                               "secret.connection_string",
		"Authorization: Bearer " + x(40):                                        "secret.authorization",
		`{"password": "hunter2-hunter"}`:                                        "secret.assignment",
		"api_key = 'zX81kQ02mmPq77'":                                            "secret.assignment",
		"AccountKey=" + x(86) + "==":                                            "secret.azure_key",
		"-----BEGIN PRIVATE KEY-----\n" + x(64) + "\n-----END PRIVATE KEY-----": "secret.private_key",
	} {
		text = "use " + text + " now"
		got := s.Scan(nil, text)
		if assert.Len(t, got, 1, text) {
			assert.Equal(t, want, got[0].Type.String(), text)
		}
	}
}

func TestSecretsSideBySideAreAllFound(t *testing.T) {
	s := defaultScanner(t)
	const one, two, weak = "AKIAQYLPMN5HHHFPZAM2", "AKIAZ2LPMN7HHHFPZAQ3", "AKIAAAAAAAAAAAAAAAAA"
	for _, text := range []string{one + " " + two, one + "," + two + "\n", weak + " " + one + " " + weak + " " + two} {
		var got []string
		for _, m := range s.Scan(nil, text) {
			got = append(got, text[m.Start:m.End])
		}
		assert.Equal(t, []string{one, two}, got, text)
	}
	rsa := "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEpAIBAAKCAQEA7bq1\n", 2000) + "-----END RSA PRIVATE KEY-----"
	text := "-----BEGIN CERTIFICATE-----\n" + strings.Repeat("MIIB", 100) + "\n-----END CERTIFICATE-----\n" + rsa + "\n"
	got := s.Scan(nil, text)
	require.NotEmpty(t, got)
	assert.Equal(t, rsa[:60], text[got[0].Start:][:60])
	out, _ := newRedactor(t, Options{}, nil).Redact(text, nil)
	assert.NotContains(t, out, "MIIEpAIBAAKCAQEA7bq1")
}

func TestPlaceholdersAreNoSecrets(t *testing.T) {
	s := defaultScanner(t)
	for _, text := range []string{
		"password = getpass.getpass()", `api_key = os.environ["API_KEY"]`, "password: ${DB_PASSWORD}", "postgres://user:password@localhost/x",
		"postgres://user:$PASS@localhost/x", "api_key: your_api_key_1234", "the password is important for everyone", "Authorization: Bearer <token>",
		"http://example.com:8080/path@x", "password=changeme123",
	} {
		assert.Empty(t, s.Scan(nil, text), text)
	}
}

func TestRulesInTheFormatOfGitleaksAreRead(t *testing.T) {
	const file = `
title = "ours"
[allowlist]
regexes = ['''^acme_test''']
[[rules]]
id = "acme"
description = "ACME token"
regex = '''\b(acme)_([a-z0-9]{12})\b'''
secretGroup = 2
entropy = 2.0
keywords = ["ACME_"]
[[rules.allowlists]]
regexTarget = "line"
regexes = ['''# sample''']
stopwords = ["000"]
[[rules]]
id = "file"
path = '''\.p12$'''
`
	s, err := NewScanner(Options{ExtraRules: file})
	require.NoError(t, err)
	got := s.Scan(nil, "t acme_a1b2c3d4e5f6 end")
	require.Len(t, got, 1)
	assert.Equal(t, Match{7, 19, SecretOther, "acme"}, got[0])
	assert.Empty(t, s.Scan(nil, "acme_aaaaaaaaaaaa"), "entropy")
	assert.Empty(t, s.Scan(nil, "acme_a1b2c0003d4e"), "stop word")
	assert.Empty(t, s.Scan(nil, "x\nacme_a1b2c3d4e5f6 # sample\n"), "line")
	assert.Len(t, s.Scan(nil, "# sample\nacme_a1b2c3d4e5f6\n"), 1, "another line")
}
