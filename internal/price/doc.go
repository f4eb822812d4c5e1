// Package price says what a model call costs, in US dollars.
//
// A [Book] is an immutable set of price tables, asked in layers: the user's rules,
// then the user's file, then the snapshot that is built in. A [Source] owns the
// current Book and exchanges it when the file changes. An [Auditor] compares the
// cost that an application reported with ours, and remembers what was said.
//
// Tables, matching and arithmetic follow version 2 of the open format of
// pydantic/genai-prices: usage is inclusive, a tier is a cliff over the number of
// input tokens, dated prices are tried last to first. What has no price is an error
// ([ErrUnpriced]), never a zero.
//
// The package knows nothing of the collector, reads no clock except in
// [Source.Run], and is safe for concurrent use.
package price

//go:generate go run ./gen
