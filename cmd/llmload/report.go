package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/llm-devops/llm-sentinel/internal/llmtraffic"
)

// maxListed bounds the list of false alarms.
const maxListed = 20

// writeReport prints what the demo found.
func writeReport(w io.Writer, r *llmtraffic.Report, c *llmtraffic.Counts, series int, start time.Time) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "INCIDENT\tSERIES\tFOUND\tAFTER\tCALLS\tTYPE\tSEVERITY\tMETHODS\tALERT\tSIGNATURE")
	for i := range r.Detections {
		d := &r.Detections[i]
		_, _ = fmt.Fprintf(tw, "%s x%g\t%s / %s\t", d.Truth.Kind, d.Truth.Factor, d.Truth.Service, d.Truth.Model)
		if d.Anomaly == nil {
			_, _ = fmt.Fprint(tw, "MISSED\t-\t-\t-\t-\t-\t")
		} else {
			a := d.Anomaly
			methods := make([]string, len(a.Details.Methods))
			for j, m := range a.Details.Methods {
				methods[j] = string(m)
			}
			if len(methods) == 0 {
				methods = []string{string(a.Method)}
			}
			_, _ = fmt.Fprintf(tw, "yes\t%s\t%d\t%s\t%s\t%s\t", d.Delay.Round(time.Second), d.DelayCalls, a.Type, a.Severity, strings.Join(methods, ","))
		}
		switch {
		case d.Alert == nil:
			_, _ = fmt.Fprintln(tw, "none\t-")
		case d.Alert.SignatureError != nil:
			_, _ = fmt.Fprintf(tw, "%s\tBAD: %s\n", d.Alert.ID, d.Alert.SignatureError)
		default:
			_, _ = fmt.Fprintf(tw, "%s\tverified\n", d.Alert.ID)
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	untouched := series
	seen := map[llmtraffic.SeriesKey]bool{}
	for i := range r.Detections {
		k := llmtraffic.SeriesKey{Service: r.Detections[i].Truth.Service, Model: r.Detections[i].Truth.Model}
		if !seen[k] {
			seen[k] = true
			untouched--
		}
	}
	_, err := fmt.Fprintf(w, `
calls sent                               %d
anomalies on the clean part              %d
alerts on the clean part                 %d (%.1f per 1000 hours of a service and model)
false alarms on %d untouched series       %d
false alarms on touched series, outside incidents  %d
alerts about false alarms                %d
alerts with a bad signature              %d
`, c.Calls, r.CleanAnomalies, r.CleanAlerts,
		1000*float64(r.CleanAlerts)/max(float64(series)*r.CleanEnd.Sub(start).Hours(), 1e-9), untouched, r.Untouched, len(r.FalseAlarms)-r.Untouched, r.FalseAlerts, r.BadSignatures)
	if err != nil || len(r.FalseAlarms) == 0 {
		return err
	}
	tw = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "\nFALSE ALARM\tSERIES\tTYPE\tSEVERITY\tMETHOD\tMETRIC\tVALUE\tEXPECTED\tLIMIT\tEVENT")
	for i := range r.FalseAlarms[:min(len(r.FalseAlarms), maxListed)] {
		a := &r.FalseAlarms[i]
		_, _ = fmt.Fprintf(tw, "%s\t%s / %s\t%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\n", a.Time.Format(time.TimeOnly), a.Service, a.Model, a.Type, a.Severity, a.Method,
			a.Details.Metric, a.Details.Value, a.Details.Baseline, a.Details.Threshold, a.Context.EventID)
	}
	return tw.Flush()
}
