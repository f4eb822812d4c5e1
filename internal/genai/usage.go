package genai

import "go.opentelemetry.io/collector/pdata/pcommon"

// counting says whether a token count contains the parts that are reported
// beside it.
type counting uint8

const (
	countingUnknown counting = iota
	// countingInclusive: input contains cached tokens, output contains reasoning,
	// as the OpenTelemetry convention asks.
	countingInclusive
	// countingAdditive: the parts come on top.
	countingAdditive
)

// Emitters do not agree on what their counts contain, not even under one and
// the same attribute. Who means what is decided for each span, by the first of
// these that knows: a proof in the numbers, the instrumentation scope, the
// attribute that the number stood in, the provider, and else the convention.
// See settleUsage.

// usageScope is what an instrumentation is known to write.
type usageScope struct {
	scope string
	// since is the first version that the row holds for; "" means any.
	since         string
	input, output counting
	// estimatedStreams: the counts of streamed calls are guessed by the emitter.
	estimatedStreams bool
}

// usageScopes is measured on recordings of these instrumentations, or follows
// from their source. Rows of one scope are tried in order.
var usageScopes = []usageScope{
	{scope: "com.anthropic.sdk.typescript", input: countingInclusive, output: countingInclusive},
	{scope: "@traceloop/instrumentation-anthropic", input: countingAdditive},
	{scope: "@traceloop/instrumentation-openai", input: countingInclusive, estimatedStreams: true},
	{scope: "@traceloop/instrumentation-google-generativeai", input: countingInclusive, output: countingAdditive},
	// All versions that report cached tokens add them to the input.
	{scope: "opentelemetry.instrumentation.anthropic", input: countingInclusive},
	{scope: "@openlit/instrumentation-anthropic", input: countingAdditive},
	{scope: "@openlit/instrumentation-bedrock", input: countingAdditive},
	{scope: "@openlit/instrumentation-openai", input: countingInclusive},
	{scope: "@openlit/instrumentation-vllm", input: countingInclusive},
	{scope: "@openlit/instrumentation-vertexai", input: countingInclusive, output: countingAdditive},
	{scope: "@openlit/instrumentation-google-ai", input: countingInclusive, output: countingAdditive},
	{scope: "@arizeai/openinference-instrumentation-anthropic", since: "0.2", input: countingInclusive},
	{scope: "@arizeai/openinference-instrumentation-openai", input: countingInclusive, output: countingInclusive},
	{scope: "gcp.vertex.agent", input: countingInclusive, output: countingAdditive},
	{scope: "gen_ai", input: countingInclusive, output: countingInclusive},
	{scope: "@elastic/opentelemetry-instrumentation-openai", input: countingInclusive},
	{scope: "@opentelemetry/instrumentation-openai", input: countingInclusive},
	// The members of usage_details are disjoint and are added up when read.
	{scope: "langfuse-sdk", input: countingInclusive, output: countingInclusive},
	// Logs of coding agents, which have no scope of their own.
	{scope: "claude_code.api_request", input: countingAdditive},
	{scope: "gemini_cli.api_response", input: countingInclusive, output: countingAdditive},
	{scope: "codex.sse_event", input: countingInclusive, output: countingInclusive},
}

// usageKey is what the attribute of a count says about it.
type usageKey struct {
	key      string
	provider string // "" means any
	input    counting
	output   counting
}

// usageKeys are the attributes that mean one thing whoever writes them. Those
// that copy the numbers of the provider mean what the provider means.
var usageKeys = []usageKey{
	{key: "llm.token_count.prompt", input: countingInclusive},
	{key: "llm.token_count.completion", output: countingInclusive},
	{key: "langfuse.observation.usage_details", input: countingInclusive, output: countingInclusive},
	{key: "ai.usage.inputTokens", input: countingInclusive},
	{key: "ai.usage.outputTokens", output: countingInclusive},
	{key: "ai.usage.promptTokens", provider: "anthropic", input: countingAdditive},
	{key: "ai.usage.promptTokens", input: countingInclusive},
	{key: "ai.usage.completionTokens", output: countingInclusive},
}

// usageProvider is how a provider counts in its own answers. It decides for
// attributes that are older than the rule of the convention.
type usageProvider struct {
	provider      string
	input, output counting
}

var usageProviders = []usageProvider{
	{provider: "anthropic", input: countingAdditive, output: countingInclusive},
	{provider: "aws.bedrock", input: countingAdditive, output: countingInclusive},
	{provider: "gcp.gemini", input: countingInclusive, output: countingAdditive},
	{provider: "gcp.vertex_ai", input: countingInclusive, output: countingAdditive},
}

// rawUsageKeys are attributes into which emitters of the older conventions copy
// what the provider counted.
var rawUsageKeys = []string{
	"gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens", "gen_ai.usage.prompt_token_count",
	"llm.usage.prompt_tokens", "llm.usage.completion_tokens", "llm.usage.input_tokens", "llm.usage.output_tokens",
}

// usageRules are the rules above made ready for use. They are looked at only
// where a call has cached or reasoning tokens, or was streamed.
type usageRules struct {
	scopes index // first position in usageScopes
	// input and output have what each selector of the tokens says, best first.
	input, output []usageRank
	providers     []selector
}

// usageRank is what the attribute of one selector says.
type usageRank struct {
	// keys are rules, the first of which counts that is for the provider.
	keys []usageKey
	// raw: the numbers are those of the provider.
	raw bool
}

func newUsageRules(t *table) usageRules {
	u := usageRules{providers: t.concepts[conceptProvider]}
	for i := range usageScopes {
		u.scopes.add(usageScopes[i].scope, i)
	}
	u.scopes.build()
	ranks := func(c concept, says func(*usageKey) counting) []usageRank {
		list := make([]usageRank, len(t.concepts[c]))
		for i := range list {
			key := t.concepts[c][i].key
			list[i].raw = contains(rawUsageKeys, key)
			for _, k := range usageKeys {
				if k.key == key && says(&k) != countingUnknown {
					list[i].keys = append(list[i].keys, k)
				}
			}
		}
		return list
	}
	u.input = ranks(conceptInputTokens, func(k *usageKey) counting { return k.input })
	u.output = ranks(conceptOutputTokens, func(k *usageKey) counting { return k.output })
	return u
}

// scope finds the row of an instrumentation or a log event, or nil.
func (u *usageRules) scope(from *source, version string) *usageScope {
	at := -1
	if from.log != "" {
		at = u.scopes.find(from.log)
	}
	name := from.log
	if at < 0 {
		name = from.scope
		at = u.scopes.find(name)
	}
	if at < 0 {
		return nil
	}
	for ; at < len(usageScopes) && usageScopes[at].scope == name; at++ {
		if r := &usageScopes[at]; r.since == "" || version == "" || !versionBefore(version, r.since) {
			return r
		}
	}
	return nil
}

// usageParts are the numbers that make settling necessary.
const usageParts = FieldCacheReadTokens | FieldCacheWriteTokens | FieldCacheWrite5mTokens | FieldCacheWrite1hTokens | FieldReasoningTokens

// settleUsage makes the counts of the event inclusive, whatever the emitter
// means by them, and tells whether they are estimates.
func (st *state) settleUsage(from source, version string, attrs pcommon.Map) {
	ev := st.ev
	if lifetimes := ev.CacheWrite5mTokens + ev.CacheWrite1hTokens; lifetimes > ev.CacheWriteTokens {
		ev.CacheWriteTokens = lifetimes
		ev.Present |= FieldCacheWriteTokens
	}
	cache, reasoning := ev.CacheReadTokens+ev.CacheWriteTokens, ev.ReasoningTokens
	if cache == 0 && reasoning == 0 && !ev.Streaming {
		return
	}
	row := st.extractor.usage.scope(&from, version)
	ev.Estimated = row != nil && row.estimatedStreams && ev.Streaming && ev.Present&(FieldInputTokens|FieldOutputTokens) != 0
	total := int64(-1)
	if ev.Has(FieldTotalTokens | FieldInputTokens | FieldOutputTokens) {
		total = ev.TotalTokens
	}
	plain, added := ev.InputTokens+ev.OutputTokens, false
	if cache > 0 && ev.Has(FieldInputTokens) {
		proof := cache > ev.InputTokens || total == plain+cache || total == plain+cache+reasoning
		if (proof || st.counting(row, conceptInputTokens, &from, attrs) == countingAdditive) && !normalized(attrs) {
			ev.InputTokens += cache
			added = true
		}
	}
	if reasoning > 0 && ev.Has(FieldOutputTokens) {
		proof := reasoning > ev.OutputTokens || total == plain+reasoning || cache > 0 && total == plain+cache+reasoning
		if (proof || st.counting(row, conceptOutputTokens, &from, attrs) == countingAdditive) && !normalized(attrs) {
			ev.OutputTokens += reasoning
			added = true
		}
	}
	if added && ev.Has(FieldInputTokens|FieldOutputTokens) {
		// The total that was reported may add up the numbers that were replaced.
		ev.TotalTokens = ev.InputTokens + ev.OutputTokens
		ev.Present |= FieldTotalTokens
	}
}

// normalized reports whether the counts of an item are those of [Normalize].
func normalized(attrs pcommon.Map) bool {
	v, ok := attrs.Get(AttrUsageInclusive)
	return ok && v.Bool()
}

// counting decides what no number proves, for input or output tokens.
func (st *state) counting(row *usageScope, c concept, from *source, attrs pcommon.Map) counting {
	if row != nil {
		if known := of(c, row.input, row.output); known != countingUnknown {
			return known
		}
	}
	list := st.extractor.usage.input
	if c == conceptOutputTokens {
		list = st.extractor.usage.output
	}
	at := 254 - int(st.best[c]) // see rule.prio
	if at >= len(list) {
		return countingInclusive
	}
	rank := &list[at]
	if len(rank.keys) == 0 && !rank.raw {
		return countingInclusive
	}
	provider := st.usageProvider(from, attrs)
	for i := range rank.keys {
		if k := &rank.keys[i]; k.provider == "" || k.provider == provider {
			return of(c, k.input, k.output)
		}
	}
	if rank.raw {
		for i := range usageProviders {
			if p := &usageProviders[i]; p.provider == provider {
				return of(c, p.input, p.output)
			}
		}
	}
	return countingInclusive
}

func of(c concept, input, output counting) counting {
	if c == conceptInputTokens {
		return input
	}
	return output
}

// usageProvider is the provider of the call, which is looked for here when it
// was not asked for.
func (st *state) usageProvider(from *source, attrs pcommon.Map) string {
	if st.best[conceptProvider] != 0 {
		return st.ev.Provider
	}
	if !st.extractor.measuresOnly {
		return ""
	}
	for i := range st.extractor.usage.providers {
		s := &st.extractor.usage.providers[i]
		if s.resource || s.event != "" || s.log != "" && s.log != from.log || s.scope != "" && s.scope != from.scope || s.span != "" && s.span != from.span || !all(s.when, attrs) {
			continue
		}
		v, ok := attrs.Get(firstIndex.Replace(s.key))
		if !ok {
			continue
		}
		text := scalarOf(v)
		if s.json != "" {
			path, err := parsePath(s.json)
			if err != nil {
				continue
			}
			var out sink
			walkValue(v, path, &out)
			text = out.first
		}
		if name, _, ok := text.name(false); ok {
			if name = st.extractor.provider(name); name != "" {
				return name
			}
		}
	}
	return ""
}

// versionBefore compares the numbers of two versions, such as "0.27.0" and "0.3".
// What is no number ends the comparison.
func versionBefore(a, b string) bool {
	for a != "" || b != "" {
		var x, y int
		var more bool
		x, a, more = versionPart(a)
		y, b, _ = versionPart(b)
		if x != y {
			return x < y
		}
		if !more && a == "" && b == "" {
			return false
		}
	}
	return false
}

// versionPart reads the number at the start of a version and what is behind its dot.
func versionPart(v string) (n int, rest string, more bool) {
	i := 0
	for i < len(v) && v[i] >= '0' && v[i] <= '9' && i < 6 {
		n = 10*n + int(v[i]-'0')
		i++
	}
	if i < len(v) && v[i] == '.' {
		return n, v[i+1:], true
	}
	return n, "", false
}
