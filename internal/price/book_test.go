package price

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exampleBook has one provider with every way of pricing.
const exampleTable = `{"format":"sentinel-prices/1","version":"v1","date":"2026-06-01","providers":[
{"id":"acme","provider_match":{"contains":"acme"},"model_match":{"starts_with":"ac-"},"api_pattern":"https://api\\.acme\\.test",
 "service_tiers":{"batch":0.5},"models":[
 {"id":"ac-plain","prices":{"input_mtok":1,"output_mtok":10}},
 {"id":"ac-rich","match":["ac-rich",{"and":[{"starts_with":"ac-rich-"},{"ends_with":"-x"}]}],
  "service_tiers":{"priority":{"input":2,"output":3}},
  "prices":{"input_mtok":{"base":1,"tiers":[{"start":200000,"price":2}]},"cache_read_mtok":0.1,"cache_write_mtok":1.25,"cache_write_1h_mtok":2,
            "output_mtok":{"base":10,"tiers":[{"start":200000,"price":15}]},"output_reasoning_mtok":12,"requests_kcount":5,"web_searches_kcount":10}},
 {"id":"ac-dated","prices":[{"prices":{"input_mtok":1}},{"constraint":{"start_date":"2026-01-01"},"prices":{"input_mtok":2}},
  {"constraint":{"start_time":"22:00:00Z","end_time":"06:00:00Z"},"prices":{"input_mtok":3}}]},
 {"id":"ac-embed","prices":{"input_mtok":0.5}},
 {"id":"ac-nothing","prices":{}},
 {"id":"ac-free","prices":{"input_mtok":0,"output_mtok":0}}]},
{"id":"reseller","fallback_model_providers":["acme"],"models":[]}]}`

func exampleBook(t *testing.T) *Book {
	t.Helper()
	b, err := Decode([]byte(exampleTable))
	require.NoError(t, err)
	return b
}

func quote(t *testing.T, b *Book, r Request) Quote {
	t.Helper()
	q, err := b.Quote(r)
	require.NoError(t, err)
	return q
}

func TestATierIsACliffOverAllTokens(t *testing.T) {
	b := exampleBook(t)
	at := func(input int64) float64 {
		return quote(t, b, Request{Provider: "acme", Model: "ac-rich", Usage: Usage{Input: input, Output: 1000}}).USD - 0.005
	}
	require.InDelta(t, 0.199999+0.01, at(199_999), 1e-12)
	require.InDelta(t, 0.2+0.01, at(200_000), 1e-12)
	require.InDelta(t, 0.400002+0.015, at(200_001), 1e-12)
}

func TestPartsWithoutAPriceAreChargedWithTheWhole(t *testing.T) {
	b := exampleBook(t)
	q := quote(t, b, Request{Provider: "acme", Model: "ac-rich", Usage: Usage{
		Input: 1000, CacheRead: 400, CacheWrite: 300, CacheWrite5m: 200, CacheWrite1h: 100, Output: 500, Reasoning: 200, WebSearches: 3,
	}})
	// The 5 minutes have no price of their own, so they pay the price of cache writes.
	require.InDelta(t, (300*1+400*0.1+200*1.25+100*2)/1e6, q.InputUSD, 1e-15)
	require.InDelta(t, (300*10+200*12)/1e6, q.OutputUSD, 1e-15)
	require.InDelta(t, 0.005+0.03, q.USD-q.InputUSD-q.OutputUSD, 1e-15)

	q = quote(t, b, Request{Provider: "acme", Model: "ac-plain", Usage: Usage{Input: 1000, CacheRead: 400, Output: 500, Reasoning: 200}})
	require.InDelta(t, (1000*1+500*10)/1e6, q.USD, 1e-15)
	q = quote(t, b, Request{Provider: "acme", Model: "ac-rich", Usage: Usage{Requests: 4}})
	require.InDelta(t, 0.02, q.USD, 1e-15)
}

func TestTheDateAndTheHourSelectThePrice(t *testing.T) {
	b := exampleBook(t)
	for day, want := range map[string]float64{
		"2025-12-31T23:59:59+02:00": 1,
		"2026-01-01T00:00:00Z":      3, // by night, which comes last in the list
		"2026-01-01T06:00:00Z":      2,
		"2026-01-01T05:59:59Z":      3,
		"2026-01-01T21:59:59Z":      2,
		"2025-06-01T22:00:00Z":      3,
		"2026-06-01T12:00:00+12:00": 3, // midnight in UTC
	} {
		at, err := time.Parse(time.RFC3339, day)
		require.NoError(t, err)
		q := quote(t, b, Request{Provider: "acme", Model: "ac-dated", Time: at, Usage: Usage{Input: 1e6}})
		require.InDelta(t, want, q.USD, 1e-12, day)
	}
	for _, unknown := range []time.Time{{}, time.Unix(0, 0)} {
		q := quote(t, b, Request{Provider: "acme", Model: "ac-dated", Time: unknown, Usage: Usage{Input: 1e6}})
		require.InDelta(t, 3, q.USD, 1e-12, "midnight of the table's date")
	}
}

func TestAServiceTierHasItsFactorOrIsReportedAsUnpriced(t *testing.T) {
	b := exampleBook(t)
	for _, c := range []struct {
		model, tier string
		usd         float64
		applied     string
		unpriced    bool
	}{
		{"ac-plain", "", 11, "", false},
		{"ac-plain", "standard_only", 11, "", false},
		{"ac-plain", "default", 11, "", false},
		{"ac-plain", "Batch", 5.5, "batch", false},
		{"ac-plain", "priority", 11, "", true},
		{"ac-plain", "scale", 11, "", true},
		{"ac-rich", "priority", 4 + 45 + 0.005, "priority", false},
		{"ac-rich", "batch", 1 + 7.5 + 0.005, "batch", false},
	} {
		q := quote(t, b, Request{Provider: "acme", Model: c.model, ServiceTier: c.tier, Usage: Usage{Input: 1e6, Output: 1e6}})
		require.InDelta(t, c.usd, q.USD, 1e-12, c)
		require.Equal(t, c.applied, q.ServiceTier, c)
		require.Equal(t, c.unpriced, q.TierUnpriced, c)
		require.Equal(t, q.USD, quote(t, b, Request{
			Provider: "reseller", Model: c.model, ServiceTier: c.tier, Usage: Usage{Input: 1e6, Output: 1e6},
		}).USD, "a reseller's tiers are those of the owner")
	}
}

func TestTheSnapshotHasFactorsOfServiceTiers(t *testing.T) {
	b := embeddedBook(t)
	for _, c := range []struct {
		provider, model, tier string
		factor                float64
	}{
		{"openai", "gpt-4o", "batch", 0.5},
		{"openai", "gpt-4o-2024-08-06", "priority", 1.7},
		{"azure.ai.openai", "gpt-4o", "batch", 0.5},
		{"openai", "o3", "flex", 0.5},
		{"openai", "o3", "priority", 1.75},
		{"anthropic", "claude-opus-4-8", "fast", 2},
	} {
		r := Request{Provider: c.provider, Model: c.model, Time: testDay, Usage: Usage{Input: 1e6, Output: 1e6, CacheRead: 1e5}}
		plain := quote(t, b, r)
		r.ServiceTier = c.tier
		q := quote(t, b, r)
		require.InDelta(t, c.factor, q.USD/plain.USD, 1e-6, c)
		require.Equal(t, c.tier, q.ServiceTier, c)
		require.False(t, q.TierUnpriced, c)
	}
}

func TestWhatHasNoPriceIsAnErrorAndNeverZero(t *testing.T) {
	b := exampleBook(t)
	for _, c := range []struct {
		model  string
		usage  Usage
		reason string
	}{
		{"ac-embed", Usage{Input: 5, Output: 1}, "no_output_price"},
		{"ac-nothing", Usage{Input: 5}, "no_input_price"},
		{"ac-unheard-of", Usage{Input: 5}, "unknown_model"},
	} {
		q, err := b.Quote(Request{Provider: "acme", Model: c.model, Usage: c.usage})
		var unpriced *UnpricedError
		require.ErrorAs(t, err, &unpriced)
		require.ErrorIs(t, err, ErrUnpriced)
		require.Equal(t, UnpricedError{"acme", c.model, c.reason}, *unpriced)
		require.Zero(t, q)
	}
	require.Zero(t, quote(t, b, Request{Provider: "acme", Model: "ac-free", Usage: Usage{Input: 5, Output: 1}}).USD,
		"a price of zero is a price")
	require.InDelta(t, 2.5e-6, quote(t, b, Request{Provider: "acme", Model: "ac-embed", Usage: Usage{Input: 5}}).USD, 1e-15)
}

func TestAUsageThatContradictsItselfIsRefusedAndCanBeRepaired(t *testing.T) {
	b := exampleBook(t)
	for text, u := range map[string]Usage{
		"the parts of Input sum up to 12":     {Input: 10, CacheRead: 12},
		"the parts of CacheWrite sum up to 5": {Input: 10, CacheWrite: 4, CacheWrite1h: 5},
		"the parts of Output sum up to 3":     {Output: 2, Reasoning: 3},
		"Input is -1":                         {Input: -1},
		"Output is 9223372036854775807":       {Output: math.MaxInt64},
	} {
		r := Request{Provider: "acme", Model: "ac-rich", Usage: u}
		_, err := b.Quote(r)
		require.ErrorIs(t, err, ErrUsage)
		require.ErrorContains(t, err, text)
		require.False(t, IsUnpriced(err))
		r.Usage = u.Consistent()
		quote(t, b, r)
	}
	whole := Usage{Input: 10, CacheRead: 4, InputAudio: 3, CacheAudioRead: 2, Output: 5, Reasoning: 5}
	require.Equal(t, whole, whole.Consistent())
	require.Equal(t, Usage{Input: 5, CacheRead: 2, InputAudio: 5, CacheAudioRead: 2},
		Usage{InputAudio: 5, CacheAudioRead: 2}.Consistent())
}

func TestTheProviderIsFoundByNameThenAddressThenModel(t *testing.T) {
	b := exampleBook(t)
	for _, r := range []Request{
		{Provider: " ACME Inc. ", Model: "ac-plain"},
		{Model: "AC-PLAIN"},
		{Model: "ac-plain", Endpoint: "https://api.acme.test/v1"},
		{Model: "ac-plain", Endpoint: "api.acme.test"},
		{Provider: "reseller", Model: "ac-plain"},
		{Provider: "litellm", Model: "acme/ac-plain"},
		{Provider: "acme", Model: "ac-plain-20260131"},
		{Provider: "acme", Model: "ac-rich-2-x"},
	} {
		quote(t, b, r)
	}
	_, err := b.Quote(Request{Model: "ac-plain", Endpoint: "https://elsewhere.test"})
	require.ErrorIs(t, err, ErrUnpriced)
	_, err = b.Quote(Request{Provider: "acme", Model: "ac-rich-2-y"})
	require.ErrorIs(t, err, ErrUnpriced)
}

func TestDatesInNamesAreWrittenWithDashes(t *testing.T) {
	for in, want := range map[string]string{
		"a-20250805":          "a-2025-08-05",
		"a-20250805-v1:0":     "a-2025-08-05-v1:0",
		"a-20250805:free":     "a-2025-08-05:free",
		"a-20250805-20240131": "a-2025-08-05-2024-01-31",
		"a-20250231":          "a-20250231",
		"a-202508051":         "a-202508051",
		"a-19990101":          "a-19990101",
		"a":                   "a",
	} {
		require.Equal(t, want, dashDates(in), in)
	}
}

func TestTheNumberOfRememberedNamesIsBounded(t *testing.T) {
	b := exampleBook(t)
	b.cache = newCache(100)
	for i := range 1000 {
		_, err := b.Quote(Request{Provider: "acme", Model: strings.Repeat("x", i%250) + string(rune('a'+i%26))})
		require.ErrorIs(t, err, ErrUnpriced)
		quote(t, b, Request{Provider: "acme", Model: "ac-plain"})
		require.LessOrEqual(t, b.cache.size(), 101)
	}
}

func TestQuotingAKnownModelAllocatesNothing(t *testing.T) {
	b := embeddedBook(t)
	r := Request{Provider: "openai", Model: "gpt-4o", ServiceTier: "priority", Time: testDay, Usage: Usage{Input: 1000, CacheRead: 100, Output: 50}}
	unknown := Request{Provider: "openai", Model: "gpt-none", Time: testDay}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := b.Quote(r); err != nil {
			t.Error(err)
		}
		if _, err := b.Quote(unknown); err == nil {
			t.Error("a price for an unknown model")
		}
	}))
}

func BenchmarkQuoteOfAKnownModel(b *testing.B) {
	book := embeddedBook(b)
	r := Request{Provider: "anthropic", Model: "claude-sonnet-4-5-20250929", Time: testDay, Usage: Usage{
		Input: 10_000, CacheRead: 8000, CacheWrite: 1000, Output: 500,
	}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := book.Quote(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolveANewName(b *testing.B) {
	book := embeddedBook(b)
	for b.Loop() {
		book.search("openrouter", "some/model-that-nobody-has-20250101", "")
	}
}
