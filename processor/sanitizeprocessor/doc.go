//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package sanitizeprocessor is the collector processor "sanitize". It stands
// before everything that keeps or judges telemetry: it checks the numbers of LLM
// calls against limits, bounds texts, replaces personal data and secrets wherever
// text can stand, and scores prompts as attempts of prompt injection. What it finds
// it counts, on the item and in metrics; it never tells the value.
package sanitizeprocessor
