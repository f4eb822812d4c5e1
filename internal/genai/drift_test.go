package genai

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The attribute catalogue is the source of the table. Every selector of a
// concept that the table has must be in the table, in the same order.
func TestTableFollowsTheAttributeCatalogue(t *testing.T) {
	path := filepath.Join(sharedData(t), "..", "reference", "genai-attributes.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("SKIPPED, attribute catalogue missing: %v", err)
	}
	var catalogue struct {
		Concepts      map[string][]any    `yaml:"concepts"`
		Providers     map[string][]string `yaml:"provider_aliases"`
		NotAProvider  []string            `yaml:"provider_not_a_provider"`
		FinishReasons map[string][]string `yaml:"finish_reason_aliases"`
		LogEvents     map[string][]struct {
			Log  string
			When map[string]string
		} `yaml:"log_events"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &catalogue))

	compared := 0
	for c := range conceptCount {
		name := conceptSpec[c].name
		last := -1
		for _, entry := range catalogue.Concepts[name] {
			want := readSelector(entry)
			if reason := left[want]; reason != "" || name == "model_response" && want.key == "gen_ai.request.model" {
				continue // the last: see Event.Model
			}
			at := slices.IndexFunc(standard.concepts[c], want.matches)
			if assert.GreaterOrEqual(t, at, 0, "%s lacks %v", name, want) {
				assert.GreaterOrEqual(t, at, last, "%s: %v is out of order", name, want)
				last = at
				compared++
			}
		}
	}
	assert.Greater(t, compared, 200, "the catalogue was not understood")

	for _, list := range []struct {
		want map[string][]string
		got  aliasIndex
	}{{catalogue.Providers, newAliasIndex(providerAliases)}, {catalogue.FinishReasons, newAliasIndex(finishReasonAliases)}} {
		require.NotEmpty(t, list.want)
		for canonical, spellings := range list.want {
			for _, s := range spellings {
				got, ok := list.got.find(s)
				assert.True(t, ok, s)
				assert.Equal(t, canonical, got, s)
			}
		}
	}
	assert.Equal(t, catalogue.NotAProvider, notProviders)

	for _, e := range catalogue.Concepts["is_llm_call"] {
		want := e.(map[string]any)
		if want["any_of"] != nil {
			continue // the fallback, see TestOtherSpansAreNoCalls
		}
		assert.True(t, slices.ContainsFunc(standard.calls, func(c callRule) bool {
			values, _ := want["in"].([]any)
			for _, v := range values {
				if !slices.Contains(c.in, v.(string)) {
					return false
				}
			}
			text := func(k string) string { s, _ := want[k].(string); return s }
			return c.key == text("key") && c.span == text("span") && c.scope == text("scope")
		}), "call rule %v", want)
	}

	for _, kind := range []string{"inference", "error"} {
		require.NotEmpty(t, catalogue.LogEvents[kind])
		for _, want := range catalogue.LogEvents[kind] {
			if want.Log == "gen_ai.client.operation.exception" {
				continue // said by the span, or the details, of the operation too
			}
			assert.True(t, slices.ContainsFunc(standard.logs, func(r logRule) bool {
				for k, v := range want.When {
					if !slices.ContainsFunc(r.when, func(c condition) bool { return c.key == k && slices.Contains(c.in, v) }) {
						return false
					}
				}
				return r.name == want.Log && (kind == "error") == (r.failed || r.failures)
			}), "log rule %v", want)
		}
	}
}

// left are selectors of the catalogue that need no row.
var left = map[catalogued]string{
	{key: "server.address"}: "a region derived from host names would be a guess",
	{}:                      "the status of the span is read by the code",
	{log: "gen_ai.client.operation.exception", key: "exception.type"}: "the span says it",
	{log: "gen_ai.system.message"}:                                    "log events of single messages are no calls",
	{log: "gen_ai.user.message"}:                                      "the same",
	{log: "gen_ai.assistant.message"}:                                 "the same",
	{log: "gen_ai.tool.message"}:                                      "the same",
	{log: "gen_ai.choice"}:                                            "the same",
	{log: eventOperationDetails, key: "gen_ai.input.messages"}:        "plain rows are read from log records too",
	{log: eventOperationDetails, key: "gen_ai.output.messages"}:       "the same",
}

// catalogued is a selector as the catalogue writes it.
type catalogued struct {
	key, event, json, jsonSum, log string
	resource                       bool
}

func (c catalogued) matches(s selector) bool {
	if c.resource != s.resource || c.log != s.log || c.jsonSum != s.jsonSum {
		return false
	}
	if c.event != "" && s.event != c.event && !slices.Contains(s.events, c.event) || c.event == "" && s.event != "" {
		return false
	}
	// The catalogue names the array of messages, the table the texts in it; and
	// the event, where the table names the attribute of the event, too.
	return (c.key == s.key || c.key == "" && c.event != "") &&
		(c.json == s.json || c.json == "[]" || c.json != "" && strings.HasPrefix(s.json, c.json) || c.event != "" && c.json == "")
}

// readSelector reads a selector of the catalogue.
func readSelector(entry any) catalogued {
	e, ok := entry.(map[string]any)
	if !ok {
		return catalogued{key: entry.(string)}
	}
	text := func(k string) string { s, _ := e[k].(string); return s }
	if r := text("resource"); r != "" {
		return catalogued{key: r, resource: true}
	}
	return catalogued{key: text("key"), event: text("event"), json: text("json"), jsonSum: text("json_sum"), log: text("log")}
}
