package genai

// More attributes that a sanitizer writes, beside those that are read back as
// [Marks].
const (
	// AttrPromptInjectionFlagged is true when the score reached the threshold of
	// the detector; it is left out otherwise.
	AttrPromptInjectionFlagged = "sentinel.prompt_injection.flagged"
	// AttrPromptInjectionProvenance tells who wrote the text with the highest
	// score: user, tool or retrieval.
	AttrPromptInjectionProvenance = "sentinel.prompt_injection.provenance"
	// AttrPromptInjectionRules names the rules that hit in that text.
	AttrPromptInjectionRules = "sentinel.prompt_injection.rules"
	// AttrSanitizeTruncated is the number of texts of the item that were cut.
	AttrSanitizeTruncated = "sentinel.sanitize.truncated_count"
	// AttrSanitizeViolations lists the limits that the item breaks: latency, cost,
	// total_tokens, not_a_number, text.
	AttrSanitizeViolations = "sentinel.sanitize.violations"
)
