package webhook

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	rotatedSecret   = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func keyOf(t testing.TB, secret string) []byte {
	t.Helper()
	key, err := ParseSecret(secret)
	require.NoError(t, err)
	return key
}

func TestSignatureMatchesThePublishedVector(t *testing.T) {
	keys := [][]byte{keyOf(t, vectorSecret)}
	assert.Equal(t, vectorSignature, signature(keys, vectorID, vectorTime, []byte(vectorBody)))
	for name, got := range map[string]string{
		"id":   signature(keys, vectorID+"x", vectorTime, []byte(vectorBody)),
		"time": signature(keys, vectorID, vectorTime+1, []byte(vectorBody)),
		"body": signature(keys, vectorID, vectorTime, []byte(vectorBody+" ")),
		"key":  signature([][]byte{keyOf(t, rotatedSecret)}, vectorID, vectorTime, []byte(vectorBody)),
	} {
		assert.NotEqual(t, vectorSignature, got, "%s is not covered by the signature", name)
	}
}

func TestEachSecretSigns(t *testing.T) {
	keys := [][]byte{keyOf(t, rotatedSecret), keyOf(t, vectorSecret)}
	got := strings.Fields(signature(keys, vectorID, vectorTime, []byte(vectorBody)))
	require.Len(t, got, 2)
	assert.Equal(t, vectorSignature, got[1])
}

// The value is from another implementation: printf '{"a":1}' | openssl dgst
// -sha256 -mac HMAC -macopt key:secretsecretsecretsecret.
func TestRawSignatureIsLowerCaseHexOfTheBody(t *testing.T) {
	assert.Equal(t, "79598e8bd3cb8d98a826e46d3d2a4e89a513e2412f19a5d03b1c9d751635b070", rawSignature([]byte("secretsecretsecretsecret"), []byte(`{"a":1}`)))
}

func TestParseSecret(t *testing.T) {
	of := func(n int) string { return secretPrefix + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, tc := range []struct {
		in, want string
	}{
		{of(24), ""},
		{of(64), ""},
		{of(23), "must hold 24 to 64 bytes, got 23"},
		{of(65), "must hold 24 to 64 bytes, got 65"},
		{"", "must start with"},
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with"},
		{"whsec_***", "standard base64"},
	} {
		key, err := ParseSecret(tc.in)
		if tc.want == "" {
			assert.NoError(t, err, tc.in)
			continue
		}
		assert.ErrorContains(t, err, tc.want, tc.in)
		assert.Nil(t, key)
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, s := range []string{vectorSecret, rotatedSecret, "whsec_", "whsec_AA==", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseSecret(s)
		if err != nil {
			if len(s) > 12 && strings.Contains(err.Error(), s) {
				t.Fatalf("the error quotes the secret: %v", err)
			}
			return
		}
		if len(key) < minSecretBytes || len(key) > maxSecretBytes {
			t.Fatalf("accepted %d bytes", len(key))
		}
	})
}
