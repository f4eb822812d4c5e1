package genai

// The places of the finer token counts, in the order of the attribute catalogue.
var (
	cacheWrite5mSelectors = []selector{
		{key: "anthropic.usage.cache_creation.ephemeral_5m_input_tokens"},
		{key: "langfuse.observation.usage_details", json: "input_cache_creation_5m"},
	}
	cacheWrite1hSelectors = []selector{
		{key: "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"},
		{key: "langfuse.observation.usage_details", json: "input_cache_creation_1h"},
	}
	audioInputSelectors = []selector{
		{key: "gen_ai.usage.audio.input_tokens"},
		{key: "gen_ai.usage.input_tokens.audio"},
		{key: "llm.token_count.prompt_details.audio"},
		{key: "gen_ai.usage.prompt_tokens_details.audio"},
		{key: "langfuse.observation.usage_details", json: "input_audio_tokens"},
	}
	audioOutputSelectors = []selector{
		{key: "gen_ai.usage.audio.output_tokens"},
		{key: "gen_ai.usage.output_tokens.audio"},
		{key: "llm.token_count.completion_details.audio"},
		{key: "gen_ai.usage.completion_tokens_details.audio"},
		{key: "langfuse.observation.usage_details", json: "output_audio_tokens"},
	}
	imageInputSelectors = keys("gen_ai.usage.image.input_tokens")
	// What the provider says it did goes before what was asked for.
	serviceTierSelectors = concat(keys(
		"openai.response.service_tier",
		"anthropic.response.service_tier",
		"gen_ai.openai.response.service_tier",
		"openai.request.service_tier",
		"anthropic.request.service_tier",
		"gen_ai.openai.request.service_tier",
	), []selector{
		// Elsewhere it is a number.
		{key: "speed", in: []string{"fast", "standard", "slow"}},
	})
)
