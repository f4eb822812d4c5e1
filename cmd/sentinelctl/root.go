package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// errSilent ends with exitError when all has been said.
var errSilent = errors.New("failed")

const (
	defaultURL     = "http://localhost:8080"
	defaultTimeout = 30 * time.Second
)

// app is what all commands share.
type app struct {
	getenv   func(string) string
	url      string
	output   string
	user     string
	caFile   string
	insecure bool
	timeout  time.Duration
}

const rootLong = `sentinelctl asks a running LLM-Sentinel over its HTTP API and prints tables or JSON.

Credentials come from the environment, never from flags, which others can see:
  SENTINEL_TOKEN      bearer token
  SENTINEL_PASSWORD   password of --user (or SENTINEL_USER)

SENTINEL_URL is the default of --url.`

func newRoot(getenv func(string) string) *cobra.Command {
	a := &app{getenv: getenv}
	root := &cobra.Command{
		Use: "sentinelctl", Short: "Ask a running LLM-Sentinel", Long: rootLong,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.check() },
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.url, "url", firstOf(getenv("SENTINEL_URL"), defaultURL), "address of the query extension")
	f.StringVarP(&a.output, "output", "o", outputTable, "table, json (as the API answers) or jsonl (one row in a line)")
	f.StringVar(&a.user, "user", getenv("SENTINEL_USER"), "name for basic authentication")
	f.StringVar(&a.caFile, "ca-file", "", "PEM file of certificate authorities to trust instead of the system's")
	f.BoolVar(&a.insecure, "insecure-skip-verify", false, "do not verify the server's certificate")
	f.DurationVar(&a.timeout, "timeout", defaultTimeout, "for one answer; export and tail have none")
	root.AddCommand(
		a.queryCommand(), a.explainCommand(), a.tailCommand(), a.statsCommand(), a.servicesCommand(), a.modelsCommand(),
		a.baselinesCommand(), a.exportCommand(), a.silenceCommand(), a.feedbackCommand(), a.healthCommand(),
	)
	return root
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (a *app) check() error {
	switch a.output {
	case outputTable, outputJSON, outputLines:
	default:
		return fmt.Errorf("--output must be table, json or jsonl, got %q", a.output)
	}
	if a.timeout <= 0 {
		return fmt.Errorf("--timeout must be positive, got %s", a.timeout)
	}
	return nil
}
