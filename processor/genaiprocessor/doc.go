//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package genaiprocessor is the collector processor "genai". It reads LLM calls
// out of spans, log records and metrics of all emitters, keeps the ledger by
// which each call is counted once, prices calls, and writes what it decides as
// attributes, so that whatever stands behind it sees each call once.
package genaiprocessor
