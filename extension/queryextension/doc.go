//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package queryextension answers questions over HTTP about what a storage
// extension keeps: LLM events, anomalies, and the health of the collector.
// The interface is described by openapi.yaml, which is embedded and served.
package queryextension
