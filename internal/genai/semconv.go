package genai

// Attribute names of the OpenTelemetry GenAI conventions in their current
// spelling, for code that writes telemetry. Reading goes through the table.
const (
	AttrOperationName        = "gen_ai.operation.name"
	AttrProviderName         = "gen_ai.provider.name"
	AttrConversationID       = "gen_ai.conversation.id"
	AttrAgentID              = "gen_ai.agent.id"
	AttrAgentName            = "gen_ai.agent.name"
	AttrToolName             = "gen_ai.tool.name"
	AttrToolCallID           = "gen_ai.tool.call.id"
	AttrRequestModel         = "gen_ai.request.model"
	AttrRequestMaxTokens     = "gen_ai.request.max_tokens"
	AttrRequestTemperature   = "gen_ai.request.temperature"
	AttrRequestTopP          = "gen_ai.request.top_p"
	AttrRequestStream        = "gen_ai.request.stream"
	AttrResponseID           = "gen_ai.response.id"
	AttrResponseModel        = "gen_ai.response.model"
	AttrResponseFinish       = "gen_ai.response.finish_reasons"
	AttrTimeToFirstChunk     = "gen_ai.response.time_to_first_chunk" // seconds
	AttrUsageInputTokens     = "gen_ai.usage.input_tokens"
	AttrUsageOutputTokens    = "gen_ai.usage.output_tokens"
	AttrUsageTotalTokens     = "gen_ai.usage.total_tokens" // de facto
	AttrUsageCacheRead       = "gen_ai.usage.cache_read.input_tokens"
	AttrUsageCacheWrite      = "gen_ai.usage.cache_write.input_tokens"
	AttrUsageReasoningTokens = "gen_ai.usage.reasoning.output_tokens"
	AttrUsageAudioInput      = "gen_ai.usage.audio.input_tokens"
	AttrUsageAudioOutput     = "gen_ai.usage.audio.output_tokens"
	AttrUsageImageInput      = "gen_ai.usage.image.input_tokens"
	AttrUsageCost            = "gen_ai.usage.cost" // US dollars, de facto
	AttrInputMessages        = "gen_ai.input.messages"
	AttrOutputMessages       = "gen_ai.output.messages"
	AttrSystemInstructions   = "gen_ai.system_instructions"
	AttrErrorType            = "error.type"
	AttrUserID               = "user.id"
	AttrSessionID            = "session.id"
	AttrTenantID             = "tenant.id"
	AttrServerAddress        = "server.address"
	AttrServerPort           = "server.port"
	AttrServiceName          = "service.name"
	AttrServiceNamespace     = "service.namespace"
	AttrCloudRegion          = "cloud.region"
	AttrEnvironment          = "deployment.environment.name"
)

// Attributes by which the ledger tells what it decided about a call.
const (
	// AttrCallDuplicate is a short reason on an item that tells of a call which is
	// counted elsewhere. Such an item is not taken for a call any more.
	AttrCallDuplicate = "sentinel.call.duplicate"
	// AttrCallID is the event id of the call that a duplicate belongs to.
	AttrCallID = "sentinel.call.id"
	// PrefixOriginal precedes the name of a token count that was replaced by an
	// inclusive one; see [AttrUsageInclusive].
	PrefixOriginal = "sentinel.original."
	// AttrCostUSD is the cost by our own price book, in US dollars.
	AttrCostUSD = "sentinel.cost.usd"
	// AttrCostGap is how far the cost that the emitter reports is off ours, as a
	// share of the larger one, where that is more than the tolerance: 0.5 is twice
	// ours, -0.5 half.
	AttrCostGap = "sentinel.cost.gap"
	// AttrCostUnpriced is true where the price book has no price.
	AttrCostUnpriced = "sentinel.cost.unpriced"
	// AttrCostPriceVersion is the version of the price table that was used.
	AttrCostPriceVersion = "sentinel.cost.price_version"
)

// Values of [AttrOperationName] that are leaf inference calls, and the most
// common of those that are not.
const (
	OperationChat            = "chat"
	OperationTextCompletion  = "text_completion"
	OperationGenerateContent = "generate_content"
	OperationEmbeddings      = "embeddings"
	OperationInvokeAgent     = "invoke_agent"
	OperationExecuteTool     = "execute_tool"
)
