package rabbitmq

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/exporter/alertexporter/internal/notify"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
)

func TestRoutingKey(t *testing.T) {
	a := sample(1, anomaly.SeverityHigh)
	odd := a
	odd.Service, odd.Model, odd.Type = "a.b #*é", "", anomaly.Type("my.type")
	long := a
	long.Service = strings.Repeat("s", 300)
	for _, tc := range []struct {
		template string
		a        anomaly.Anomaly
		want     string
	}{
		{"alert.{severity}", a, "alert.high"},
		{"fixed", a, "fixed"},
		{"{type}.{model}.{service}!", a, "latency_spike.gpt-4.chat_api!"},
		{"{service}.{model}.{type}", odd, "a_b____._.my_type"},
		{"x.{service}", long, "x." + strings.Repeat("s", 253)},
	} {
		tmpl, err := parseTemplate(tc.template)
		require.NoError(t, err, tc.template)
		assert.Equal(t, tc.want, tmpl.key(&tc.a), tc.template)
	}
}

func TestRoutingKeyRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "routing_key must have 1 to 255 bytes, got 0",
		strings.Repeat("x", 256): "got 256",
		"alert.{level}":          "got {level}",
		"alert.{}":               "got {}",
		"alert.{severity":        "'{' without '}'",
		"alert}.{severity}":      "'}' without '{'",
	} {
		_, err := parseTemplate(in)
		assert.ErrorContains(t, err, want, in)
	}
}

func FuzzRoutingKey(f *testing.F) {
	f.Add("alert.{severity}", "svc", "gpt-4")
	f.Add("{service}{model}", "\xff.#", strings.Repeat("é", 300))
	f.Add("}{", "", "")
	f.Fuzz(func(t *testing.T, text, service, model string) {
		tmpl, err := parseTemplate(text)
		if err != nil {
			return
		}
		a := sample(1, anomaly.SeverityLow)
		a.Service, a.Model = service, model
		if key := tmpl.key(&a); len(key) > maxShortString {
			t.Fatalf("key of %d bytes", len(key))
		}
	})
}

func TestMessageHeadersAreBounded(t *testing.T) {
	a := sample(1, anomaly.SeverityHigh)
	a.Service = strings.Repeat("é", 500) + "\xff"
	a.Context.TraceID = ""
	msg, err := publishing(notify.Notification{Anomaly: a}, time.Unix(1, 0))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(msg.Headers["service"].(string)), maxHeader)
	assert.NotContains(t, msg.Headers, "traceparent")
	assert.NotContains(t, msg.Headers, "suppressed")
	require.NoError(t, msg.Headers.Validate())
}
