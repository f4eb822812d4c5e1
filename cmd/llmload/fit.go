package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

const fitHelp = `Usage: llmload fit [flags]

Measures the generator's parameters on the public traces and prints them as Go
source, or writes them with --out (internal/llmtraffic/params_gen.go). The data
folder holds azure-llm-2023, mooncake, servegen, llmperf-leaderboard and
vllm-burstgpt-logs.
`

func fit(_ context.Context, args []string, stdout, stderr io.Writer) error {
	dir := os.Getenv("SENTINEL_DATA")
	if dir == "" {
		dir = "../shared/data"
	}
	var out string
	fs := newFlags("fit", fitHelp, stderr)
	fs.StringVar(&dir, "data", dir, "`folder` of the data sets (environment SENTINEL_DATA)")
	fs.StringVar(&out, "out", "", "write to this `file` instead of printing")
	if err := parse(fs, args); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("no data to fit: %w (set SENTINEL_DATA or --data)", err)
	}
	f, err := llmtraffic.Fit(dir)
	if err != nil {
		return err
	}
	src, err := f.GoSource()
	if err != nil {
		return err
	}
	if out == "" {
		_, err = stdout.Write(src)
		return err
	}
	return writeFile(out, func(w io.Writer) error {
		_, err := w.Write(src)
		return err
	})
}
