package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// Pauses between attempts to get a broken stream back.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

func (a *app) tailCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "tail", Short: "Print anomalies as they are found", Args: cobra.NoArgs,
		Long: "Prints anomalies as they are found, until it is interrupted. A connection that breaks is made again, from where it was.",
	}
	f := newFilters(c.Flags())
	f.series()
	f.findings()
	c.RunE = func(c *cobra.Command, _ []string) error {
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		cl, err := a.client()
		if err != nil {
			return err
		}
		t := tail{client: cl, query: q, out: c.OutOrStdout(), notes: c.ErrOrStderr(), lines: a.output != outputTable, pause: firstPause}
		return t.run(c.Context())
	}
	return c
}

type tail struct {
	client *client
	query  url.Values
	out    io.Writer
	notes  io.Writer
	lines  bool
	last   string // id of the last event
	pause  time.Duration
}

// run follows the stream until ctx ends. What the server refuses is final, a
// broken connection is not, once there was one.
func (t *tail) run(ctx context.Context) error {
	for connected := false; ; {
		err := t.follow(ctx, &connected)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *requestError
		if errors.As(err, &refused) && !connected {
			return err
		}
		var final *writeError
		if errors.As(err, &final) {
			return final.err
		}
		_, _ = fmt.Fprintf(t.notes, "the stream broke (%s); connecting again\n", printable(fmt.Sprint(err)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(t.pause):
		}
		t.pause = min(2*t.pause, maxPause)
	}
}

// writeError is a failure of our own output.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (t *tail) follow(ctx context.Context, connected *bool) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if t.last != "" {
		header.Set("Last-Event-ID", t.last)
	}
	resp, err := t.client.do(ctx, http.MethodGet, "api/v1/stream", t.query, nil, header)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	*connected = true
	err = readEvents(resp.Body, func(e serverEvent) error {
		t.last, t.pause = e.id, firstPause
		return t.print(e)
	})
	if err == nil {
		err = errors.New("the server ended it")
	}
	return err
}

func (t *tail) print(e serverEvent) error {
	switch e.name {
	case "missed":
		var m struct {
			Count int64 `json:"count"`
		}
		if json.Unmarshal([]byte(e.data), &m) == nil {
			_, _ = fmt.Fprintf(t.notes, "%d anomalies were too many at once and are not shown; sentinelctl query anomalies has them\n", m.Count)
		}
		return nil
	case "anomaly":
	default:
		return nil
	}
	if t.lines {
		return written(fmt.Fprintln(t.out, e.data))
	}
	var f finding
	if err := json.Unmarshal([]byte(e.data), &f); err != nil {
		return fmt.Errorf("read an anomaly of the stream: %w", err)
	}
	// No table: columns of what is to come are not known.
	return written(fmt.Fprintf(t.out, "%s  %-8s  %s  %s / %s  %s %s, expected %s  %s\n", local(f.Timestamp), printable(f.Severity), printable(string(f.Type)),
		printable(f.ServiceName), printable(f.Model), printable(f.Details.Metric), firstOf(number(f.Details.Value), "-"), firstOf(number(f.Details.Baseline), "-"), printable(f.AlertID)))
}

func written(_ int, err error) error {
	if err != nil {
		return &writeError{err}
	}
	return nil
}
