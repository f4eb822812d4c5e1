package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"

	"github.com/llm-devops/llm-sentinel/extension/queryextension"
	"github.com/llm-devops/llm-sentinel/extension/storageextension"
	"github.com/llm-devops/llm-sentinel/internal/anomaly"
	"github.com/llm-devops/llm-sentinel/internal/genai"
	"github.com/llm-devops/llm-sentinel/internal/store"
)

const batch = 1000

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// runServer stores events, serves, and obeys the lines that it reads:
// "cpu" (prints processor seconds), "arrive N" (N events a second come in),
// "stop" (they end; prints how many there were), "quit".
func runServer(ctx context.Context, dir string, events int, in io.Reader, out io.Writer) error {
	h := host{}
	storageID, queryID := component.MustNewID("llm_storage"), component.MustNewID("query")
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	storage, err := start(ctx, h, storageID, storageextension.NewFactory(), map[string]any{"embedded": map[string]any{"directory": dir}})
	if err != nil {
		return err
	}
	defer func() { _ = storage.Shutdown(context.WithoutCancel(ctx)) }()
	writer, err := storage.(store.Provider).StoreWriter(ctx)
	if err != nil {
		return err
	}
	end := time.Now().Add(-gap).Truncate(time.Second)
	if err := fill(ctx, writer, events, end); err != nil {
		return err
	}
	query, err := start(ctx, h, queryID, queryextension.NewFactory(), map[string]any{
		"http": map[string]any{"endpoint": addr}, "metrics_endpoint": "",
		"rate_limit": map[string]any{"requests_per_second": 1e6, "burst": 1_000_000}, // counted, never reached
	})
	if err != nil {
		return err
	}
	defer func() { _ = query.Shutdown(context.WithoutCancel(ctx)) }()
	_, _ = fmt.Fprintf(out, "ready %s %d\n", addr, end.UnixNano())

	var a arrivals
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		command, value, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "cpu":
			_, _ = fmt.Fprintf(out, "%f\n", cpuSeconds())
		case "arrive":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			a.begin(ctx, writer, events, n, end)
		case "stop":
			n, err := a.end()
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(out, "%d\n", n)
		case "quit":
			return nil
		}
	}
	return errors.Join(lines.Err(), errors.New("the other process is gone"))
}

func start(ctx context.Context, h host, id component.ID, f extension.Factory, options map[string]any) (extension.Extension, error) {
	cfg := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(options).Unmarshal(cfg); err != nil {
		return nil, err
	}
	if err := confmap.Validate(cfg); err != nil {
		return nil, err
	}
	set := extension.Settings{ID: id, TelemetrySettings: componenttest.NewNopTelemetrySettings(), BuildInfo: component.NewDefaultBuildInfo()}
	ext, err := f.Create(ctx, set, cfg)
	if err != nil {
		return nil, err
	}
	h[id] = ext
	return ext, ext.Start(ctx, h)
}

func fill(ctx context.Context, w store.Writer, events int, end time.Time) error {
	rows := make([]genai.Event, 0, batch)
	for n := range events {
		rows = append(rows, event(n, within(n, events, end)))
		if len(rows) == batch || n == events-1 {
			if err := w.WriteEvents(ctx, rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	found := make([]anomaly.Anomaly, anomalies)
	for n := range found {
		found[n] = finding(n, end)
	}
	return w.WriteAnomalies(ctx, found)
}

// late is how many of the events that arrive are of now for each one that is
// late and lies within the hour that was stored before. More of them would keep a
// reader on a busy machine from ever reaching the end.
const late = 20

// arrivals write batches at a rate.
type arrivals struct {
	cancel context.CancelFunc
	done   chan error
	n      atomic.Int64
}

func (a *arrivals) begin(ctx context.Context, w store.Writer, first, rate int, end time.Time) {
	ctx, a.cancel = context.WithCancel(ctx)
	a.done = make(chan error, 1)
	go func() {
		a.done <- func() error {
			const parts = 20 // batches a second
			tick := time.NewTicker(time.Second / parts)
			defer tick.Stop()
			began := time.Now()
			for n := first; ; {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
				// A ticker drops ticks when the machine is busy; the rate stays.
				due := first + int(time.Since(began).Seconds()*float64(rate))
				for n < due {
					rows := make([]genai.Event, 0, batch)
					for ; n < due && len(rows) < batch; n++ {
						at := time.Now()
						if n%late == 0 {
							at = within(n*7919%1_000_000, 1_000_000, end)
						}
						rows = append(rows, event(n, at))
					}
					if err := w.WriteEvents(context.WithoutCancel(ctx), rows); err != nil {
						return err
					}
					a.n.Add(int64(len(rows)))
				}
			}
		}()
	}()
}

func (a *arrivals) end() (int64, error) {
	if a.cancel == nil {
		return 0, errors.New("nothing arrives")
	}
	a.cancel()
	err := <-a.done
	return a.n.Load(), err
}

// cpuSeconds is the processor time of this process, all threads.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
