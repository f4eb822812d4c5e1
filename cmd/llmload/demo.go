package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

const demoHelp = `Usage: llmload demo [flags]

Starts a collector on free loopback ports with an empty data folder, sends some
hours of traffic in about a minute with one incident of each kind on different
series, and then checks: was each incident found and alerted (with a verified
signature), and was everything else quiet? Exits with 1 if an incident was
missed, not alerted, or if there were more alerts on the clean part of the run
than --max-clean-alerts.
The collector is stopped and the data folder removed afterwards.
`

type demoFlags struct {
	binary, configs, incidents string
	duration, wall, settle     time.Duration
	rate                       float64
	services, models           int
	seed                       uint64
	keep                       bool
	needAlerts                 bool
	maxClean                   int
}

func (d *demoFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&d.binary, "collector", "./bin/otelcol-sentinel", "collector `binary`")
	fs.StringVar(&d.configs, "config", "collector-config.yaml,examples/webhook.yaml", "configuration `files`, comma-separated")
	fs.StringVar(&d.incidents, "incidents", "latency_spike,latency_shift,token_surge,cost_surge,error_burst", "incidents to send, as for generate")
	fs.DurationVar(&d.duration, "duration", 150*time.Minute, "length of the traffic in event time")
	fs.DurationVar(&d.wall, "wall", time.Minute, "wall time in which it is sent")
	fs.DurationVar(&d.settle, "settle", 30*time.Second, "how long to wait for findings and alerts after the last call")
	fs.Float64Var(&d.rate, "rate", 8, "mean calls per second of event time")
	fs.IntVar(&d.services, "services", 4, "number of services")
	fs.IntVar(&d.models, "models", 3, "number of models of each service")
	fs.Uint64Var(&d.seed, "seed", 1, "seed of the traffic")
	fs.BoolVar(&d.needAlerts, "require-alerts", true, "fail when an incident was found but no alert went out")
	fs.IntVar(&d.maxClean, "max-clean-alerts", 0, "alerts on the clean part of the run that are tolerated")
	fs.BoolVar(&d.keep, "keep", false, "keep the data folder and the collector's log")
}

// options turns the flags into traffic that ends when the sending will end.
func (d *demoFlags) options(now time.Time) (llmtraffic.Options, target, error) {
	if d.wall <= 0 || d.duration <= 0 || d.settle <= 0 {
		return llmtraffic.Options{}, target{}, fmt.Errorf("%w: duration, wall and settle must be above 0", errUsage)
	}
	t := target{size: 100, speed: float64(d.duration) / float64(d.wall), opt: llmtraffic.SenderOptions{Protocol: llmtraffic.ProtocolGRPC, Insecure: true}}
	g := generateFlags{
		rate: d.rate, duration: d.duration, services: d.services, models: d.models, seed: d.seed, incidents: d.incidents,
		errorRate: .005, users: 500, tenants: 8, par: 1,
		// Without the daily rhythm a seed gives the same calls at any hour.
		flat: true,
	}
	o, err := g.options(t.endTime(now, d.duration))
	if err == nil && len(o.Incidents) == 0 {
		err = fmt.Errorf("%w: the demo needs incidents", errUsage)
	}
	return o, t, err
}

func demo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var d demoFlags
	fs := newFlags("demo", demoHelp, stderr)
	d.register(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, fs.Arg(0))
	}
	if _, _, err := d.options(time.Now()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "llmload-demo-")
	if err != nil {
		return err
	}
	if d.keep {
		_, _ = fmt.Fprintln(stderr, "data folder:", dir)
	} else {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	hook, err := startWebhook()
	if err != nil {
		return err
	}
	defer hook.close()
	addr, err := freeAddresses()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(stderr, "starting", d.binary)
	col, err := startCollector(d.binary, strings.Split(d.configs, ","), addr.env(filepath.Join(dir, "data"), hook.url, hook.secret), dir)
	if err != nil {
		return err
	}
	const stopLimit = 20 * time.Second
	defer col.stop(stopLimit) //nolint:errcheck // reported below in the good case; here only for early returns
	if err := col.ready(ctx, addr.query, 30*time.Second); err != nil {
		return err
	}
	o, t, err := d.options(time.Now())
	if err != nil {
		return err
	}
	t.opt.Endpoint = addr.grpc
	// Nobody answers any more once the collector is gone.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-col.exited:
			cancel(errors.New("the collector ended during the demo"))
		case <-ctx.Done():
		}
	}()
	checkErr := d.check(ctx, &o, &t, addr.query, hook.receiver, stdout, stderr)
	return errors.Join(checkErr, col.stop(stopLimit))
}

// check sends the traffic to a collector that runs already and compares what
// it found with the labels.
func (d *demoFlags) check(ctx context.Context, o *llmtraffic.Options, t *target, query string,
	hook *llmtraffic.WebhookReceiver, stdout, stderr io.Writer,
) error {
	sources, err := lanes(*o, 1)
	if err != nil {
		return err
	}
	var stats *llmtraffic.Stats
	err = send(ctx, t, job{
		sources: sources, start: o.Start, end: o.Start.Add(o.Duration),
		incidents: func(s *llmtraffic.Stats) []llmtraffic.TruthLine {
			stats = s
			return llmtraffic.Truth(o, s)
		},
	}, io.Discard, stderr)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	truth := llmtraffic.Truth(o, stats)
	effects := make([]llmtraffic.Effect, len(o.Incidents))
	for i := range effects {
		effects[i] = stats.Effect(i)
	}
	api := llmtraffic.NewAPIClient("http://" + query)
	report, err := d.await(ctx, api, hook, o, truth, effects)
	if err != nil {
		return err
	}
	counts := stats.Counts()
	if err := writeReport(stdout, &report, &counts, len(o.Series()), o.Start); err != nil {
		return err
	}
	return d.verdict(&report)
}

// await polls until every incident is found and alerted, or the settle time is
// over. Clean-part alerts may come as late as any other, so a run without
// misses still waits for the notifications to stop.
func (d *demoFlags) await(ctx context.Context, api *llmtraffic.APIClient, hook *llmtraffic.WebhookReceiver,
	o *llmtraffic.Options, truth []llmtraffic.TruthLine, effects []llmtraffic.Effect,
) (llmtraffic.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, d.settle+30*time.Second)
	defer cancel()
	deadline := time.Now().Add(d.settle)
	tick := time.NewTicker(min(time.Second, d.settle/5))
	defer tick.Stop()
	quiet, last := 0, -1
	for {
		found, err := api.Anomalies(ctx, o.Start, o.Start.Add(o.Duration+15*time.Minute))
		if err != nil {
			return llmtraffic.Report{}, fmt.Errorf("ask for anomalies: %w", err)
		}
		notes, _ := hook.Notifications()
		r := llmtraffic.Match(truth, effects, found, notes, llmtraffic.MatchOptions{})
		if n := len(found) + len(notes); n == last {
			quiet++
		} else {
			quiet, last = 0, n
		}
		if time.Now().After(deadline) || (d.verdict(&r) == nil && quiet >= 5) {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-tick.C:
		}
	}
}

// verdict is the reason for which the demo fails; nil when it does not.
func (d *demoFlags) verdict(r *llmtraffic.Report) error {
	var errs []error
	for i := range r.Detections {
		det := &r.Detections[i]
		switch {
		case det.Anomaly == nil:
			errs = append(errs, fmt.Errorf("incident %s was missed", det.Truth.ID))
		case d.needAlerts && det.Alert == nil:
			errs = append(errs, fmt.Errorf("no alert went out for incident %s", det.Truth.ID))
		case det.Alert != nil && det.Alert.SignatureError != nil:
			errs = append(errs, fmt.Errorf("alert %s: %w", det.Alert.ID, det.Alert.SignatureError))
		}
	}
	if r.CleanAlerts > d.maxClean {
		errs = append(errs, fmt.Errorf("%d alerts went out on the clean part of the run", r.CleanAlerts))
	}
	return errors.Join(errs...)
}

// webhookServer is our own receiver of alerts.
type webhookServer struct {
	receiver    *llmtraffic.WebhookReceiver
	url, secret string
	server      *http.Server
	done        chan struct{}
}

func startWebhook() (*webhookServer, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	w := &webhookServer{
		secret: "whsec_" + base64.StdEncoding.EncodeToString(key), url: "http://" + l.Addr().String() + "/webhook", done: make(chan struct{}),
	}
	w.receiver = llmtraffic.NewWebhookReceiver(w.secret)
	w.server = &http.Server{Handler: w.receiver, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(w.done)
		_ = w.server.Serve(l) // ends with ErrServerClosed
	}()
	return w, nil
}

func (w *webhookServer) close() {
	_ = w.server.Close()
	<-w.done
}
