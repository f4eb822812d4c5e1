// Command store measures the embedded store: the processor time of writing,
// with all background work and without the generator, the time of usual
// questions, of dropping a day, and whether acknowledged events survive
// kill -9.
//
// The data is the same in each run: 48 hours of event time, 50 services and 20
// models by Zipf's law, 100,000 sessions, 20,000 users, 1 to 8 spans a trace,
// batches of 1000, 0.4 % anomalies. Processor times are those of the whole
// process. Wall times of questions depend on what else the machine does; the
// load average is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/store/embedded"
)

type options struct {
	events int
	kills  int
	reads  int
	seed   uint64
	dir    string
}

func (o *options) check() error {
	var errs []error
	if o.events < minEvents || o.events > maxEvents {
		errs = append(errs, fmt.Errorf("events must be between %d and %d, got %d", minEvents, maxEvents, o.events))
	}
	if o.kills < 0 || o.kills > 1000 {
		errs = append(errs, fmt.Errorf("kills must be between 0 and 1000, got %d", o.kills))
	}
	if o.reads < 1 || o.reads > 100_000 {
		errs = append(errs, fmt.Errorf("reads must be between 1 and 100000, got %d", o.reads))
	}
	return errors.Join(errs...)
}

const (
	// Fewer events do not fill the hours.
	minEvents = 10_000
	maxEvents = 1_000_000_000
)

func main() {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := writeUntilKilled(dir, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	var o options
	flag.IntVar(&o.events, "events", 10_000_000, "events to write")
	flag.IntVar(&o.kills, "kills", 20, "how often a writing process is killed")
	flag.IntVar(&o.reads, "reads", 200, "questions of each kind")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the data")
	flag.StringVar(&o.dir, "dir", "", "directory for the database, which is removed again; default a temporary one")
	flag.Parse()
	if err := run(context.Background(), o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench-store:", err)
		os.Exit(1)
	}
}

// bench is one run. The store is opened anew between the parts.
type bench struct {
	o      options
	dir    string
	from   time.Time
	store  *embedded.Store
	now    func() time.Time
	tell   *progress
	report report
	sample sample
}

func run(ctx context.Context, o options, out, progressTo io.Writer) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "bench-store-")
	if err != nil {
		return fmt.Errorf("directory of the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{
		o: o, dir: dir, from: time.Now().Add(-span).Truncate(time.Hour), now: time.Now, tell: &progress{to: progressTo},
		sample: newSample(o.seed, o.reads),
	}
	b.report.measured = func(x result) { fmt.Fprintln(progressTo, x) }
	b.report.load[0] = loadAverage()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"write", b.write},
		{"ask", b.ask},
		{"write beside questions", b.beside},
		{"drop a day", b.dropDay},
		{"kill", b.kill},
	} {
		if err := part.run(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", part.name, err), b.close(ctx))
		}
	}
	b.report.load[1] = loadAverage()
	return b.report.print(out, o)
}

func (b *bench) open(ctx context.Context, change func(*embedded.Config)) error {
	cfg := embedded.Config{
		Directory: b.dir, Retention: retention, MaxBytes: 1 << 42, SyncInterval: embedded.DefaultSyncInterval, Now: b.now,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := embedded.Open(ctx, cfg)
	b.store = s
	return err
}

func (b *bench) close(ctx context.Context) error {
	if b.store == nil {
		return nil
	}
	s := b.store
	b.store = nil
	return s.Close(ctx)
}
