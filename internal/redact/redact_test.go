package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// redacted masks everything with a default scanner.
func redacted(t *testing.T, text string) string {
	t.Helper()
	return mustRedact(t, Options{}, text)
}

func mustRedact(t *testing.T, o Options, text string) string {
	t.Helper()
	out, _ := newRedactor(t, o, nil).Redact(text, nil)
	return out
}

func newRedactor(t testing.TB, o Options, actions map[string]Action) *Redactor {
	t.Helper()
	s, err := NewScanner(o)
	require.NoError(t, err)
	r, err := NewRedactor(s, actions, []byte("0123456789abcdef0123456789abcdef"), "tenant")
	require.NoError(t, err)
	return r
}

// The table of the contract: what the reference left open.
func TestTheContractsExamplesAreMaskedWholeOrLeftAlone(t *testing.T) {
	for in, want := range map[string]string{
		"Contact me at john@example.com":                  "Contact me at [EMAIL_REDACTED]",
		"john@example.com is my mail":                     "[EMAIL_REDACTED] is my mail",
		"a@b.com and c@d.org there":                       "[EMAIL_REDACTED] and [EMAIL_REDACTED] there",
		"mail john@example.com now please":                "mail [EMAIL_REDACTED] now please",
		"My SSN is 123-45-6780":                           "My SSN is [US_SSN_REDACTED]",
		"My SSN is 123-45-6789":                           "My SSN is [US_SSN_REDACTED]",
		"number 123-45-6789 only":                         "number [US_SSN_REDACTED] only",
		"card 4111 1111 1111 1111":                        "card [CREDIT_CARD_REDACTED]",
		"card 4111 1111 1111 1112":                        "card 4111 1111 1111 1112",
		"call +1 415 555 2671 or 020 7946 0958":           "call [PHONE_REDACTED] or [PHONE_REDACTED]",
		"order 20240101 of 99999 x 1 2 3":                 "order 20240101 of 99999 x 1 2 3",
		"John.Doe+tag@mail.example.co.uk, jane@x.museum.": "[EMAIL_REDACTED], [EMAIL_REDACTED].",
	} {
		assert.Equal(t, want, redacted(t, in), in)
	}
}
