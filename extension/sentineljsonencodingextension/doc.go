//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package sentineljsonencodingextension decodes messages of a broker into
// telemetry: the JSON events of producers that do not speak OTLP, and OTLP
// itself. What cannot be decoded goes to a dead letter, so that it never blocks
// the messages behind it. It is made for the encoding option of the Kafka
// receiver.
package sentineljsonencodingextension
