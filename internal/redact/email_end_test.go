package redact

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Found by fuzzing: what follows an address without a space made it look like the
// start of a longer name.
func TestAnAddressEndsBeforeADashAndANumber(t *testing.T) {
	r := newRedactor(t, Options{}, nil)
	for text, want := range map[string]string{
		"j@x.org–2024":                "[EMAIL_REDACTED]–2024",
		"j@x.org…24h":                 "[EMAIL_REDACTED]…24h",
		"j@x.org\xe2\x88\xeb\xdaFCv5": "[EMAIL_REDACTED]\xe2\x88\xeb\xdaFCv5",
		"j@x.org8":                    "j@x.org8",
	} {
		out, _ := r.Redact(text, nil)
		require.Equal(t, want, out)
	}
}
