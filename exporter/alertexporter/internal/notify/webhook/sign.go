package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	secretPrefix   = "whsec_"
	minSecretBytes = 24
	maxSecretBytes = 64
)

// The messages never contain the secret, they end up in logs.
var (
	errSecretPrefix = errors.New(`must start with "` + secretPrefix + `"`)
	errSecretBase64 = errors.New(`must be "` + secretPrefix + `" followed by standard base64`)
)

// ParseSecret decodes a Standard Webhooks secret: "whsec_" and the base64 of
// 24 to 64 bytes.
func ParseSecret(s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return nil, errSecretPrefix
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errSecretBase64
	}
	if len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, fmt.Errorf("must hold %d to %d bytes, got %d", minSecretBytes, maxSecretBytes, len(key))
	}
	return key, nil
}

// signature is the value of the webhook-signature header: one signature per
// key, so that a receiver may hold any of them during a rotation.
func signature(keys [][]byte, id string, unix int64, body []byte) string {
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(' ')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(unix, 10) + "."))
		mac.Write(body)
		b.WriteString("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}

// rawSignature is the HMAC-SHA256 of the body alone, in lower-case hex.
func rawSignature(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
