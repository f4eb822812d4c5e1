// Command llmload sends realistic LLM telemetry over OTLP, replays public
// traces, and runs a demonstration that checks a collector against labelled
// incidents.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const usage = `llmload makes LLM telemetry for OpenTelemetry collectors.

Usage: llmload COMMAND [flags]

Commands:
  generate  send generated traffic with labelled incidents
  replay    send the requests of public trace files
  demo      start a collector, send incidents, check what it found
  fit       measure the generator's parameters on the public traces

llmload COMMAND -h describes the flags of a command.
`

// errUsage marks errors of the command line; they exit with code 2.
var errUsage = errors.New("usage")

type command func(ctx context.Context, args []string, stdout, stderr io.Writer) error

var commands = map[string]command{"generate": generate, "replay": replay, "demo": demo, "fit": fit}

func main() {
	// Nearly all garbage is short-lived request data: a larger heap is cheaper
	// than collecting often.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal kills: the handler is gone after the first.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		_, _ = fmt.Fprint(stderr, usage)
		return 2
	}
	if args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		_, _ = fmt.Fprint(stdout, usage)
		return 0
	}
	cmd, ok := commands[args[0]]
	if !ok {
		_, _ = fmt.Fprintf(stderr, "llmload: unknown command %q\n\n%s", args[0], usage)
		return 2
	}
	switch err := cmd(ctx, args[1:], stdout, stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintln(stderr, "llmload:", err)
		return 2
	default:
		_, _ = fmt.Fprintln(stderr, "llmload:", err)
		return 1
	}
}
