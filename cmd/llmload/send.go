package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// job is one run: where the calls come from and what is reported about it.
type job struct {
	sources    []llmtraffic.Source
	start, end time.Time
	// incidents returns the labels after the run; nil for none.
	incidents func(*llmtraffic.Stats) []llmtraffic.TruthLine
	truth     func(io.Writer, *llmtraffic.Stats) error
}

// send runs j against the target, shows progress on stderr and the summary on
// stdout. It fails unless every span was accepted.
func send(ctx context.Context, t *target, j job, stdout, stderr io.Writer) error {
	sender, err := llmtraffic.NewSender(t.opt)
	if err != nil {
		return err
	}
	defer func() { _ = sender.Close() }()
	stats := &llmtraffic.Stats{}
	stop := progress(stderr, stats, j.start, j.end)
	begin := time.Now()
	runErr := llmtraffic.Run(ctx, j.sources, sender, llmtraffic.RunOptions{SpansPerRequest: t.size, Speed: t.speed, Start: j.start}, stats)
	took := time.Since(begin)
	stop()

	sum := llmtraffic.NewSummary(stats, took)
	sum.Endpoint, sum.Protocol, sum.EventStart, sum.EventEnd = t.opt.Endpoint, string(t.opt.Protocol), j.start.UTC(), j.end.UTC()
	// The cause of the end is the signal, or whatever the caller said.
	if ctx.Err() != nil {
		sum.Interrupted = true
	} else if runErr != nil {
		sum.Error = runErr.Error()
	}
	if j.incidents != nil {
		sum.Incidents = j.incidents(stats)
	}
	errs := []error{sum.WriteTable(stdout)}
	if t.truth != "" {
		errs = append(errs, writeFile(t.truth, func(w io.Writer) error { return j.truth(w, stats) }))
	}
	if t.summary != "" {
		errs = append(errs, writeFile(t.summary, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(sum)
		}))
	}
	if runErr != nil && !sum.Interrupted {
		errs = append(errs, runErr)
	} else if !sum.Interrupted && !sum.OK() {
		errs = append(errs, fmt.Errorf("%d of %d spans were not accepted", sum.Spans-sum.Accepted, sum.Spans))
	}
	return errors.Join(errs...)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// progress shows how far a run is: one line that is rewritten on a terminal,
// a line every five seconds elsewhere. The function that it returns ends it.
func progress(w io.Writer, stats *llmtraffic.Stats, start, end time.Time) func() {
	interval, tty := 5*time.Second, false
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		interval, tty = 200*time.Millisecond, true
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		var last int64
		for {
			select {
			case <-done:
				if tty {
					_, _ = fmt.Fprint(w, "\r\033[K")
				}
				return
			case <-tick.C:
			}
			c := stats.Counts()
			line := fmt.Sprintf("%3.0f %%  %s  %d spans  %.0f/s  failed %d  rejected %d  retries %d", percent(c.EventTime, start, end),
				c.EventTime.Format(time.DateTime), c.Accepted, float64(c.Accepted-last)/interval.Seconds(), c.Failed, c.Rejected, c.Retries)
			last = c.Accepted
			if tty {
				_, _ = fmt.Fprint(w, "\r\033[K"+line)
			} else {
				_, _ = fmt.Fprintln(w, line)
			}
		}
	}()
	return func() {
		close(done)
		wg.Wait()
	}
}

func percent(t, start, end time.Time) float64 {
	if t.IsZero() || !end.After(start) {
		return 0
	}
	return min(max(100*float64(t.Sub(start))/float64(end.Sub(start)), 0), 100)
}
