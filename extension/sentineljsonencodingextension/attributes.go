package sentineljsonencodingextension

import (
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/genai"
)

// metadataAttributes are the attributes of metadata that the conventions know.
var metadataAttributes = map[string]string{
	"user_id":         genai.AttrUserID,
	"session_id":      genai.AttrSessionID,
	"conversation_id": genai.AttrConversationID,
	"tenant_id":       genai.AttrTenantID,
	"region":          genai.AttrCloudRegion,
	"environment":     genai.AttrEnvironment,
	"provider":        genai.AttrProviderName,
	"agent":           genai.AttrAgentName,
	"response_id":     genai.AttrResponseID,
	"version":         "service.version",
}

// readMetadata takes over the entries of the metadata as text, but for those
// whose name says that they are a secret.
func readMetadata(r *reader, name string, v []byte) *poisonError {
	if kindOf(v) != kindObject {
		return wrongType(name, "an object", v)
	}
	e := r.event
	e.metadata = e.metadata[:0]
	return members(v, func(key string, v []byte) *poisonError {
		switch {
		case kindOf(v) == kindNull || key == "":
			return nil
		case isSecret(key) || holdsSecret(v):
			r.adjustments[adjustedSecret]++
			return nil
		case len(e.metadata) >= r.limits.metadata || len(key) > maxMetadataKey:
			r.adjustments[adjustedMetadata]++
			return nil
		}
		s := string(v)
		if kindOf(v) == kindString {
			s = unquote(v)
		}
		s = strings.ToValidUTF8(s, "\uFFFD")
		if len(s) > maxMetadataValue {
			s = cut(s, maxMetadataValue)
			r.adjustments[adjustedText]++
		}
		e.metadata = append(e.metadata, entry{key, s})
		return nil
	})
}

// secretWords occur in names of secrets, written without separators and in
// lower case; secretEnds are their ends.
var (
	secretWords = []string{
		"apikey", "password", "passwd", "passphrase", "secret", "privatekey", "accesskey", "credential",
		"authorization", "bearer", "cookie", "connectionstring",
	}
	secretEnds = []string{"token", "pwd", "auth", "jwt"}
)

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// isSecret reports whether a name says that its value is a secret. The id of a
// key is none, and counts of tokens are none.
func isSecret(name string) bool {
	n := strings.ToLower(separators.Replace(name))
	if strings.HasSuffix(n, "keyid") {
		return false
	}
	for _, w := range secretWords {
		if strings.Contains(n, w) {
			return true
		}
	}
	for _, w := range secretEnds {
		if strings.HasSuffix(n, w) {
			return true
		}
	}
	return false
}

// holdsSecret looks for names of secrets inside of a value.
func holdsSecret(v []byte) (found bool) {
	switch kindOf(v) {
	case kindObject:
		_ = members(v, func(key string, v []byte) *poisonError {
			found = found || isSecret(key) || holdsSecret(v)
			return nil
		})
	case kindArray:
		_ = elements(v, func(e []byte) *poisonError {
			found = found || holdsSecret(e)
			return nil
		})
	default:
	}
	return found
}
