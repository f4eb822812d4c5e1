package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// feedback is what the API takes and gives.
type feedback struct {
	Verdict string `json:"verdict"`
	For     string `json:"for,omitempty"`
	Comment string `json:"comment,omitempty"`
	Author  string `json:"author,omitempty"`
}

type kept struct {
	AnomalyID string     `json:"anomaly_id"`
	Verdict   string     `json:"verdict"`
	Until     *time.Time `json:"until"`
}

const defaultSilence = 24 * time.Hour

func (a *app) silenceCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "silence ANOMALY-ID", Short: "Do not tell of the like of an anomaly for a while", Args: cobra.ExactArgs(1),
		Long: "Mutes the service, model and type of an anomaly: nothing of them is marked until the time is over. It is still learned from.",
	}
	span := c.Flags().Duration("for", defaultSilence, "how long, 1m to 720h")
	comment, author := notes(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.give(c, args[0], feedback{Verdict: "mute", For: span.String(), Comment: *comment, Author: *author})
	}
	return c
}

func (a *app) feedbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "feedback ANOMALY-ID true|false", Short: "Say whether an anomaly was one; the engine learns from it",
		Args: cobra.ExactArgs(2), ValidArgs: []string{"true", "false"},
	}
	comment, author := notes(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if v := args[1]; v != "true" && v != "false" {
			return fmt.Errorf("verdict must be true or false, got %q", v)
		}
		return a.give(c, args[0], feedback{Verdict: args[1], Comment: *comment, Author: *author})
	}
	return c
}

func notes(c *cobra.Command) (comment, author *string) {
	return c.Flags().String("comment", "", "why"), c.Flags().String("author", "", "who says so")
}

func (a *app) give(c *cobra.Command, id string, f feedback) error {
	got, err := a.call(c.Context(), http.MethodPost, "api/v1/anomalies/"+url.PathEscape(id)+"/feedback", nil, f)
	if err != nil {
		return err
	}
	return printRows(c.OutOrStdout(), a.output, got.Data, []column[kept]{
		{"anomaly", func(k *kept) string { return k.AnomalyID }},
		{"verdict", func(k *kept) string { return k.Verdict }},
		{"until", func(k *kept) string {
			if k.Until == nil {
				return ""
			}
			return local(*k.Until)
		}},
	})
}

func (a *app) explainCommand() *cobra.Command {
	c := &cobra.Command{Use: "explain ANOMALY-ID", Short: "What an anomaly rests on, and what is like it", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		got, err := a.get(c.Context(), "api/v1/anomalies/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		if a.output != outputTable {
			return printRows[finding](c.OutOrStdout(), a.output, got.Data, nil)
		}
		var d struct {
			Anomaly finding         `json:"anomaly"`
			Spans   json.RawMessage `json:"spans"`
			Similar []finding       `json:"similar"`
		}
		if err := json.Unmarshal(got.Data, &d); err != nil {
			return &requestError{"read the answer", err}
		}
		w := c.OutOrStdout()
		if err := printTable(w, []finding{d.Anomaly}, findingColumns); err != nil {
			return err
		}
		if d.Anomaly.RootCause != nil {
			_, _ = fmt.Fprintf(w, "\n%s\n", printable(strings.ReplaceAll(*d.Anomaly.RootCause, "; ", ";\n  ")))
		}
		for _, r := range d.Anomaly.Remediation {
			_, _ = fmt.Fprintf(w, "\nTo do: %s\n", printable(r))
		}
		if len(d.Spans) > len("[]") {
			_, _ = fmt.Fprintln(w, "\nThe trace:")
			if err := printRows(w, outputTable, d.Spans, eventColumns); err != nil {
				return err
			}
		}
		if len(d.Similar) == 0 {
			return nil
		}
		_, _ = fmt.Fprintln(w, "\nLike it:")
		return printTable(w, d.Similar, findingColumns)
	}
	return c
}
