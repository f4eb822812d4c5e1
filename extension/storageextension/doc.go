//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package storageextension owns the storage of LLM events and anomalies. Other
// components find it by its id and use it through [store.Provider], [store.EngineHost] and
// [store.Feed].
package storageextension
