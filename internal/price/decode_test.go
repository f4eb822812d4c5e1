package price

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABadFileIsRefusedWithFieldAndValue(t *testing.T) {
	wrap := func(model string) string {
		return `{"format":"sentinel-prices/1","providers":[{"id":"p","models":[` + model + `]}]}`
	}
	for in, want := range map[string]string{
		``:                               "the file is empty",
		`{"format":"other"}`:             `format: "other", want "sentinel-prices/1"`,
		`{"formatt":1}`:                  `unknown field "formatt"`,
		`[]`:                             "providers: none",
		`[{"id":""}]`:                    `providers[0]: id: "", want 1 to 256 bytes`,
		`[{"id":"a"},{"id":"a"}]`:        `providers[1].id: "a" is there twice`,
		`[{"id":"a"}] x`:                 "more text follows",
		`[{"id":"a","api_pattern":"("}]`: "api_pattern",
		`{"format":"sentinel-prices/1","date":"yesterday"}`: `date: "yesterday"`,
		wrap(`{"id":"m","prices":{"input_mtok":-1}}`):       `providers[0] ("p"): models[0] ("m"): prices.input_mtok: -1, want 0 to 1e+06`,
		wrap(`{"id":"m","prices":{"input_mtok":1e7}}`):      "prices.input_mtok: 1e+07",
		wrap(`{"id":"m","prices":{"input_mtok":"1"}}`):      `prices.input_mtok: "\"1\"" is not a number`,
		wrap(`{"id":"m","prices":{"input_mtok":null}}`):     `prices.input_mtok: "null" is not a number`,
		wrap(`{"id":"m","prices":{"input_mtk":1}}`):         "prices.input_mtk: no such unit",
		wrap(`{"id":"m"}`):                                "is not an object with prices",
		wrap(`{"id":"m","prices":[]}`):                    "prices: 0 entries",
		wrap(`{"id":"m","prices":{"cache_read_mtok":1}}`): "cache_read_mtok needs input_mtok",
		wrap(`{"id":"m","prices":{"input_mtok":1,"cache_read_mtok":1,"input_audio_mtok":1}}`):                      "cache_read_mtok and input_audio_mtok together need cache_audio_read_mtok",
		wrap(`{"id":"m","prices":{"input_mtok":{"base":1,"tiers":[{"start":-1,"price":1}]}}}`):                     "tiers[0].start: -1",
		wrap(`{"id":"m","prices":[{"constraint":{"start_date":"1.1."},"prices":{}}]}`):                             `prices[0].constraint: start_date: "1.1."`,
		wrap(`{"id":"m","prices":[{"constraint":{"start_time":"25:00:00Z","end_time":"06:00:00Z"},"prices":{}}]}`): `start_time: "25:00:00Z"`,
		wrap(`{"id":"m","prices":[{"constraint":{"start_time":"05:00:00Z"},"prices":{}}]}`):                        "want start_date, or start_time and end_time",
		wrap(`{"id":"m","match":{"sounds_like":"x"},"prices":{}}`):                                                 `unknown clause "sounds_like"`,
		wrap(`{"id":"m","match":{"equals":""},"prices":{}}`):                                                       "equals: the text has 0 bytes",
		wrap(`{"id":"m","match":{"regex":"("},"prices":{}}`):                                                       `regex: "("`,
		wrap(`{"id":"m","match":{"or":[]},"prices":{}}`):                                                           "or: [] is not an array with clauses",
		wrap(`{"id":"m","match":` + strings.Repeat("[", 20) + `"a"` + strings.Repeat("]", 20) + `,"prices":{}}`):   "nested deeper than 8",
		wrap(`{"id":"m","prices":{},"service_tiers":{"turbo":1}}`):                                                 "service_tiers.turbo: no such tier",
		wrap(`{"id":"m","prices":{},"service_tiers":{"flex":null}}`):                                               "service_tiers.flex: null",
		wrap(`{"id":"m","prices":{},"service_tiers":{"flex":-1}}`):                                                 "service_tiers.flex.input: -1",
		wrap(`{"id":"m","prices":{},"service_tiers":{"flex":{"all":1}}}`):                                          "service_tiers.flex.all: no such group",
	} {
		_, err := Decode([]byte(in))
		require.ErrorContains(t, err, want, in)
	}
}

func TestTheOpenFormatMayHaveFieldsThatWeDoNotKnow(t *testing.T) {
	b, err := Decode([]byte(`[{"id":"p","news":1,"models":[{"id":"m","match":{"equals":"m"},"prices":{"input_mtok":1,"input_smells_mtok":3}}]}]`))
	require.NoError(t, err)
	require.InDelta(t, 1, quote(t, b, Request{Provider: "p", Model: "m", Usage: Usage{Input: 1e6}}).USD, 1e-12)
}

func TestEveryClauseMatchesAsItsNameSays(t *testing.T) {
	for text, names := range map[string][2][]string{
		`{"equals":"A/b"}`:              {{"a/b"}, {"a/bc", "xa/b"}},
		`"a"`:                           {{"a"}, {"b"}},
		`{"contains":"b"}`:              {{"abc", "b"}, {"ac"}},
		`{"starts_with":"ab"}`:          {{"abc"}, {"xab"}},
		`{"ends_with":"bc"}`:            {{"abc"}, {"bcx"}},
		`{"regex":"^a\\d"}`:             {{"a1"}, {"ba1", "a"}},
		`{"or":["a",{"contains":"x"}]}`: {{"a", "xx"}, {"b"}},
		`["a","b"]`:                     {{"a", "b"}, {"c"}},
		`{"and":[{"contains":"a"},{"contains":"b"}]}`: {{"ab"}, {"a", "b"}},
	} {
		var c clause
		require.NoError(t, c.UnmarshalJSON([]byte(text)))
		for _, name := range names[0] {
			require.True(t, c.match(name), "%s %s", text, name)
		}
		for _, name := range names[1] {
			require.False(t, c.match(name), "%s %s", text, name)
		}
	}
}

func TestTheFirstModelThatMatchesIsTakenWhereverItsNameIsIndexed(t *testing.T) {
	b, err := Decode([]byte(`[{"id":"p","models":[
		{"id":"exact","match":{"equals":"abc"},"prices":{}},{"id":"loose","match":{"starts_with":"ab"},"prices":{}},
		{"id":"late","match":[{"equals":"abd"},{"contains":"zz"}],"prices":{}},{"id":"own","match":{"equals":"q"},"prices":{}}]}]`))
	require.NoError(t, err)
	for name, want := range map[string]string{"abc": "exact", "abd": "loose", "xzz": "late", "q": "own"} {
		require.Equal(t, want, quote(t, b, Request{Provider: "p", Model: name}).Model)
	}
}

// FuzzDecode checks that no file makes the decoder panic, and that what it accepts can
// be asked for any name without a panic, a negative or an infinite price.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(exampleTable), "acme", "ac-rich", int64(300_000))
	f.Add([]byte(`[{"id":"p","models":[{"id":"m","match":{"or":[{"equals":"m"}]},"prices":{"input_mtok":1}}]}]`), "p", "m", int64(5))
	f.Add([]byte(`{"format":"sentinel-prices/1","providers":[{"id":"p","models":[{"id":"m","prices":[{"constraint":{"start_date":"2026-01-01"},"prices":{"output_mtok":1}}]}]}]}`), "", "p/m", int64(5))
	f.Fuzz(func(t *testing.T, data []byte, provider, model string, n int64) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		q, err := b.Quote(Request{Provider: provider, Model: model, Time: testDay, ServiceTier: "batch", Usage: Usage{Input: n, Output: n, CacheRead: n}})
		if err == nil && !(q.USD >= 0 && q.USD < 1e30) {
			t.Fatalf("%+v", q)
		}
	})
}
