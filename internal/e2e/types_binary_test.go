//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

var loader = flag.String("llmload", "", "path of the built llmload")

const (
	runLength = 140 * time.Minute
	// afterEnd is how long after the end of an incident what it did may be told.
	afterEnd = 10 * time.Minute
	// loadTimeout bounds one run of llmload, which takes 10 to 30 s.
	loadTimeout = 3 * time.Minute
)

// The built binaries, with the configuration that a user begins with: llmload
// sends an incident of every kind that it knows, and each is an anomaly of its
// type in the API and an alert, with an explanation whose numbers are true. The
// same traffic without the incidents gives nothing.
func TestBinaryFindsEveryType(t *testing.T) {
	require.NotEmpty(t, *loader, "run with -args -llmload=PATH (make smoke, make e2e)")
	requireEverythingCovered(t)

	run := play(t, func(*incidentKind) (float64, bool) { return 0, false })
	for i := range incidentKinds {
		k := &incidentKinds[i]
		t.Run(fmt.Sprintf("%s/%s", k.typ, k.kind), func(t *testing.T) { run.requireFound(t, k) })
	}
	t.Run("nothing but the incidents", run.requireNothingElse)
	t.Run("cost_anomaly/recorded runaway agent", func(t *testing.T) {
		requireRunawayStopped(t, runawayRecording(t), run.at, run.receiver)
	})
	run.stop(t)

	t.Run("without incidents", func(t *testing.T) {
		quiet := play(t, func(k *incidentKind) (float64, bool) { return k.none, true })
		of := map[anomaly.Type][]string{}
		for i := range quiet.found {
			a := &quiet.found[i]
			of[a.Type] = append(of[a.Type], a.Service+": "+a.RootCause)
		}
		for _, typ := range append(anomaly.Types(), "throughput_surge") {
			assert.Empty(t, of[typ], "%s without an incident", typ)
		}
		// What waits to be sent is sent before the collector ends.
		quiet.stop(t)
		list, _ := quiet.receiver.Notifications()
		assert.Empty(t, list, "alerts without an incident")
	})
}

// requireEverythingCovered: each kind of llmload and each of the twelve types
// has a row.
func requireEverythingCovered(t *testing.T) {
	t.Helper()
	kinds, types := map[llmtraffic.Kind]bool{}, map[anomaly.Type]bool{}
	for i := range incidentKinds {
		kinds[incidentKinds[i].kind], types[incidentKinds[i].typ] = true, true
	}
	for _, info := range llmtraffic.Kinds() {
		assert.True(t, kinds[info.Kind], "incident kind %s has no row", info.Kind)
	}
	for _, typ := range anomaly.Types() {
		assert.True(t, types[typ], "type %s has no row", typ)
	}
}

// played is a run of llmload against a collector of its own.
type played struct {
	at       addresses
	process  *process
	receiver *llmtraffic.WebhookReceiver
	truth    map[llmtraffic.Kind]*llmtraffic.TruthLine
	found    []anomaly.Anomaly
}

// play starts a collector and sends it testdata/incidents.jsonl, with other
// factors where factor says so.
func play(t *testing.T, factor func(*incidentKind) (float64, bool)) *played {
	t.Helper()
	p := &played{at: freeAddresses(t), truth: map[llmtraffic.Kind]*llmtraffic.TruthLine{}}
	env := p.at.env()
	receiver, url := hook(t)
	p.receiver = receiver
	env["WEBHOOK_URL"], env["WEBHOOK_SECRET"] = url, secret
	p.process = runBinary(t, env, configPath(t, "collector-config.yaml"), configPath(t, "examples/webhook.yaml"))
	waitReady(t, p.at.query)

	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	ctx, cancel := context.WithTimeout(t.Context(), loadTimeout)
	defer cancel()
	load := exec.CommandContext(ctx, *loader, "generate", "--endpoint", p.at.grpc, "--incidents", incidentFile(t, factor), "--truth", truth,
		"--services", "20", "--models", "1", "--rate", "14", "--duration", runLength.String(), "--start", runStart(time.Now()).Format(time.RFC3339),
		"--flat", "--texts")
	out, err := load.CombinedOutput()
	require.NoError(t, err, "%s", out)

	f, err := os.Open(truth)
	require.NoError(t, err)
	defer f.Close()
	lines, err := llmtraffic.ReadLines[llmtraffic.TruthLine](f, truth)
	require.NoError(t, err)
	for i := range lines {
		p.truth[lines[i].Kind] = &lines[i]
	}
	p.found = allAnomalies(t, p.at.query)
	slices.SortStableFunc(p.found, func(a, b anomaly.Anomaly) int { return a.Time.Compare(b.Time) })
	return p
}

// runStart is eight o'clock on the last weekday on which the run would be over:
// the trend knows hours and weekends, so that each run of the test has the same.
func runStart(now time.Time) time.Time {
	at := now.UTC().Truncate(24 * time.Hour).Add(8 * time.Hour)
	for at.Add(runLength).After(now) || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		at = at.AddDate(0, 0, -1)
	}
	return at
}

// incidentFile is testdata/incidents.jsonl with the factors replaced.
func incidentFile(t *testing.T, factor func(*incidentKind) (float64, bool)) string {
	t.Helper()
	in, err := os.Open(filepath.Join("testdata", "incidents.jsonl"))
	require.NoError(t, err)
	defer in.Close()
	var text strings.Builder
	for lines := bufio.NewScanner(in); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		var incident map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &incident))
		i := slices.IndexFunc(incidentKinds, func(k incidentKind) bool { return string(k.kind) == incident["kind"] })
		require.GreaterOrEqual(t, i, 0, line)
		if x, ok := factor(&incidentKinds[i]); ok {
			incident["factor"] = x
		}
		b, err := json.Marshal(incident)
		require.NoError(t, err)
		text.Write(append(b, '\n'))
	}
	path := filepath.Join(t.TempDir(), "incidents.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

func (p *played) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.process.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, p.process.end(t), "exit code after SIGTERM")
}

// requireFound: the incident is told in the API and by a signed alert, on its
// series, and what is told is true.
func (p *played) requireFound(t *testing.T, k *incidentKind) {
	t.Helper()
	in := p.truth[k.kind]
	require.NotNil(t, in)
	var told []*anomaly.Anomaly
	for i := range p.found {
		a := &p.found[i]
		if a.Type == k.typ && a.Service == in.Service && a.Model == in.ResponseModel && slices.Contains(k.metrics, a.Details.Metric) &&
			!a.Time.Before(in.Start) && a.Time.Before(in.End.Add(afterEnd)) {
			told = append(told, a)
		}
	}
	require.NotEmpty(t, told, "%s on %s/%s in the API", k.typ, in.Service, in.ResponseModel)
	first, last := told[0], told[len(told)-1]
	t.Logf("after %s: %s", first.Time.Sub(in.Start).Round(time.Second), last.RootCause)

	for _, a := range told {
		k.requireFactsStated(t, a)
		assert.GreaterOrEqual(t, a.Context.SampleCount, k.samples, "samples")
		assert.NotEmpty(t, a.Context.TimeWindow)
		switch {
		case k.usual != nil:
			p.requireMeasured(t, k, in, a)
		case k.normal > 0:
			share(.01)(t, k.normal, a.Details.Baseline)
		case a.Details.Metric == "throughput":
			times(1.1)(t, p.callsPerMinute(t, in), a.Details.Baseline)
		}
	}
	onset, err := time.Parse(time.RFC3339Nano, first.Context.Additional["onset"])
	require.NoError(t, err)
	assert.Less(t, in.Start.Sub(onset), k.early, "onset %s, incident since %s", onset, in.Start)
	assert.Less(t, onset.Sub(in.Start), k.late, "onset %s, incident since %s", onset, in.Start)
	// The last one rests on the most calls.
	injected := in.Factor
	if k.injected != nil {
		injected = k.injected(in, last)
	}
	k.near(t, injected, k.named(last))

	alerted(t, p.receiver, string(k.kind), func(a *anomaly.Anomaly) bool {
		return a.ID == first.ID && a.Type == k.typ && a.Service == in.Service && a.Model == in.ResponseModel
	})
}

// requireMeasured: the value is that of the stored call, and what was expected
// is what calls of the series had before the incident.
func (p *played) requireMeasured(t *testing.T, k *incidentKind, in *llmtraffic.TruthLine, a *anomaly.Anomaly) {
	t.Helper()
	var before []float64
	found := false
	for _, e := range walk[event](t, p.at.query, "/api/v1/telemetry", wide+"&service="+in.Service) {
		x := k.usual(&e)
		if x == nil {
			continue
		}
		if e.Timestamp.Before(in.Start) {
			before = append(before, *x)
		}
		if e.EventID == a.Context.EventID {
			found = true
			assert.InEpsilon(t, *x, a.Details.Value, 1e-6, "value of the call")
		}
	}
	assert.True(t, found, "the call %s is stored", a.Context.EventID)
	require.NotEmpty(t, before)
	slices.Sort(before)
	times(1.25)(t, before[len(before)/2], a.Details.Baseline)
}

// callsPerMinute is the rate of the series before the incident.
func (p *played) callsPerMinute(t *testing.T, in *llmtraffic.TruthLine) float64 {
	t.Helper()
	events := walk[event](t, p.at.query, "/api/v1/telemetry", wide+"&service="+in.Service+"&end="+in.Start.Format(time.RFC3339Nano))
	begin := slices.MinFunc(events, func(a, b event) int { return a.Timestamp.Compare(b.Timestamp) }).Timestamp
	return float64(len(events)) / in.Start.Sub(begin).Minutes()
}

// requireNothingElse: no anomaly before the incidents, and none on the series
// that has no incident.
func (p *played) requireNothingElse(t *testing.T) {
	touched := map[string]*llmtraffic.TruthLine{}
	for _, in := range p.truth {
		touched[in.Service] = in
	}
	for i := range p.found {
		a := &p.found[i]
		in := touched[a.Service]
		if assert.NotNil(t, in, "%s on %s, which has no incident: %s", a.Type, a.Service, a.RootCause) {
			assert.False(t, a.Time.Before(in.Start), "%s on %s before its incident: %s", a.Type, a.Service, a.RootCause)
		}
	}
}
