// Command sentinelctl asks a running LLM-Sentinel over its HTTP API: what was
// called, what is wrong, what it costs; and tells it which anomalies were none.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal kills: the handler is gone after the first.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // the question could not be answered, or the answer is bad
	exitUsage = 2
)

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	root := newRoot(getenv) //nolint:contextcheck // the context comes with ExecuteContext
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitError
	}
	_, _ = fmt.Fprintln(stderr, "sentinelctl:", printable(err.Error()))
	var failure *requestError
	if errors.As(err, &failure) {
		return exitError
	}
	return exitUsage
}
