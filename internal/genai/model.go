package genai

import (
	"regexp"
	"strings"
)

// escape codes that set the colour or weight of text on a terminal.
var ansi = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// cleanModel takes out the terminal codes that some coding agents leave in the
// names of models. It costs next to nothing where there are none: they come
// first, or last and then end in "m".
func cleanModel(s string) string {
	if s == "" || s[0] != '\x1b' && s[len(s)-1] != 'm' || strings.IndexByte(s, '\x1b') < 0 {
		return s
	}
	return ansi.ReplaceAllString(s, "")
}

// bedrockVendors precede the names of models on Amazon Bedrock.
var bedrockVendors = []string{
	"anthropic.", "amazon.", "meta.", "cohere.", "mistral.", "deepseek.", "ai21.", "stability.", "openai.", "qwen.",
	"writer.", "twelvelabs.", "luma.", "moonshot.", "minimax.", "google.", "nvidia.", "zai.",
}

// inferenceProfiles are the regions of Bedrock's cross-region inference profiles.
var inferenceProfiles = []string{"us.", "eu.", "apac.", "jp.", "au.", "ca.", "sa.", "us-gov.", "global."}

// contextWindow is the size of the context that Claude Code appends to a model.
var contextWindow = regexp.MustCompile(`\[[0-9]+[km]\]$`)

// bedrockVersion ends the names of models on Amazon Bedrock: version, revision
// and, for some, the size of the context.
var bedrockVersion = regexp.MustCompile(`(-v[0-9]+)?:[0-9]+(:[0-9]+k|:mm)?$`)

// CanonicalModel is the name of a model in the spelling of its vendor, as price
// lists have it, out of what gateways and clouds make of it: in lower case and
// without terminal codes, the path of a gateway (openai/gpt-4o), the ARN, the
// inference profile, vendor and revision of Bedrock
// (us.anthropic.claude-opus-4-6-v1:0), the version mark of Vertex AI (@) and the
// size of the context ([1m]). Dates stay, for they can have prices of their own.
// An ARN that names no model, such as that of an application inference profile,
// is kept as it is.
//
// It is idempotent, and "" for "". A name of more than 1024 bytes is no model and
// is returned as it is. The result may share memory with name.
func CanonicalModel(name string) string {
	if len(name) > maxNameBytes {
		return name
	}
	for {
		s := canonicalModel(name)
		if s == name {
			return s
		}
		name = s // each round takes something away
	}
}

func canonicalModel(s string) string {
	if strings.IndexByte(s, '\x1b') >= 0 {
		s = ansi.ReplaceAllString(s, "")
	}
	s = strings.ToLower(strings.TrimSpace(s))
	arn := strings.HasPrefix(s, "arn:")
	if arn && !strings.Contains(s, "foundation-model/") && !strings.Contains(s, ":inference-profile/") {
		return s
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 && strings.TrimSpace(s[i+1:]) != "" {
		s = s[i+1:]
	}
	if i := strings.LastIndexByte(s, '['); i > 0 {
		s = contextWindow.ReplaceAllString(s, "")
	}
	s = bedrockModel(s)
	if base, version, ok := strings.Cut(s, "@"); ok && strings.TrimSpace(base) != "" {
		if version == "" || version == "default" || version == "latest" {
			return base
		}
		return base + "-" + strings.ReplaceAll(version, "@", "-")
	}
	return s
}

// bedrockModel takes away what Bedrock puts around the name of a model. The
// version is part of the name for all vendors but Anthropic, who date theirs.
func bedrockModel(s string) string {
	rest := s
	for _, p := range inferenceProfiles {
		if r, ok := strings.CutPrefix(s, p); ok {
			rest = r
			break
		}
	}
	for _, v := range bedrockVendors {
		base, ok := strings.CutPrefix(rest, v)
		if !ok || base == "" {
			continue
		}
		m := bedrockVersion.FindStringSubmatchIndex(base)
		switch {
		case m == nil && v == "anthropic.":
			return anthropicVersion.ReplaceAllString(base, "")
		case m == nil:
			return base
		case v != "anthropic." && m[3] > 0:
			return base[:m[3]]
		case m[0] > 0:
			return base[:m[0]]
		}
		return base
	}
	return s
}

var anthropicVersion = regexp.MustCompile(`-v[0-9]+$`)
