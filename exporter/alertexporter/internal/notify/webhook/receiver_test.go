package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Verify is the receiver's side as the README shows it; the tests of this
// package verify with it, and none of it is code under test.

// Verify reports whether body, the bytes as received, was signed with secret
// ("whsec_...") within the last five minutes.
func Verify(secret string, h http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return errors.New("timestamp is missing or too far from now")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "."))
	mac.Write(body)
	for _, s := range strings.Fields(h.Get("webhook-signature")) {
		version, value, _ := strings.Cut(s, ",")
		got, err := base64.StdEncoding.DecodeString(value)
		if err == nil && version == "v1" && hmac.Equal(got, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature matches")
}

// end of Verify

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	return string(text)
}

func TestReadmeShowsTheVerifierThatTheTestsUse(t *testing.T) {
	source, err := os.ReadFile("receiver_test.go")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(source), "// Verify reports")
	require.True(t, ok)
	code, _, ok := strings.Cut(rest, "\n// end of Verify")
	require.True(t, ok)
	assert.Contains(t, readme(t), "```go\n// Verify reports"+code+"```")
}

func TestReadmePythonVerifierWorks(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not installed")
	}
	_, rest, ok := strings.Cut(readme(t), "```python\n")
	require.True(t, ok)
	code, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	now := time.Now().Unix()
	sign := func(at int64) string {
		return signature([][]byte{keyOf(t, rotatedSecret), keyOf(t, vectorSecret)}, vectorID, at, []byte(vectorBody))
	}
	call := func(secret string, at int64, sig, body string) string {
		return "verify(" + strconv.Quote(secret) + ", {'webhook-id': " + strconv.Quote(vectorID) + ", 'webhook-timestamp': '" +
			strconv.FormatInt(at, 10) + "', 'webhook-signature': " + strconv.Quote(sig) + "}, b'" + body + "')"
	}
	var script bytes.Buffer
	script.WriteString(code)
	script.WriteString("\nassert " + call(vectorSecret, now, sign(now), vectorBody))
	script.WriteString("\nassert " + call(rotatedSecret, now, sign(now), vectorBody))
	script.WriteString("\nassert not " + call(vectorSecret, now, sign(now), vectorBody+" "))
	script.WriteString("\nassert not " + call(vectorSecret, now-600, sign(now-600), vectorBody))
	script.WriteString("\nassert not " + call(vectorSecret, now, "v1,AAAA v2,x garbage", vectorBody))
	cmd := exec.CommandContext(t.Context(), python, "-")
	cmd.Stdin = &script
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
}
