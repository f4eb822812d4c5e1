package price

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The reference implementation of the open price format, at the version whose rules
// this package follows. It is given our copy of the table, so its own does not matter.
const oraclePackage = "@pydantic/genai-prices@0.1.8"

type oracleCase struct {
	Provider string           `json:"provider"`
	Model    string           `json:"model"`
	URL      string           `json:"url"`
	Time     string           `json:"time"`
	Usage    map[string]int64 `json:"usage"`
	request  Request
}

type oracleResult struct {
	Found           bool
	Provider, Model string
	Error           string
	Total           float64
	Input, Output   float64
}

// unavailable skips the test, or fails it where the gate has promised the package.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SENTINEL_REQUIRE_ORACLE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("SKIPPED: "+format+"; `make price-oracle` runs this test", args...)
}

// pricesDir is the folder of the open tables; tests that need it skip loudly.
func pricesDir(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SENTINEL_DATA")
	if root == "" {
		root = "../../../shared/data"
	}
	dir := filepath.Join(root, "prices")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no price tables at %s; set SENTINEL_DATA to run this test", dir)
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	return dir
}

func askOracle(t *testing.T, table string, cases []oracleCase) []oracleResult {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			unavailable(t, "%s is not installed", tool)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	folder := t.TempDir()
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", folder, "--no-save", "--ignore-scripts",
		"--no-audit", "--no-fund", "--loglevel=error", oraclePackage)
	if out, err := install.CombinedOutput(); err != nil {
		unavailable(t, "npm cannot install %s: %v: %s", oraclePackage, err, out)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "oracle.mjs"))
	require.NoError(t, err)
	in, err := json.Marshal(cases)
	require.NoError(t, err)
	node := exec.CommandContext(ctx, "node", script, filepath.Join(folder, "node_modules", "@pydantic", "genai-prices"), table)
	var out, problems bytes.Buffer
	node.Stdin, node.Stdout, node.Stderr = bytes.NewReader(in), &out, &problems
	require.NoError(t, node.Run(), problems.String())
	var results []oracleResult
	require.NoError(t, json.Unmarshal(out.Bytes(), &results))
	require.Len(t, results, len(cases))
	return results
}

// randomUsage draws disjoint parts and sums them up, so the usage never contradicts
// itself. Sizes are log-uniform, with many at the edges of price tiers.
func randomUsage(r *rand.Rand) Usage {
	part := func(chance float64) int64 {
		if r.Float64() > chance {
			return 0
		}
		return int64(math.Exp(r.Float64() * math.Log(400_000)))
	}
	text, cachedText, cachedAudio, cachedImage := part(0.95), part(0.5), part(0.3), part(0.3)
	audio, image, video := part(0.3), part(0.3), part(0.2)
	write, write5m, write1h := part(0.3), part(0.3), part(0.3)
	u := Usage{
		CacheRead: cachedText + cachedAudio + cachedImage, CacheAudioRead: cachedAudio, CacheImageRead: cachedImage,
		CacheWrite: write + write5m + write1h, CacheWrite5m: write5m, CacheWrite1h: write1h,
		InputAudio: audio + cachedAudio, InputImage: image + cachedImage, InputVideo: video,
		OutputAudio: part(0.3), OutputImage: part(0.3), OutputVideo: part(0.2), Reasoning: part(0.5), Cited: part(0.2),
	}
	if r.Float64() < 0.3 {
		u.WebSearches = r.Int64N(20)
	}
	rest := text + cachedText + cachedAudio + cachedImage + audio + image + video + write + write5m + write1h
	if r.Float64() < 0.2 {
		edge := []int64{32_000, 128_000, 200_000, 256_000, 272_000}[r.IntN(5)] + r.Int64N(3) - 1
		rest = max(rest, edge)
	}
	u.Input = rest
	u.Output = part(0.9) + u.OutputAudio + u.OutputImage + u.OutputVideo + u.Reasoning + u.Cited
	return u
}

func (c *oracleCase) fill() {
	u := &c.request.Usage
	c.Provider, c.Model, c.URL = c.request.Provider, c.request.Model, c.request.Endpoint
	c.Time = c.request.Time.UTC().Format("2006-01-02T15:04:05.000Z")
	c.Usage = map[string]int64{
		"input_tokens": u.Input, "cache_read_tokens": u.CacheRead, "cache_write_tokens": u.CacheWrite,
		"cache_write_5m_tokens": u.CacheWrite5m, "cache_write_1h_tokens": u.CacheWrite1h,
		"input_audio_tokens": u.InputAudio, "cache_audio_read_tokens": u.CacheAudioRead,
		"input_image_tokens": u.InputImage, "cache_image_read_tokens": u.CacheImageRead, "input_video_tokens": u.InputVideo,
		"output_tokens": u.Output, "output_audio_tokens": u.OutputAudio, "output_image_tokens": u.OutputImage,
		"output_video_tokens": u.OutputVideo, "output_reasoning_tokens": u.Reasoning, "output_citation_tokens": u.Cited,
		"web_searches": u.WebSearches,
	}
}

// names draws a provider and a model as they may be written: mostly those of the
// table, sometimes without a provider, by address, or with a date or junk behind.
func names(r *rand.Rand, t *table) (provider, model, url string) {
	p := &t.providers[r.IntN(len(t.providers))]
	m := &p.models[r.IntN(len(p.models))]
	provider, model = p.id, m.id
	if text := literal(r, &m.match); text != "" {
		model = text
	}
	switch r.IntN(20) {
	case 0:
		provider = ""
	case 1:
		provider, url = "", "https://api.openai.com/v1/chat/completions"
		model = "gpt-4o"
	case 2:
		model += "-20260131"
	case 3:
		model += "-junk"
	case 4:
		provider, model = "litellm", provider+"/"+model
	case 5:
		provider = "My " + provider + " Service"
	}
	return provider, model, url
}

// literal draws a text that a clause mentions, which most often is a name it matches.
func literal(r *rand.Rand, c *clause) string {
	switch {
	case len(c.clauses) > 0:
		return literal(r, &c.clauses[r.IntN(len(c.clauses))])
	case c.kind == clauseRegex:
		return ""
	}
	return c.text
}

func TestCostEqualsTheReference(t *testing.T) {
	path := filepath.Join(pricesDir(t), "genai_prices_v2_data_slim.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	table, err := decodeTable(data, "")
	require.NoError(t, err)
	book, err := Decode(data)
	require.NoError(t, err)

	r := rand.New(rand.NewPCG(4, 3))
	const calls, models = 11_000, 1309
	var cases []oracleCase
	add := func(provider, model, url string, u Usage) {
		c := oracleCase{request: Request{
			Provider: provider, Model: model, Endpoint: url, Usage: u,
			Time: time.UnixMilli(1_700_000_000_000 + r.Int64N(130_000_000_000)).UTC(),
		}}
		c.fill()
		cases = append(cases, c)
	}
	for i := range table.providers { // every model once
		for j := range table.providers[i].models {
			add(table.providers[i].id, table.providers[i].models[j].id, "", randomUsage(r))
		}
	}
	require.Len(t, cases, models, "the table has changed")
	for len(cases) < calls {
		provider, model, url := names(r, table)
		add(provider, model, url, randomUsage(r))
	}
	for range 1000 { // usages that may contradict themselves
		u := randomUsage(r)
		for _, n := range []*int64{&u.Input, &u.CacheRead, &u.CacheWrite, &u.InputAudio, &u.Output} {
			if r.IntN(2) == 0 {
				*n /= 100
			}
		}
		provider, model, url := names(r, table)
		add(provider, model, url, u)
	}

	var priced, freeOutput, refused, absent, beyond int
	for i, want := range askOracle(t, path, cases) {
		c := &cases[i]
		got, err := book.Quote(c.request)
		switch {
		case want.Error != "":
			require.ErrorIs(t, err, ErrUsage, "call %d: %+v: the reference says %s", i, c.request, want.Error)
			refused++
		case !want.Found && IsUnpriced(err):
			absent++
		case !want.Found: // our reading of names goes further
			beyond++
		case IsUnpriced(err): // the reference takes output without a price for free
			var unpriced *UnpricedError
			require.ErrorAs(t, err, &unpriced)
			require.Equal(t, "no_output_price", unpriced.Reason, "call %d: %+v", i, c.request)
			require.Zero(t, want.Output, "call %d: %+v", i, c.request)
			c.request.Usage.Output, c.request.Usage.OutputAudio, c.request.Usage.OutputImage = 0, 0, 0
			got, err = book.Quote(c.request)
			require.NoError(t, err)
			freeOutput++
			fallthrough
		default:
			require.NoError(t, err, "call %d: %+v", i, c.request)
			require.Equal(t, want.Model, got.Model, "call %d: %+v", i, c.request)
			require.Equal(t, want.Provider, got.Provider, "call %d: %+v", i, c.request)
			for _, pair := range [][2]float64{{want.Total, got.USD}, {want.Input, got.InputUSD}, {want.Output, got.OutputUSD}} {
				require.InDelta(t, pair[0], pair[1], 1e-9*max(1, pair[0]), "call %d: %+v", i, c.request)
			}
			priced++
		}
	}
	t.Logf("%d calls: %d priced alike (%d of them without output prices), %d refused alike, %d unpriced alike, %d priced only by us",
		len(cases), priced, freeOutput, refused, absent, beyond)
	require.GreaterOrEqual(t, priced, 10_000)
	require.Greater(t, refused, 40)
}
