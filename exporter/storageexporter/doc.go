//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package storageexporter writes LLM events and anomalies, read from traces,
// through a storage extension.
package storageexporter
