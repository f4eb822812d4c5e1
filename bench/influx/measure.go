package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	theirs "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/influxdbexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	ours "github.com/llm-devops/llm-sentinel/exporter/influxdbexporter"
	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// result is what a child prints.
type result struct {
	// CPU-seconds per million spans.
	CPU float64
	// Lines and Bytes that the sink got, per span.
	Lines, Bytes float64
}

// startChild runs one case in a process of its own.
func startChild(ctx context.Context, o options, name, sink string) (result, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	args := []string{"-child=" + name, "-sink=" + sink, "-spans=" + strconv.Itoa(o.spans), "-batch=" + strconv.Itoa(o.batch), "-warmup=" + strconv.Itoa(o.warmup)}
	if name == caseOurs && o.profile != "" {
		args = append(args, "-profile="+o.profile)
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // the program calls itself
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, complaints.String())
	}
	var r result
	err = json.Unmarshal(out.Bytes(), &r)
	return r, err
}

// measure is the child.
func measure(ctx context.Context, o options) error {
	traffic := llmtraffic.DefaultOptions(time.Now())
	traffic.Rate = 5000
	// As protobuf, so that the garbage collector has no more to look at than in
	// a collector.
	requests, err := llmtraffic.BuildEncoded((o.warmup+o.spans)/o.batch, o.batch, llmtraffic.BuildOptions{Traffic: traffic})
	if err != nil {
		return err
	}
	push, shutdown, err := target(ctx, o)
	if err != nil {
		return err
	}
	warm := o.warmup / o.batch
	if err := send(ctx, requests[:warm], push); err != nil {
		return err
	}
	if _, err := take(ctx, o.sink, float64(warm*o.batch), o.child != caseDecode); err != nil {
		return err
	}
	runtime.GC()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // a profile that is cut short cannot be read, which is seen
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	before := cpu()
	if err := send(ctx, requests[warm:], push); err != nil {
		return err
	}
	// The queue is empty when the exporter has shut down.
	if err := shutdown(ctx); err != nil {
		return err
	}
	used := cpu() - before
	pprof.StopCPUProfile()
	spans := float64((len(requests) - warm) * o.batch)
	got, err := take(ctx, o.sink, spans, o.child != caseDecode)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{CPU: used.Seconds() / spans * 1e6, Lines: got.Lines / spans, Bytes: got.Bytes / spans})
}

// target starts the exporter of a case.
func target(ctx context.Context, o options) (push func(context.Context, ptrace.Traces) error, shutdown func(context.Context) error, err error) {
	var factory exporter.Factory
	set := map[string]any{"endpoint": o.sink, "sending_queue": map[string]any{"block_on_overflow": true}}
	switch o.child {
	case caseDecode:
		return func(context.Context, ptrace.Traces) error { return nil }, func(context.Context) error { return nil }, nil
	case caseOurs:
		factory = ours.NewFactory()
		set["api"] = "v2"
	case casePlain:
		factory = ours.NewFactory()
		set["api"], set["compression"] = "v2", "none"
	case caseOTel:
		factory = ours.NewFactory()
		set["org"], set["bucket"] = "org", "bucket"
	case caseContrib:
		factory = theirs.NewFactory()
		set["org"], set["bucket"] = "org", "bucket"
	default:
		return nil, nil, fmt.Errorf("no case %q", o.child)
	}
	config := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(set).Unmarshal(config); err != nil {
		return nil, nil, err
	}
	e, err := factory.CreateTraces(ctx, exportertest.NewNopSettings(component.MustNewType("influxdb")), config)
	if err != nil {
		return nil, nil, err
	}
	return e.ConsumeTraces, e.Shutdown, e.Start(ctx, componenttest.NewNopHost())
}

func send(ctx context.Context, requests [][]byte, push func(context.Context, ptrace.Traces) error) error {
	var decoder ptrace.ProtoUnmarshaler
	for _, r := range requests {
		td, err := decoder.UnmarshalTraces(r)
		if err != nil {
			return err
		}
		if err := push(ctx, td); err != nil {
			return err
		}
	}
	return nil
}

// cpu is the time that this process has used on all its threads.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(errors.Join(errors.New("the system does not tell processor times"), err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
