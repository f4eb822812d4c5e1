package dataset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

const (
	// servegenStep and requestStep are the bucket widths of the ServeGen rates
	// and of the traces that list single requests.
	servegenStep = 10 * time.Minute
	requestStep  = 10 * time.Second
	// servegenPoints is the length of a full series of 14 days.
	servegenPoints = 14 * 24 * 6
	// Clients are used when they sent something in most windows, at a rate that
	// is worth watching (requests per second), at most clientsPerModel a model.
	clientNonZero   = .97
	clientMinMedian = .1
	clientsPerModel = 20
)

// LLM reads the real traces of LLM traffic below dir that are long enough to
// inject incidents into: request rates of ServeGen clients and models, and
// request rates and mean token counts of the Azure and Mooncake traces.
func LLM(dir string) ([]Series, error) {
	out, err := ServeGen(dir)
	if err != nil {
		return nil, err
	}
	fromAzure := &buckets{}
	if err := azure(dir, fromAzure.add); err != nil {
		return nil, err
	}
	fromMooncake := &buckets{}
	if err := mooncake(dir, fromMooncake.add); err != nil {
		return nil, err
	}
	out = append(out, fromAzure.series("azure-conv")...)
	return append(out, fromMooncake.series("mooncake-conversation")...), nil
}

// ServeGen reads the request rates of clients and models below dir, in windows
// of ten minutes.
func ServeGen(dir string) ([]Series, error) {
	out, err := servegenModels(filepath.Join(dir, "servegen", "model_rate_10min.csv"))
	if err != nil {
		return nil, err
	}
	clients, err := filepath.Glob(filepath.Join(dir, "servegen", "client_rate_10min", "*.csv"))
	if err != nil || len(clients) == 0 {
		return nil, fmt.Errorf("no ServeGen clients below %s", dir)
	}
	slices.Sort(clients)
	for _, path := range clients {
		more, err := servegenClients(path)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// rates collects series of ServeGen rates by key, in the order of the file.
type rates struct {
	keys []string
	by   map[string]*Series
}

func (r *rates) add(group, key, second, rate string) error {
	s := r.by[key]
	if s == nil {
		s = &Series{Name: group + "/" + key, Group: group, Kind: Throughput, Step: servegenStep}
		if r.by == nil {
			r.by = map[string]*Series{}
		}
		r.by[key] = s
		r.keys = append(r.keys, key)
	}
	sec, err := strconv.ParseInt(second, 10, 64)
	if err != nil {
		return err
	}
	x, err := strconv.ParseFloat(rate, 64)
	if err != nil {
		return err
	}
	s.Times = append(s.Times, at(time.Duration(sec)*time.Second))
	s.Values = append(s.Values, x)
	return nil
}

func servegenModels(path string) ([]Series, error) {
	var r rates
	err := columns(path, []string{"model", "window_start_s", "req_per_s"}, func(f []string) error {
		return r.add("servegen-models", f[0], f[1], f[2])
	})
	if err != nil {
		return nil, err
	}
	var out []Series
	for _, k := range r.keys {
		if s := r.by[k]; len(s.Values) == servegenPoints {
			out = append(out, *s)
		}
	}
	return out, nil
}

func servegenClients(path string) ([]Series, error) {
	var r rates
	model := filepath.Base(path[:len(path)-len(".csv")])
	err := columns(path, []string{"client", "window_start_s", "req_per_s"}, func(f []string) error {
		return r.add("servegen-"+model, f[0], f[1], f[2])
	})
	if err != nil {
		return nil, err
	}
	var out []Series
	for _, k := range r.keys {
		s := r.by[k]
		if len(s.Values) != servegenPoints || len(out) == clientsPerModel {
			continue
		}
		sorted := slices.Sorted(slices.Values(s.Values))
		n, zeros := len(sorted), 0
		for zeros < n && sorted[zeros] <= 0 {
			zeros++
		}
		if float64(n-zeros) > clientNonZero*float64(n) && (sorted[(n-1)/2]+sorted[n/2])/2 > clientMinMedian {
			out = append(out, *s)
		}
	}
	return out, nil
}

// buckets counts requests and tokens per bucket of time.
type buckets struct{ requests, input, output []float64 }

func (b *buckets) add(offset time.Duration, input, output float64) error {
	i := int(offset / requestStep)
	if i < 0 {
		return fmt.Errorf("request %v before the first", -offset)
	}
	for len(b.requests) <= i {
		b.requests, b.input, b.output = append(b.requests, 0), append(b.input, 0), append(b.output, 0)
	}
	b.requests[i]++
	b.input[i] += input
	b.output[i] += output
	return nil
}

// series returns the request rate, and the mean tokens of buckets with
// requests.
func (b *buckets) series(name string) []Series {
	rate := Series{Name: name + "/rate", Group: name, Kind: Throughput, Step: requestStep}
	in := Series{Name: name + "/input_tokens", Group: name, Kind: Tokens, Step: requestStep}
	out := Series{Name: name + "/output_tokens", Group: name, Kind: Tokens, Step: requestStep}
	// The last bucket is cut off by the end of the trace.
	for i, n := range b.requests[:len(b.requests)-1] {
		t := at(time.Duration(i) * requestStep)
		rate.Times, rate.Values = append(rate.Times, t), append(rate.Values, n/requestStep.Seconds())
		if n > 0 {
			in.Times, in.Values = append(in.Times, t), append(in.Values, b.input[i]/n)
			out.Times, out.Values = append(out.Times, t), append(out.Values, b.output[i]/n)
		}
	}
	return []Series{rate, in, out}
}

// at is a time of a series that has only offsets.
func at(offset time.Duration) int64 {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(offset).UnixNano()
}

// azure calls each with the requests of the Azure trace below dir: the time
// since the first one, and tokens.
func azure(dir string, each func(offset time.Duration, input, output float64) error) error {
	first := int64(0)
	path := filepath.Join(dir, "azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
	return columns(path, []string{"TIMESTAMP", "ContextTokens", "GeneratedTokens"}, func(f []string) error {
		t, err := parseTime(f[0])
		if err != nil {
			return err
		}
		if first == 0 {
			first = t
		}
		input, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return err
		}
		output, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return err
		}
		return each(time.Duration(t-first), input, output)
	})
}

// mooncake does the same with the Mooncake trace.
func mooncake(dir string, each func(offset time.Duration, input, output float64) error) error {
	path := filepath.Join(dir, "mooncake", "conversation_trace.jsonl")
	f, err := os.Open(path) //nolint:gosec // the operator names the data folder
	if err != nil {
		return fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var r struct {
			Timestamp int64   `json:"timestamp"`
			Input     float64 `json:"input_length"`
			Output    float64 `json:"output_length"`
		}
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := each(time.Duration(r.Timestamp)*time.Millisecond, r.Input, r.Output); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return in.Err()
}
