package llmtraffic

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// llmperfFiles are the deployments that are fitted. Those where most requests
// failed or that were throttled are left out.
var llmperfFiles = []string{
	"anyscale_7b", "anyscale_13b", "anyscale_70b", "bedrock_13b", "bedrock_70b", "fireworks_7b", "fireworks_13b",
	"fireworks_70b", "groq_70b", "perplexity_70b", "together_7b", "together_70b",
}

// Fit measures the parameter table on the traces below dir, the data folder
// with one folder a data set.
func Fit(dir string) (Fitted, error) {
	var f Fitted
	steps := []func(string, *Fitted) error{fitAzure, fitMooncake, fitServeGenTokens, fitLLMPerf, fitVLLM, fitDiurnal}
	for _, step := range steps {
		if err := step(dir, &f); err != nil {
			return Fitted{}, err
		}
	}
	return f, nil
}

func fitAzure(dir string, f *Fitted) error {
	path := filepath.Join(dir, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	in, out, at, err := readRows(path, FormatAzure)
	if err != nil {
		return err
	}
	f.Tokens = append(f.Tokens, fitTokens("azure-conv", "azure-llm-2023/AzureLLMInferenceTrace_conv.csv", in, out))
	gaps := make([]float64, 0, len(at))
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i]-at[i-1])
	}
	mean, sd := meanSD(gaps)
	cv := sd / mean
	f.Arrival = ArrivalProfile{Source: "azure-llm-2023/AzureLLMInferenceTrace_conv.csv", N: len(gaps), CV: cv, WeibullShape: weibullShape(cv)}
	return nil
}

func fitMooncake(dir string, f *Fitted) error {
	path := filepath.Join(dir, "mooncake", "conversation_trace.jsonl")
	in, out, _, err := readRows(path, FormatMooncake)
	if err != nil {
		return err
	}
	f.Tokens = append(f.Tokens, fitTokens("mooncake-conversation", "mooncake/conversation_trace.jsonl", in, out))
	return nil
}

// readRows returns input tokens, output tokens and start times (seconds since
// the first row) of a trace.
func readRows(path string, format Format) (in, out, at []float64, err error) {
	file, err := os.Open(path) //nolint:gosec // the user names the data folder
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = file.Close() }()
	var first int64
	for row, err := range ReadTrace(file, filepath.Base(path), format) {
		if err != nil {
			return nil, nil, nil, err
		}
		if len(at) == 0 {
			first = row.Start.UnixNano()
		}
		in = append(in, float64(row.InputTokens))
		out = append(out, float64(row.OutputTokens))
		at = append(at, float64(row.Start.UnixNano()-first)/1e9)
	}
	if len(in) < 3 {
		return nil, nil, nil, fmt.Errorf("%s: %d rows are too few to fit", path, len(in))
	}
	return in, out, at, nil
}

func fitTokens(name, source string, in, out []float64) TokenProfile {
	rho := 2 * math.Sin(math.Pi/6*spearman(in, out))
	return TokenProfile{
		Name: name, Source: source, N: len(in), Rho: rho,
		InputMedian: quantile(in, .5), InputP95: quantile(in, .95), InputMax: slices.Max(in),
		OutputMedian: quantile(out, .5), OutputP95: quantile(out, .95), OutputMax: slices.Max(out),
	}
}

// fitServeGenTokens takes, for each model, the median over all clients and
// windows of the median and of the ratio p95/p50: the spread that one client's
// traffic has, not the spread between clients.
func fitServeGenTokens(dir string, f *Fitted) error {
	type stat struct{ p50, ratio []float64 }
	stats := map[string]*stat{}
	maxima := map[string]float64{}
	err := readCSV(filepath.Join(dir, "servegen", "token_stats_6h.csv"), func(r map[string]string) error {
		p50, err1 := strconv.ParseFloat(r["p50"], 64)
		p95, err2 := strconv.ParseFloat(r["p95"], 64)
		peak, err3 := strconv.ParseFloat(r["max"], 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		if p50 <= 0 || p95 <= p50 {
			return nil
		}
		key := r["model"] + "/" + r["field"]
		if stats[key] == nil {
			stats[key] = &stat{}
		}
		stats[key].p50 = append(stats[key].p50, p50)
		stats[key].ratio = append(stats[key].ratio, p95/p50)
		maxima[key] = max(maxima[key], peak)
		return nil
	})
	if err != nil {
		return err
	}
	for _, model := range []string{"m-large", "m-mid", "m-small", "deepseek-r1"} {
		in, out := stats[model+"/input_tokens"], stats[model+"/output_tokens"]
		if in == nil || out == nil {
			return fmt.Errorf("servegen/token_stats_6h.csv: no token counts of model %s", model)
		}
		inMed, outMed := quantile(in.p50, .5), quantile(out.p50, .5)
		f.Tokens = append(f.Tokens, TokenProfile{
			Name: "servegen-" + model, Source: "servegen/token_stats_6h.csv", N: len(in.p50),
			InputMedian: inMed, InputP95: inMed * quantile(in.ratio, .5), InputMax: maxima[model+"/input_tokens"],
			OutputMedian: outMed, OutputP95: outMed * quantile(out.ratio, .5), OutputMax: maxima[model+"/output_tokens"],
		})
	}
	return nil
}

func fitLLMPerf(dir string, f *Fitted) error {
	for _, name := range llmperfFiles {
		path := filepath.Join(dir, "llmperf-leaderboard", name+".json")
		data, err := os.ReadFile(path) //nolint:gosec // the user names the data folder
		if err != nil {
			return fmt.Errorf("open trace: %w", err)
		}
		var rows []llmperfRow
		if err := json.Unmarshal(data, &rows); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var ttft, tpot []float64
		for _, r := range rows {
			if string(r.ErrorCode) != "null" || r.TTFT <= 0 || r.Output < 2 || r.EndToEnd <= r.TTFT {
				continue
			}
			ttft = append(ttft, r.TTFT)
			tpot = append(tpot, (r.EndToEnd-r.TTFT)/float64(r.Output-1))
		}
		if len(ttft) < 20 {
			return fmt.Errorf("%s: %d good rows are too few to fit", path, len(ttft))
		}
		f.Speeds = append(f.Speeds, SpeedProfile{
			Name: name, Source: "llmperf-leaderboard/" + name + ".json", N: len(ttft),
			TTFTMedian: quantile(ttft, .5), TTFTSigma: logSD(ttft), TPOTMedian: quantile(tpot, .5), TPOTSigma: logSD(tpot),
		})
	}
	return nil
}

func fitVLLM(dir string, f *Fitted) error {
	for _, scale := range []int{100, 300, 500, 700, 900, 1500} {
		path := filepath.Join(dir, "vllm-burstgpt-logs", "detail_log", fmt.Sprintf("detail_log_scale%d_prompt500.json", scale))
		file, err := os.Open(path) //nolint:gosec // the user names the data folder
		if err != nil {
			return fmt.Errorf("open trace: %w", err)
		}
		var in, ttft, total []float64
		for row, err := range ReadTrace(file, filepath.Base(path), FormatVLLM) {
			if err != nil {
				return errors.Join(err, file.Close())
			}
			in = append(in, float64(row.InputTokens))
			ttft = append(ttft, row.TTFT.Seconds())
			total = append(total, row.Latency.Seconds())
		}
		if err := file.Close(); err != nil {
			return err
		}
		f.Loads = append(f.Loads, LoadStep{
			Scale: scale, N: len(in), TTFTMedian: quantile(ttft, .5), TTFTSigma: logSD(ttft),
			TotalMedian: quantile(total, .5), InputSlope: theilSen(in, ttft),
		})
	}
	return nil
}

func fitDiurnal(dir string, f *Fitted) error {
	var sum, n [24]float64
	var total, rows float64
	err := readCSV(filepath.Join(dir, "servegen", "model_rate_10min.csv"), func(r map[string]string) error {
		if r["model"] != "m-large" {
			return nil
		}
		at, err1 := strconv.ParseFloat(r["window_start_s"], 64)
		rate, err2 := strconv.ParseFloat(r["req_per_s"], 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		h := int(at/3600) % 24
		if h < 0 {
			return fmt.Errorf("window_start_s must be 0 or above, got %v", at)
		}
		sum[h] += rate
		n[h]++
		total += rate
		rows++
		return nil
	})
	if err != nil {
		return err
	}
	f.Diurnal = DiurnalProfile{Source: "servegen/model_rate_10min.csv (m-large)", N: int(rows)}
	for h := range sum {
		if n[h] == 0 || total == 0 {
			return fmt.Errorf("servegen/model_rate_10min.csv: no rate of m-large in hour %d", h)
		}
		f.Diurnal.Hourly[h] = sum[h] / n[h] / (total / rows)
	}
	return nil
}

// readCSV calls visit with each row as a map by column name; an error of visit
// is reported with file and line.
func readCSV(path string, visit func(map[string]string) error) error {
	file, err := os.Open(path) //nolint:gosec // the user names the data folder
	if err != nil {
		return fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = file.Close() }()
	r := csv.NewReader(file)
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: read header: %w", path, err)
	}
	m := make(map[string]string, len(head))
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for i, k := range head {
			m[strings.TrimSpace(k)] = rec[i]
		}
		if err := visit(m); err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
}
