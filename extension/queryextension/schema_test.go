package queryextension

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// spec is openapi.yaml as plain maps; keys are looked up through references.
type spec struct {
	t    *testing.T
	root map[string]any
}

func loadSpec(t *testing.T) *spec {
	t.Helper()
	s := &spec{t: t}
	require.NoError(t, yaml.Unmarshal(openAPI, &s.root))
	return s
}

func (s *spec) resolve(v any) map[string]any {
	s.t.Helper()
	m, ok := v.(map[string]any)
	require.True(s.t, ok, "%v is no object", v)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var at any = s.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[part]
		require.NotNil(s.t, at, "dangling %s", ref)
	}
	return s.resolve(at)
}

func (s *spec) paths() map[string]any { return s.root["paths"].(map[string]any) }

func (s *spec) operation(path string) map[string]any {
	s.t.Helper()
	return s.resolve(s.resolve(s.paths()[path])["get"])
}

func (s *spec) parameters(path string) map[string]map[string]any {
	all := map[string]map[string]any{}
	list, _ := s.operation(path)["parameters"].([]any)
	for _, p := range list {
		m := s.resolve(p)
		all[m["name"].(string)] = s.resolve(m["schema"])
	}
	return all
}

// check compares a decoded JSON value with the subset of JSON Schema that the
// description uses; an unknown keyword fails the test.
func (s *spec) check(where string, schema map[string]any, v any) error {
	schema = s.resolve(schema)
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(where+": "+format, args...))
	}
	for keyword, want := range schema {
		switch keyword {
		case "type":
			types, ok := want.([]any)
			if !ok {
				types = []any{want}
			}
			if !slices.ContainsFunc(types, func(t any) bool { return hasType(v, t.(string)) }) {
				bad("%v is not of type %v", v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				bad("%v is not one of %v", v, want)
			}
		case "const":
			if v != want {
				bad("%v is not %v", v, want)
			}
		case "oneOf":
			n := 0
			for _, one := range want.([]any) {
				if s.check(where, s.resolve(one), v) == nil {
					n++
				}
			}
			if n != 1 {
				bad("%v matches %d of oneOf", v, n)
			}
		case "required":
			m, _ := v.(map[string]any)
			for _, key := range want.([]any) {
				if _, ok := m[key.(string)]; !ok {
					bad("%s is missing", key)
				}
			}
		case "properties":
			m, _ := v.(map[string]any)
			for key, sub := range want.(map[string]any) {
				if value, ok := m[key]; ok {
					errs = append(errs, s.check(where+"."+key, s.resolve(sub), value))
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(map[string]any)
			m, _ := v.(map[string]any)
			for key, value := range m {
				if _, ok := known[key]; ok {
					continue
				}
				if want == false {
					bad("%s is not described", key)
				} else {
					errs = append(errs, s.check(where+"."+key, s.resolve(want), value))
				}
			}
		case "items":
			list, _ := v.([]any)
			for i, value := range list {
				errs = append(errs, s.check(fmt.Sprintf("%s[%d]", where, i), s.resolve(want), value))
			}
		case "format":
			if text, ok := v.(string); ok && want == "date-time" {
				if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
					bad("%v", err)
				}
			}
		case "minimum", "maximum":
			if n, ok := v.(float64); ok && ((keyword == "minimum" && n < limitOf(want)) || (keyword == "maximum" && n > limitOf(want))) {
				bad("%v is beyond %s %v", n, keyword, want)
			}
		case "maxLength":
			if text, ok := v.(string); ok && len(text) > want.(int) {
				bad("longer than %v", want)
			}
		case "description":
		default:
			bad("keyword %s is not checked by this test", keyword)
		}
	}
	return errors.Join(errs...)
}

func limitOf(v any) float64 {
	if i, ok := v.(int); ok {
		return float64(i)
	}
	return v.(float64)
}

func hasType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || (name == "integer" && v == float64(int64(v)))
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}
