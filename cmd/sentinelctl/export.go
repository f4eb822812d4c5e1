package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// progressEvery is how often a long download says how far it is.
const progressEvery = 2 * time.Second

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{Use: "export", Short: "Write calls or anomalies to a file: CSV, JSON lines or Parquet"}
	c.AddCommand(
		a.exportOf("telemetry", "LLM calls", (*filters).events),
		a.exportOf("anomalies", "Anomalies", (*filters).anomalies),
	)
	return c
}

func (a *app) exportOf(kind, short string, add func(*filters)) *cobra.Command {
	c := &cobra.Command{
		Use: kind, Short: short, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  sentinelctl export %s --since 24h --format parquet --out %s.parquet", kind, kind),
	}
	f := newFilters(c.Flags())
	add(f)
	f.times()
	format := c.Flags().String("format", "csv", "csv, jsonl or parquet")
	out := c.Flags().String("out", "-", "file to write, - for standard output; must not exist")
	c.RunE = func(c *cobra.Command, _ []string) error {
		q, err := f.values(time.Now())
		if err != nil {
			return err
		}
		q.Set("format", *format)
		cl, err := a.client()
		if err != nil {
			return err
		}
		resp, err := cl.do(c.Context(), http.MethodGet, "api/v1/export/"+kind, q, nil, nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if *out == "-" {
			_, err := io.Copy(c.OutOrStdout(), resp.Body)
			return cutOff(err)
		}
		return download(*out, resp.Body, c.ErrOrStderr())
	}
	return c
}

func cutOff(err error) error {
	if err == nil {
		return nil
	}
	return &requestError{"the export was cut off and is not complete", err}
}

// download writes to a file that appears under its name when it is complete.
func download(name string, r io.Reader, notes io.Writer) (err error) {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("--out %s exists already", name)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	p := &progress{notes: notes, last: time.Now()}
	n, err := io.Copy(io.MultiWriter(tmp, p), r)
	if err != nil {
		return errors.Join(cutOff(err), tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// Link fails where another file has got the name in the meantime.
	if err := os.Link(tmp.Name(), name); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if err := os.Remove(tmp.Name()); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(notes, "%s: %.1f MB\n", name, float64(n)/1e6)
	return nil
}

// progress tells how much has passed.
type progress struct {
	notes io.Writer
	n     int64
	last  time.Time
}

func (p *progress) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if now := time.Now(); now.Sub(p.last) >= progressEvery {
		p.last = now
		_, _ = fmt.Fprintf(p.notes, "%.1f MB\n", float64(p.n)/1e6)
	}
	return len(b), nil
}
