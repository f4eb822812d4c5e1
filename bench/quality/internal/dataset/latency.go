package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// vllmStep is the bucket width of the vLLM logs: a run of 500 requests takes two
// to seven minutes.
const vllmStep = time.Second

// vllmGroup and dependencyGroup are the groups of latency series.
const (
	vllmGroup       = "vllm-burstgpt"
	dependencyGroup = "middle-tier-api-dependency-latency"
)

// LatencySeries reads the series of latencies below dir: of vLLM under growing load,
// and of the calls between production services, which have labels.
func LatencySeries(dir string) ([]Series, error) {
	root := filepath.Join(dir, "vllm-burstgpt-logs", "detail_log")
	paths, err := filepath.Glob(filepath.Join(root, "*.json"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no request logs of vLLM in %s", root)
	}
	slices.Sort(paths)
	var out []Series
	for _, path := range paths {
		more, err := vllm(path)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	labelled, err := Cloud(dir)
	if err != nil {
		return nil, err
	}
	for i := range labelled {
		if s := labelled[i]; s.Group == dependencyGroup {
			s.Kind = Latency
			out = append(out, s)
		}
	}
	return out, nil
}

// vllm reads one log: the time to the first chunk and that to the last, as
// geometric means of the requests that ended in a step, where there are any.
func vllm(path string) ([]Series, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the data folder
	if err != nil {
		return nil, fmt.Errorf("read request log: %w", err)
	}
	type request struct {
		First float64 `json:"first_chunk_time"`
		Total float64 `json:"total_chunk_time"`
		// End is a clock of the machine in seconds.
		End float64 `json:"record_time"`
	}
	var byID map[string]request
	if err := json.Unmarshal(text, &byID); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	type sums struct{ first, total, n float64 }
	begin := math.Inf(1)
	for id, r := range byID {
		if r.First <= 0 || r.Total <= 0 {
			return nil, fmt.Errorf("%s: request %s has times %v and %v", path, id, r.First, r.Total)
		}
		begin = min(begin, r.End)
	}
	// Requests are added in the order of their ends, so that sums of a step do not
	// depend on the order of a map.
	requests := make([]request, 0, len(byID))
	for _, r := range byID {
		requests = append(requests, r)
	}
	slices.SortFunc(requests, func(a, b request) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.First, b.First), cmp.Compare(a.Total, b.Total))
	})
	var steps []sums
	for _, r := range requests {
		i := int((r.End - begin) / vllmStep.Seconds())
		for len(steps) <= i {
			steps = append(steps, sums{})
		}
		s := &steps[i]
		s.first, s.total, s.n = s.first+math.Log(r.First), s.total+math.Log(r.Total), s.n+1
	}
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	first := Series{Name: name + "/first_chunk", Group: vllmGroup, Kind: Latency, Step: vllmStep}
	total := Series{Name: name + "/total", Group: vllmGroup, Kind: Latency, Step: vllmStep}
	for i, s := range steps {
		if s.n == 0 {
			continue
		}
		t := at(time.Duration(i) * vllmStep)
		first.Times, first.Values = append(first.Times, t), append(first.Values, math.Exp(s.first/s.n))
		total.Times, total.Values = append(total.Times, t), append(total.Values, math.Exp(s.total/s.n))
	}
	return []Series{first, total}, nil
}
