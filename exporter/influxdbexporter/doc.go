// Package influxdbexporter writes LLM telemetry and anomalies, read from
// traces, to InfluxDB 1.x and 2.x and to what speaks their write protocols.
package influxdbexporter

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
