package sanitizeprocessor

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The texts on which the first LLM-Sentinel was observed, and what must become of
// them.
func TestTheTextsOfTheContract(t *testing.T) {
	r := newRig(t, nil)
	for in, want := range map[string]string{
		"Contact me at john@example.com":              "Contact me at [EMAIL_REDACTED]",
		"john@example.com is my mail":                 "[EMAIL_REDACTED] is my mail",
		"a@b.com and c@d.org there":                   "[EMAIL_REDACTED] and [EMAIL_REDACTED] there",
		"mail john@example.com now please":            "mail [EMAIL_REDACTED] now please",
		"My SSN is 123-45-6789":                       "My SSN is [US_SSN_REDACTED]",
		"number 123-45-6789 only":                     "number [US_SSN_REDACTED] only",
		"card 4111 1111 1111 1111":                    "card [CREDIT_CARD_REDACTED]",
		"call +1 415 555 2671 or 020 7946 0958":       "call [PHONE_REDACTED] or [PHONE_REDACTED]",
		"order 20240101 of 99999 x 1 2 3":             "order 20240101 of 99999 x 1 2 3",
		"no such thing here, not even an @ or a dot.": "no such thing here, not even an @ or a dot.",
	} {
		for _, key := range []string{"llm.prompt", "llm.response", "gen_ai.prompt", "anything"} {
			assert.Equal(t, want, r.attr(key, in), key)
		}
	}
}

// nested wraps a text into strings of JSON.
func nested(t *testing.T, text string, levels int) string {
	t.Helper()
	for range levels {
		b, err := json.Marshal(map[string]any{"note": text})
		require.NoError(t, err)
		text = string(b)
	}
	return text
}

// gone checks that none of the values is in the text, however it is written.
func gone(t *testing.T, text string, what string) {
	t.Helper()
	for _, v := range []string{email, card, openAI, "jane.doe", "4111111111111111", "sk-proj"} {
		assert.NotContains(t, text, v, what)
	}
}

func TestEveryPlaceOfASpanThatHoldsTextIsRedacted(t *testing.T) {
	r := newRig(t, nil)
	bad := email + " pays with " + card + " and uses " + openAI
	messages := func(text string) string {
		b, err := json.Marshal([]any{map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "content": text}}}})
		require.NoError(t, err)
		return string(b)
	}
	out, ok := r.span(func(s ptrace.Span) {
		call(s)
		s.SetName("ask " + email)
		s.Status().SetMessage("refused " + card)
		s.Attributes().PutStr("gen_ai.input.messages", messages(bad))
		s.Attributes().PutStr("gen_ai.output.messages", messages(openAI))
		s.Attributes().PutStr("gen_ai.tool.call.arguments", nested(t, bad, 3))
		s.Attributes().PutInt("card_number", 4111111111111111)
		s.Attributes().PutDouble("as_double", 4111111111111111)
		s.Attributes().PutEmptyBytes("raw").FromRaw([]byte(bad))
		m := s.Attributes().PutEmptyMap("payload")
		m.PutStr("text", bad)
		m.PutEmptySlice("list").AppendEmpty().SetEmptyMap().PutStr("deep", nested(t, bad, 2))
		e := s.Events().AppendEmpty()
		e.SetName("about " + email)
		e.Attributes().PutStr("exception.message", bad)
		s.Links().AppendEmpty().Attributes().PutStr("why", bad)
	})
	require.True(t, ok)
	b, err := (&ptrace.JSONMarshaler{}).MarshalTraces(r.spans.AllTraces()[0])
	require.NoError(t, err)
	gone(t, string(b), "the span")
	raw, _ := out.Attributes().Get("raw")
	gone(t, string(raw.Bytes().AsRaw()), "bytes")
	var parsed []any
	text, _ := out.Attributes().Get("gen_ai.input.messages")
	require.NoError(t, json.Unmarshal([]byte(text.Str()), &parsed), "messages stay JSON")

	assert.EqualValues(t, 9, count(out.Attributes(), "sentinel.sanitize.pii.email"))
	assert.EqualValues(t, 10, count(out.Attributes(), "sentinel.sanitize.pii.credit_card"))
	assert.EqualValues(t, 8, count(out.Attributes(), "sentinel.sanitize.secret.openai_key"))
	assert.EqualValues(t, 1, count(out.Attributes(), "sentinel.sanitize.response.secret_count"), "one of them in the answer")
	assert.EqualValues(t, 19, count(out.Attributes(), "sentinel.sanitize.pii_count"))
	assert.EqualValues(t, 8, count(out.Attributes(), "sentinel.sanitize.secret_count"))
	assert.EqualValues(t, 9, r.counter("sensitive_values_total", "type", "email"))
	assert.EqualValues(t, 27, r.counter("sensitive_values_total"))
}

func TestLogBodiesAndResourcesAndDataPointsAreRedacted(t *testing.T) {
	r := newRig(t, nil)
	rec, ok := r.record(func(rec plog.LogRecord) {
		rec.Body().SetStr("mail from " + email)
		rec.Attributes().PutStr("note", card)
	})
	require.True(t, ok)
	gone(t, rec.Body().AsString()+fmt.Sprint(rec.Attributes().AsRaw()), "the record")
	assert.EqualValues(t, 2, count(rec.Attributes(), "sentinel.sanitize.pii_count"))

	rec, _ = r.record(func(rec plog.LogRecord) {
		m := rec.Body().SetEmptyMap()
		m.PutStr("content", nested(t, email, 2))
		m.PutStr("password", "hunter2")
	})
	gone(t, rec.Body().AsString(), "a structured body")
	assert.NotContains(t, rec.Body().AsString(), "hunter2")

	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().Resource().Attributes().PutStr("process.command_line", "run --token "+openAI)
	td.ResourceSpans().At(0).ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	require.NoError(t, r.traces.ConsumeTraces(t.Context(), td))
	res := r.spans.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes()
	gone(t, fmt.Sprint(res.AsRaw()), "the resource")
	assert.Equal(t, 1, res.Len(), "a resource gets no marks: series are told apart by it")

	m, _ := r.metric(func(m pmetric.Metric) {
		dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
		dp.SetIntValue(1)
		dp.Attributes().PutStr("user", email)
		dp.Exemplars().AppendEmpty().FilteredAttributes().PutStr("user", email)
	})
	dp := m.Gauge().DataPoints().At(0)
	assert.Equal(t, map[string]any{"user": "[EMAIL_REDACTED]"}, dp.Attributes().AsRaw(), "a data point gets no marks")
	gone(t, fmt.Sprint(dp.Exemplars().At(0).FilteredAttributes().AsRaw()), "the exemplar")
}

func TestCredentialsAreKnownByTheirKey(t *testing.T) {
	r := newRig(t, nil)
	for _, key := range []string{
		"api_key", "password", "secret", "authorization", "llm.api_key", "api.key", "http.request.header.authorization", "x-api-key",
		"metadata.apiKey", "clientSecret", "db.password", "metadata.api_key",
	} {
		assert.Equal(t, "[REDACTED]", r.attr(key, "just-a-word"), key)
	}
	assert.Equal(t, "[REDACTED]", r.attr("password", int64(1234)))
	assert.Equal(t, map[string]any{"user": "jo", "password": "[REDACTED]"}, r.attr("login", map[string]any{"user": "jo", "password": "qwe"}))
	for key, value := range map[string]any{
		"gen_ai.usage.input_tokens": int64(42), "litellm.api_key.hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
		"password": "", "secret": "[SECRET_OPENAI_KEY_REDACTED]", "authorization": "****", "gen_ai.token.type": "input", "secrets_count": int64(3),
	} {
		assert.Equal(t, value, r.attr(key, value), key)
	}
	out := r.attr("gen_ai.tool.call.arguments", `{"host":"db","password":"correct-horse-7","api_key":"k9f8w7e6r5t4"}`).(string)
	assert.NotContains(t, out, "correct-horse-7", "inside of JSON, too")
	assert.NotContains(t, out, "k9f8w7e6r5t4")
}

func TestIDsTimesAndVersionsAreLeftAloneByKeyAndShape(t *testing.T) {
	r := newRig(t, nil)
	for key, value := range map[string]any{
		"gen_ai.response.id":     "chatcmpl-4111111111111111",
		"gen_ai.conversation.id": "4111111111111111",
		"session.id":             "0af7651916cd43dd8448eb211c80319c",
		"user_id":                int64(4111111111111111),
		"requestId":              "5500000000000004",
		"start_time":             int64(1790000000000000000),
		"created_at":             "2026-11-27T06:18:46.123456Z",
		"timestamp":              "1790000000000000000",
		"service.version":        "10.12.1.4",
		"commit":                 "4111111111111111",
		"host.ip":                "203.0.113.77",
		"server.address":         "203.0.113.77:8443",
		"host.mac":               "AC-DE-48-23-45-67",
		"epoch":                  1790000000.0,
		"plain":                  int64(1790000000000000000),
		"trace":                  "0af7651916cd43dd8448eb211c80319c",
		"release":                "v1.2.3-rc.4+build.5",
	} {
		assert.Equal(t, value, r.attr(key, value), key)
	}
	for key, value := range map[string]string{
		"metadata.trace_id": email, "host.ip": "ask " + email, "client.address": "203.0.113.77", "user.id": email, "user_id": "+1 415 555 2671", "account_id": "DE89370400440532013000",
		"session.id": openAI, "customer_id": "123-45-6789", "created_at": "4111 1111 1111 1111", "version": "123-45-6789 of " + email,
	} {
		assert.NotEqual(t, value, r.attr(key, value), "%s: the name alone exempts nothing", key)
	}
}

func TestTheNameOfAKeyIsAWordBesideTheValue(t *testing.T) {
	r := newRig(t, nil)
	assert.Equal(t, "[US_SSN_REDACTED]", r.attr("customer.ssn", "536221234"))
	assert.Equal(t, "536221234", r.attr("customer.rank", "536221234"))
	assert.Equal(t, "[US_SSN_REDACTED]", r.attr("ssn", int64(536221234)))
}

func TestActions(t *testing.T) {
	key := strings.Repeat("k", 32)
	r := newRig(t, func(c *Config) {
		c.Redaction.HMACKey = "k"
		c.Redaction.HMACKey += "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
		c.Redaction.Actions = map[string]string{"email": "hmac", "credit_card": "partial", "phone": "tag", "secret": "drop_attribute"}
	})
	token := r.attr("note", "from "+email).(string)
	assert.Regexp(t, `^from <email:hmac:[0-9a-f]{16}>$`, token)
	assert.Equal(t, token, r.attr("other", "from "+email), "the same value, the same pseudonym")
	assert.NotContains(t, token, key)
	assert.Equal(t, "paid with ***1111", r.attr("note", "paid with "+card))
	assert.Equal(t, "call +1 415 555 2671", r.attr("note", "call +1 415 555 2671"))
	assert.EqualValues(t, 1, r.counter("sensitive_values_total", "type", "phone"), "tag only counts")
	out, _ := r.span(func(s ptrace.Span) {
		s.SetName("use " + openAI)
		s.Attributes().PutStr("note", "use "+openAI)
		s.Attributes().PutEmptyMap("m").PutStr("note", openAI)
	})
	_, there := out.Attributes().Get("note")
	assert.False(t, there, "the attribute is gone")
	gone(t, out.Name()+fmt.Sprint(out.Attributes().AsRaw()), "a name is masked, being no attribute")
	assert.EqualValues(t, 3, count(out.Attributes(), "sentinel.sanitize.secret.openai_key"))
}

func TestPseudonymsDifferBetweenTenants(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Redaction.Action, c.Redaction.HMACKey = "hmac", "0123456789abcdef0123456789abcdef"
	})
	long := strings.Repeat("x ", 200) + email // long enough for the cache
	of := func(name, text string, onSpan bool) string {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.Attributes().PutStr("note", text)
		if onSpan {
			span.Attributes().PutStr("tenant.id", name)
		} else {
			rs.Resource().Attributes().PutStr("tenant.id", name)
		}
		r.spans.Reset()
		require.NoError(t, r.traces.ConsumeTraces(t.Context(), td))
		v, _ := r.spans.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Get("note")
		return v.Str()
	}
	for _, text := range []string{email, long} {
		a := of("a", text, false)
		assert.Equal(t, a, of("a", text, false))
		assert.Equal(t, a, of("a", text, true), "of the span, too")
		assert.NotEqual(t, a, of("b", text, false))
		gone(t, a, "tenant a")
	}
}

func TestAllowLists(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Redaction.Allow = AllowConfig{Values: []string{"Support@Example.com"}, Patterns: []string{`@corp\.example$`}, Keys: []string{"contact", "public.*"}}
	})
	for key, value := range map[string]string{
		"note": "support@example.com", "memo": "ann@corp.example", "contact": email, "public.mail": email,
	} {
		assert.Equal(t, value, r.attr(key, value), key)
	}
	assert.Equal(t, "[EMAIL_REDACTED]", r.attr("contacts", email))
}

func TestADryRunOnlyReports(t *testing.T) {
	r := newRig(t, func(c *Config) { c.DryRun = true; c.Redaction.Action = "drop_attribute" })
	long := strings.Repeat("word ", 3000) + email
	out, ok := r.span(func(s ptrace.Span) {
		call(s)
		s.SetEndTimestamp(s.StartTimestamp() + 3_600_000_000_000)
		s.Attributes().PutStr("note", email)
		s.Attributes().PutStr("long", long)
		s.Attributes().PutStr("password", "hunter2")
		s.Attributes().PutInt("card", 4111111111111111)
	})
	require.True(t, ok)
	raw := out.Attributes().AsRaw()
	assert.Equal(t, email, raw["note"])
	assert.Equal(t, long, raw["long"])
	assert.Equal(t, "hunter2", raw["password"])
	assert.EqualValues(t, 4111111111111111, raw["card"])
	assert.EqualValues(t, 2, raw["sentinel.sanitize.pii.email"])
	assert.EqualValues(t, 1, raw["sentinel.sanitize.pii.credit_card"])
	assert.EqualValues(t, 1, raw["sentinel.sanitize.secret.assignment"])
	assert.EqualValues(t, 1, raw["sentinel.sanitize.truncated_count"])
	assert.Equal(t, []any{"latency"}, violated(out.Attributes()))
	assert.Zero(t, r.counter("events_dropped_total"))
	assert.EqualValues(t, 4, r.counter("sensitive_values_total"))
}

func TestCountsOfAnEarlierSanitizerAreAddedTo(t *testing.T) {
	r := newRig(t, nil)
	out, _ := r.span(func(s ptrace.Span) {
		s.Attributes().PutInt("sentinel.sanitize.pii_count", 3)
		s.Attributes().PutInt("sentinel.sanitize.pii.email", 3)
		s.Attributes().PutStr("note", email)
	})
	assert.EqualValues(t, 4, count(out.Attributes(), "sentinel.sanitize.pii_count"))
	assert.EqualValues(t, 4, count(out.Attributes(), "sentinel.sanitize.pii.email"))
}

// Sent twice through, nothing more is found: a mark is no value.
func TestASecondPassChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	out, _ := r.span(func(s ptrace.Span) {
		s.Attributes().PutStr("note", email+" "+card+" "+openAI)
		s.Attributes().PutStr("password", "hunter2")
	})
	before := out.Attributes().AsRaw()
	again, _ := r.span(func(s ptrace.Span) { out.CopyTo(s) })
	assert.Equal(t, before, again.Attributes().AsRaw())
}

func TestWithoutRedactionTextsAreOnlyBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Redaction.Enabled = false })
	assert.Equal(t, email, r.attr("note", email))
	assert.Equal(t, "hunter2", r.attr("password", "hunter2"))
	assert.Len(t, r.attr("note", strings.Repeat("y", 20_000)), 10_000+len(truncatedSuffix))
}

func TestNamesOfOurOwnExemptNothing(t *testing.T) {
	r := newRig(t, nil)
	for _, key := range []string{
		"sentinel.metadata.note", "sentinel.event.errors", "sentinel.sanitize.pii.note", "sentinel.prompt_injection.kind", "sentinel.anything",
	} {
		assert.Equal(t, "write to [EMAIL_REDACTED]", r.attr(key, "write to "+email), key)
	}
	out, ok := r.span(func(s ptrace.Span) {
		s.Attributes().PutInt("sentinel.sanitize.pii.credit_card", 4111111111111111)
		s.Attributes().PutStr("sentinel.event.id", "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10")
	})
	require.True(t, ok)
	assert.NotEqual(t, int64(4111111111111111), out.Attributes().AsRaw()["sentinel.sanitize.pii.credit_card"])
	assert.Equal(t, "6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10", out.Attributes().AsRaw()["sentinel.event.id"])
}
