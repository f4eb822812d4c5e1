// Package alertexporter turns the anomalies that the anomaly processor marked
// in traces into notifications: signed webhooks and RabbitMQ messages.
package alertexporter

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
