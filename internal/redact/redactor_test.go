package redact

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCleanTextComesBackAsTheSameString(t *testing.T) {
	r := newRedactor(t, Options{}, nil)
	for _, text := range []string{"", "nothing to see", `{"a":"b","n":[1,2.5e3,null]}`, `{"a":"line\nline é"}`, `{"broken": "`} {
		var c Counts
		out, changed := r.Redact(text, &c)
		assert.False(t, changed)
		assert.Equal(t, text, out)
		assert.Zero(t, c.Total())
	}
}

func TestJSONStaysJSONAtAnyDepth(t *testing.T) {
	inner := map[string]any{"mail": "x\njohn@example.com", "n": []any{1.5, "SSN 853-37-1694", true}, "card": json.Number("4111111111111111"), "emoji": "😀 \\ \" <b>"}
	text := any(inner)
	want := any(map[string]any{
		"mail": "x\n[EMAIL_REDACTED]", "n": []any{1.5, "SSN [US_SSN_REDACTED]", true}, "card": "[CREDIT_CARD_REDACTED]", "emoji": "😀 \\ \" <b>",
	})
	for depth := range 5 {
		b, err := json.Marshal(text)
		require.NoError(t, err)
		var c Counts
		out, changed := newRedactor(t, Options{}, nil).Redact(string(b), &c)
		require.True(t, changed)
		require.True(t, json.Valid([]byte(out)), out)
		assert.Equal(t, 1, c.Get(Email), depth)
		assert.Equal(t, 1, c.Get(SSN))
		assert.Equal(t, 1, c.Get(CreditCard))
		var got any
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		for range depth {
			require.NoError(t, json.Unmarshal([]byte(got.(map[string]any)["arguments"].(string)), &got))
		}
		assert.Equal(t, want, got, depth)
		text = map[string]any{"arguments": string(b)}
	}
}

func TestEscapesHideNothing(t *testing.T) {
	for in, want := range map[string]string{
		`{"m":"john\u0040example.com"}`:                    `{"m":"[EMAIL_REDACTED]"}`,
		`{"m":"a\tjohn@example.com\n"}`:                    `{"m":"a\t[EMAIL_REDACTED]\n"}`,
		`["\u0034111 1111 1111 1111"]`:                     `["[CREDIT_CARD_REDACTED]"]`,
		`{"a":"{\"b\":\"{\\\"m\\\":\\\"j@x.org\\\"}\"}"}`:  `{"a":"{\"b\":\"{\\\"m\\\":\\\"[EMAIL_REDACTED]\\\"}\"}"}`,
		`"{\"ssn\":\"853371694\"}"`:                        `"{\"ssn\":\"[US_SSN_REDACTED]\"}"`,
		`{"a":"{\"phone\": 4155550132}"}`:                  `{"a":"{\"phone\": \"[PHONE_REDACTED]\"}"}`,
		`truncated {\"m\":\"x\njohn@example.com`:           `truncated {\"m\":\"x\n[EMAIL_REDACTED]`,
		`{"password":"hunter2-hunter"}`:                    `{"password":"[SECRET_ASSIGNMENT_REDACTED]"}`,
		`{"john@example.com":1}`:                           `{"[EMAIL_REDACTED]":1}`,
		`{"url":"https:\/\/u:pa55w0rd@db.example.com\/x"}`: `{"url":"https:\/\/u:[SECRET_CONNECTION_STRING_REDACTED]@db.example.com\/x"}`,
		`{"k":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n-----END PRIVATE KEY-----\n"}`: `{"k":"[SECRET_PRIVATE_KEY_REDACTED]\n"}`,
	} {
		out, _ := newRedactor(t, Options{}, nil).Redact(in, nil)
		assert.Equal(t, want, out, in)
	}
}

func TestPseudonymsAreStableInAScopeAndDifferBetweenScopes(t *testing.T) {
	r := newRedactor(t, Options{}, map[string]Action{"all": HMAC})
	a, _ := r.Redact("from John@example.com", nil)
	b, _ := r.Redact("to john@EXAMPLE.com, now", nil)
	assert.Regexp(t, `^from <email:hmac:[0-9a-f]{16}>$`, a)
	token := strings.TrimPrefix(a, "from ")
	assert.Equal(t, "to "+token+", now", b)

	other, _ := r.WithScope("another").Redact("from John@example.com", nil)
	assert.NotEqual(t, a, other)
	again, _ := r.WithScope("another").WithScope("tenant").Redact("from John@example.com", nil)
	assert.Equal(t, a, again)

	one, _ := r.Redact("card 4111 1111 1111 1111", nil)
	two, _ := r.Redact("card 4111-1111-1111-1111", nil)
	assert.Equal(t, one, two, "the way a number is written does not matter")
}

func TestActionsByTypeAndGroup(t *testing.T) {
	const text = "mail john@example.com, card 4111 1111 1111 1111, ip 192.168.0.1, password=hunter2-hunter"
	r := newRedactor(t, Options{}, map[string]Action{"pii": Partial, "ip_address": TagOnly, "secret": DropAttribute})
	var c Counts
	out, changed := r.Redact(text, &c)
	assert.True(t, changed)
	assert.Equal(t, "mail j***@example.com, card ***1111, ip 192.168.0.1, password=[SECRET_ASSIGNMENT_REDACTED]", out)
	assert.True(t, c.Drop)
	assert.Equal(t, 4, c.Total())
	assert.Equal(t, TagOnly, r.Action(IPAddress))
	var found []string
	for typ, n := range c.All() {
		assert.Equal(t, 1, n)
		found = append(found, typ.String())
	}
	assert.Equal(t, []string{"email", "credit_card", "ip_address", "secret.assignment"}, found)

	var again Counts
	twice, changed := r.Redact(out, &again)
	assert.False(t, changed)
	assert.Equal(t, out, twice)
	assert.Equal(t, 1, again.Total(), "what is only tagged is counted again")
}

func TestWhatIsTooLongIsCutMarkedAndCounted(t *testing.T) {
	r := newRedactor(t, Options{MaxTextBytes: 20}, nil)
	var c Counts
	out, changed := r.Redact("a@b.com and ééééééééééé and secret@example.com", &c)
	assert.True(t, changed)
	assert.Equal(t, "[EMAIL_REDACTED] and éééé[UNSCANNED_REDACTED]", out)
	assert.Equal(t, 1, c.Get(Unscanned))
	assert.Equal(t, 1, c.Get(Email))
}

func TestARedactorNeedsAKeyAndKnownNames(t *testing.T) {
	s := defaultScanner(t)
	_, err := NewRedactor(s, map[string]Action{"email": HMAC}, []byte("short"), "")
	assert.ErrorContains(t, err, "key must have at least 16 bytes for the action hmac of email, got 5")
	_, err = NewRedactor(s, map[string]Action{"emial": Mask}, nil, "")
	assert.ErrorContains(t, err, `actions: "emial"`)
	_, err = NewRedactor(s, map[string]Action{"email": 99}, nil, "")
	assert.ErrorContains(t, err, "unknown action 99")
	_, err = NewRedactor(nil, nil, nil, "")
	assert.ErrorContains(t, err, "scanner")
	for a := range numActions {
		got, err := ParseAction(a.String())
		require.NoError(t, err)
		assert.Equal(t, a, got)
	}
	_, err = ParseAction("burn")
	assert.ErrorContains(t, err, `"burn"`)
}

func TestCountsAddUp(t *testing.T) {
	var a, b Counts
	a.Add(Email, 2)
	b.Add(Email, 1)
	b.Add(SecretAWS, 1)
	b.Drop = true
	a.Merge(&b)
	assert.Equal(t, 3, a.Get(Email))
	assert.Equal(t, 4, a.Total())
	assert.True(t, a.Drop)
	a.Reset()
	assert.Zero(t, a.Total())
}
