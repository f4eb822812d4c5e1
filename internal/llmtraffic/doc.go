// Package llmtraffic makes and replays LLM telemetry: a seeded generator whose
// numbers are fitted to public traces, labelled incidents, readers of public
// trace files, an OTLP sender with exact accounting, and the pieces that check
// a collector against the labels (webhook receiver, truth matching).
//
// Everything is a function of the seed and of event time; the wall clock is
// used only to pace the sending.
package llmtraffic
