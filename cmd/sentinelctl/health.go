package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

type componentState struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "State of the collector; exit code 1 unless healthy", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			got, err := a.get(c.Context(), "health", nil)
			if err != nil {
				return err
			}
			var h struct {
				Status     string           `json:"status"`
				Version    string           `json:"version"`
				Components []componentState `json:"components"`
			}
			if err := json.Unmarshal(got.Data, &h); err != nil {
				return &requestError{"read the answer", err}
			}
			w := c.OutOrStdout()
			if a.output != outputTable {
				if err := printRows[componentState](w, a.output, got.Data, nil); err != nil {
					return err
				}
			} else {
				_, _ = fmt.Fprintf(w, "%s (version %s)\n\n", printable(h.Status), printable(h.Version))
				if err := printTable(w, h.Components, []column[componentState]{
					{"component", func(s *componentState) string { return s.Kind + " " + s.Name }},
					{"status", func(s *componentState) string { return s.Status }},
					{"message", func(s *componentState) string { return s.Message }},
				}); err != nil {
					return err
				}
			}
			if h.Status != "healthy" {
				return errSilent
			}
			return nil
		},
	}
}
