package price

import (
	"regexp"
	"slices"
	"strings"
)

// aliases are names of providers, as telemetry has them, that the tables do not know
// or would take for another: provider names of the semantic conventions and of
// widespread libraries.
var aliases = map[string]string{
	"azure.ai.openai": "azure", "azure.ai.inference": "azure", "az.ai.openai": "azure", "az.ai.inference": "azure",
	"azure_openai": "azure", "azure-openai": "azure", "azureopenai": "azure", "azure_ai": "azure", "azure openai": "azure",
	"aws.bedrock": "aws", "aws_bedrock": "aws", "bedrock_converse": "aws", "aws.sagemaker": "sagemaker",
	"gcp.vertex_ai": "google", "gcp.gemini": "google", "gcp.gen_ai": "google", "gcp": "google",
	"vertex_ai-anthropic_models": "google", "google_anthropic_vertex": "google",
	"mistral_ai": "mistral", "x_ai": "x-ai", "x.ai": "x-ai", "grok": "x-ai",
	"together_ai": "together", "togetherai": "together", "together.ai": "together",
	"fireworks_ai": "fireworks", "fireworks-ai": "fireworks", "fireworksai": "fireworks",
	"moonshot_ai": "moonshotai", "moonshot": "moonshotai", "voyage_ai": "voyageai", "voyage": "voyageai",
	"zhipu": "zhipuai", "zhipu_ai": "zhipuai", "z_ai": "zai", "z.ai": "zai", "z-ai": "zai",
	"open_router": "openrouter", "novita_ai": "novita", "deep_seek": "deepseek",
	"cohere_chat": "cohere", "text-completion-openai": "openai", "codestral": "mistral",
	"azure_text": "azure", "ibm.watsonx.ai": "watsonx",
}

func alias(who string) string {
	if id, ok := aliases[who]; ok {
		return id
	}
	return who
}

// gateways pass calls on, so their name says nothing about who serves the model.
var gateways = []string{
	"litellm", "portkey", "helicone", "langchain", "langgraph", "llamaindex", "llama_index", "crewai", "haystack",
	"vercel", "gateway", "vercel_ai_gateway", "cloudflare", "kong", "truefoundry", "traceloop", "langfuse", "dspy",
	"pydantic_ai", "pydantic-ai", "agno", "autogen", "smolagents", "semantic_kernel", "unknown", "other", "_other",
}

func isGateway(provider string) bool {
	for _, g := range gateways {
		if strings.EqualFold(strings.TrimSpace(provider), g) {
			return true
		}
	}
	return false
}

// attempt is one reading of the names of provider and model, in lower case.
type attempt struct{ who, name string }

const maxAttempts = 24

// attempts lists the readings of a pair of names, best first: as written, then with
// more and more of what clouds, gateways and snapshots put around a name taken off.
func (b *Book) attempts(who, name string) []attempt {
	who = alias(who)
	if _, rest, ok := strings.Cut(name, "/"); who == "litellm" && ok && rest != "" {
		prefix := name[:len(name)-len(rest)-1]
		if b.known(alias(prefix)) {
			who, name = alias(prefix), rest
		}
	}
	if who != "" && !b.known(who) {
		// Names such as openai.chat or google.generative-ai name provider and endpoint.
		if head, _, ok := strings.Cut(who, "."); ok && b.known(alias(head)) {
			who = alias(head)
		} else if isGateway(who) {
			who = ""
		}
	}
	list := []attempt{{who, name}}
	for i := 0; i < len(list); i++ {
		for _, next := range b.rewrites(list[i]) {
			if next.name != "" && len(list) < maxAttempts && !slices.Contains(list, next) {
				list = append(list, next)
			}
		}
	}
	return list
}

var (
	bedrockRegion  = regexp.MustCompile(`^(?:us|eu|apac|ap|global|us-gov|jp|au|ca|sa|me|af)\.`)
	bedrockName    = regexp.MustCompile(`^(?:[a-z-]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|writer)\.[a-z0-9]`)
	regionSegment  = regexp.MustCompile(`^(?:[a-z]{2}(?:-gov)?-[a-z]+-\d|us|eu|global|converse|[0-9]+-month-commitment)/`)
	bedrockVersion = regexp.MustCompile(`(?:-v\d+(?::\d+)?|:\d+)(?::\d+k)?$`)
	snapshotDate   = regexp.MustCompile(`-20\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])$`)
)

// rewrites lists what an attempt may mean with one thing taken off.
func (b *Book) rewrites(a attempt) []attempt {
	var out []attempt
	add := func(who, name string) { out = append(out, attempt{who, name}) }
	name := a.name
	if strings.HasPrefix(name, "arn:") { // of an AWS foundation model or inference profile
		add(a.who, name[strings.LastIndexByte(name, '/')+1:])
		return out
	}
	if strings.HasPrefix(name, "ft:") { // fine-tuned at OpenAI: ft:base:organisation:name:id
		if parts := strings.SplitN(name, ":", 3); len(parts) == 3 {
			add(a.who, parts[0]+":"+parts[1])
		}
		return out
	}
	if i := strings.LastIndex(name, "models/"); i == 0 || i > 0 && name[i-1] == '/' { // resource name of Google
		add(a.who, name[i+len("models/"):])
	}
	if m := regionSegment.FindString(name); m != "" {
		add(a.who, name[len(m):])
	}
	if a.who == "" && bedrockName.MatchString(name) {
		add("aws", name)
	}
	if prefix, rest, ok := strings.Cut(name, "/"); ok && (b.known(alias(prefix)) || isGateway(prefix)) {
		switch {
		case isGateway(prefix) && (a.who == "" || b.known(a.who)):
			add(a.who, rest)
		case a.who == "":
			add(alias(prefix), rest)
		case b.known(a.who): // never for a server of one's own
			add(a.who, rest)
			if a.who == "openai" || a.who == "anthropic" { // whose libraries talk to gateways, too
				add(alias(prefix), rest)
			}
		}
	}
	if m := bedrockRegion.FindString(name); m != "" {
		add(a.who, name[len(m):])
	}
	if base, version, ok := strings.Cut(name, "@"); ok { // Vertex AI
		if version != "default" && version != "latest" {
			add(a.who, base+"-"+version)
		}
		add(a.who, base)
	}
	if m := bedrockVersion.FindString(name); m != "" {
		add(a.who, strings.TrimSuffix(name, m))
	}
	if m := snapshotDate.FindString(name); m != "" {
		add(a.who, strings.TrimSuffix(name, m))
	}
	if base, ok := strings.CutSuffix(name, "-latest"); ok {
		add(a.who, base)
	}
	return out
}
