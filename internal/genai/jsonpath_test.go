package genai

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestPathsIntoJSONText(t *testing.T) {
	for name, tc := range map[string]struct {
		path, text string
		want       any
	}{
		"member":                {"a", `{"a":"x"}`, "x"},
		"nested member":         {"a.b", ` { "z" : [1,{"a":"no"}] , "a" : { "b" : "x" } } `, "x"},
		"any member":            {"*.b", `{"p":{"c":1},"q":{"b":"x"}}`, "x"},
		"element":               {"[].a", `[{"b":1},{"a":"x"},{"a":"y"}]`, "x"},
		"element of member":     {"a[].b", `{"a":[{"b":"x"}]}`, "x"},
		"integer":               {"a", `{"a":-12}`, int64(-12)},
		"double":                {"a", `{"a":1.5e2}`, 150.0},
		"true":                  {"a", `{"a":true}`, true},
		"false":                 {"a", `{"a":false}`, false},
		"null":                  {"a", `{"a":null}`, nil},
		"empty text":            {"a", `{"a":""}`, nil},
		"composite":             {"a", `{"a":{"b":1}}`, nil},
		"absent":                {"a", `{"b":{"a":1}}`, nil},
		"escapes":               {"a", `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "\"\\/\b\f\n\r\té😀"},
		"lone surrogate":        {"a", `{"a":"\ud83dx"}`, "\ufffdx"},
		"broken escape":         {"a", `{"a":"\u12 \q"}`, `\u12 \q`},
		"quote in skipped text": {"a", `{"b":"\\\"}","a":"x"}`, "x"},
		"cut after":             {"a", `{"a":"x","b":[{`, "x"},
		"cut inside":            {"a", `{"a":"x`, nil},
		"cut before":            {"a", `{"b":[{"c":"`, nil},
		"not JSON":              {"a", `hello`, nil},
		"empty":                 {"a", ` `, nil},
		"no value":              {"a", `{"a":}`, nil},
		"no colon":              {"a", `{"a" 1}`, nil},
		"word":                  {"a", `{"a":undefined}`, nil},
		"array for object":      {"a", `[{"a":1}]`, nil},
		"object for array":      {"[].a", `{"a":1}`, nil},
		"deep nesting":          {"a", `{"b":` + strings.Repeat("[", 50_000), nil},
		"too far":               {"a", `{"b":"` + strings.Repeat("x", maxJSONBytes) + `","a":"x"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, follow(t, tc.path, pcommon.NewValueStr(tc.text)))
		})
	}
}

// follow gives the first value on the path as a plain Go value.
func follow(t *testing.T, path string, v pcommon.Value) any {
	t.Helper()
	steps, err := parsePath(path)
	require.NoError(t, err)
	var out sink
	walkValue(v, steps, &out)
	switch s := out.first; s.kind {
	case scalarText:
		return s.text
	case scalarInt:
		return s.int
	case scalarDouble:
		return s.num
	case scalarBool:
		return s.int == 1
	default:
		return nil
	}
}

func TestPathsIntoStructuredValues(t *testing.T) {
	v := pcommon.NewValueEmpty()
	require.NoError(t, v.FromRaw(map[string]any{
		"list": []any{map[string]any{"x": nil}, map[string]any{"x": "found"}},
		"text": `{"deep":7}`,
	}))
	assert.Equal(t, "found", follow(t, "list[].x", v))
	assert.Equal(t, int64(7), follow(t, "text.deep", v), "JSON text inside a structured value")
	assert.Equal(t, int64(7), follow(t, "*.deep", v))
	assert.Nil(t, follow(t, "absent", v))
	assert.Nil(t, follow(t, "list.x", v))
}

func TestSumOfMembers(t *testing.T) {
	const usage = `{"input":11,"Input_cached_tokens":"16","output":8,"output_reasoning_tokens":4,"total":39,"input_text":{"a":1},"input_name":"n"}`
	structured := pcommon.NewValueEmpty()
	require.NoError(t, structured.FromRaw(map[string]any{"input": 11, "input_cached_tokens": 16.0, "output": 12}))
	for _, v := range []pcommon.Value{pcommon.NewValueStr(usage), structured} {
		n, _, ok := sumMembers(v, "input").count()
		assert.True(t, ok)
		assert.EqualValues(t, 27, n)
		n, _, _ = sumMembers(v, "output").count()
		assert.EqualValues(t, 12, n)
		_, _, ok = sumMembers(v, "absent").count()
		assert.False(t, ok, "no member is no zero")
	}
	_, _, ok := sumMembers(pcommon.NewValueInt(3), "input").count()
	assert.False(t, ok)
}
