// Command api measures the query interface on the embedded store: what a mix of
// questions costs when their answers are kept, and whether a client that reads
// everything page by page sees each event exactly once while others arrive.
//
// The server is a process of its own with one thread of Go code, the real
// storage and query extensions in it. Figures are printed as
// "RESULT name value unit".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

type options struct {
	events  int
	rate    int
	seconds int
	arrive  int
	limit   int
}

func main() {
	os.Exit(command())
}

// command returns the exit code.
func command() int {
	var o options
	serve := flag.String("serve", "", "internal: be the server, with data in this folder")
	flag.IntVar(&o.events, "events", 1_000_000, "events that are stored before and read page by page")
	flag.IntVar(&o.rate, "rate", 2000, "requests a second of the mix")
	flag.IntVar(&o.seconds, "seconds", 15, "length of the mix")
	flag.IntVar(&o.arrive, "arrive", 10_000, "events a second that arrive while a client reads page by page")
	flag.IntVar(&o.limit, "limit", 5000, "rows of a page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *serve != "" {
		err = runServer(ctx, *serve, o.events, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, o options) error {
	if o.events < 1000 || o.rate < 1 || o.seconds < 1 || o.limit < 1 || o.limit > 10_000 {
		return errors.New("events must be at least 1000, rate and seconds at least 1, limit from 1 to 10000")
	}
	dir, err := os.MkdirTemp("", "bench-api-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := startProcess(ctx, dir, o.events)
	if err != nil {
		return err
	}
	defer p.kill()

	m, err := measureMix(ctx, p, o)
	if err != nil {
		return err
	}
	fmt.Printf("%d requests in %s, %d distinct questions, %.1f %% answered from the cache, %.1f %% with 304\n",
		m.requests, m.elapsed.Round(time.Millisecond), m.questions, 100*m.hits, 100*m.unchanged)
	fmt.Printf("RESULT api.requests_per_cpu_s %.0f requests/cpu_s\n", float64(m.requests)/m.cpu)
	fmt.Printf("RESULT api.requests_per_s %.0f requests/s\n", float64(m.requests)/m.elapsed.Seconds())
	fmt.Printf("RESULT api.p50_ms %.2f ms\n", m.p50)
	fmt.Printf("RESULT api.p99_ms %.2f ms\n", m.p99)
	fmt.Printf("RESULT api.cache_hit_ratio %.3f ratio\n", m.hits)
	fmt.Printf("RESULT api.failed_requests %d requests\n", m.failed)

	w, err := measurePaging(ctx, p, o)
	if err != nil {
		return err
	}
	fmt.Printf("%d pages in %s, %d events arrived meanwhile (%.0f/s), %d of them within the range that was read\n",
		w.pages, w.elapsed.Round(time.Millisecond), w.arrived, float64(w.arrived)/w.elapsed.Seconds(), w.arrivedInRange)
	fmt.Printf("RESULT api.paged_events %d events\n", w.seen)
	fmt.Printf("RESULT api.duplicates %d events\n", w.duplicates)
	fmt.Printf("RESULT api.missed %d events\n", w.missed)
	fmt.Printf("RESULT api.paging_rows_per_s %.0f rows/s\n", float64(w.seen)/w.elapsed.Seconds())
	if err := p.quit(); err != nil {
		return err
	}
	if m.failed > 0 || w.duplicates > 0 || w.missed > 0 {
		return errors.New("requests failed, or rows were seen twice or not at all")
	}
	return nil
}
