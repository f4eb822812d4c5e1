package sentineljsonencodingextension

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const domainHead = `{"event_id":"6f1c1a8e-7f0a-4a58-9f0c-2f6f6f3f1d10","timestamp":"2026-01-02T03:04:05Z","service_name":"s","model":"m"`

func TestBadEventsAreNamedByFieldAndValue(t *testing.T) {
	for message, want := range map[string]struct {
		reason reason
		says   string
	}{
		``:                               {reasonEmpty, "0 bytes"},
		"\n\n\n":                         {reasonEmpty, "3 bytes"},
		`hello`:                          {reasonInvalidJSON, "byte 0x68 at 0"},
		`{"a":1`:                         {reasonInvalidJSON, "ends at byte 6"},
		`{"a":01}`:                       {reasonInvalidJSON, "at 6"},
		`{"a":"\x"}`:                     {reasonInvalidJSON, "an escape"},
		"{\"a\":\"\x01\"}":               {reasonInvalidJSON, "no control character"},
		`"text"`:                         {reasonWrongType, "an event must be an object, got a string"},
		`{}`:                             {reasonUnknownSchema, "model_name"},
		`{"resourceSpans":[]}`:           {reasonUnknownSchema, "model_name"},
		`{"model":"m"}`:                  {reasonMissingField, "timestamp"},
		`{"model":"m","timestamp":null}`: {reasonMissingField, "timestamp"},
		`{"model":"m","timestamp":"2026-01-02T03:04:05Z"}`:                             {reasonMissingField, "event_id"},
		`{"model_name":null,"prompt_tokens":1,"timestamp":"2026-01-02T03:04:05Z"}`:     {reasonMissingField, "model_name"},
		strings.Replace(domainHead, `"service_name":"s",`, "", 1) + `}`:                {reasonMissingField, "service_name"},
		strings.Replace(domainHead, `,"model":"m"`, "", 1) + `}`:                       {reasonMissingField, "model is missing"},
		strings.Replace(domainHead, `6f1c1a8e-`, "sk-abc", 1) + `}`:                    {reasonInvalidValue, `event_id must be a UUID that is not zero, got "aa-aaa9`},
		strings.Replace(domainHead, "05Z", "05", 1) + `}`:                              {reasonInvalidValue, `timestamp must be a time of RFC 3339 with an offset, got "9999-99-99T99:99:99"`},
		strings.Replace(domainHead, "2026", "1999", 1) + `}`:                           {reasonInvalidValue, "timestamp must be a time from 2000 to 2199"},
		strings.Replace(domainHead, `"2026-01-02T03:04:05Z"`, `1767323045`, 1) + `}`:   {reasonWrongType, "timestamp must be a string, got a number 1767323045"},
		domainHead + `,"latency_ms":-0.5}`:                                             {reasonInvalidValue, "latency_ms must not be negative, got -0.5"},
		domainHead + `,"latency_ms":NaN}`:                                              {reasonInvalidValue, "latency_ms must be finite, got NaN"},
		domainHead + `,"latency_ms":1e15}`:                                             {reasonInvalidValue, "latency_ms is 1e+15"},
		domainHead + `,"cost_usd":-Infinity}`:                                          {reasonInvalidValue, "cost_usd must be finite, got -Infinity"},
		domainHead + `,"cost_usd":1e999}`:                                              {reasonInvalidValue, "cost_usd must be finite, got 1e999"},
		domainHead + `,"cost_usd":"sk-secret"}`:                                        {reasonWrongType, "cost_usd must be a number, got a string of 11 bytes"},
		domainHead + `,"prompt":{"tokens":4294967296}}`:                                {reasonInvalidValue, "prompt.tokens must be at most 4294967295, got 4294967296"},
		domainHead + `,"prompt":{"tokens":1.5}}`:                                       {reasonInvalidValue, "prompt.tokens must be a whole number, got 1.5"},
		domainHead + `,"response":{"tokens":-1}}`:                                      {reasonInvalidValue, "response.tokens must not be negative, got -1"},
		domainHead + `,"response":"text"}`:                                             {reasonWrongType, "response must be an object, got a string of 6 bytes"},
		domainHead + `,"prompt":{"text":5}}`:                                           {reasonWrongType, "prompt.text must be a string, got a number 5"},
		domainHead + `,"metadata":[]}`:                                                 {reasonWrongType, "metadata must be an object, got an array of 2 bytes"},
		domainHead + `,"errors":"boom"}`:                                               {reasonWrongType, "errors must be an array of strings"},
		domainHead + `,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: {reasonTooDeep, "max_depth (32)"},
		strings.Replace(domainHead, `"m"`, `"`+strings.Repeat("m", 1025)+`"`, 1) + `}`: {reasonInvalidValue, "model must have at most 1024 bytes, got 1025"},
		`{"x":"` + strings.Repeat("y", 1<<20) + `"}`:                                   {reasonTooLarge, "max_message_bytes (1048576)"},
		"[" + strings.Repeat("{},", 10_000) + "{}]":                                    {reasonTooManyEvents, "max_events (10000)"},
	} {
		t.Run(cut(message, 60), func(t *testing.T) {
			u := newUnderTest(t, nil)
			td, err := u.UnmarshalTraces([]byte(message))
			require.NoError(t, err, "poison never fails the receiver")
			assert.Zero(t, td.SpanCount())
			assert.Equal(t, map[string]int64{string(want.reason): 1}, u.sum(t, "sentinel_encoding_poison_total", "reason"))
			assert.Equal(t, map[string]int64{"dropped": 1}, u.sum(t, "sentinel_encoding_dead_letters_total", "outcome"))
			require.Equal(t, 1, u.logs.Len())
			logged := fmt.Sprint(u.logs.All()[0].ContextMap())
			assert.Contains(t, logged, want.says)
			assert.NotContains(t, logged, "sk-")
		})
	}
}

func TestEachReasonIsLoggedOnce(t *testing.T) {
	u := newUnderTest(t, nil)
	for range 5 {
		_, err := u.UnmarshalTraces([]byte("x\n{}"))
		require.NoError(t, err)
	}
	assert.Equal(t, map[string]int64{"invalid_json": 5, "unknown_schema": 5}, u.sum(t, "sentinel_encoding_poison_total", "reason"))
	assert.Equal(t, 2, u.logs.Len())
}

func TestBadOTLPIsPoison(t *testing.T) {
	proto, json := marshalled(t, traceOf("x"))
	for name, c := range map[string]struct {
		format  string
		message string
		reason  string
	}{
		"cut protobuf":          {formatOTLPProto, string(proto[:len(proto)-1]), "invalid_otlp"},
		"text as protobuf":      {formatOTLPProto, "hello", "invalid_otlp"},
		"cut JSON":              {formatOTLPJSON, string(json[:len(json)-1]), "invalid_json"},
		"two of them":           {formatOTLPJSON, string(json) + string(json), "invalid_json"},
		"an event as OTLP/JSON": {formatOTLPJSON, oneEvent, "invalid_otlp"},
		"logs":                  {formatOTLPJSON, `{"resourceLogs":[]}`, "invalid_otlp"},
		"a number":              {formatOTLPJSON, "5", "invalid_otlp"},
		"wrong type":            {formatOTLPJSON, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}`, "invalid_otlp"},
		"deep":                  {formatOTLPJSON, `{"resourceSpans":` + strings.Repeat(`[`, 99) + strings.Repeat(`]`, 99) + `}`, "too_deep"},
		"empty":                 {formatOTLPJSON, "", "empty"},
		"cut protobuf, told":    {formatAuto, string(proto[:len(proto)-1]), "invalid_json"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUnderTest(t, func(cfg *Config) { cfg.Format = c.format })
			td, err := u.UnmarshalTraces([]byte(c.message))
			require.NoError(t, err)
			assert.Zero(t, td.SpanCount())
			assert.Equal(t, map[string]int64{c.reason: 1}, u.sum(t, "sentinel_encoding_poison_total", "reason"))
		})
	}
}

// The good events of a message pass, and the bad ones are told apart byte by
// byte.
func TestGoodEventsPassBesideBadOnes(t *testing.T) {
	good := func(n int) string { return strings.Replace(oneEvent, `"1"`, fmt.Sprintf(`"%d"`, n), 1) }
	for name, c := range map[string]struct {
		message string
		good    int
		bad     []string
	}{
		"array":                 {"[" + good(1) + `, {"model":"m"} ,` + good(2) + ",5]", 2, []string{"5", `{"model":"m"}`}},
		"lines":                 {good(1) + "\nnot json\n" + good(2) + "\n{\"model\":\n" + good(3) + "\n{}", 3, []string{"not json", "{\"model\":", "{}"}},
		"line ends of Windows":  {good(1) + "\r\n{\"a\r\n" + good(2) + "\r\n", 2, []string{`{"a`}},
		"broken pretty print":   {good(1) + "\n{\n  \"model\": x,\n  \"a\": 1\n}\n" + good(2), 2, []string{"{\n  \"model\": x,\n  \"a\": 1\n}"}},
		"broken array":          {"[" + good(1) + ",\n" + good(2) + ",\n" + good(3), 0, []string{"[" + good(1) + ",\n" + good(2) + ",\n" + good(3)}},
		"broken array of lines": {"[" + good(1) + ",\n[" + good(2) + "]\n" + good(3), 2, []string{"[" + good(1) + ","}},
		"nothing":               {"[]", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var passed int
			adj := adjustments{}
			var got []string
			for _, p := range split([]byte(c.message), 32, 100, func(raw []byte) {
				if _, err := decode(raw, limits{metadata: 64}, &adj); err != nil {
					got = append(got, string(raw))
					return
				}
				passed++
			}) {
				got = append(got, string(p.raw))
			}
			assert.Equal(t, c.good, passed)
			assert.ElementsMatch(t, c.bad, got)
		})
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	u := newUnderTest(t, func(c *Config) { c.MaxMetadataEntries = 2 })
	td, err := u.UnmarshalTraces([]byte(domainHead + `,"metadata":{"Api-Key":"sk-secret","x":{"password":1},"a":"1","b":"2","c":"3"},` +
		`"prompt":{"embedding":[1,null]},"response":{"embedding":[` + strings.Repeat("1,", 4096) + `1]},` +
		`"errors":["` + strings.Repeat("e", 5000) + `"` + strings.Repeat(`,"e"`, 16) + `]}` + "\n" +
		`{"timestamp":"2026-01-02T03:04:05Z","model_name":"m","prompt_tokens":1,"completion_tokens":2,"total_tokens":4}`))
	require.NoError(t, err)
	assert.Equal(t, 2, td.SpanCount())
	assert.Equal(t, map[string]int64{
		"secret_metadata": 2, "metadata_limit": 1, "embedding_invalid": 1, "embedding_limit": 1,
		"errors_limit": 1, "text_limit": 1, "total_tokens_mismatch": 1,
	}, u.sum(t, "sentinel_encoding_adjusted_total", "reason"))
	assert.Zero(t, u.poisoned(t))
}

func TestNamesOfSecrets(t *testing.T) {
	for _, n := range []string{"api_key", "apiKey", "x-api-key", "openai.api.key", "password", "db_passwd", "client_secret", "access_token", "Authorization", "set-cookie", "aws_secret_access_key", "jwt"} {
		assert.True(t, isSecret(n), n)
	}
	for _, n := range []string{"api_key_id", "max_tokens", "prompt_tokens", "user_id", "region", "token_count", "author", "monkey"} {
		assert.False(t, isSecret(n), n)
	}
}
